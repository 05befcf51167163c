"""Ways to a better model that the pipeline doesn't take; docs/LOG.md tells what each is worth.

    python -m benchmarks.ways embedded WORKSPACE [--model tuned]     other texts for a passage's vector
    python -m benchmarks.ways scaled WORKSPACE [--model tuned]       other scales of the two scores that are fused
    python -m benchmarks.ways weighed WORKSPACE [--model tuned]      each weight of the fusion
    python -m benchmarks.ways fed_back WORKSPACE [--model tuned]     questions moved towards what is found for them
    python -m benchmarks.ways taught untitled|sparse WORKSPACE       training on other texts than are searched
    python -m benchmarks.ways soup WORKSPACE WORKSPACE ...           the mean of several tuned models' weights
    python -m benchmarks.ways adapt crop|tsdae WORKSPACE MODEL       the base adapted to the passages, without pairs

A WORKSPACE is what `benchmarks.recipe --into WORKSPACE` left. All but the last print nDCG@10 on the test questions,
of vectors alone and fused with BM25 at the weight that is best on these very questions. The last writes a folder MODEL,
from which `benchmarks.recipe fetch.model=path:MODEL` goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from argot.core.params import load
from argot.core.parquet import read_table
from argot.encoding.embedder import Embedder, Role
from argot.encoding.store import shorten
from argot.evaluation.judged import JudgedCorpus, Queries, read_questions
from argot.evaluation.metrics import ndcg
from argot.evaluation.systems import stored
from argot.evaluation.verdict import Model
from argot.search.bm25 import Bm25, LexicalSettings
from argot.search.fusion import DEFAULT, DEPTH, WEIGHTS, Fusion, curve, fuse
from argot.search.hits import Hits, search_exact
from argot.tables import chunks
from argot.tables.chunks import passage, passages_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]
SEED = 13
BESIDE = 30  # words of either neighbour that are embedded with a passage
MIXED = 0.25  # of either neighbour's vector
MOVED = 0.4  # of the best passages' mean vector, added to a question's
KEPT = 0.4  # of the words that TSDAE shows (arXiv 2104.06979)
UNTITLED = 0.5  # of the passages that are trained on
SPARSE = 0.85  # of a training query's words that stay
CROPPED = 0.5  # the least share of a passage's words in one crop (as in SimCSE's cropping, arXiv 2104.08821)


@dataclass(frozen=True)
class Test:
    """What is asked of vectors: the passages, the test questions, and BM25 beside them."""

    corpus: JudgedCorpus
    questions: Queries

    @classmethod
    def here(cls) -> Test:
        """That of the workspace that is the current folder."""
        corpus = JudgedCorpus()
        return cls(corpus, read_questions("test", corpus))

    @cached_property
    def bm25(self) -> Bm25:
        """BM25 over the passages as they stand."""
        return self.over(self.corpus.passages)

    @cached_property
    def lexical(self) -> Hits:
        """What BM25 finds."""
        return self.bm25.search(self.questions.texts, DEPTH)

    def over(self, texts: list[str]) -> Bm25:
        """BM25 over other texts of the same passages."""
        return Bm25.build(
            self.corpus.ids, texts, load("lexical", LexicalSettings), self.corpus.language
        )

    def ndcg(self, found: NDArray[np.int32]) -> float:
        """The mean nDCG@10 of ranked passages, (questions, k)."""
        return float(
            ndcg(self.questions.relevance.found(found), self.questions.relevance.counts).mean()
        )

    def of(self, passages: Vectors, questions: Vectors) -> str:
        """nDCG@10 of vectors, alone and fused."""
        fused = 100 * self.fused(passages, questions)
        return f"{fused[-1]:5.1f}  fused {fused.max():5.1f}"

    def by(self, folder: Path) -> str:
        """The same of the model in a folder."""
        embedder = Embedder.load(folder)
        return self.of(
            embedder.encode_passages(self.corpus.passages),
            embedder.encode_queries(self.questions.texts),
        )

    def fused(self, passages: Vectors, questions: Vectors) -> NDArray[np.float64]:
        """nDCG@10 of vectors fused with BM25 by each of WEIGHTS, whose last is dense alone."""
        dense = search_exact(questions, passages, DEPTH, self.corpus.ties)
        means = curve(
            dense, self.lexical, self.questions.relevance, "convex", self.corpus.ties
        ).mean(axis=1)
        return np.asarray(means)


def embedded(workspace: Path, model: Model) -> None:
    """What a passage's vector could be made of."""
    with chdir(workspace):
        table = read_table(chunks.PATH, chunks.SCHEMA, ["document", "heading", "text"])
        embedder, test = Embedder.load(Path("models") / model), Test.here()
        questions = embedder.encode_queries(test.questions.texts)
        whole = embedder.encode_passages(passages_of(table))
        rows = table.to_pylist()
        texts = {
            "text alone": [row["text"] for row in rows],
            "last heading, text": [
                passage(row["heading"].rpartition(" > ")[2], row["text"]) for row in rows
            ],
            "and the neighbours' words": with_neighbours(rows),
        }
        made = {
            "heading path, text": whole,
            "and the neighbours' vectors": mixed(whole, rows),
            **{name: embedder.encode_passages(some) for name, some in texts.items()},
        }
        for name, vectors in made.items():
            print(f"{name:30}{test.of(vectors, questions)}")
        found = {
            name: test.over(some).search(test.questions.texts, DEPTH)
            for name, some in texts.items()
        }
        for name, hits in {"heading path, text": test.lexical, **found}.items():
            print(f"{name:30}BM25 {100 * test.ndcg(hits.positions):5.1f}")


