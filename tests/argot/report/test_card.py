from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from argot import Retriever
from argot.report.card import CardEvidence, Repository, model_card
from argot.search.release import Manifest

EVIDENCE = CardEvidence(
    reason="tuned + BM25 is better than base + BM25",
    queries="questions that people asked",
    systems={"BM25": {"ndcg@10": 0.5, "mrr@10": 0.4, "recall@10": 0.75}},
    intervals={"BM25": "0.430 to 0.570"},
    released="tuned + BM25",
    over_bm25={"difference": 0.1, "low": 0.05, "high": 0.15},
)

HANDBOOK = Repository("team/handbook", "library_name: x", "owner/MiniLM", "mit")


@pytest.fixture(scope="module")
def manifest(made: Path) -> Manifest:
    return Retriever.load(made / "models" / "release", device="cpu").manifest


def test_a_releases_card_says_how_to_search_it_and_whose_texts_it_holds(manifest: Manifest) -> None:
    card = model_card(manifest)
    assert card.startswith("# A retriever for one team's own language\n")
    assert f"## Verdict: {manifest.verdict.verdict}" in card
    assert f"| Passages | {manifest.passages} of" in card
    assert "argot search" in card and "SentenceTransformer" not in card
    assert "`chunks.parquet` are the team's own documents" in card


def test_a_model_repositorys_card_has_its_header_and_the_evidence(manifest: Manifest) -> None:
    card = model_card(manifest, HANDBOOK, EVIDENCE)
    assert card.startswith("---\nlibrary_name: x\n---\n")
    assert "\n# team/handbook\n" in card
    assert "\nTuned + BM25 is better than base + BM25.\n" in card
    assert "\n| BM25 | 0.500 | 0.400 | 0.750 | 0.430 to 0.570 |\n" in card
    assert "`owner/MiniLM`" in card and "licence is `mit`" in card
    assert "differs from BM25 by +0.100 nDCG@10" in card
    assert "argot search" not in card and 'SentenceTransformer("team/handbook")' in card


@pytest.mark.parametrize(
    ("prompts", "query", "passage"),
    [
        ({}, '# prompt: ""', ')  # prompt: ""'),
        ({"query": "query: ", "document": "text: "}, '# prompt: "query: "', 'prompt: "text: "'),
        ({"passage": "p: "}, '# prompt: ""', ', prompt_name="passage"\n)  # prompt: "p: "'),
    ],
)
def test_the_code_on_the_card_uses_the_models_prompts(
    manifest: Manifest, prompts: dict[str, str], query: str, passage: str
) -> None:
    changed = manifest.model_copy(update={"prompts": prompts})
    card = model_card(changed, HANDBOOK, EVIDENCE)
    assert query in card and passage in card


def test_without_a_difference_the_card_claims_none(manifest: Manifest) -> None:
    card = model_card(manifest, HANDBOOK, replace(EVIDENCE, over_bm25=None))
    assert "differs from BM25" not in card
