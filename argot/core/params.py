"""params.yaml, read in one way: strictly.

A stage declares its settings as a frozen `Settings` class; `load` reads its section and refuses
what it doesn't know.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from argot.core.terminal import encodable
from argot.errors import ParamsError

PARAMS = Path("params.yaml")
# DVC's run cache doesn't see these keys, and would restore an old result for a new value
# (treeverse/dvc #10296).
INVISIBLE = {"size", "nfiles"}
# No param is larger: numbers beyond fit neither the machine's counters nor its clocks.
LARGEST = 2**32
# PyYAML reads 1e-3 as text, DVC reads it as a number: the two must never differ.
EXPONENT_WITHOUT_POINT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")

# Each stage reads some keys of this section and none reads all, so that unknown ones are looked for
# here.
SHARED = "machine"
SHARED_KEYS = {"llm", "compare", "device", "processes", "engine", "ingest"}


class Settings(BaseModel):
    """The base of every settings class: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class SomeSettings(Settings):
    """Some keys of a section whose others belong to other stages."""

    model_config = ConfigDict(extra="ignore")


S = TypeVar("S", bound=Settings)


def load(section: str, settings: type[S], path: Path = PARAMS) -> S:
    """Read a section of params.yaml, such as `chunk` or `machine.ingest`, into its class.

    Raises ParamsError naming the key, what was expected and, for an unknown key, the nearest known
    one.
    """
    value: Any = _read(path)
    for part in section.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ParamsError(
                f"{path}: section '{section}' is missing; "
                f"put it back from the repository's own {path.name}"
            )
        value = value[part]
        if part == SHARED and isinstance(value, dict):
            for key in sorted(map(str, value.keys() - SHARED_KEYS)):
                raise ParamsError(f"{path}: {part}.{key}: {_unknown(key, sorted(SHARED_KEYS))}")
    try:
        return settings.model_validate(value or {})
    except ValidationError as error:
        raise ParamsError(f"{path}: {_explain(section, settings, error)}") from None


def fingerprint(sections: Sequence[str], path: Path = PARAMS) -> str:
    """The SHA-256 over the values of whole sections of params.yaml, without comments and order."""
    content = _read(path)
    missing = [section for section in sections if section not in content]
    if missing:
        raise ParamsError(
            f"{path}: section '{missing[0]}' is missing; "
            f"put it back from the repository's own {path.name}"
        )
    text = json.dumps({section: content[section] for section in sections}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing; run from the root of the repository") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not a text in UTF-8 ({error}); put it back") from None
    except RecursionError:
        raise ParamsError(f"{path}: nested too deeply; put it back") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}:" if mark else ""
        raise ParamsError(
            f"{path}:{line} not valid YAML: {getattr(error, 'problem', error)}"
        ) from None
    if not isinstance(content, dict):
        raise ParamsError(
            f"{path}: expected sections such as 'chunk:', got {type(content).__name__}"
        )
    _check_keys(path, "", content)
    return content


def _check_keys(path: Path, prefix: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in INVISIBLE:
                raise ParamsError(
                    f"{path}: {prefix}{key}: DVC's run cache ignores a key of this name; rename it"
                )
            _check_keys(path, f"{prefix}{key}.", inner)
    elif isinstance(value, list):
        for inner in value:
            _check_keys(path, prefix, inner)
    elif isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise ParamsError(f"{path}: {prefix.rstrip('.')}: expected at most {LARGEST}, got {value}")
    elif isinstance(value, str) and encodable(value) != value:
        raise ParamsError(f"{path}: {prefix.rstrip('.')}: half a pair of surrogates; remove it")
    elif isinstance(value, str) and EXPONENT_WITHOUT_POINT.fullmatch(value):
        mantissa, exponent = re.split("[eE]", value)
        raise ParamsError(
            f"{path}: {prefix.rstrip('.')}: {value} is text in YAML 1.1; "
            f"write {mantissa}.0e{int(exponent):+d}"
        )


def _explain(section: str, settings: type[Settings], error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join([section, *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        known = _keys_at(settings, first["loc"][:-1])
        return f"{key}: {_unknown(str(first['loc'][-1]), known)}"
    if first["type"] == "missing":
        return f"{key}: missing; put it back"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}{more}"


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key; {hint}"


def _keys_at(settings: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        field = settings.model_fields.get(str(part))
        if (
            field is not None
            and isinstance(field.annotation, type)
            and issubclass(field.annotation, BaseModel)
        ):
            settings = field.annotation
    return sorted(settings.model_fields)
