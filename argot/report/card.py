"""The model card: one text for a release's own README.md and for a model repository on a hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argot.encoding.store.tokens import POOLED
from argot.search.release import Manifest

TEMPLATE = Path(__file__).with_name("model_card.md")
COLUMNS = ("ndcg@10", "mrr@10", "recall@10")
RANKERS = {
    "bm25": "words (BM25)",
    "dense": "one vector a text (dense)",
    "tokens": "one vector a token (late interaction)",
}
WHY = {
    "tuned": "fine-tuning was proven to help on real questions",
    "base": "fine-tuning was not proven to help, so the base model ships",
    "unproven": "too few real questions to prove anything",
}


@dataclass(frozen=True)
class CardEvidence:
    """What the evaluation measured, in the words in which the card prints it."""

    reason: str  # of the verdict, one sentence
    queries: str  # by whom they were asked
    systems: Mapping[str, Mapping[str, float]]  # values by metric, for each system by its name
    intervals: Mapping[str, str]  # of nDCG@10, for each system that has one
    released: str  # name of the system that the release searches by
    over_bm25: Mapping[str, float] | None  # its nDCG@10 minus BM25's: difference, low, high


@dataclass(frozen=True)
class Repository:
    """A model repository on a hub: its name OWNER/NAME, the head of its card, and its base model.

    `head` is YAML. `base` and `licence` are those of the base model, "" where unknown.
    """

    name: str
    head: str
    base: str
    licence: str


def model_card(
    manifest: Manifest,
    repository: Repository | None = None,
    evidence: CardEvidence | None = None,
) -> str:
    """The card as Markdown.

    Without `repository` it describes the release's folder; with it, the embedder alone. `evidence`
    adds the table of systems; without it the card has the verdict only.
    """
    import jinja2

    prompts = manifest.prompts
    # sentence-transformers finds only `document` by itself; e5, for one, has `passage` instead.
    named = next((name for name in ("document", "passage", "corpus") if prompts.get(name)), "")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        manifest=manifest,
        repository=repository.name if repository else "",
        head=repository.head if repository else "",
        base=repository.base if repository else "",
        licence=repository.licence if repository else "",
        evidence=evidence,
        columns=COLUMNS,
        query_prompt=prompts.get("query", ""),
        passage_prompt=prompts.get(named, ""),
        prompt_name="" if named == "document" else named,
        prompts=dict(sorted(prompts.items())),
        rankers=", ".join(RANKERS[name] for name in manifest.verdict.fusion.rankers),
        by_token=manifest.verdict.fusion.by_token,
        pooled=POOLED,
        why=WHY[manifest.verdict.verdict],
    )
