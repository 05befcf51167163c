"""What `argot upgrade` says will run again is what the real DVC says once it is done."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from argot.project.reruns import reruns
from tests.support.workspaces import run

STAGES = """
stages:
  first: {cmd: echo 1 > one, deps: [code/a.py], params: [knobs.a, {argot.lock: [code.first]}], outs: [one]}
  second: {cmd: echo 2 > two, deps: [code], params: [knobs.b], outs: [two]}
  third: {cmd: echo 3 > three, deps: [numerics.lock], outs: [three]}
  cells: {foreach: [x, y], do: {cmd: "echo ${item} > ${item}", params: [{argot.lock: [code.cells]}], outs: ["${item}"]}}
"""
FILES = {
    "dvc.yaml": STAGES,
    "params.yaml": "knobs: {a: 1, b: 1, c: 1}\n",
    "argot.lock": "code: {first: d1, cells: e1}\n",
    "numerics.lock": "torch==1\n",
    "code/a.py": "a\n",
    "code/b.py": "b\n",
}
UPGRADES = [
    {
        "params.yaml": "knobs: {a: 1, b: 1, c: 2, d: 3}\n",
        "dvc.yaml": STAGES.replace("outs: [three]", "outs: [three], desc: Three"),
    },
    {
        "params.yaml": "knobs: {a: 1, b: 2, c: 1}\n",
        "numerics.lock": "torch==2\n",
        "argot.lock": "code: {first: d1, cells: e2}\n",
    },
    {
        "argot.lock": "code: {first: d2, cells: e1}\n",
        "code/b.py": "c\n",
        "dvc.yaml": STAGES.replace("echo 3 >", "echo 4 >"),
    },
]


def test_it_says_what_dvc_says(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    run(tmp_path, "dvc", "repro", "-q")
    for upgrade in UPGRADES:
        after = {**FILES, **upgrade}
        write(tmp_path, after)
        expected = {
            name.partition("@")[0] for name in json.loads(run(tmp_path, "dvc", "status", "--json"))
        }
        before = {name: text.encode() for name, text in FILES.items()}
        told = dict(reruns(before, {name: text.encode() for name, text in after.items()}))
        assert told.keys() == expected, upgrade


def test_the_reason_is_named() -> None:
    def told(**changed: str) -> dict[str, str]:
        before = {name: text.encode() for name, text in FILES.items()}
        return dict(
            reruns(before, {**before, **{name: text.encode() for name, text in changed.items()}})
        )

    assert told(**UPGRADES[0]) == {}
    assert told(**UPGRADES[1]) == {
        "second": "params knobs.b",
        "third": "numerics.lock",
        "cells": "Argot's code",
    }
    assert told(**UPGRADES[2]) == {
        "first": "Argot's code",
        "second": "code",
        "third": "its definition",
    }
    fourth = {**yaml.safe_load(STAGES)["stages"], "fourth": {"cmd": "echo", "deps": ["one"]}}
    assert told(**{"dvc.yaml": yaml.safe_dump({"stages": fourth})}) == {"fourth": "its definition"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
