"""Metadata that people write beside documents.

NAME.meta.yaml is for the document NAME, _meta.yaml for all documents below its folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from argot.documents.formats import UnreadableError
from argot.documents.formats.markup import as_json
from argot.errors import InputError

ENDING, RULE = ".meta.yaml", "_meta.yaml"


def is_sidecar(name: str) -> bool:
    """Whether a file holds metadata of others, and so is no document."""
    return name == RULE or name.endswith(ENDING)


def folder_metadata(root: Path, document: Path) -> dict[str, Any]:
    """The metadata of the folders from `root` down to the document; the nearer folder wins."""
    found: dict[str, Any] = {}
    for folder in reversed([parent for parent in document.parents if parent.is_relative_to(root)]):
        found |= _read(folder / RULE)
    return found


def own_metadata(root: Path, document: Path) -> dict[str, Any]:
    """The metadata in its own file; the files of an archive have those of the archive."""
    found: dict[str, Any] = {}
    for path in reversed([document, *document.parents]):
        if path.is_relative_to(root) and not path.is_dir():
            found |= _read(path.with_name(path.name + ENDING))
    return found


def check_sidecars(root: Path, documents: list[Path]) -> None:
    """InputError for a sidecar whose document is not there: its name may be misspelt."""
    for path in sorted(root.rglob(f"*{ENDING}")):
        document = path.with_name(path.name.removesuffix(ENDING))
        if document.name and path.name != RULE and document not in documents:
            raise InputError(
                f"{path}: there is no document {document.name} beside it; rename or delete it"
            )


def _read(path: Path) -> dict[str, Any]:
    import yaml

    if not path.is_file():
        return {}
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if isinstance(value, dict):
            return dict(as_json(value))
        problem = "it holds no `key: value` lines"
    except (yaml.YAMLError, ValueError, OSError, UnreadableError) as error:
        problem = " ".join(str(error).split())
    raise InputError(f"{path}: {problem}; expected YAML such as `department: claims`")
