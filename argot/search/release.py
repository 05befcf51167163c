"""A release: embedder, index, BM25 and texts of one version, in one folder.

`manifest.json` names every file with its hash, and `check` refuses a folder that differs from it in
any file. Otherwise a tuned model could be searched with the base's vectors, which have the same
form: no error would show it, and the results would be bad.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from argot.core.files import sha256, write_json
from argot.encoding.fast.precision import Precision
from argot.errors import ReleaseError
from argot.ranking.fusion import Part, Verdict
from argot.search.index import Kind

MANIFEST = "manifest.json"
EMBEDDER, CHUNKS, CARD = "embedder", "chunks.parquet", "README.md"
# The format of manifest.json. `_of_today` reads the one before it too.
FORMAT: Literal[2] = 2
RIGHTS: Literal[3] = 3  # with access rights: an Argot that knows of none refuses this format
# Endings of files that are only read as data. Pickles (.bin, .pt, .pkl) and code (.py, .so) are
# refused, because reading them can run code.
DATA = {
    ".faiss", ".json", ".jsonl", ".md", ".model", ".npy", ".onnx", ".parquet", ".safetensors",
    ".txt", ".xml",
}  # fmt: skip
# The names of files that macOS and NFS leave in any folder start with these.
OF_SYSTEMS = (".DS_Store", "._", ".nfs")
GET_IT_AGAIN = "get the release again: dvc pull {folder}, or dvc repro where it was made"


class File(Part):
    """One file of the release."""

    bytes: int
    sha256: str


class Refreshed(Part):
    """How the texts of a refreshed release differ from those its model was made and judged on."""

    release: str  # SHA-256 of the manifest of the release whose model it is
    new: int  # passages that the release had not
    gone: int  # passages that the release had, and that are no more


class Manifest(Part):
    """What manifest.json holds."""

    format: Literal[2, 3]
    verdict: Verdict
    rankers: dict[str, str]  # the file or folder of each ranker, by the ranker's name
    fingerprint: str  # of the embedder, as argot.encoding.embedder.fingerprint gives it
    prompts: dict[str, str]
    dimension: int
    dim: int  # the vectors were cut to so many dimensions; 0 if they are whole
    metric: Literal["inner_product"]  # it is the cosine, because vectors have length 1
    kind: Kind
    passages: int
    figures: dict[str, int | float]
    libraries: dict[str, str]  # the versions of those libraries that change numbers
    precision: Precision = "float32"  # in which the model multiplies, as `embed.precision`
    url: str = ""  # below it people read the documents; empty: nowhere
    refreshed: Refreshed | None  # set by `make refresh`; None if the model was made for these texts
    files: dict[str, File]
    seal: str = ""  # SHA-256 of all other fields

    @property
    def groups(self) -> bool:
        """Is a passage found only for the groups in its metadata (argot.search.rights)?"""
        return self.format == RIGHTS

    @property
    def age(self) -> str:
        """Whether model and verdict are as new as the texts, in words."""
        changed = self.refreshed
        if changed is None or not (changed.new or changed.gone):
            return "the model is as new as the texts"
        since = f"{changed.new:,} of {self.passages:,} passages are new, {changed.gone:,} are gone"
        return f"the model is older than the texts: since then {since}"


def inventory(folder: Path) -> dict[str, File]:
    """Every file of a release except its manifest, by its path in the folder, with slashes.

    Files that systems leave in any folder are no part of a release. Raises ReleaseError for a link,
    and for a file of a kind that could run code when it is read.
    """
    names = sorted(_names(folder) - {MANIFEST})
    for name in names:
        if (folder / name).is_symlink():
            raise ReleaseError(f"{folder / name} is a link; a release holds its files itself")
        if PurePosixPath(name).suffix not in DATA:
            raise ReleaseError(
                f"{folder / name}: only data files may be in a release ({', '.join(sorted(DATA))})"
            )
    # Hashing releases Python's lock, so that threads use all cores.
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
    """A manifest with the hash of its other fields as `seal`, so that any change to it is found."""
    rest = {key: value for key, value in content.items() if key != "seal"}
    text = json.dumps(rest, sort_keys=True)
    return {**rest, "seal": hashlib.sha256(text.encode()).hexdigest()}


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
    except (ValueError, RecursionError) as error:
        raise ReleaseError(f"{path} is no JSON ({error}); {_again(folder)}") from None
    if not isinstance(content, dict) or "seal" not in content:
        raise ReleaseError(f"{path} is no manifest of a release; {_again(folder)}")
    # The seal is of the content as it was written. `_of_today` may add fields to it afterwards.
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
    """A manifest in today's format. Format 1 knew two rankers and held the weight of dense only."""
    if content.get("format") in (FORMAT, RIGHTS):
        return content
    if content.get("format") != 1:
        raise ReleaseError(
            f"{path} is of format {content.get('format')!r}, this version of Argot reads 1 to "
            f"{RIGHTS}: install a newer one (pip install -U argot-retrieval)"
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
        "rankers": {"bm25": "lexical", "dense": "index.faiss"},
        "dim": dim,
        "libraries": content["source"]["libraries"],
        "refreshed": content.get("refreshed"),
    }


def check(folder: Path) -> Manifest:
    """Hash every file and compare it with the manifest.

    Raises ReleaseError, which names the first file that differs, is missing or is too many.
    """
    manifest = read_manifest(folder)
    found = inventory(folder)
    # 1. Every file is as the manifest says.
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
    # 2. A manifest that fits its files may still lack a part, if it was made by other software.
    parts = {PurePosixPath(name).parts[0] for name in found}
    needed = [EMBEDDER, *manifest.rankers.values(), CHUNKS, CARD]
    missing = [part for part in needed if part not in parts]
    if missing:
        raise ReleaseError(f"{folder} has no {missing[0]}; {_again(folder)}")
    unknown = [name for name in manifest.verdict.fusion.rankers if name not in manifest.rankers]
    if unknown:
        raise ReleaseError(f"{folder} has no ranker {unknown[0]!r}; {_again(folder)}")
    return manifest


def check_again(folder: Path, manifest: Manifest, part: str) -> None:
    """Compare a part's files with the manifest again, after they were read.

    Since `check`, another release may have replaced this one. Raises ReleaseError, which names the
    first file that differs.
    """
    for name in sorted(manifest.files.keys() | _names(folder)):
        if PurePosixPath(name).parts[0] != part:
            continue
        path, expected = folder / name, manifest.files.get(name)
        if expected is None or not path.is_file() or sha256(path) != expected.sha256:
            raise replaced(path)


def replaced(path: Path) -> ReleaseError:
    """The error for a file that differs from what it was when the release was opened."""
    return ReleaseError(f"{path} was replaced after this release was opened; open it again")


def mismatch(folder: Path, part: str, found: int, expected: int, what: str) -> ReleaseError:
    """The error for a part whose number of passages or dimensions is not the manifest's.

    `what` names the things that are counted.
    """
    return ReleaseError(
        f"{folder / part} holds {found} {what}, its manifest says {expected}; {_again(folder)}"
    )


def _again(folder: Path) -> str:
    return GET_IT_AGAIN.format(folder=folder)


def _names(folder: Path) -> set[str]:
    """The paths of a folder's files and links, without those that systems leave (OF_SYSTEMS)."""
    names = set()
    for path in folder.rglob("*"):
        is_file = path.is_symlink() or not path.is_dir()
        if is_file and not path.name.startswith(OF_SYSTEMS):
            names.add(path.relative_to(folder).as_posix())
    return names
