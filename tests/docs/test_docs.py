"""What the documentation says of the code is what the code says of itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.deps import is_code, stages
from tools.docs import dag, help, params
from tools.docs.commands import ROOT

DVC_YAML = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PAGES = [
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")] if path.name != "LICENSE"
]
WIDTH = 100
LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_the_params_page_is_what_params_and_settings_say() -> None:
    assert params.PAGE.read_text(encoding="utf-8") == params.reference(), (
        "run `python -m tools.docs.params`"
    )


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("evaluate.compare", "list of texts"),
        ("train.matryoshka", "list of whole numbers"),
        ("fetch.prompts.query", "text or null"),
        ("train.lora", "whole number, at least 0"),
        ("release.accept_synthetic", "true or false"),
        ("embed.precision", "`auto` or `float32` or `bfloat16`"),
    ],
)
def test_what_a_param_may_be_is_in_words(param: str, words: str) -> None:
    assert params.allowed(param) == words
    name = param.partition(".")[2]
    assert re.search(rf"^\| `{name}` \|.*\| {words} \|", params.PAGE.read_text("utf-8"), re.M)


def test_a_param_that_no_settings_class_reads_would_be_seen() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    leaves = [
        param.path
        for param in params.read_params(text)
        if param.value and not param.value.startswith("{")
    ]
    silent = [
        path
        for path in leaves
        if not params.allowed(path) and not re.search(r"\.(types|sampling)\b", path)
    ]
    assert not silent


def test_params_are_read_with_values_lists_and_comments() -> None:
    text = (
        "# A file.\n\none:\n  # Small,\n  # and exact.\n  two: 1.0e-3\n  # A list.\n  three:\n    - a\n    - b\n"
        '  # Such as "x: ".\n  four: ""\n  five: {}\n'
    )
    assert list(params.read_params(text)) == [
        ("one", "", ""),
        ("one.two", "1.0e-3", "Small, and exact."),
        ("one.three", "a, b", "A list."),
        ("one.four", '""', 'Such as "x: ".'),
        ("one.five", "{}", ""),
    ]


def test_every_param_has_a_whole_sentence() -> None:
    """A comment must be understood without its neighbours: on the page each one is alone in a cell."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    plain = re.compile(r"spend\.prices\.|\.types\.")  # a model's price, a kind's share
    for param in params.read_params(text):
        if "." in param.path and not plain.search(param.path):
            assert param.comment.endswith("."), f"{param.path}: no sentence above it"
            assert " #" not in param.value, f"{param.path}: its comment belongs above it"


@pytest.mark.parametrize(
    ("name", "stage"), [pytest.param(*stage, id=stage[0]) for stage in stages(DVC_YAML)]
)
def test_each_stage_is_described_with_what_it_reads_and_writes(
    name: str, stage: dict[str, list[object]]
) -> None:
    text = (ROOT / "docs/stages.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
    outs = [next(iter(out)) if isinstance(out, dict) else str(out) for out in stage["outs"]]
    read = [str(dep) for dep in stage["deps"] if not is_code(str(dep))]
    named = [
        path for path in [*read, *outs] if not path.startswith("data/figures/") and "$" not in path
    ]
    assert not [path for path in named if path not in section]
    if name != "report":
        assert not [param for param in stage.get("params", []) if f"`{param}`" not in section]


def test_help_is_shown_as_it_is_printed() -> None:
    assert help.PAGE.read_text(encoding="utf-8") == help.page(), "run `python -m tools.docs.help`"


def test_the_diagram_is_the_pipeline() -> None:
    assert dag.diagram() in dag.PAGE.read_text(encoding="utf-8"), "run `python -m tools.docs.dag`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_has_one_width(page: Path) -> None:
    """Tables, code and lines of one long word (an address) are as wide as they are."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = [
        line for line in prose.splitlines() if not line.startswith("|") and " " in line.strip()
    ]
    assert not [line for line in lines if len(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = [
        link
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not link.startswith("http")
    ]
    for link in links:
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            ], link


def test_the_citation_names_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
