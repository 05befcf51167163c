"""Publish a release's embedder to the Hugging Face Hub, with a model card that shows the evidence.

Only the embedder is uploaded: indexes and texts contain the team's own documents. The card says how
sentence-transformers loads it: for one vector a text, and for one a token.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argot.errors import InputError, ProviderError
from argot.evaluation.names import BM25, named, row
from argot.report.card import CardEvidence, Repository, model_card
from argot.report.terminal import EVALUATION, measured, whole_figures
from argot.search.release import CHUNKS, EMBEDDER, Manifest, check
from argot.tables.chunks import Corpus

# The card names a language that at least this share of the passages is in.
SPOKEN = 0.1
TAGS = ["sentence-transformers", "feature-extraction", "dense", "argot"]
# The metrics of the card's head, by the names that models on the Hub give them.
METRICS = {"ndcg@10": "cosine_ndcg@10", "mrr@10": "cosine_mrr@10", "recall@10": "cosine_recall@10"}


@dataclass(frozen=True)
class Publication:
    """What is uploaded: the model repository's name, its card, and the names of its files."""

    repository: str
    card: str
    files: list[str]


@dataclass(frozen=True)
class BaseModel:
    """The Hub's name of the base model, and its licence as its card names it; "" where unknown."""

    name: str
    licence: str


def prepare(
    release: Path, evaluation: dict[str, Any], repository: str, base: BaseModel, folder: Path
) -> Publication:
    """Fill `folder` with embedder and card.

    Raises ReleaseError if a file differs from the manifest, and InputError if the figures are
    damaged, or of another run than the release.
    """
    manifest = check(release)
    shutil.copytree(release / EMBEDDER, folder, dirs_exist_ok=True)
    with whole_figures(EVALUATION):
        text = evaluation["text"]
        if (text["verdict"], text["ships"]) != (manifest.verdict.verdict, manifest.verdict.system):
            raise InputError(
                f"{EVALUATION} is of another run than {release}: it says that {text['ships']} "
                f"ships, the release has {manifest.verdict.system}; run `dvc repro`, or go to the "
                "commit of the release"
            )
        head = head_of(manifest, evaluation, repository, base, languages_of(release))
        evidence = evidence_of(manifest, evaluation)
        card = model_card(manifest, Repository(repository, head, base.name, base.licence), evidence)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return Publication(repository, card, files)


def languages_of(release: Path) -> list[str]:
    """The languages of the release's passages, the commonest first."""
    counts = Counter(Corpus(release / CHUNKS).languages)
    order = sorted(counts, key=lambda name: (-counts[name], name))
    return [name for name in order if name and counts[name] >= SPOKEN * counts.total()]


def head_of(
    manifest: Manifest,
    evaluation: dict[str, Any],
    repository: str,
    base: BaseModel,
    languages: list[str],
) -> str:
    """The card's head as YAML; its results are those of the model alone, with vectors as shipped.

    InputError where the Hub would take a name for no model's.
    """
    from huggingface_hub import EvalResult, ModelCardData
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        for name in filter(None, (repository, base.name)):
            validate_repo_id(name)
    except HFValidationError:
        raise InputError(
            f"{name!r} is not the name of a model repository; write OWNER/NAME"
        ) from None
    kind, rows = measured(evaluation)
    alone = rows.get(row(manifest.verdict.model, manifest.dim), {})
    asked = "questions that people asked" if kind == "questions" else "synthetic queries"
    results = [
        EvalResult(
            task_type="information-retrieval",
            dataset_type="unknown",
            dataset_name=f"The team's own documents, {asked}",
            metric_type=metric,
            metric_value=round(alone[column], 4),
        )
        for column, metric in METRICS.items()
        if alone
    ]
    data = ModelCardData(
        base_model=base.name or None,
        language=languages or None,
        license=base.licence or None,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=TAGS,
        model_name=repository,
        eval_results=results or None,
    )
    return data.to_yaml()


def evidence_of(manifest: Manifest, evaluation: dict[str, Any]) -> CardEvidence:
    """What `evaluate` measured on real questions, or on synthetic pairs if there are none."""
    kind, rows = measured(evaluation)
    names = named(rows)
    intervals = evaluation["intervals"].get(kind, {}).get("test", {})
    differences = evaluation["differences"][kind].get("test", {})
    over_bm25 = differences.get(f"{manifest.verdict.system} - {BM25}")
    return CardEvidence(
        reason=evaluation["text"]["reason"],
        queries="questions that people asked"
        if kind == "questions"
        else "synthetic queries, because there were no real questions",
        systems={name: rows[system] for system, name in names.items()},
        intervals={
            names[system]: f"{one['low']:.3f} to {one['high']:.3f}"
            for system, one in intervals.items()
            if system in names
        },
        released=names.get(manifest.verdict.system, manifest.verdict.system),
        over_bm25=over_bm25["ndcg@10"] if over_bm25 else None,
    )


def publish(
    release: Path,
    evaluation: dict[str, Any],
    repository: str,
    base: BaseModel,
    private: bool,
    dry: bool,
) -> Publication:
    """Upload the embedder and its card to `repository`, OWNER/NAME, in one commit.

    With `dry` nothing is uploaded. The token comes from HF_TOKEN or from `hf auth login`. Raises
    ProviderError if the Hub refuses or cannot be reached.
    """
    with tempfile.TemporaryDirectory() as place:
        publication = prepare(release, evaluation, repository, base, Path(place))
        if not dry:
            _upload(Path(place), repository, private)
    return publication


def _upload(folder: Path, repository: str, private: bool) -> None:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message="Publish the embedder of a release",
        )
    except LocalTokenNotFoundError:
        raise ProviderError(
            "the Hub asks for a token; set HF_TOKEN to one that may write"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        hint = "; check that HF_TOKEN may write there" if status in (401, 403) else ""
        raise ProviderError(f"the Hub refused {repository} (HTTP {status}){hint}") from None
    except httpx2.HTTPError:
        raise ProviderError(
            f"the Hub cannot be reached at {api.endpoint}; nothing was published"
        ) from None