def with_neighbours(rows: Sequence[dict[str, str]]) -> list[str]:
    """Each passage after the end of the one before and before the beginning of the next, of the same document."""
    made = []
    for at, row in enumerate(rows):
        before = rows[at - 1]["text"].split()[-BESIDE:] if at and beside(rows, at) else []
        after = rows[at + 1]["text"].split()[:BESIDE] if beside(rows, at + 1) else []
        made.append(passage(row["heading"], " ".join([*before, row["text"], *after])))
    return made


def mixed(vectors: Vectors, rows: Sequence[dict[str, str]]) -> Vectors:
    """Each passage's vector with a share of its neighbours'."""
    close = np.array([beside(rows, at) for at in range(1, len(rows))], dtype=np.float32)[:, None]
    made = vectors.copy()
    made[1:] += MIXED * close * vectors[:-1]
    made[:-1] += MIXED * close * vectors[1:]
    return shorten(made, made.shape[1])


def beside(rows: Sequence[dict[str, str]], at: int) -> bool:
    """Whether a passage and the one before are of the same document."""
    return at < len(rows) and rows[at - 1]["document"] == rows[at]["document"]


def scaled(workspace: Path, model: Model) -> None:
    """Scales of a query's scores before they are weighed and added; all passages are scored by both sides."""
    with chdir(workspace):
        test, known = Test.here(), stored(model)
        dense = (
            known.of("questions", test.questions.texts)
            @ known.of("passages", test.corpus.passages).T
        )
        words = np.stack([test.bm25.scores(query) for query in test.questions.texts])
    high, most = (
        dense.max(axis=1, keepdims=True),
        np.maximum(words.max(axis=1, keepdims=True), 1e-6),
    )
    seen = np.maximum(dense - np.sort(dense, axis=1)[:, -DEPTH, None], 0)
    mean, spread = dense.mean(axis=1, keepdims=True), dense.std(axis=1, keepdims=True)
    shown = seen / seen.max(axis=1, keepdims=True)
    sides = {
        f"dense from its {DEPTH}th, BM25 from 0": (shown, words / most),
        "dense from its theoretical minimum": (6 * (dense + 1) / (high + 1), words / most),
        "dense from its mean": (np.maximum(dense - mean, 0) / (high - mean), words / most),
        "one span for all queries": (seen / seen.max(axis=1).mean(), words / most),
        "standard scores": (
            (dense - mean) / spread / 6,
            words / words.std(axis=1, keepdims=True) / 20,
        ),
        "the root of BM25": (shown, np.sqrt(words / most)),
        "the root of dense": (np.sqrt(shown), words / most),
    }
    for name, (left, right) in sides.items():
        means = []
        for weight in WEIGHTS:
            best = np.argsort(-(weight * left + (1 - weight) * right), axis=1, kind="stable")[
                :, :10
            ]
            means.append(test.ndcg(best.astype(np.int32)))
        print(f"{name:38}{100 * max(means):5.1f} at {WEIGHTS[int(np.argmax(means))]:.2f}")


def weighed(workspace: Path, model: Model) -> None:
    """Each share of dense in the fusion."""
    with chdir(workspace):
        test, known = Test.here(), stored(model)
        passages, asked = (
            known.of("passages", test.corpus.passages),
            known.of("questions", test.questions.texts),
        )
        for weight, value in zip(WEIGHTS, test.fused(passages, asked), strict=True):
            print(f"{weight:.2f} {100 * value:5.1f}")


def fed_back(workspace: Path, model: Model) -> None:
    """Each question's vector moved towards those of the best passages (Li et al., arXiv 2108.11044)."""
    with chdir(workspace):
        test, known = Test.here(), stored(model)
        passages, asked = (
            known.of("passages", test.corpus.passages),
            known.of("questions", test.questions.texts),
        )
        print(f"{'as they are':30}{test.of(passages, asked)}")
        dense = search_exact(asked, passages, DEPTH, test.corpus.ties)
        fused = fuse(dense, test.lexical, Fusion("convex", DEFAULT), DEPTH, test.corpus.ties)
        for name, found in (("dense", dense), ("fused", fused)):
            for count in (1, 3, 5):
                best = passages[found.positions[:, :count]].mean(axis=1)
                moved = shorten(asked + MOVED * best, asked.shape[1])
                print(f"{f'to the best {count}, {name}':30}{test.of(passages, moved)}")


