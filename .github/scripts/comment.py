"""Print a pull request's comment as Markdown, and write its pictures into a folder.

    PYTHONPATH=. python .github/scripts/comment.py BASE PICTURES ADDRESS [QUERY]

BASE is the revision to compare with, PICTURES the folder for the plots, seen later at
ADDRESS/NAME.png + QUERY.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import vl_convert

from argot.report.history import VERDICT, too_many_looks

# The workflow finds its own comment by this line, and edits it in place.
MARK = "<!-- argot: report -->"
SHOWN = 5


def main() -> None:
    base, pictures, address, *query = sys.argv[1:]
    found = json.loads(Path(VERDICT).read_text(encoding="utf-8"))
    parts = [
        MARK,
        verdict(found),
        too_many_looks(found["looks"]),
        section("Metrics", dvc("metrics", "diff", base, "--md", "--no-path", "--precision", "4")),
        section("Params", dvc("params", "diff", base, "--md", "--no-path")),
        "\n".join(
            f"![{name}]({address}/{name}.png{''.join(query)})"
            for name in draw(base, Path(pictures))
        ),
    ]
    print("\n\n".join(part for part in parts if part))


def verdict(found: dict[str, Any]) -> str:
    """What the release finds, the verdict, its power, and the questions that changed most."""
    lines = [f"### Verdict: {found['verdict']}", found["headline"]]
    lines += ["", found["reason"], "", f"{found['power']}."]
    for title, name in (("Improved most", "wins"), ("Got worse most", "losses")):
        rows = [
            f"| {cell(row['query'])} | {row['before']:.2f} | {row['after']:.2f} |"
            for row in found[name][:SHOWN]
        ]
        if rows:
            lines += ["", f"| {title} | untuned | tuned |", "|---|---|---|", *rows]
    return "\n".join(lines)


def cell(text: str) -> str:
    """A question as plain text in a table's cell, even if it holds Markdown or HTML."""
    escaped = "".join(
        f"\\{character}" if character in r"\`*_{}[]()#+-!|<>~@&" else character
        for character in text
    )
    return " ".join(escaped.split())


def section(title: str, table: str) -> str:
    """A table under its title; dvc prints a header alone where nothing differs."""
    rows = table.strip().splitlines()[2:]
    return f"#### {title}\n\n{table.strip()}" if rows else f"#### {title}\n\nNo change."


def draw(base: str, pictures: Path) -> list[str]:
    """Render each plot, this revision's beside the base's, to PNG; their names."""
    pictures.mkdir(parents=True, exist_ok=True)
    plots = json.loads(dvc("plots", "diff", base, "--json", "--split"))["data"]
    names = []
    for name, drawings in sorted(plots.items()):
        for drawing in drawings:
            spec = filled(drawing["content"], drawing)
            names.append(name.replace("/", "-"))
            (pictures / f"{names[-1]}.png").write_bytes(vl_convert.vegalite_to_png(spec, scale=2))
    return names


def filled(spec: dict[str, Any], drawing: dict[str, Any]) -> dict[str, Any]:
    """A template's specification with its points and revisions put in."""
    anchors = drawing.get("anchor_definitions", {})
    return json.loads(
        json.dumps(spec),
        object_hook=lambda part: {
            k: anchors.get(v, v) if isinstance(v, str) else v for k, v in part.items()
        },
    )


def dvc(*arguments: str) -> str:
    """What a dvc command prints."""
    return subprocess.run(["dvc", *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
