"""Ranking metrics over all queries at once: binary relevance, no Python loop over queries or hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from argot.core.exact import summable
from argot.search.hits import MISSING

CUTOFF = 10
RECALLS = (1, 5, 10, 100)
FEW = 8  # relevant items of a query
NOTHING = -2  # no item, and not MISSING either

Scores = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Relevance:
    """The relevant items of each query: those of query i are `items[offsets[i]:offsets[i + 1]]`, without repeats."""

    offsets: NDArray[np.int64]
    items: NDArray[np.int64]

    @classmethod
    def of(cls, relevant: Sequence[Sequence[int]]) -> Relevance:
        """From one list of positions a query; ValueError if one is empty, for no metric is defined there."""
        counts = np.fromiter((len(items) for items in relevant), np.int64, len(relevant))
        items = np.fromiter(chain.from_iterable(relevant), np.int64, int(counts.sum()))
        return _without_repeats(np.repeat(np.arange(len(counts)), counts), items, len(counts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many items are relevant to each query, (queries,)."""
        return np.diff(self.offsets)

    @property
    def queries(self) -> NDArray[np.int64]:
        """The query each of `items` belongs to."""
        return np.repeat(np.arange(len(self)), self.counts)

    def found(self, ranked: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of the `ranked` items, (queries, k), are relevant to their query; MISSING never is."""
        if self.counts.max(initial=0) <= FEW:
            return self._found_one_by_one(ranked)
        width = int(max(self.items.max(initial=0), ranked.max(initial=0))) + 1
        known = self.queries * width + self.items  # sorted, because both parts are
        asked = np.arange(len(ranked))[:, None] * width + ranked
        place = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
        return np.asarray((ranked != MISSING) & (known[place] == asked))

    def _found_one_by_one(self, ranked: NDArray[np.int32]) -> NDArray[np.bool_]:
        """`found` by comparing with each query's first relevant item, then its second ...: fast where they are few."""
        found = np.zeros(ranked.shape, dtype=bool)
        for place in range(int(self.counts.max(initial=0))):
            at = np.minimum(self.offsets[:-1] + place, len(self.items) - 1)
            items = np.where(place < self.counts, self.items[at], NOTHING).astype(np.int32)
            found |= ranked == items[:, None]
        return found

    def lifted(self, owner: NDArray[np.int64]) -> Relevance:
        """The same judgments one level up, such as of documents: item i belongs to `owner[i]`."""
        return _without_repeats(self.queries, owner[self.items], len(self))


def score(ranked: NDArray[np.int32], relevance: Relevance, document: NDArray[np.int64]) -> Scores:
    """Each metric's value for each query, (queries,), from its best passages' positions, (queries, k), best first.

    `document` (passages,) is the document of each passage; documents rank by their best passage among the k. MAP is
    cut at k. The definitions are trec_eval's, for binary relevance.
    """
    found, total = _of_documents(ranked, relevance, document)
    return {
        **_measured(relevance.found(ranked), relevance.counts),
        "document_ndcg@10": ndcg(found, total),
    }


def score_both(
    ranked: NDArray[np.int32], relevance: Relevance, document: NDArray[np.int64]
) -> Scores:
    """As `score`, with every metric of documents too, as document_ndcg@10 and so on."""
    of_documents = _measured(*_of_documents(ranked, relevance, document))
    return {
        **_measured(relevance.found(ranked), relevance.counts),
        **{f"document_{metric}": values for metric, values in of_documents.items()},
    }


def _of_documents(
    ranked: NDArray[np.int32], relevance: Relevance, document: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    above = relevance.lifted(document)
    return above.found(best_of_each(ranked, document)), above.counts


def _measured(found: NDArray[np.bool_], total: NDArray[np.int64]) -> Scores:
    return {
        "ndcg@10": ndcg(found, total),
        "mrr@10": reciprocal_rank(found),
        "map": average_precision(found, total),
        **{f"recall@{k}": found[:, :k].sum(axis=1) / total for k in RECALLS},
    }


def ndcg(
    found: NDArray[np.bool_], total: NDArray[np.int64], cutoff: int = CUTOFF
) -> NDArray[np.float64]:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) of `found` (queries, k)."""
    top = found[:, :cutoff]
    return np.asarray(top @ _discount(cutoff)[: top.shape[1]] / _ideal(total, cutoff))


def ndcg_of_ranks(
    ranks: NDArray[np.int64],
    query: NDArray[np.int64],
    total: NDArray[np.int64],
    cutoff: int = CUTOFF,
) -> NDArray[np.float64]:
    """`ndcg` from the ranks, counted from 0, at which relevant items of each `query` stand: both (items found,)."""
    gain = np.append(_discount(cutoff), 0.0)[np.minimum(ranks, cutoff)]
    return np.asarray(np.bincount(query, gain, minlength=len(total)) / _ideal(total, cutoff))


def reciprocal_rank(found: NDArray[np.bool_], cutoff: int = CUTOFF) -> NDArray[np.float64]:
    """One over the rank of the first relevant hit, 0 where none is within `cutoff`."""
    top = found[:, :cutoff]
    if top.shape[1] == 0:
        return np.zeros(len(found))
    return np.asarray(top.any(axis=1) / (top.argmax(axis=1) + 1))


def average_precision(found: NDArray[np.bool_], total: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean, over all that is relevant, of the precision at its rank; what wasn't found counts 0."""
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return np.asarray((precision * found).sum(axis=1) / total)


def best_of_each(ranked: NDArray[np.int32], owner: NDArray[np.int64]) -> NDArray[np.int32]:
    """Ranked passages turned into ranked documents, (queries, k): each where its best passage stands, then MISSING."""
    width = max(1, ranked.shape[1])
    place = np.arange(ranked.shape[1])
    # Owner and place in one number: sorting numbers is several times as fast as sorting places by them.
    keys = np.sort(np.where(ranked == MISSING, MISSING, owner[ranked] * width + place), axis=1)
    owners = keys // width
    first = owners != MISSING
    first[:, 1:] &= owners[:, 1:] != owners[:, :-1]
    last = np.iinfo(np.int64).max
    total = int(owners.max(initial=0)) + 1
    order = np.sort(np.where(first, keys % width * total + owners, last), axis=1)
    return np.where(order == last, MISSING, order % total).astype(np.int32)


def _discount(ranks: int) -> NDArray[np.float64]:
    return summable(1 / np.log2(np.arange(ranks) + 2.0), ranks)


def _ideal(total: NDArray[np.int64], cutoff: int) -> NDArray[np.float64]:
    return np.asarray(np.cumsum(_discount(cutoff))[np.minimum(total, cutoff) - 1])


def _without_repeats(queries: NDArray[np.int64], items: NDArray[np.int64], count: int) -> Relevance:
    width = int(items.max(initial=0)) + 1
    keys = np.unique(queries * width + items)
    counts = np.bincount(keys // width, minlength=count)
    if count and counts.min() == 0:
        raise ValueError(
            f"query {int(counts.argmin())} has nothing relevant: no metric is defined for it"
        )
    return Relevance(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), keys % width)
