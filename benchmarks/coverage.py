"""How often do the verdict's intervals hold the truth? Simulated, beside other methods.

    python -m benchmarks.coverage [--trials 10000]

Two equally good systems answer questions about few documents, with as many questions each (equal),
with numbers that fall like 1, 1/2, 1/3 ... (Zipf), or with half of all questions about one; also
where three of ten questions ask about a second document. Of each method: how often its 95 %
interval holds the true difference, 0, and how often it lies above 0, a false alarm; 2.5 % of these
are what was promised. Prints the tables of docs/concepts.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from argot.evaluation.names import Sides
from argot.evaluation.statistics import LEVEL, effective_documents, paired
from argot.evaluation.verdict import SAME_FUSION, PairedScores, ReleaseSettings, decide
from argot.ranking.fusion import alone

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Callable[[Floats, Ints], tuple[Floats, Floats]]
# nDCG@10 of one relevant passage at ranks 1, 2, 3 ... or beyond the tenth, worst first.
NDCG = np.array([0.0, 0.0, 0.0, 0.289, 0.333, 0.387, 0.431, 0.5, 0.631, 1.0, 1.0, 1.0])
DOCUMENTS, EACH = (10, 20, 40, 60), 5  # and so many questions a document, on average
SECOND = 0.3  # of the questions ask about a second document
SAMPLES = 999  # of the bootstraps
PROVEN = 10  # release.min_documents: with fewer effective documents the verdict is `unproven`
RARE, LOSS = 0.05, -0.5  # how often something is harmed, and how much


def equal(documents: int) -> Ints:
    """The document of each question."""
    return np.repeat(np.arange(documents), EACH)


def zipf(documents: int) -> Ints:
    """The first document has twice as many questions as the second, and so on."""
    shares = 1 / np.arange(1, documents + 1)
    sizes = np.maximum(1, np.round(EACH * documents * shares / shares.sum()))
    return np.repeat(np.arange(documents), sizes.astype(int))


def half(documents: int) -> Ints:
    """The first document has as many questions as all others together."""
    others = documents - 1
    return np.repeat(np.arange(documents), [EACH * others, *[EACH] * others])


def joined(documents: int) -> Ints:
    """Equal, and some questions ask about a second document, (questions, 2)."""
    rng, first = np.random.default_rng(0), equal(documents)
    second = np.where(rng.random(len(first)) < SECOND, rng.permutation(first), first)
    return np.stack([first, second], axis=1)


SIZES = {"equal": equal, "Zipf": zipf, "half in one": half, "equal, some ask about two": joined}


class World:
    """Differences of two systems whose true difference is 0, (questions, trials)."""

    def __init__(self, clusters: Ints, trials: int) -> None:
        self.clusters, self.trials = clusters.reshape(len(clusters), -1), trials
        self.rng = np.random.default_rng(13)

    def of_documents(self, draw: Callable[[tuple[int, int]], Floats]) -> Floats:
        """An effect of each document, as its questions have it."""
        effects = draw((int(self.clusters.max()) + 1, self.trials))
        return np.asarray(effects[self.clusters].mean(axis=1))

    def normal(self, deviation: float, documents: float) -> Floats:
        """Noise of each question and of each document."""
        own = self.rng.normal(0, deviation, (len(self.clusters), self.trials))
        return own + self.of_documents(lambda shape: self.rng.normal(0, documents, shape))

    def ranks(self) -> Floats:
        """Differences of nDCG@10, nearly half of them 0."""
        hard = self.normal(1.0, 0.5)

        def system() -> Floats:
            place = (hard + self.normal(0.3, 0.25)) * 2.5 + 6
            return NDCG[np.clip(place, 0, 11).astype(int)]

        return system() - system()

    def alike(self) -> Floats:
        """All questions about one document differ alike."""
        return self.normal(0.0, 0.3)

    def rare_questions(self) -> Floats:
        """One question in twenty loses much, the others gain a little."""
        harmed = self.rng.random((len(self.clusters), self.trials)) < RARE
        return np.where(harmed, LOSS, -LOSS * RARE / (1 - RARE)) + self.normal(0.0, 0.05)

    def rare_documents(self) -> Floats:
        """The questions about one document in twenty lose much, the others gain a little."""

        def draw(shape: tuple[int, int]) -> Floats:
            return np.where(self.rng.random(shape) < RARE, LOSS, -LOSS * RARE / (1 - RARE))

        return self.of_documents(draw) + self.normal(0.1, 0.0)


WORLDS = {
    "ranks": World.ranks,
    "documents alike": World.alike,
    "rare losses, questions": World.rare_questions,
    "rare losses, documents": World.rare_documents,
}


def ours(differences: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """The intervals of the verdict."""
    found = paired(differences, clusters)
    return found.low, found.high


def sums(differences: Floats, clusters: Ints) -> tuple[Floats, Floats, Floats]:
    """Sizes and sums of the first documents, and the sums less what the mean explains."""
    first = clusters.reshape(len(clusters), -1)[:, 0]
    sizes = np.bincount(first).astype(np.float64)
    total = np.stack([np.bincount(first, column) for column in differences.T], axis=1)
    return sizes, total, total - sizes[:, None] * differences.mean(axis=0)


def satterthwaite(differences: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """CR2 with degrees of freedom by Satterthwaite (Bell and McCaffrey; Pustejovsky and Tipton)."""
    sizes, _, excess = sums(differences, clusters)
    count, left = sizes.sum(), 1 - sizes / sizes.sum()
    error = np.sqrt((excess**2 / left[:, None]).sum(axis=0)) / count
    spread = (np.diag(sizes) - np.outer(sizes, sizes) / count) / np.sqrt(np.outer(left, left))
    freedom = np.trace(spread) ** 2 / (spread**2).sum()
    reach, mean = stdtrit(freedom, (1 + LEVEL) / 2) * error, differences.mean(axis=0)
    return mean - reach, mean + reach


def bootstrap(differences: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """The symmetric bootstrap-t that draws documents (Hall 1988), the verdict's former method."""
    sizes, _, excess = sums(differences, clusters)
    count = len(sizes)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=SAMPLES)
    t = studentised(drawn, excess, sizes, drawn @ sizes)
    reach = np.quantile(np.abs(t), LEVEL, axis=0) * cr1(excess, len(differences))
    mean = differences.mean(axis=0)
    return mean - reach, mean + reach


