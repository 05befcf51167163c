"""The loop from users back to the model, closed without fooling itself.

A house gives its things names of its own, and its documents know no others; people call them what everyone does. Some
of them ask the server about some things and say which passage was right; a person reviews that; the pipeline runs
again. Then *other* people's questions, worded otherwise, must find more than before, and questions about the documents
that nobody spoke of must not find less: both as intervals over documents, before against after, as the releases ship.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from argot import Retriever
from argot.core.parquet import read_table
from argot.evaluation.statistics import paired
from argot.feedback.journal import read_feedback, same_words
from argot.feedback.review import proposals
from argot.tables import questions
from tools.tiny.model import make_tiny_model
from tools.tiny.project import environment
from tools.tiny.server import running
from tools.workspace import lay_out

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("loop")]

# What everyone calls it, and what the house does.
EVERYONE = """
kettle printer ladder freezer projector trolley shredder heater radio bicycle scanner toaster drill piano camera
generator vacuum microscope kiln furnace lathe forklift compressor tractor
"""
HOUSE = """
zorvek malbrin quistel fendrak olvara tibbern crastol wendoo yarvik plumard gantrex hirvane sompel ulbrack nerrith
dolquin etzvar brimsey aldoff kestrun vombray jaspirel throgan cindrel
"""
REST = """
oxmere pradvik selbron tawnak urrico vestril wolgand xanbury yelspor zimdock ardvast belquor corvash dremnil eskoldt
farnwey gilbrax hostrum ivandel jorquay kelmont lirvask mondrey norvald
"""
SPOKEN_OF = dict(zip(EVERYONE.split(), HOUSE.split(), strict=True))
ROOMS = ["cellar", "attic", "hall", "study", "pantry", "garage", "loft", "yard"]
STAFF = ["Ines", "Jonas", "Karim", "Lena", "Milos", "Nadia", "Oskar", "Paula"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SECTIONS = {
    "place": (
        "Where it stands",
        "The {name} stands in the {room}, by the {other} door, and is brought back there.",
    ),
    "repair": (
        "Faults",
        "When the {name} fails, {person} mends it. Until then a red tag hangs on the {name}.",
    ),
    "care": (
        "Care",
        "The {name} is cleaned on {day}. Its filter is washed, dried and put in again.",
    ),
}
# Those who say what was right ask so ...
ASKED = {
    "place": [
        "where does the {} stand",
        "in what place do I find the {}",
        "where is our {}",
        "place of the {}",
    ],
    "repair": [
        "who mends the {}",
        "the {} fails, who helps",
        "whom do I tell of a broken {}",
        "faults of the {}",
    ],
    "care": [
        "when is the {} cleaned",
        "on what day do we clean the {}",
        "care for the {}",
        "filter of the {}",
    ],
}
# ... and others, whose questions only measure, so.
OTHERS = {"place": "room of the {}", "repair": "the {} stopped working", "care": "washing the {}"}
PARAMS: dict[str, Any] = {
    "train.epochs": 40, "train.patience": 40, "train.passages": 16, "train.hard_group": 4, "train.learning_rate": 5.0e-3,
    "train.noisy_share": 0.0, "train.merge": [1.0], "chunk.min_words": 3, "embed.precision": "float32",
}  # fmt: skip
WRONG = 6  # thumbs that a careless or hostile user gives


def test_other_peoples_questions_improve_and_the_rest_does_not_fall(tmp_path: Path) -> None:
    workspace = house(tmp_path)
    repro(workspace)
    before = shutil.copytree(workspace / "models/release", tmp_path / "before")
    given = ask_and_tell(workspace)
    assert review(workspace) == given
    repro(workspace)

    trained_on = queries(workspace, "train")
    assert trained_on, "no feedback became a training question"
    measured = list(others())
    assert not {same_words(query) for query, *_ in measured} & set(map(same_words, trained_on))
    found = [ndcg(folder, measured) for folder in (before, workspace / "models/release")]
    gain, cluster = (
        found[1] - found[0],
        np.unique([name for _, name, _ in measured], return_inverse=True)[1],
    )
    spoken_of = np.array([name in SPOKEN_OF.values() for _, name, _ in measured])
    told = {}
    for what, kind in (("others", spoken_of), ("rest", ~spoken_of)):
        interval = paired(gain[kind, None], cluster[kind])
        told[what] = [
            float(found[0][kind].mean()),
            *(float(end[0]) for end in (interval.mean, interval.low, interval.high)),
        ]
    print("\nnDCG@10 before, gain, and the gain's interval:", told)
    assert told["others"][2] > 0, told
    assert told["rest"][3] >= 0, told


def house(folder: Path) -> Path:
    """A workspace with one document a thing, others' questions to measure by, and a model that knows every word."""
    source = folder / "source"
    (source / "raw").mkdir(parents=True)
    (source / "queries").mkdir()
    random = np.random.default_rng(13)
    for name in [*SPOKEN_OF.values(), *REST.split()]:
        facts = {
            "name": name, "room": random.choice(ROOMS), "other": random.choice(ROOMS), "person": random.choice(STAFF),
            "day": random.choice(DAYS),
        }  # fmt: skip
        sections = [
            f"## {heading}\n\n{text.format(**facts)}" for heading, text in SECTIONS.values()
        ]
        (source / f"raw/{name}.md").write_text(
            "\n\n".join([f"# {name.title()}", *sections]) + "\n", encoding="utf-8"
        )
    lines = [
        json.dumps({"query": query, "relevant": [{"document": f"{name}.md"}]})
        for query, name, _ in others()
    ]
    (source / "queries/others.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    texts = [path.read_text(encoding="utf-8") for path in sorted((source / "raw").iterdir())]
    asked = [
        wording.format(name)
        for wordings in ASKED.values()
        for wording in wordings
        for name in SPOKEN_OF
    ]
    model = make_tiny_model(folder / "model", [*texts, *asked, *lines], dimension=64)
    changed = {"fetch.model": f"path:{model}", **PARAMS}
    return lay_out(
        folder / "workspace", source / "raw", source / "queries", changed, cache=folder / "cache"
    )


def others() -> Iterator[tuple[str, str, str]]:
    """What other people ask: the question, the document's name, and the section's. Of the rest by the house's names."""
    for word, name in [*SPOKEN_OF.items(), *((name, name) for name in REST.split())]:
        for section, wording in OTHERS.items():
            yield wording.format(word), name, section


def ask_and_tell(workspace: Path) -> int:
    """Ask the real server, and say of each question which passage was right, where it was shown; how many were."""
    with served(workspace) as client:
        given = 0
        for number, (word, name) in enumerate(SPOKEN_OF.items()):
            for section, wordings in ASKED.items():
                for wording in wordings:
                    query = wording.format(word)
                    shown = (
                        client.post("/search", json={"query": query, "k": 100})
                        .raise_for_status()
                        .json()["passages"]
                    )
                    right = [
                        one["id"]
                        for one in shown
                        if (one["document"], one["heading"]) == answer(name, section)
                    ]
                    for id in right:
                        thumb = {"query": query, "passage": id, "verdict": "up"}
                        client.post("/feedback", json=thumb).raise_for_status()
                    given += len(right)
            if number < WRONG:
                lie = {"query": f"price of the {word}", "passage": shown[-1]["id"], "verdict": "up"}
                client.post("/feedback", json=lie).raise_for_status()
    return given


def answer(name: str, section: str) -> tuple[str, str]:
    """Document and heading of the passage that answers."""
    return f"{name}.md", f"{name.title()} > {SECTIONS[section][0]}"


def review(workspace: Path) -> int:
    """A person goes through `argot feedback`, and refuses what is not so; how many were accepted."""
    with chdir(workspace):
        waiting = proposals(read_feedback()[0])
    answers = ["n" if one.query.startswith("price") else "y" for one in waiting]
    told = subprocess.run(
        ["argot", "feedback"], cwd=workspace, env=environment(), input="\n".join(answers) + "\n",
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    accepted = answers.count("y")
    assert f"{accepted} accepted, {WRONG} refused, 0 skipped" in told
    return accepted


def ndcg(release: Path, measured: list[tuple[str, str, str]]) -> NDArray[np.float64]:
    """nDCG@10 of each question, as the release ranks by itself: one passage answers."""
    retriever = Retriever.load(release, device="cpu")
    values = []
    for (_, name, section), found in zip(
        measured, retriever.search_many([query for query, *_ in measured], 10), strict=True
    ):
        ranks = [one.rank for one in found if (one.document, one.heading) == answer(name, section)]
        values.append(1 / np.log2(1 + ranks[0]) if ranks else 0.0)
    return np.array(values)


def queries(workspace: Path, split: str) -> list[str]:
    asked: list[str] = read_table(workspace / questions.PATHS[split], questions.SCHEMA)[
        "query"
    ].to_pylist()
    return asked


def repro(workspace: Path) -> None:
    """The pipeline's stages in their order, all in this process: what dvc would run, without a start for each."""
    from stages import (
        chunk,
        embed,
        evaluate,
        fetch,
        index,
        ingest,
        lexical,
        mine,
        questions,
        synthesize,
        train,
    )

    with chdir(workspace):
        for stage in (ingest, chunk, lexical, questions, synthesize, fetch):
            stage.main()
        for texts in embed.ROLES:
            embed.main("base", texts)
        mine.main()
        train.main()
        for texts in embed.ROLES:
            embed.main("tuned", texts)
        evaluate.main()
        index.main()


@contextmanager
def served(workspace: Path) -> Iterator[httpx.Client]:
    """`argot serve` over the workspace's release, in a process of its own."""
    start = f"import os; os.chdir({str(workspace)!r}); from argot.serving.cli import main; main()"
    with (
        running(["-c", start, "serve", "--patience", "60", "--port"]) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as client,
    ):
        yield client
