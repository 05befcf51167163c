"""Prompts as files, passages as material: what is put before a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from argot.llm.calls.redact import redact
from argot.llm.calls.request import Request
from argot.llm.calls.settings import LlmSettings
from argot.tables.chunks import passage

TAG = re.compile(r"<\s*/?\s*passage\s*>", re.IGNORECASE)


def prompt(path: Path) -> str:
    """The text of a prompt's file."""
    return path.read_text(encoding="utf-8")


def material(heading: str, text: str, settings: LlmSettings) -> str:
    """A passage between tags that nothing in it can close, without what must not leave the machine."""
    return f"<passage>\n{TAG.sub(' ', shown(passage(heading, text), settings))}\n</passage>"


def shown(text: str, settings: LlmSettings) -> str:
    """`text` as a model may see it."""
    return redact(text).text if settings.redact else text


def request(
    settings: LlmSettings, system: str, user: str, schema: dict[str, Any], about: str
) -> Request:
    """A request by the settings' model; `about` is the chunk it is made from."""
    if settings.provider == "none":
        raise ValueError("no provider to ask")
    return Request(
        settings.provider,
        settings.model,
        system,
        user,
        schema,
        settings.max_tokens,
        settings.sampling,
        about,
    )


def table(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object whose one key `name` holds a list of objects with exactly the keys of `item`."""
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
