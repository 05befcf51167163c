"""A release whose folder is replaced by another release, at every point while it is opened and read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from argot import Retriever
from argot.encoding.embedder import Embedder, fingerprint
from argot.errors import ReleaseError
from argot.ranking.bm25 import Bm25
from argot.ranking.dense import Dense
from argot.ranking.tokens import ByToken, TokenIndex
from argot.search import retriever as module
from argot.search.index import VectorIndex
from argot.search.release import CHUNKS, EMBEDDER
from tests.support.releases import reseal

REPLACED = "was replaced after this release was opened; open it again"
READERS: dict[str, tuple[Any, str]] = {
    CHUNKS: (module, "read_table"),
    Bm25.part: (Bm25, "load"),
    Dense.part: (VectorIndex, "load"),
    EMBEDDER: (Embedder, "load"),
    ByToken.part: (TokenIndex, "load"),
}


@pytest.fixture
def other(made: Path, tmp_path: Path) -> Path:
    """A right release, of as many passages and dimensions, every part of which differs."""
    folder = Path(shutil.copytree(made / "models/release", tmp_path / "other"))
    shutil.copyfile(made / "models/base/model.safetensors", folder / EMBEDDER / "model.safetensors")
    words = folder / Bm25.part / "words.json"
    words.write_text(json.dumps(json.loads(words.read_text())))
    index = VectorIndex.load(folder / Dense.part)
    VectorIndex.build(-index.vectors).save(folder / Dense.part)
    np.save(folder / ByToken.part / "scales.npy", np.load(folder / ByToken.part / "scales.npy") / 2)
    pq.write_table(pq.read_table(folder / CHUNKS), folder / CHUNKS, compression="none")
    reseal(folder, fingerprint=fingerprint(folder / EMBEDDER))
    return folder


def swap(folder: Path, other: Path) -> None:
    """Put `other` in the place of `folder`, as `dvc checkout` does."""
    shutil.rmtree(folder)
    shutil.copytree(other, folder)


def swapping(true: Callable[..., Any], folder: Path, other: Path) -> Callable[..., Any]:
    def read(*given: Any, **named: Any) -> Any:
        swap(folder, other)
        return true(*given, **named)

    return read


@pytest.mark.parametrize("part", READERS)
def test_a_folder_that_is_replaced_while_a_part_is_read_is_noticed(
    part: str, spoilt: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Retriever.load(spoilt, device="cpu")
    owner, name = READERS[part]
    monkeypatch.setattr(owner, name, swapping(getattr(owner, name), spoilt, other))
    with pytest.raises(ReleaseError, match=f"{part}.*{REPLACED}"):
        opened.search("pump", mode="hybrid")
    monkeypatch.undo()
    assert Retriever.load(spoilt, device="cpu").search("pump", mode="hybrid")


@pytest.mark.parametrize(
    ("read", "noticed"),
    [
        ([], Bm25.part),
        (["chunks"], Bm25.part),
        (["chunks", "bm25"], EMBEDDER),
        (["chunks", "bm25", "embedder"], Dense.part),
        (["chunks", "bm25", "embedder", "index"], ByToken.part),
    ],
)
def test_a_folder_that_is_replaced_between_two_parts_is_noticed(
    read: list[str], noticed: str, spoilt: Path, other: Path
) -> None:
    opened = Retriever.load(spoilt, device="cpu")
    for part in read:
        getattr(opened, part)
    swap(spoilt, other)
    with pytest.raises(ReleaseError, match=f"{noticed}.*{REPLACED}"):
        opened.search("pump", mode="hybrid")


def test_a_release_that_was_read_answers_after_its_folder_was_replaced(
    spoilt: Path, other: Path
) -> None:
    opened = Retriever.load(spoilt, device="cpu")
    before = opened.search("pump", mode="hybrid")
    swap(spoilt, other)
    assert opened.search("pump", mode="hybrid") == before


def test_the_same_release_put_there_again_is_no_other(made: Path, spoilt: Path) -> None:
    opened = Retriever.load(spoilt, device="cpu")
    swap(spoilt, made / "models/release")
    assert opened.search("pump", mode="hybrid")


@pytest.mark.parametrize("part", [CHUNKS, EMBEDDER])
def test_a_folder_that_is_gone_is_an_error_of_one_line(part: str, spoilt: Path) -> None:
    opened = Retriever.load(spoilt, device="cpu")
    shutil.rmtree(spoilt / part) if part == EMBEDDER else (spoilt / part).unlink()
    with pytest.raises(ReleaseError, match=f"{part}.*{REPLACED}"):
        opened.search("pump", mode="dense")
