"""docs/params.md, out of params.yaml's comments and the stages' settings.

python -m tools.docs.params     writes it
"""

from __future__ import annotations

import argparse
import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from argot.encoding.fast.precision import Encoding
from argot.encoding.ray import EngineSettings
from argot.evaluation.managed import MachineCompare
from argot.evaluation.verdict import ReleaseSettings
from argot.llm.calls.settings import MachineLlm, SpendSettings
from argot.ranking.bm25 import LexicalSettings
from stages import (
    chunk,
    evaluate,
    fetch,
    index,
    ingest,
    mine,
    questions,
    report,
    synthesize,
    train,
    verify,
)
from tools.deps import stages
from tools.docs.commands import ROOT

PAGE = ROOT / "docs/params.md"


class Machine(train.TrainMachine, EngineSettings):
    """The section `machine`, but for the sections in it."""


SETTINGS: dict[str, type[BaseModel]] = {
    "ingest": ingest.IngestSettings,
    "chunk": chunk.ChunkSettings,
    "lexical": LexicalSettings,
    "questions": questions.QuestionsSettings,
    "synthesize": synthesize.SynthesizeSettings,
    "fetch": fetch.FetchSettings,
    "embed": Encoding,
    "mine": mine.MineSettings,
    "train": train.TrainSettings,
    "evaluate": evaluate.EvaluateSettings,
    "release": ReleaseSettings,
    "index": index.IndexSettings,
    "verify": verify.VerifySettings,
    "report": report.ReportSettings,
    "machine": Machine,
    "machine.llm": MachineLlm,
    "machine.compare": MachineCompare,
    "machine.ingest": ingest.IngestMachine,
    "spend": SpendSettings,
}
LINE = re.compile(r"(?P<indent> *)(?:- (?P<item>.*)|(?P<key>[\w.-]+):(?: +(?P<value>.*))?)")
COMMENT = re.compile(r" *# (.*)")
PLURAL = {"number": "numbers", "text": "texts", "whole number": "whole numbers"}
BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
HEAD = """# Params

Every knob is in `params.yaml`. This page is written from its comments and from the settings that
check it, by `python -m tools.docs.params`. An unknown key or a value of another kind ends a run
before it begins, with one line that names the key. To change a param for one run only:
`dvc exp run --set-param train.epochs=2`.
"""

TABLE = "| param | default | may be | what it does |\n|---|---|---|---|\n"


class Param(NamedTuple):
    """A key of params.yaml, its value, and the comment above it."""

    path: str
    value: str
    comment: str


def read_params(text: str) -> Iterator[Param]:
    """The params in their order, each with the comment above it; a list's items are one value."""
    above: list[tuple[int, str]] = []
    comment: list[str] = []
    found: list[Param] = []
    for line in text.splitlines():
        if said := COMMENT.fullmatch(line):
            comment.append(said[1])
            continue
        match = LINE.fullmatch(line)
        if match and match["item"] is not None:
            last = found[-1]
            found[-1] = last._replace(value=", ".join(filter(None, [last.value, match["item"]])))
        elif match:
            indent = len(match["indent"])
            above = [(depth, key) for depth, key in above if depth < indent]
            above.append((indent, match["key"]))
            path = ".".join(key for _, key in above)
            found.append(Param(path, match["value"] or "", " ".join(comment)))
        comment = []
    return iter(found)


def allowed(path: str) -> str:
    """What a param may be, in words, by the settings that read it; empty where they don't say."""
    section = max((name for name in SETTINGS if path.startswith(f"{name}.")), key=len, default="")
    if not section:
        return ""
    kind: Any = SETTINGS[section]
    field = None
    for part in path.removeprefix(f"{section}.").split("."):
        fields = getattr(kind, "model_fields", {})
        if part not in fields:
            return ""
        field = fields[part]
        kind = field.annotation
    assert field is not None
    return ", ".join(filter(None, [named(kind), *limits(field)]))


def named(kind: Any) -> str:
    """A type in a reader's words."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin is Annotated:
        return named(inner[0])
    if origin is list:
        item = named(inner[0])
        return f"list of {PLURAL.get(item, item)}"
    if origin is dict or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return ""
    if type(None) in inner:
        return f"{named(inner[0])} or null"
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(kind, "")


def limits(field: FieldInfo) -> Iterator[str]:
    """Bounds and patterns of a field."""
    for rule in field.metadata:
        for name, words in BOUNDS.items():
            if hasattr(rule, name):
                yield words.format(getattr(rule, name))
        if getattr(rule, "pattern", None):
            yield f"of the form `{rule.pattern}`"


def readers(section: str) -> str:
    """The stages that run again when a section changes."""
    dvc_yaml = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    names = [
        name
        for name, stage in stages(dvc_yaml)
        if section in stage.get("params", []) and name != "report"
    ]
    if not names:
        return "Declared by no stage: a change makes nothing run again."
    return f"Read by {', '.join(f'`{name}`' for name in names)}."


def cell(text: str) -> str:
    """A text in a table's cell."""
    return text.replace("|", "\\|")


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for param in read_params((ROOT / "params.yaml").read_text(encoding="utf-8")):
        if "." not in param.path:
            parts.append(f"\n## {param.path}\n\n{readers(param.path)}\n\n{TABLE}")
            continue
        name = param.path.partition(".")[2]
        value = f"`{cell(param.value)}`" if param.value else ""
        parts.append(
            f"| `{name}` | {value} | {cell(allowed(param.path))} | {cell(param.comment)} |\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(reference(), encoding="utf-8")
