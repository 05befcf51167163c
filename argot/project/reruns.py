"""Which stages run again after an upgrade, and why: what DVC compares, without its data."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from argot.core.installed import LOCK
from argot.core.params import PARAMS

PIPELINE = "dvc.yaml"


def reruns(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Stages that DVC will run again, by name, and why; both mappings hold a project's files."""
    old, new = _declared(before[PIPELINE]), _declared(after[PIPELINE])
    changed = {name for name in before.keys() | after if before.get(name) != after.get(name)}
    for name, stage in new.items():
        reasons = ["its definition"] if stage != old.get(name) else []
        reasons += [dep for dep in stage["deps"] if _holds_one_of(dep, changed)]
        for file, key in stage["params"]:
            if file in changed and _param(before.get(file), key) != _param(after.get(file), key):
                reasons.append("Argot's code" if file == str(LOCK) else f"params {key}")
        if reasons:
            yield name, ", ".join(reasons)


def _declared(pipeline: bytes) -> dict[str, dict[str, Any]]:
    """What decides whether DVC runs a stage: its command, deps, params and outs."""
    declared = {}
    for name, stage in yaml.safe_load(pipeline)["stages"].items():
        body = {**stage.get("do", stage), "desc": None, "cells": stage.get("foreach")}
        body["deps"] = sorted(body.get("deps", []))
        body["params"] = [pair for param in body.get("params", []) for pair in _keys_of(param)]
        declared[name] = body
    return declared


def _keys_of(param: str | dict[str, list[str]]) -> list[tuple[str, str]]:
    """The file and the key of each param: a name alone is one of params.yaml."""
    files = {str(PARAMS): [param]} if isinstance(param, str) else param
    return [(file, key) for file, keys in files.items() for key in keys]


def _param(text: bytes | None, key: str) -> Any:
    value = _parsed(text or b"")
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


@functools.cache
def _parsed(text: bytes) -> Any:
    return yaml.safe_load(text)


def _holds_one_of(dep: str, changed: set[str]) -> bool:
    return any(name == dep or name.startswith(f"{dep}/") for name in changed)
