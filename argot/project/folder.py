"""A project's folder: `create` makes it, `upgrade` brings it to the installed Argot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from argot.core.files import replacing, replacing_folder
from argot.core.installed import LOCK, read_lock
from argot.errors import InputError
from argot.project.merge import Change, changes
from argot.project.reruns import reruns
from argot.project.template import (
    BASE,
    LINES,
    REQUIREMENTS,
    WHEELS,
    generated,
    is_for_others,
    lines,
    template,
)

# What a run writes, or `dvc add`, that git must hold too.
IN_GIT = ("data/raw.dvc", "dvc.lock", "reports/metrics.json")


def create(project: Path) -> list[str]:
    """Put the pipeline into a git repository, or a folder of one, or an empty folder.

    Returns what a person should know. Raises InputError, and writes nothing, where a file is in the
    way; a file that is there already with the same content is not.
    """
    if (project / LOCK).exists():
        raise InputError(f"{project} has a pipeline; `argot upgrade` brings it up to date")
    project.mkdir(parents=True, exist_ok=True)
    if _git(project, "rev-parse").returncode:
        if any(project.iterdir()):
            raise InputError(f"{project} is in no git repository; run `git init` there first")
        _run(project, "git", "init", "-q")
    base, locks = _template(project), generated()
    _refuse_what_is_in_the_way(project, {**base, **locks})
    if not (project / ".dvc").is_dir():
        subdir = ["--subdir"] if _in_subfolder(project) else []
        _run(project, sys.executable, "-m", "dvc", "init", "-q", *subdir)
    for name, content in base.items():
        _write(project / name, content)
    _finish(project, base, locks)
    return [*_missing_wheel(project), *_ignored(project, [*base, *locks, *IN_GIT])]


def upgrade(project: Path, dry_run: bool) -> tuple[list[Change], dict[str, str]]:
    """Bring a project's files to the installed Argot, and tell the stages that run again, and why.

    Nothing is written with `dry_run`. Raises InputError where no project is.
    """
    read_lock(project / LOCK)
    base, locks = _template(project), generated()
    todo = [*changes(project, base)]
    before = _files(project, [*base, *locks])
    after = {**before, **locks, **{name: content for name, content, _ in todo if content}}
    try:
        stages = dict(reruns(before, after))
    except (KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise InputError(f"dvc.yaml or params.yaml can't be read ({error}); mend it") from None
    if not dry_run:
        for name, content, _ in todo:
            if content is None:
                (project / name).unlink()
            else:
                _write(project / name, content)
        _finish(project, base, locks)
    return todo, stages


def _finish(project: Path, base: Mapping[str, bytes], locks: Mapping[str, bytes]) -> None:
    """Add lines, keep what Argot wrote, and last argot.lock, without which nothing is a project."""
    for name in LINES:
        _add_lines(project / name, lines(name))
    with replacing_folder(project / BASE) as folder:
        for name, content in base.items():
            _write(folder / name, content)
    for name in sorted(locks, key=lambda name: name == str(LOCK)):
        _write(project / name, locks[name])


def _template(project: Path) -> dict[str, bytes]:
    files = template()
    # GitHub reads workflows at the root of a repository alone.
    outside = ".github/" if _in_subfolder(project) else "\0"
    return {name: content for name, content in files.items() if not name.startswith(outside)}


def _refuse_what_is_in_the_way(project: Path, files: Mapping[str, bytes]) -> None:
    there = []
    for name, content in files.items():
        blocking = [path for path in (project / name).parents if path.is_file()]
        same = (project / name).is_file() and (project / name).read_bytes() == content
        if blocking or (os.path.lexists(project / name) and not same):
            there.append(name)
    if there:
        more = f" and {len(there) - 5} more" if len(there) > 5 else ""
        raise InputError(
            f"in the way, and left as they are: {', '.join(there[:5])}{more}; nothing was written. "
            "Move them away, or take a folder of the repository: argot init FOLDER"
        )


def _missing_wheel(project: Path) -> list[str]:
    """What others need who install Argot here, where no index and no git has it."""
    if is_for_others() or [*(project / WHEELS).glob("*.whl")]:
        return []
    return [
        f"this Argot was installed from a file, which colleagues and workflows don't have: put its "
        f"wheel into {WHEELS}/, in git, or name its address in {REQUIREMENTS}"
    ]


def _ignored(project: Path, names: Iterable[str]) -> list[str]:
    """What git would leave out of commits, with the line that says so."""
    found = _git(project, "check-ignore", "-v", *names).stdout.splitlines()
    return [
        f"git ignores {line.partition(chr(9))[2]} ({line.partition(chr(9))[0]}): change that line, "
        "or clones will miss the file"
        for line in found
    ]


def _add_lines(path: Path, needed: Iterable[str]) -> None:
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    missing = [line for line in needed if line not in text.splitlines()]
    if missing:
        end = "\n" if text and not text.endswith("\n") else ""
        _write(path, (text + end + "".join(f"{line}\n" for line in missing)).encode())


def _files(project: Path, names: Iterable[str]) -> dict[str, bytes]:
    return {name: (project / name).read_bytes() for name in names if (project / name).is_file()}


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as beside:
        beside.write_bytes(content)
        beside.chmod(0o755 if content.startswith(b"#!") else 0o644)


def _in_subfolder(project: Path) -> bool:
    return bool(_git(project, "rev-parse", "--show-prefix").stdout.strip())


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, check=False
    )


def _run(project: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise InputError(f"`{' '.join(command[-3:])}` failed in {project}: {reason}")
