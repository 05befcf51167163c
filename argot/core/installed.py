"""argot.lock: which Argot a project of `argot init` runs, and what each of its stages runs of it.

DVC does not see an installed package. A stage of such a project declares `code.NAME` of argot.lock,
so that it runs again when an upgrade changes the code that it imports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import yaml

from argot.core.files import sha256
from argot.errors import InputError

NAME = "argot-retrieval"
LOCK = Path("argot.lock")
PACKAGE = Path(__file__).parents[1]
# The pipeline's files, which only a wheel has in the package (setup.py): they are not its code.
TEMPLATE = PACKAGE / "template"


def digest(paths: Iterable[Path]) -> str:
    """The SHA-256 over names and bytes of the package's files; of a folder, over all that is in it.

    It is the same for a wheel and a checkout of one version.
    """
    files = sorted({file for path in paths for file in _files(path)})
    lines = [f"{sha256(file)} {file.relative_to(PACKAGE).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_installed(lock: Path = LOCK) -> None:
    """Raise InputError where argot.lock names other code than is installed; nothing without one."""
    if not lock.exists():
        return
    recorded, here = read_lock(lock), digest([PACKAGE])
    if recorded["package"] != here:
        raise InputError(
            f"{lock} is of Argot {recorded['version']} with the code {recorded['package'][:8]}, "
            f"but installed is {version(NAME)} with {here[:8]}; run `argot upgrade`, or install "
            "the one that it names"
        )


def read_lock(lock: Path = LOCK) -> dict[str, str]:
    """The version and the digest of the package that argot.lock names."""
    try:
        content = yaml.safe_load(lock.read_text(encoding="utf-8"))
        return {key: str(content[key]) for key in ("version", "package")}
    except FileNotFoundError:
        raise InputError(
            f"{lock} is missing; run this in the folder where `argot init` ran"
        ) from None
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        raise InputError(f"{lock} is damaged; put it back: git checkout {lock}") from None


def _files(path: Path) -> Iterator[Path]:
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts and TEMPLATE not in file.parents:
            yield file
