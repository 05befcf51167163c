"""Prompts from files, and passages as material in them: what a model is shown."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from argot.llm.calls.passages import masked_texts
from argot.llm.calls.redact import redact
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.llm.providers.base import Prompt
from argot.tables.chunks import Corpus, passage

# The tags around a passage, however a document may spell them.
TAG = re.compile(r"<\s*/?\s*passage\s*>", re.IGNORECASE)


def prompt(path: Path) -> str:
    """The text of a prompt's file."""
    return path.read_text(encoding="utf-8")


def material(heading: str, text: str, settings: LlmSettings) -> str:
    """A passage between tags, masked like all that is shown.

    The passage's own text is untrusted: tags in it are removed, so that it cannot end its frame and
    go on as if it were our instructions.
    """
    return f"<passage>\n{TAG.sub(' ', shown(passage(heading, text), settings))}\n</passage>"


def shown_texts(corpus: Corpus, ids: Collection[str], settings: LlmSettings) -> dict[str, str]:
    """The texts of these passages as a model may see them, by their ids.

    Nothing is read where no model is asked.
    """
    if not settings.has_provider:
        return {}
    if settings.redact:
        return masked_texts(corpus, ids)
    return {id: corpus.texts[corpus.places[id]] for id in ids}


def shown(text: str, settings: LlmSettings) -> str:
    """`text` as a model may see it: where `redact` is set, without addresses, numbers and keys."""
    return redact(text).text if settings.redact else text


def request(
    settings: LlmSettings, system: str, user: str, schema: dict[str, Any], about: str
) -> Request:
    """A request by the settings' model; `about` is the chunk it is made from."""
    if not settings.has_provider:
        raise ValueError("no provider to ask")
    asked = Prompt(settings.model, system, user, schema, settings.max_tokens, settings.sampling)
    return Request(settings.provider, asked, about)


def table(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of `{name: [item, ...]}`, where each item has exactly the keys of `item`."""
    entry = {
        "type": "object",
        "properties": item,
        "required": list(item),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {name: {"type": "array", "items": entry}},
        "required": [name],
        "additionalProperties": False,
    }
