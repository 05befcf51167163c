"""Ranking metrics of all queries at once, for binary relevance.

No Python loop runs over queries or hits. Two numbers that belong together, such as a query and an
item, are packed into one like the digits of a number: query * width + item, where `width` is larger
than every item. One sort or search over the packed numbers then serves all queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from argot.ranking.exact import summable
from argot.ranking.hits import MISSING

CUTOFF = 10
RECALLS = (1, 5, 10, 100)
# Where no query has more relevant items than this, comparing with one after the other is fastest.
FEW = 8
# Fills up a query's short list of relevant items. No ranking holds it: items count from 0, and
# MISSING is -1.
NOTHING = -2

# A metric's name, and its value for each query, (queries,).
Scores = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Relevance:
    """The relevant items of each query, without repeats.

    Those of query i are `items[offsets[i] : offsets[i + 1]]`, in ascending order.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int64]

    @classmethod
    def of(cls, relevant: Sequence[Sequence[int]]) -> Relevance:
        """From one list of positions a query.

        ValueError for a query whose list is empty: no metric is defined for it.
        """
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
        """Which of the `ranked` items, (queries, k), are relevant to their query; MISSING never is.

        Query and item are packed into one number. With items below 10, item 7 of query 2 is 27.
        Example: 12, 25 and 27 are relevant. Query 2 ranks the items 7 and 3, that is 27 and 23:
        27 is among the relevant ones, 23 is not.
        """
        if self.counts.max(initial=0) <= FEW:
            return self._found_one_by_one(ranked)
        width = int(max(self.items.max(initial=0), ranked.max(initial=0))) + 1
        # These are in ascending order, because queries are, and items within each query.
        known = self.queries * width + self.items
        asked = np.arange(len(ranked))[:, None] * width + ranked
        # A number beyond the last known one gets the place of the last, and differs from it.
        place = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
        return np.asarray((ranked != MISSING) & (known[place] == asked))

    def _found_one_by_one(self, ranked: NDArray[np.int32]) -> NDArray[np.bool_]:
        """`found`, by comparing with every query's first relevant item, then its second, ..."""
        found = np.zeros(ranked.shape, dtype=bool)
        for place in range(int(self.counts.max(initial=0))):
            # A query with fewer items compares with NOTHING, which equals no hit.
            at = np.minimum(self.offsets[:-1] + place, len(self.items) - 1)
            items = np.where(place < self.counts, self.items[at], NOTHING).astype(np.int32)
            found |= ranked == items[:, None]
        return found

    def lifted(self, owner: NDArray[np.int64]) -> Relevance:
        """The same judgments one level up, such as of documents: item i belongs to `owner[i]`."""
        return _without_repeats(self.queries, owner[self.items], len(self))


def score(ranked: NDArray[np.int32], relevance: Relevance, document: NDArray[np.int64]) -> Scores:
    """Every metric of passages, such as ndcg@10, and of documents, such as document_ndcg@10.

    `ranked` (queries, k) holds the positions of the best passages, best first. `document`
    (passages,) is the number of each passage's document; documents rank by their best passage among
    the k. MAP is cut at k. The definitions are trec_eval's, for binary relevance.
    """
    of_passages = _measured(relevance.found(ranked), relevance.counts)
    of_documents = _measured(*_of_documents(ranked, relevance, document))
    named = {f"document_{metric}": values for metric, values in of_documents.items()}
    return {**of_passages, **named}


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
    """Normalised discounted cumulative gain of `found` (queries, k).

    Järvelin and Kekäläinen 2002.
    """
    top = found[:, :cutoff]
    return np.asarray(top @ _discount(cutoff)[: top.shape[1]] / _ideal(total, cutoff))


def ndcg_of_ranks(
    ranks: NDArray[np.int64],
    query: NDArray[np.int64],
    total: NDArray[np.int64],
    cutoff: int = CUTOFF,
) -> NDArray[np.float64]:
    """`ndcg` from the ranks of the relevant items that were found, instead of a table of hits.

    `ranks`, counted from 0, and `query`, the query of each rank, are both (items found,).
    """
    # A rank beyond the cutoff takes the last entry, which is 0.
    gain = np.append(_discount(cutoff), 0.0)[np.minimum(ranks, cutoff)]
    return np.asarray(np.bincount(query, gain, minlength=len(total)) / _ideal(total, cutoff))


def reciprocal_rank(found: NDArray[np.bool_], cutoff: int = CUTOFF) -> NDArray[np.float64]:
    """One over the rank of the first relevant hit, 0 where none is within `cutoff`."""
    top = found[:, :cutoff]
    if top.shape[1] == 0:
        return np.zeros(len(found))
    return np.asarray(top.any(axis=1) / (top.argmax(axis=1) + 1))


def average_precision(found: NDArray[np.bool_], total: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of the precision at each relevant item's rank; an item not found counts 0."""

    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return np.asarray((precision * found).sum(axis=1) / total)


def best_of_each(ranked: NDArray[np.int32], owner: NDArray[np.int64]) -> NDArray[np.int32]:
    """Ranked passages turned into ranked documents, (queries, k), with MISSING after the last.

    `owner` (passages,) is the document of each passage. A document takes the place of its best
    passage. Example: passages of the documents 7, 5 and 7 have the places 0, 1 and 2.

    1. Pack document and place, document * 3 + place: 21, 16, 23.
    2. Sort: 16, 21, 23. The numbers of a document are neighbours, its best place first.
    3. Keep the first of each document: 16 (document 5, place 1) and 21 (document 7, place 0).
    4. Pack them the other way round, place * 8 + document: 13, 7. Sort: 7, 13. The remainders by 8
       are the ranked documents: 7, 5.
    """
    width = max(1, ranked.shape[1])
    place = np.arange(ranked.shape[1])
    # 1. and 2. Sorting packed numbers is several times as fast as sorting places by document.

    packed = np.sort(np.where(ranked == MISSING, MISSING, owner[ranked] * width + place), axis=1)
    # 3. MISSING is -1, so that its document is -1 again, and it is never kept.
    owners = packed // width
    first = owners != MISSING
    first[:, 1:] &= owners[:, 1:] != owners[:, :-1]
    # 4. What isn't kept becomes the largest number, and is sorted behind the documents.
    last = np.iinfo(np.int64).max
    total = int(owners.max(initial=0)) + 1
    order = np.sort(np.where(first, packed % width * total + owners, last), axis=1)
    return np.where(order == last, MISSING, order % total).astype(np.int32)


def _discount(ranks: int) -> NDArray[np.float64]:
    """What a hit is worth at each rank: 1 / log2(rank + 1), where the first rank is 1."""
    return summable(1 / np.log2(np.arange(ranks) + 2.0), ranks)


def _ideal(total: NDArray[np.int64], cutoff: int) -> NDArray[np.float64]:
    """The discounted gain of the best ranking: all `total` relevant items at the first ranks."""
    return np.asarray(np.cumsum(_discount(cutoff))[np.minimum(total, cutoff) - 1])


def _without_repeats(queries: NDArray[np.int64], items: NDArray[np.int64], count: int) -> Relevance:
    """Relevance from pairs of a query and an item; sorts them, and drops those that come again."""
    width = int(items.max(initial=0)) + 1
    packed = np.unique(queries * width + items)
    counts = np.bincount(packed // width, minlength=count)
    if count and counts.min() == 0:
        raise ValueError(
            f"query {int(counts.argmin())} has nothing relevant: no metric is defined for it"
        )
    return Relevance(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), packed % width)
