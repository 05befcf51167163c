"""A release: embedder, index, BM25 and texts of one version, in one folder that can't drift apart.

`manifest.json` names every file with its hash. `check` refuses a folder that differs from it in any
file. That keeps a tuned model from being searched with the base's vectors, which look the same in
every other way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from argot.core.files import sha256, write_json
from argot.errors import ReleaseError
from argot.search.fusion import Part, Verdict
from argot.search.index import Kind

MANIFEST = "manifest.json"
EMBEDDER, CHUNKS, CARD = "embedder", "chunks.parquet", "README.md"
# Each ranker's part of a release.
PARTS = {"bm25": "lexical", "dense": "index.faiss"}
FORMAT = 2
# Endings of files that are only ever read as data. Pickles (.bin, .pt, .pkl) and code (.py, .so) are not.
DATA = {
    ".faiss",
    ".json",
    ".jsonl",
    ".md",
    ".model",
    ".npy",
    ".onnx",
    ".parquet",
    ".safetensors",
    ".txt",
    ".xml",
}
# Hidden files of macOS and of NFS.
OF_SYSTEMS = (".DS_Store", "._", ".nfs")
GET_IT_AGAIN = "get the release again: dvc pull {folder}, or dvc repro where it was made"


class File(Part):
    """One file of the release."""

    bytes: int
    sha256: str


class Refreshed(Part):
    """How the texts of a refreshed release differ from those its model was made and judged on."""

    release: str  # SHA-256 of the manifest of the release whose model it is
    new: int  # passages that weren't there
    gone: int


class Manifest(Part):
    """What manifest.json holds."""

    format: Literal[2]
    verdict: Verdict
    rankers: dict[str, str]  # by name, each ranker's file or folder
    fingerprint: str  # of the embedder: argot.encoding.embedder.fingerprint
    prompts: dict[str, str]
    dimension: int
    dim: int  # vectors were cut to their first so many dimensions; 0: they are whole
    metric: Literal["inner_product"]  # of vectors of length 1: the cosine
    kind: Kind
    passages: int
    figures: dict[str, int | float]
    libraries: dict[str, str]  # those that decide numbers, with their versions
    refreshed: Refreshed | None  # by `make refresh`; None: the model was made for these very texts
    files: dict[str, File]
    seal: str = ""  # SHA-256 of all the rest

    @property
    def age(self) -> str:
        """Whether model and verdict are as new as the texts, in words."""
        changed = self.refreshed
        if changed is None or not (changed.new or changed.gone):
            return "the model is as new as the texts"
        since = f"{changed.new:,} of {self.passages:,} passages are new, {changed.gone:,} are gone"
        return f"the model is older than the texts: since then {since}"


def inventory(folder: Path) -> dict[str, File]:
    """Every file of a release but its manifest, by its name with slashes.

    Hidden files that systems leave in any folder (OF_SYSTEMS) are no part of it.

    Raises ReleaseError for a link, and for a file of a kind that could run code when it is read.
    """
    names = sorted(_names(folder) - {MANIFEST})
    for name in names:
        if (folder / name).is_symlink():
            raise ReleaseError(f"{folder / name} is a link; a release holds its files itself")
        if PurePosixPath(name).suffix not in DATA:
            raise ReleaseError(
                f"{folder / name}: only data files may be in a release ({', '.join(sorted(DATA))})"
            )
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(sha256, [folder / name for name in names])
        return {
            name: File(bytes=(folder / name).stat().st_size, sha256=hash)
            for name, hash in zip(names, hashes, strict=True)
        }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json: the last file of a release."""
    write_json(folder / MANIFEST, sealed(manifest.model_dump(mode="json")))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """A manifest with the hash of itself, so that a bit that flips in it is found like any other."""
    rest = {key: value for key, value in content.items() if key != "seal"}
    return {**rest, "seal": hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}


