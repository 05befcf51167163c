"""A release: embedder, index, BM25 and texts of one version, in one folder that can't drift apart.

`manifest.json` names every file with its hash. `check` refuses a folder that differs from it in any file, which is
what keeps a tuned model from being searched with the base's vectors: the two look alike in every other way.
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
from argot.core.params import Settings
from argot.errors import ReleaseError
from argot.evaluation.names import BM25, row, with_bm25
from argot.search.dense import Kind

MANIFEST = "manifest.json"
EMBEDDER, INDEX, LEXICAL, CHUNKS, CARD = (
    "embedder",
    "index.faiss",
    "lexical",
    "chunks.parquet",
    "README.md",
)
PARTS = (EMBEDDER, INDEX, LEXICAL, CHUNKS, CARD)
# Endings of files that are only ever read as data; pickles (.bin, .pt, .pkl) and code (.py, .so) are none of them.
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
GET_IT_AGAIN = "get the release again: dvc pull {folder}, or dvc repro where it was made"

Mode = Literal["fused", "dense", "lexical"]


class File(Settings):
    """One file of the release."""

    bytes: int
    sha256: str


class FusionWeight(Settings):
    """How dense and lexical hits become one ranking: argot.search.fusion.Fusion's fields."""

    method: Literal["convex", "rrf"]
    weight: float


class Verdict(Settings):
    """data/verdict.json: which model ships, why, and how it is searched."""

    model: Literal["base", "tuned"]
    verdict: Literal["base", "tuned", "unproven"]
    mode: Mode
    fusion: FusionWeight


class Source(Settings):
    """What the release was made by: hashes of stages' code and params, and the libraries that decide numbers."""

    code: str
    params: str
    libraries: dict[str, str]


class Refreshed(Settings):
    """What sets the texts of a refreshed release apart from those that its model was made for and judged on."""

    release: str  # SHA-256 of the manifest of the release whose model it is
    new: int  # passages that weren't there
    gone: int


class Manifest(Settings):
    """What manifest.json holds."""

    format: Literal[1]
    verdict: Verdict
    fingerprint: str  # of the embedder: argot.encoding.embedder.fingerprint
    prompts: dict[str, str]
    dimension: int
    metric: Literal["inner_product"]  # of vectors of length 1: the cosine
    kind: Kind
    passages: int
    longest_question: int  # words of the longest that it was tested on
    figures: dict[str, int | float]
    source: Source
    refreshed: Refreshed | None = (
        None  # by `make refresh`; None: the model was made for these very texts
    )
    files: dict[str, File]
    seal: str = ""  # SHA-256 of all the rest
    dim: int = 0  # vectors were cut to their first so many dimensions; 0: they are whole

    @property
    def system(self) -> str:
        """The row of the evaluation that this release must live up to, such as tuned+bm25."""
        dense = row(self.verdict.model, self.dim)
        return {"fused": with_bm25(dense), "dense": dense, "lexical": BM25}[self.verdict.mode]

    @property
    def age(self) -> str:
        """Whether model and verdict are as new as the texts, in words."""
        changed = self.refreshed
        if changed is None or not (changed.new or changed.gone):
            return "the model is as new as the texts"
        told = f"{changed.new:,} of {self.passages:,} passages are new since then, {changed.gone:,} are gone"
        return f"the model is older than the texts: {told}"


def inventory(folder: Path) -> dict[str, File]:
    """Every file of a release but its manifest, by its name with slashes; hidden files are no part of it.

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
    """Read manifest.json alone; ReleaseError if there is none, or it isn't one of this version's."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        what = "has no manifest.json" if folder.exists() else "doesn't exist"
        raise ReleaseError(f"{folder} {what}; {_again(folder)}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ReleaseError(f"{path}: {where}: {first['msg']}; {_again(folder)}") from None
    if sealed(manifest.model_dump(mode="json"))["seal"] != manifest.seal:
        raise ReleaseError(f"{path} was changed after it was written; {_again(folder)}")
    return manifest


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
    missing = [
        part for part in PARTS if not any(PurePosixPath(name).parts[0] == part for name in found)
    ]
    if missing:
        raise ReleaseError(f"{folder} has no {missing[0]}; {_again(folder)}")
    return manifest


def mismatch(folder: Path, part: str, found: int, expected: int, what: str) -> ReleaseError:
    """The error for a part that holds `found` passages or dimensions where the manifest says `expected`."""
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
    return {name for name in names if not any(part.startswith(".") for part in name.split("/"))}
