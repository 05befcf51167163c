"""What an upgrade does to files: a merge of the team's, Argot's last and Argot's new one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import yaml

from argot.core.params import PARAMS
from argot.project.params import merged
from argot.project.template import BASE

NEW = ".new"  # the ending of Argot's version beside a file that can't be merged


class Change(NamedTuple):
    """What an upgrade does to one file: its new content, None where it goes, and what to say."""

    name: str
    content: bytes | None
    notes: list[str]


def changes(project: Path, theirs: Mapping[str, bytes]) -> Iterator[Change]:
    """Each file that an upgrade to `theirs` changes: a merge with the team's and Argot's last one.

    A file that the team removed stays away. Where the team and Argot changed the same lines, the
    team's file stays and Argot's comes beside it, as NAME.new.
    """
    base = project / BASE
    before = {path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()}
    for name in sorted(before | theirs.keys()):
        ours, last, new = _read(project / name), _read(base / name), theirs.get(name)
        if new not in (ours, last) and (ours is not None or last is None):
            yield _merge(name, ours, last, new)


def _merge(name: str, ours: bytes | None, last: bytes | None, new: bytes | None) -> Change:
    if ours == last and name != str(PARAMS):
        why = "is new" if ours is None else "goes" if new is None else "is Argot's new one"
        return Change(name, new, [why])
    if ours is None or new is None:
        return Change(name, ours, ["stays as you changed it; Argot has it no longer"])
    merge = _merge_params if name == str(PARAMS) else _merge_lines
    try:
        return merge(name, ours, last or b"", new)
    except ValueError:
        return Change(name + NEW, new, [f"is Argot's; {name} is yours: put them together"])


def _merge_params(name: str, ours: bytes, last: bytes, new: bytes) -> Change:
    try:
        text, notes = merged(ours.decode(), last.decode(), new.decode())
    except yaml.YAMLError as error:
        raise ValueError(name) from error
    return Change(name, text.encode(), notes)


def _merge_lines(name: str, ours: bytes, last: bytes, new: bytes) -> Change:
    """By `git merge-file`, which ends with another code than 0 where lines are in conflict."""
    with TemporaryDirectory() as folder:
        files = [Path(folder, side) for side in ("ours", "last", "new")]
        for file, content in zip(files, (ours, last, new), strict=True):
            file.write_bytes(content)
        result = subprocess.run(["git", "merge-file", "-p", *files], capture_output=True)
    if result.returncode:
        raise ValueError(name)
    return Change(name, result.stdout, ["is merged with your changes"])


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
