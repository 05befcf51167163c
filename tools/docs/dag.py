"""The diagram in README.md, from `dvc dag --mermaid`.

The embed cells of a model are one box, and an edge that a longer path implies is left out.

python -m tools.docs.dag     writes it
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import networkx

from tools.docs.commands import ROOT

PAGE = ROOT / "README.md"
DIAGRAM = re.compile(r"^```mermaid\n.*?^```\n", re.MULTILINE | re.DOTALL)
NODE = re.compile(r'\s*(node\d+)\["(.+)"\]')
# Longer paths imply this edge too, but people's questions are what the proof rests on.
PROOF = ("questions", "evaluate")
EDGE = re.compile(r"\s*(node\d+)-->(node\d+)")


def diagram() -> str:
    """The pipeline as a mermaid block."""
    dvc = Path(sys.executable).with_name("dvc")
    text = subprocess.run(
        [dvc, "dag", "--mermaid"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = {node: re.sub(r"@(\w+)-\w+", r" \1", name) for node, name in NODE.findall(text)}
    edges = {(names[start], names[end]) for start, end in EDGE.findall(text)}
    # Documents of one's own are a node with a .dvc file; in the repository they are not.
    graph = networkx.DiGraph((start, end) for start, end in edges if not start.endswith(".dvc"))
    lines = [
        f"    {start.replace(' ', '_')} --> {end.replace(' ', '_')}"
        for start, end in reduced(graph)
    ]
    labels = [f'    {name.replace(" ", "_")}["{name}"]' for name in sorted(graph) if " " in name]
    return "\n".join(["```mermaid", "flowchart LR", *labels, *lines, "```", ""])


def reduced(graph: networkx.DiGraph) -> list[tuple[str, str]]:
    """The edges that no longer path implies, and that of the proof."""
    edges = set(networkx.transitive_reduction(graph).edges)
    return sorted(edges | {PROOF} if graph.has_edge(*PROOF) else edges)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(
        DIAGRAM.sub(diagram(), PAGE.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )
