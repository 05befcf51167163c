"""What is published loads in sentence-transformers as its card says, both ways."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from argot.encoding.embedder import Embedder
from argot.encoding.store.tokens import pool
from argot.encoding.token_encoder import TokenEncoder
from argot.errors import InputError
from argot.search.release import read_manifest
from argot.serving.adapters.hub import BaseModel, prepare
from tests.support.releases import without_tokens

QUESTION = "is the pump's rotor stuck? (E-17)"
PASSAGE = "Pumps > Noise\\nA rattling pump runs dry: open the suction valve, before you start it."
EVALUATION: dict[str, Any] = {
    "questions": {},
    "pairs": {
        "test": {
            "bm25": {"ndcg@10": 0.5, "mrr@10": 0.4, "recall@10": 0.6},
            "tuned": {"ndcg@10": 0.6, "mrr@10": 0.5, "recall@10": 0.7},
        }
    },
    "differences": {"questions": {}, "pairs": {}},
    "intervals": {"pairs": {"test": {"tuned": {"low": 0.55, "high": 0.65}}}},
    "text": {"reason": "too few questions", "verdict": "tuned", "ships": "tuned+bm25+tokens"},
}
BASE = BaseModel("owner/base", "apache-2.0")


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
    published = prepare(release, EVALUATION, "team/handbook", BASE, tmp_path / "model")
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
    card = prepare(spoilt, EVALUATION, "team/handbook", BASE, tmp_path / "one").card
    assert "\n| tuned | 0.600 | 0.500 | 0.700 | 0.550 to 0.650 |\n" in card
    assert "\n| BM25 | 0.500 | 0.400 | 0.600 | unknown: too few documents |\n" in card
    assert (
        "searches by words (BM25), one vector a text (dense), one vector a token (late "
        "interaction). Argot pools a passage's tokens, 3 to a vector" in card
    )
    without_tokens(spoilt)
    text = {"text": EVALUATION["text"] | {"ships": read_manifest(spoilt).verdict.system}}
    card = prepare(spoilt, EVALUATION | text, "team/handbook", BASE, tmp_path / "two").card
    assert "searches by words (BM25), one vector a text (dense).\n" in card


def test_the_head_of_the_card_is_what_the_hub_reads(release: Path, tmp_path: Path) -> None:
    card = prepare(release, EVALUATION, "team/handbook", BASE, tmp_path / "model").card
    head = ModelCard(card).data
    assert (head.base_model, head.license, head.language) == ("owner/base", "apache-2.0", ["en"])
    assert (head.library_name, head.pipeline_tag) == (
        "sentence-transformers",
        "sentence-similarity",
    )
    results = {result.metric_type: result.metric_value for result in head.eval_results}
    assert results == {"cosine_ndcg@10": 0.6, "cosine_mrr@10": 0.5, "cosine_recall@10": 0.7}
    unknown = prepare(release, EVALUATION, "team/handbook", BaseModel("", ""), tmp_path / "two")
    head = ModelCard(unknown.card).data
    assert head.base_model is head.license is None


def test_figures_of_another_run_are_refused(release: Path, tmp_path: Path) -> None:
    other = EVALUATION | {"text": EVALUATION["text"] | {"ships": "base+bm25"}}
    with pytest.raises(InputError, match="another run than"):
        prepare(release, other, "team/handbook", BASE, tmp_path / "model")


@pytest.mark.parametrize("name", ["a/b/c", "team/hand book", "-x"])
def test_a_name_that_the_hub_refuses_is_named(release: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="write OWNER/NAME"):
        prepare(release, EVALUATION, name, BASE, tmp_path / "model")


@pytest.mark.parametrize("damage", [{"pairs": 7}, {"pairs": {"test": {"bm25": {}}}}, {"text": {}}])
def test_damaged_figures_are_told_in_one_line(
    release: Path, tmp_path: Path, damage: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="damaged figures"):
        prepare(release, EVALUATION | damage, "team/handbook", BASE, tmp_path / "model")