def wild(differences: Floats, clusters: Ints) -> tuple[Floats, Floats]:
    """The wild cluster bootstrap with the null imposed (Cameron, Gelbach and Miller 2008).

    Its interval is given as the mean's side of 0 alone: below, above, or around it.
    """
    sizes, total, excess = sums(differences, clusters)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(SAMPLES, len(sizes)))
    queries, mean = len(differences), differences.mean(axis=0)
    t = studentised(signs, total, sizes, np.full(SAMPLES, float(queries)), squares=np.abs(signs))
    observed = np.abs(mean) / cr1(excess, queries)
    sure = (np.abs(t) >= observed).mean(axis=0) <= 1 - LEVEL
    return np.where(sure & (mean > 0), 1.0, -1.0), np.where(sure & (mean < 0), -1.0, 1.0)


def cr1(excess: Floats, queries: int) -> Floats:
    """The usual cluster-robust error, (trials,)."""
    count = len(excess)
    return np.asarray(np.sqrt(count / (count - 1) * (excess**2).sum(axis=0)) / queries)


def studentised(
    weights: Floats, each: Floats, sizes: Floats, queries: Floats, squares: Floats | None = None
) -> Floats:
    """t of weighted sums of `each`, (samples, trials); `squares` are the weights of its squares."""
    squares, count = weights if squares is None else squares, len(sizes)
    mean = weights @ each / queries[:, None]
    spread = squares @ each**2 - 2 * mean * (weights @ (each * sizes[:, None]))
    spread += mean**2 * (squares @ sizes**2)[:, None]
    error = np.sqrt(np.maximum(spread, 1e-12) * count / (count - 1)) / queries[:, None]
    return np.asarray(mean / error)


METHODS: dict[str, Method] = {
    "Argot's": ours,
    "CR2, Satterthwaite": satterthwaite,
    "bootstrap-t": bootstrap,
    "wild bootstrap": wild,
}


def cell(ends: tuple[Floats, Floats]) -> str:
    """Coverage and false alarms in percent."""
    low, high = ends
    return f"{100 * ((low <= 0) & (high >= 0)).mean():.1f} / {100 * (low > 0).mean():.1f}"


def tables(trials: int) -> list[str]:
    """Argot's intervals in all worlds, and all methods in the world of ranks."""
    first = [f"| questions | documents | effective | {' | '.join(WORLDS)} |"]
    second = [f"| questions | documents | {' | '.join(METHODS)} |"]
    first.append("|---|---:|---:|" + "---:|" * len(WORLDS))
    second.append("|---|---:|" + "---:|" * len(METHODS))
    for name, sizes in SIZES.items():
        for documents in DOCUMENTS:
            clusters = sizes(documents)
            found = {
                world: differences(World(clusters, trials)) for world, differences in WORLDS.items()
            }
            cells = " | ".join(cell(ours(each, clusters)) for each in found.values())
            effective = effective_documents(clusters)
            shown = f"{effective:.1f}" if effective >= PROVEN else f"{effective:.1f}, `unproven`"
            first.append(f"| {name} | {documents} | {shown} | {cells} |")
            cells = " | ".join(
                cell(method(found["ranks"], clusters)) for method in METHODS.values()
            )
            second.append(f"| {name} | {documents} | {cells} |")
    return [*first, "", *second]


def margins(trials: int, documents: int = 30, margin: float = 2.0) -> list[str]:
    """How often a model ships by the margin that should not, and one that may."""
    lines = ["| vectors gain | all rankers lose | ships |", "|---:|---:|---:|"]
    rules = ReleaseSettings(
        accept_synthetic=False, min_questions=1, min_documents=2, looks=1, margin=margin
    )
    clusters, fusions = equal(documents), {row: alone("bm25") for row in ("bm25", *Sides())}
    noise = World(clusters, trials)
    together, vectors = noise.normal(0.1, 0.05), noise.normal(0.2, 0.1)
    worse = np.full(len(clusters), -1.0)
    for gain, loss in ((20, margin), (20, margin / 2), (20, 0), (0, 0)):
        ships = 0
        for trial in range(trials):
            scores = dict.fromkeys(("base", Sides().stays, SAME_FUSION), np.zeros(len(clusters)))
            scores["bm25"] = worse
            scores["tuned"] = vectors[:, trial] + gain / 100
            scores[Sides().ships] = together[:, trial] - loss / 100
            shown = PairedScores(scores, clusters)
            ships += decide(shown, shown, fusions, Sides(), rules).verdict.model == "tuned"
        lines.append(f"| {gain:g} | {loss:g} | {100 * ships / trials:.1f} % |")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser("benchmarks.coverage", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    given = parser.parse_args()
    print("\n".join([*tables(given.trials), "", *margins(given.trials)]))
