from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import ways
from tests.tiny_model import make_tiny_model

ROWS = [
    {"document": "a", "heading": "Pumps", "text": "oil first"},
    {"document": "a", "heading": "", "text": "then water"},
    {"document": "b", "heading": "Tins", "text": "paint"},
]


def test_neighbours_are_of_the_same_document() -> None:
    assert ways.with_neighbours(ROWS) == [
        "Pumps\noil first then water",
        "oil first then water",
        "Tins\npaint",
    ]


def test_a_vector_takes_a_share_of_its_neighbours() -> None:
    made = ways.mixed(np.eye(3, dtype=np.float32), ROWS)
    assert np.allclose(
        made * np.linalg.norm([1, 0.25]),
        [[1, 0.25, 0], [0.25, 1, 0], [0, 0, np.linalg.norm([1, 0.25])]],
    )


def test_a_crop_is_a_run_of_at_least_half_of_the_words() -> None:
    text, random = " ".join(map(str, range(20))), np.random.default_rng(1)
    for crop in (ways.cropped(text, random) for _ in range(50)):
        assert crop in text and 10 <= len(crop.split()) <= 20


def test_thinned_words_keep_their_order_and_one_stays() -> None:
    random = np.random.default_rng(1)
    for made in (ways.thinned("1 2 3", random, 0.4).split() for _ in range(50)):
        assert made and made == sorted(made)


def test_an_untitled_passage_keeps_its_last_heading() -> None:
    assert ways.untitled("Pumps > Care > Oil\nFirst > second") == "Oil\nFirst > second"
    assert ways.untitled("Oil\nFirst") == "Oil\nFirst"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["crop", "tsdae"])
def test_an_adapted_model_is_another_one_that_loads(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from argot.encoding.embedder import Embedder

    texts = [f"pump {n} is oiled and then washed" for n in range(16)]
    make_tiny_model(tmp_path / "models/base", texts)
    monkeypatch.setattr(ways, "JudgedCorpus", lambda: type("JudgedCorpus", (), {"passages": texts}))
    ways.adapt(how, tmp_path, tmp_path / "made")
    before, after = (
        Embedder.load(tmp_path / name, "cpu").encode_passages(texts)
        for name in ("models/base", "made")
    )
    assert before.shape == after.shape and not np.allclose(before, after)
