"""Publish a release's embedder to the Hugging Face Hub, with a model card that shows the evidence.

Only the embedder is uploaded: indexes and texts contain the team's own documents. The card says how
sentence-transformers loads it: for one vector a text, and for one a token.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argot.core.params import SomeSettings
from argot.errors import ProviderError
from argot.evaluation.names import BM25, named
from argot.report.card import CardEvidence, model_card
from argot.report.terminal import EVALUATION, whole_figures
from argot.search.release import EMBEDDER, Manifest, check


class BaseModel(SomeSettings):
    """Of the section `fetch`, what a card says; the stage has checked the rest."""

    model: str


@dataclass(frozen=True)
class Publication:
    """What is uploaded: the model repository's name, its card, and the names of its files."""

    repository: str
    card: str
    files: list[str]


def prepare(
    release: Path, evaluation: dict[str, Any], repository: str, base: str, folder: Path
) -> Publication:
    """Fill `folder` with embedder and card; ReleaseError if a file differs from the manifest."""
    manifest = check(release)
    shutil.copytree(release / EMBEDDER, folder, dirs_exist_ok=True)
    with whole_figures(EVALUATION):
        card = model_card(manifest, repository, base, evidence_of(manifest, evaluation))
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return Publication(repository, card, files)


def evidence_of(manifest: Manifest, evaluation: dict[str, Any]) -> CardEvidence:
    """What `evaluate` measured on real questions, or on synthetic pairs if there are none."""
    real = evaluation["questions"].get("test")
    rows = real or evaluation["pairs"].get("test", {})
    names = named(rows)
    differences = evaluation["differences"]["questions" if real else "pairs"].get("test", {})
    over_bm25 = differences.get(f"{manifest.verdict.system} - {BM25}")
    return CardEvidence(
        reason=evaluation["text"]["reason"],
        queries="questions that people asked"
        if real
        else "synthetic queries, because there were no real questions",
        systems={name: rows[system] for system, name in names.items()},
        released=names.get(manifest.verdict.system, manifest.verdict.system),
        over_bm25=over_bm25["ndcg@10"] if over_bm25 else None,
    )


def publish(
    release: Path, evaluation: dict[str, Any], repository: str, base: str, private: bool, dry: bool
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
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message="Publish the embedder of a release",
        )
    except HFValidationError:
        raise ProviderError(
            f"{repository!r} is not the name of a model repository; write OWNER/NAME"
        ) from None
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
