"""Publish a release's embedder to the Hugging Face Hub, with a model card that tells what was proven.

Only the embedder goes out: index and texts hold the team's own documents, and stay where they are.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from argot.errors import ProviderError
from argot.evaluation.names import named
from argot.search.release import EMBEDDER, Manifest, check

TEMPLATE = Path(__file__).with_name("model_card.md")
COLUMNS = ("ndcg@10", "mrr@10", "recall@10")


@dataclass(frozen=True)
class Publication:
    """What will be, or was, uploaded: the model repository, its card, and its files."""

    repository: str
    card: str
    files: list[str]


def prepare(
    release: Path, evaluation: dict[str, Any], repository: str, base: str, folder: Path
) -> Publication:
    """Fill `folder` with the embedder and its card; ReleaseError if the release doesn't match its manifest."""
    manifest = check(release)
    shutil.copytree(release / EMBEDDER, folder, dirs_exist_ok=True)
    card = model_card(manifest, evaluation, repository, base)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return Publication(repository, card, files)


def model_card(manifest: Manifest, evaluation: dict[str, Any], repository: str, base: str) -> str:
    """The model card as Markdown: data, recipe, table, verdict, limits, and how to load it with its prompts."""
    real = evaluation["questions"].get("test", {})
    rows = real or evaluation["pairs"].get("test", {})
    opponent = f"{manifest.verdict.system} - bm25"
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        manifest=manifest,
        repository=repository,
        base=base,
        columns=COLUMNS,
        systems=named(rows),
        rows=rows,
        asked="questions that people asked"
        if real
        else "synthetic queries: there were no real questions",
        difference=evaluation["differences"]["questions" if real else "pairs"]
        .get("test", {})
        .get(opponent),
        text=evaluation["text"],
    )


def publish(
    release: Path, evaluation: dict[str, Any], repository: str, base: str, private: bool, dry: bool
) -> Publication:
    """Upload the embedder and its card to `repository`, OWNER/NAME, in one commit; with `dry` nothing is sent.

    The token comes from HF_TOKEN or the Hub's own login. Raises ProviderError if the Hub refuses or can't be reached.
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
            f"{repository!r} is no name of a model repository; write OWNER/NAME"
        ) from None
    except LocalTokenNotFoundError:
        raise ProviderError("the Hub wants a token; set HF_TOKEN to one that may write") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no"
        hint = "; is HF_TOKEN one that may write there?" if status in (401, 403) else ""
        raise ProviderError(f"the Hub refused {repository} (HTTP {status}){hint}") from None
    except httpx2.HTTPError:
        raise ProviderError(
            f"the Hub can't be reached at {api.endpoint}; nothing was published"
        ) from None
