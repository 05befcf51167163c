"""The races as a table: reports/benchmarks.json into docs/PERFORMANCE.md, between its two marks.

    python -m benchmarks.table

A goal that was missed is listed with its reason.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
RESULTS = ROOT / "reports/benchmarks.json"
PAGE = ROOT / "docs/PERFORMANCE.md"
START, END = "<!-- races: written by `make bench` -->", "<!-- end of the races -->"
HEAD = [
    "| race | on | against | theirs, s | ours, s | ratio | goal |",
    "| --- | --- | --- | ---: | ---: | ---: | --- |",
]


def table(results: dict[str, Any]) -> str:
    """All rows as Markdown, the machine above them and the reasons for missed goals below."""
    machine = results["machine_info"]
    given = f"{machine['processor']}, {machine['cores']} cores, threads: {machine['threads']}"
    lines = [f"{given}; {machine['clock']}; Python {machine['python']}.", "", *HEAD]
    reasons = []
    for entry in results["benchmarks"]:
        info = entry["extra_info"]
        for row in info.get("rows", []):
            lines.append(_line(info, row))
            if row.get("reason"):
                reason = f"- {info['race']} against {row['peer']}: {row['reason']}."
                reasons += textwrap.wrap(reason, WIDTH, subsequent_indent="  ")
    versions = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    missed = ["", "Missed:", "", *reasons] if reasons else []
    used = textwrap.wrap(f"Versions: {versions}.", WIDTH, break_on_hyphens=False)
    return "\n".join([*lines, *missed, "", *used])


def _line(info: dict[str, Any], row: dict[str, Any]) -> str:
    start = f"| {info['race']} | {info['given']} "
    if "at_most" in row:
        met = "met" if row["our_seconds"][1] <= row["at_most"] else "missed"
        return f"{start}| | | {_seconds(row['our_seconds'])} | | ≤ {row['at_most']:g} s, {met} |"
    met = "met" if row["ratio"] >= row["goal"] else "missed"
    theirs, ours = _seconds(row["peer_seconds"]), _seconds(row["our_seconds"])
    ratio, goal = f"{row['ratio']:.2f}", f"≥ {row['goal']:g}, {met}"
    return f"{start}| {row['peer']} | {theirs} | {ours} | {ratio} | {goal} |"


def _seconds(quartiles: list[float]) -> str:
    low, middle, high = (f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in quartiles)
    return middle if low == high else f"{middle} ({low} to {high})"


def main() -> None:
    """Replace the text between the marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    _, after = rest.split(END)
    found = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{START}\n\n{found}\n\n{END}{after}", encoding="utf-8")
    print(found)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