def soup(workspaces: Sequence[Path]) -> None:
    """The mean of their tuned models (Wortsman et al., arXiv 2203.05482), asked in the first of them."""
    from sentence_transformers import SentenceTransformer

    models = [
        SentenceTransformer(str(place / "models/tuned"), device="cpu") for place in workspaces
    ]
    states = [model.state_dict() for model in models]
    mean = {
        name: sum(state[name] for state in states) / len(states)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
    with TemporaryDirectory() as folder, chdir(workspaces[0]):
        test = Test.here()
        for place, model in zip(workspaces, models, strict=True):
            print(f"{place.name:30}{of_model(model, Path(folder) / place.name, test)}")
        models[0].load_state_dict(mean)
        print(f"{'the mean of their weights':30}{of_model(models[0], Path(folder) / 'mean', test)}")


def taught(way: str, workspace: Path) -> None:
    """Train once more, without half of the passages' titles or with fewer of the queries' words, and ask."""
    from argot.training.student.step import Collator, Step
    from stages import train

    plain = Collator.texts

    def texts(collator: Collator, step: Step, random: np.random.Generator) -> dict[Role, list[str]]:
        made = plain(collator, step, random)
        if way == "untitled":
            passages = [
                untitled(text) if random.random() < UNTITLED else text for text in made["passage"]
            ]
            return {**made, "passage": passages}
        return {**made, "query": [thinned(text, random, SPARSE) for text in made["query"]]}

    with TemporaryDirectory() as place, chdir(workspace):
        folder = Path(place)
        aside = patch.multiple(
            train, CACHE=folder / "checkpoints", OUT=folder / "tuned", write_figures=lambda *_: None
        )
        with aside, patch.object(Collator, "texts", texts):
            print(train.main())
        print(Test.here().by(folder / "tuned"))


def untitled(text: str) -> str:
    """A passage with the last of its headings alone."""
    heading, line, rest = text.partition("\n")
    return f"{heading.rpartition(' > ')[2]}{line}{rest}"


def of_model(model: SentenceTransformer, folder: Path, test: Test) -> str:
    """What a model reaches, by way of a folder."""
    model.save_pretrained(str(folder), create_model_card=False)
    return test.by(folder)


def adapt(way: str, workspace: Path, model: Path) -> None:
    """Train the base on the passages alone, one pass: to tell crops of one apart, or to rebuild it from few words."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.training_args import (
        SentenceTransformerTrainingArguments,
    )

    base = str((workspace / "models/base").resolve())
    with chdir(workspace):
        texts = JudgedCorpus().passages
    random, learner = np.random.default_rng(SEED), SentenceTransformer(base, device="cpu")
    first = [
        cropped(text, random) if way == "crop" else thinned(text, random, KEPT) for text in texts
    ]
    second = [cropped(text, random) for text in texts] if way == "crop" else texts
    loss: Any = (
        losses.MultipleNegativesRankingLoss(learner)
        if way == "crop"
        else losses.DenoisingAutoEncoderLoss(learner, tie_encoder_decoder=True)
    )
    with TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=32 if way == "crop" else 8,
            learning_rate=2e-5 if way == "crop" else 3e-5,
            seed=SEED,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
        )
        SentenceTransformerTrainer(
            model=learner,
            args=arguments,
            train_dataset=Dataset.from_dict({"first": first, "second": second}),
            loss=loss,
        ).train()
    learner.save_pretrained(str(model), create_model_card=False)


def cropped(text: str, random: np.random.Generator) -> str:
    """A run of a passage's words, at least CROPPED of them."""
    words = text.split()
    count = max(1, round(len(words) * random.uniform(CROPPED, 1)))
    start = int(random.integers(0, len(words) - count + 1))
    return " ".join(words[start : start + count])


def thinned(text: str, random: np.random.Generator, share: float) -> str:
    """A share of a text's words, in their order."""
    words = text.split()
    return " ".join(word for word in words if random.random() < share) or words[0]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest="way", required=True)
    for way in (embedded, scaled, weighed, fed_back):
        one = ways.add_parser(way.__name__)
        one.set_defaults(run=way)
        one.add_argument("workspace", type=Path)
        one.add_argument("--model", default="base", choices=("base", "tuned"))
    ways.add_parser("soup").add_argument("workspaces", type=Path, nargs="+")
    changed = ways.add_parser("taught")
    changed.add_argument("how", choices=("untitled", "sparse"))
    changed.add_argument("workspace", type=Path)
    other = ways.add_parser("adapt")
    other.add_argument("how", choices=("crop", "tsdae"))
    other.add_argument("workspace", type=Path)
    other.add_argument("model", type=Path)
    given = parser.parse_args()
    if given.way == "soup":
        soup([place.resolve() for place in given.workspaces])
    elif given.way == "taught":
        taught(given.how, given.workspace)
    elif given.way == "adapt":
        adapt(given.how, given.workspace, given.model.resolve())
    else:
        given.run(given.workspace, given.model)


if __name__ == "__main__":
    main()
