"""What is published loads in sentence-transformers as its card says, both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from argot.encoding.embedder import Embedder
from argot.encoding.store.tokens import pool
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import InputError
from argot.serving.adapters.hub import prepare
from tests.support.releases import without_tokens

QUESTION = "is the pump's rotor stuck? (E-17)"
PASSAGE = "Pumps > Noise\\nA rattling pump runs dry: open the suction valve, before you start it."
EVALUATION: dict[str, Any] = {
    "questions": {},
    "pairs": {"test": {"bm25": {"ndcg@10": 0.5, "mrr@10": 0.4, "recall@10": 0.6}}},
    "differences": {"questions": {}, "pairs": {}},
    "text": {"reason": "too few questions"},
}


def as_its_card_says(folder: Path, card: str) -> list[dict[str, Any]]:
    """Run each Python example of the card; return the names that each defines."""
    found = []
    for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        own = code.replace("team/handbook", str(folder)).replace("your question", QUESTION)
        names: dict[str, Any] = {}
        exec(own.replace("heading path\\ntext of the passage", PASSAGE), names)
        found.append(names)
    return found


def test_the_published_model_loads_both_ways_with_our_vectors(
    release: Path, tmp_path: Path
) -> None:
    published = prepare(release, EVALUATION, "team/handbook", "base", tmp_path / "model")
    encoder = TokenEncoder(Embedder.load(release / "embedder", "cpu"))
    vectors, asked = encoder.encode([QUESTION], "query")
    own, told = encoder.encode([PASSAGE.replace("\\n", "\n")], "passage")
    by_text, by_token = as_its_card_says(tmp_path / "model", published.card)
    assert np.allclose(by_text["queries"], vectors, atol=1e-4)
    assert np.allclose(by_text["passages"], own, atol=1e-4)
    # The model's prompt, "ask: ", comes first.
    query = by_token["queries"][0].numpy()
    assert len(query) == len(asked.ids[0]) + 1
    assert np.allclose(query[1:], asked.vectors(0), atol=0.01)
    passage = by_token["passages"][0].numpy()
    assert len(passage) == len(told.ids[0])
    assert ((pool(passage) @ told.vectors(0).T).max(axis=1) > 0.97).all()


def test_the_card_says_what_the_release_searches_by(spoilt: Path, tmp_path: Path) -> None:
    card = prepare(spoilt, EVALUATION, "team/handbook", "base", tmp_path / "one").card
    assert (
        "searches by words (BM25), one vector a text (dense), one vector a token (late "
        "interaction). Argot pools a passage's tokens, 3 to a vector" in card
    )
    without_tokens(spoilt)
    card = prepare(spoilt, EVALUATION, "team/handbook", "base", tmp_path / "two").card
    assert "searches by words (BM25), one vector a text (dense).\n" in card


@pytest.mark.parametrize("damage", [{"pairs": 7}, {"pairs": {"test": {"bm25": {}}}}, {"text": {}}])
def test_damaged_figures_are_told_in_one_line(
    release: Path, tmp_path: Path, damage: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="damaged figures"):
        prepare(release, EVALUATION | damage, "team/handbook", "base", tmp_path / "model")