def read_manifest(folder: Path) -> Manifest:
    """Read manifest.json alone.

    Raises ReleaseError where there is none, where it was changed after it was written, and where it
    is of a format that this version doesn't know.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
    except IsADirectoryError:
        raise ReleaseError(f"{path} is a folder, no manifest; {_again(folder)}") from None
    except (FileNotFoundError, NotADirectoryError):
        what = "has no manifest.json" if folder.exists() else "doesn't exist"
        raise ReleaseError(f"{folder} {what}; {_again(folder)}") from None
    except ValueError as error:
        raise ReleaseError(f"{path} is no JSON ({error}); {_again(folder)}") from None
    if not isinstance(content, dict) or "seal" not in content:
        raise ReleaseError(f"{path} is no manifest of a release; {_again(folder)}")
    # What was read is sealed, not what it becomes below: a field that is new here was not there then.
    if sealed(content)["seal"] != content["seal"]:
        raise ReleaseError(f"{path} was changed after it was written; {_again(folder)}")
    try:
        return Manifest.model_validate_json(json.dumps(_of_today(content, path)))
    except (KeyError, TypeError) as error:
        raise ReleaseError(f"{path} lacks {error}; {_again(folder)}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ReleaseError(f"{path}: {where}: {first['msg']}; {_again(folder)}") from None


def _of_today(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """A manifest in today's form; format 1 knew two rankers, and the weight of one."""
    if content.get("format") == FORMAT:
        return content
    if content.get("format") != 1:
        raise ReleaseError(
            f"{path} is of format {content.get('format')!r}, this version of Argot reads 1 and "
            f"{FORMAT}: install a newer one (pip install -U argot-retrieval)"
        )
    verdict, dim = content["verdict"], content.get("dim", 0)
    weight = verdict["fusion"]["weight"]
    model = f"{verdict['model']}@{dim}" if dim else verdict["model"]
    systems = {"fused": f"{model}+bm25", "dense": model, "lexical": "bm25"}
    fusion = {
        "method": verdict["fusion"]["method"],
        "weights": {"bm25": round(1 - weight, 2), "dense": weight},
    }
    return {
        **content,
        "format": FORMAT,
        "verdict": {**verdict, "system": systems[verdict["mode"]], "fusion": fusion},
        "rankers": PARTS,
        "dim": dim,
        "libraries": content["source"]["libraries"],
        "refreshed": content.get("refreshed"),
    }


def check(folder: Path) -> Manifest:
    """Hash every file and compare it with the manifest; raise ReleaseError naming the first part that differs."""
    manifest = read_manifest(folder)
    found = inventory(folder)
    for name in sorted(manifest.files.keys() | found.keys()):
        expected, actual = manifest.files.get(name), found.get(name)
        if actual is None:
            raise ReleaseError(f"{folder / name} is missing; {_again(folder)}")
        if expected is None:
            raise ReleaseError(f"{folder / name} is in no manifest; remove it, or {_again(folder)}")
        if actual != expected:
            how = (
                f"{actual.bytes} bytes, not {expected.bytes}"
                if actual.bytes != expected.bytes
                else "other content"
            )
            raise ReleaseError(
                f"{folder / name} doesn't match its manifest ({how}); {_again(folder)}"
            )
    parts = {PurePosixPath(name).parts[0] for name in found}
    needed = [EMBEDDER, *manifest.rankers.values(), CHUNKS, CARD]
    missing = [part for part in needed if part not in parts]
    if missing:
        raise ReleaseError(f"{folder} has no {missing[0]}; {_again(folder)}")
    unknown = [name for name in manifest.verdict.fusion.rankers if name not in manifest.rankers]
    if unknown:
        raise ReleaseError(f"{folder} has no ranker {unknown[0]!r}; {_again(folder)}")
    return manifest


def mismatch(folder: Path, part: str, found: int, expected: int, what: str) -> ReleaseError:
    """The error for a part that holds another number of passages or dimensions than the manifest."""
    return ReleaseError(
        f"{folder / part} holds {found} {what}, its manifest says {expected}; {_again(folder)}"
    )


def _again(folder: Path) -> str:
    return GET_IT_AGAIN.format(folder=folder)


def _names(folder: Path) -> set[str]:
    paths: Iterable[Path] = (
        path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    names = (path.relative_to(folder).as_posix() for path in paths)
    return {name for name in names if not PurePosixPath(name).name.startswith(OF_SYSTEMS)}
