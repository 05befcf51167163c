"""BM25 over passages: bm25s, with the stemmer and stop words of the corpus' language."""

from __future__ import annotations

import copy
import math
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import bm25s
import numpy as np
import Stemmer
from bm25s import stopwords
from numpy.typing import NDArray
from pydantic import Field

from argot.core.files import write_json
from argot.core.params import Settings
from argot.core.parquet import read_array
from argot.documents.words import LETTERS, UNSPACED
from argot.errors import InputError, ParamsError
from argot.ranking.hits import MISSING, Hits, stacked, tie_order, top_k

if TYPE_CHECKING:
    from argot.ranking.hits import Rows

# The Snowball stemmer of each language, by the language's ISO 639-1 code.
STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german",
    "el": "greek", "en": "english", "es": "spanish", "et": "estonian", "eu": "basque",
    "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian",
    "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish",
    "ta": "tamil", "tr": "turkish",
}  # fmt: skip
STOP_WORDS = {
    "da": stopwords.STOPWORDS_DANISH, "de": stopwords.STOPWORDS_GERMAN,
    "en": stopwords.STOPWORDS_EN_PLUS, "es": stopwords.STOPWORDS_SPANISH,
    "fr": stopwords.STOPWORDS_FRENCH, "it": stopwords.STOPWORDS_ITALIAN,
    "ko": stopwords.STOPWORDS_KOREAN, "nl": stopwords.STOPWORDS_DUTCH,
    "no": stopwords.STOPWORDS_NORWEGIAN, "pt": stopwords.STOPWORDS_PORTUGUESE,
    "ru": stopwords.STOPWORDS_RUSSIAN, "sv": stopwords.STOPWORDS_SWEDISH,
    "tr": stopwords.STOPWORDS_TURKISH, "zh": stopwords.STOPWORDS_CHINESE,
}  # fmt: skip
# In these languages people leave accents out where they type. The German stemmer reads a, ä and ae
# as one letter by itself; other languages were not measured.
FOLDED = frozenset({"es", "fr"})
LETTERS_IN_ONE = {ord("œ"): "oe", ord("æ"): "ae"}
# A word, or a code such as tw-d12, 10+2, 3.5 or 49/2021, whose parts are joined without a space.
TERM = re.compile(rf"{LETTERS}(?:[-+./_:]{LETTERS})*")
PART = re.compile(LETTERS)
# The s of "driver's" and the l of "l'eau" are letters, not words.
ELISION = re.compile(r"\b[^\W\d_]['’](?=\w)|(?<=\w)['’][^\W\d_]\b")
# Scripts without spaces between words are read as overlapping pairs of characters, as Lucene's CJK
# analyzer does: 東京都 gives 東京 and 京都.
PAIRED = re.compile(f"[{UNSPACED}]+")
# The stage `lexical` writes the index here, and other stages load it.
LEXICAL = Path("data/lexical")
WORDS_FILE = "words.json"
# The terms of all passages one after another, and where each passage's begin and end.
TERMS, OFFSETS = "terms.npy", "offsets.npy"
# A pair of terms is one number: the first term times this, plus the second.
WIDE = 1 << 31
# The terms of at most this many words are kept in memory, because a corpus repeats its words.
DISTINCT = 1 << 17


class LexicalSettings(Settings):
    """How BM25 reads and weighs words: the section `lexical`."""

    language: str
    k1: float = Field(ge=0)
    b: float = Field(ge=0, le=1)


class _Own(Settings):
    """What WORDS_FILE holds."""

    ids: list[str]
    language: str
    folded: bool = False  # an older index holds accents


class Words:
    """Turns text into the terms that BM25 counts.

    Terms are lower-case stems of words that are no stop words; where the language is one of FOLDED,
    or `folded` says so, they have no accents. A code such as tw-d12 counts as a whole and in parts.
    """

    def __init__(self, language: str, folded: bool | None = None) -> None:
        self.folded = language in FOLDED if folded is None else folded
        self.stop = frozenset(STOP_WORDS.get(language, ()))
        if self.folded:
            self.stop |= set(map(without_accents, self.stop))
        self._stemmer = Stemmer.Stemmer(STEMMERS[language]) if language in STEMMERS else None
        self._terms = lru_cache(DISTINCT)(self._terms_of)
        self._written = lru_cache(DISTINCT)(self._written_of)

    def of(self, text: str) -> list[str]:
        """The terms of a query, in their order, with repetitions."""
        return [term for word in _words(text) for term in self._terms(word)]

    def indexed(self, text: str) -> list[str]:
        """The terms that a passage is found by, in their order, with repetitions.

        A stemmer may take more from "décès" than from "deces", so a word with accents has the terms
        of both.
        """
        return [term for word in _words(text) for term in self._written(word)]

    def _written_of(self, word: str) -> list[str]:
        """The terms of one match of TERM in a passage."""
        terms = self._terms(word)
        if not self.folded:
            return terms
        return terms + [term for term in self._terms(without_accents(word)) if term not in terms]

    def _terms_of(self, word: str) -> list[str]:
        """The terms of one match of TERM, without those that are stop words."""
        parts = [piece for part in PART.findall(word) for piece in _pieces(part)]
        terms = [part for part in parts if part not in self.stop]
        # "near-miss" is only two words, but "tw-d12", which has a digit, is also a name as a whole.
        if len(parts) > 1 and any(character.isdigit() for character in word):
            terms.insert(0, word)
        # Stemmers know endings with their accents, so these go last.
        stems = self._stemmer.stemWords(terms) if self._stemmer else terms
        return list(map(without_accents, stems)) if self.folded else stems


class WordOrder:
    """The terms of passages, by their numbers, as they follow each other.

    BM25 takes "foster care" for two words that may stand anywhere. Pairs of neighbouring words,
    scored as words are, say that they stand together (Metzler and Croft, SIGIR 2005).
    """

    def __init__(self, terms: NDArray[np.int32], offsets: NDArray[np.int64]) -> None:
        self.terms = terms
        self.offsets = offsets

    @classmethod
    def of(cls, passages: Sequence[Sequence[int]]) -> WordOrder:
        """The order of the terms of `passages`."""
        offsets = np.cumsum([0, *map(len, passages)], dtype=np.int64)
        terms = np.fromiter((term for row in passages for term in row), np.int32, offsets[-1])
        return cls(terms, offsets)

    def lengths(self, rows: Rows) -> NDArray[np.float64]:
        """The terms of each passage at `rows`, over the mean of all passages, (rows,)."""
        mean = len(self.terms) / (len(self.offsets) - 1)
        return np.asarray((self.offsets[rows + 1] - self.offsets[rows]) / mean)

    def counts(self, pairs: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        """How often each passage at `rows` holds each pair as neighbours, (rows, pairs).

        `pairs` are distinct, in ascending order, at least one: see `paired`.
        """
        spans = [self.terms[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        owner = np.repeat(np.arange(len(rows)), list(map(len, spans)))
        held = paired(np.concatenate([self.terms[:0], *spans]))
        place = np.searchsorted(pairs, held).clip(max=len(pairs) - 1)
        # The last term of a passage and the first of the next are no neighbours.
        same = (pairs[place] == held) & (owner[:-1] == owner[1:])
        cells = owner[:-1][same] * len(pairs) + place[same]
        return np.bincount(cells, minlength=len(rows) * len(pairs)).reshape(len(rows), len(pairs))

    def save(self, folder: Path) -> None:
        """Write plain arrays."""
        np.save(folder / TERMS, self.terms, allow_pickle=False)
        np.save(folder / OFFSETS, self.offsets, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, passages: int, vocabulary: int) -> WordOrder | None:
        """Memory-map what `save` wrote; None where it wrote nothing, as in an older release.

        Raises InputError where a file is damaged, and ValueError where the arrays are not of so
        many passages, or of so many terms.
        """
        if not (folder / TERMS).exists():
            return None
        terms = read_array(folder / TERMS, ["int32"], 1)
        offsets = read_array(folder / OFFSETS, ["int64"], 1)
        whole = len(offsets) == passages + 1 and offsets[0] == 0 and offsets[-1] == len(terms)
        if not whole or (np.diff(offsets) < 0).any():
            raise ValueError(f"{OFFSETS} doesn't fit {TERMS}")
        if len(terms) and not 0 <= terms.min() <= terms.max() < vocabulary:
            raise ValueError(f"{TERMS} holds unknown terms")
        return cls(terms, offsets)


class Bm25:
    """The ranker by words: BM25 (Robertson et al. 1994), Lucene's form (Kamphuis et al. 2020).

    `search` finds passages by their words. `score`, which ranks what all rankers found, counts
    pairs of neighbouring words too, where their `order` is known.
    """

    name = "bm25"
    part = "lexical"

    def __init__(
        self,
        index: bm25s.BM25,
        ids: Sequence[str],
        language: str,
        words: Words,
        order: WordOrder | None = None,
    ) -> None:
        self.index = index
        self.order = order
        self.ids = list(ids)
        self.language = language
        self.words = words
        self._ties = tie_order(self.ids)
        self._seen: NDArray[np.bool_] | None = None  # passages that may be found; None: all
        self._visible = len(self.ids)
        # The last query and its scores: search with several rankers asks for them twice.
        self._last: tuple[str, NDArray[np.float32]] | None = None

    @classmethod
    def build(
        cls, ids: Sequence[str], texts: Sequence[str], settings: LexicalSettings, language: str
    ) -> Bm25:
        """Index `texts`, one for each id; where the settings say 'auto', `language` decides."""
        if not ids:
            raise InputError(
                "no passages to index: put documents under data/raw and run `dvc repro`"
            )
        language = _known(settings.language) if settings.language != "auto" else language
        words = Words(language)
        # 1. Terms are numbered as they come, for lists of words would take four times the memory.
        first: defaultdict[str, int] = defaultdict(lambda: len(first))
        numbered = [array("i", map(first.__getitem__, words.indexed(text))) for text in texts]
        # 2. Then in the order of their names, so that the same passages give the same bytes. "" is
        #    bm25s' empty token.
        vocabulary = {term: number for number, term in enumerate(["", *sorted(first)])}
        numbers = np.array([vocabulary[term] for term in first], dtype=np.int32)
        for row, tokens in enumerate(numbered):
            numbered[row] = array("i", numbers[np.frombuffer(tokens, np.int32)].tobytes())
        index = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene", backend="numpy")
        # If no passage holds any word, the average length is 0, and numpy would warn of 0 / 0.
        with np.errstate(invalid="ignore"):
            index.index((numbered, vocabulary), show_progress=False)
        if words.folded:  # pairs are of the terms that a query has
            numbered = [array("i", map(vocabulary.__getitem__, words.of(text))) for text in texts]
        return cls(index, ids, language, words, WordOrder.of(numbered))

    def search(self, queries: Sequence[str], k: int, rows: Rows | None = None) -> Hits:
        """The k best passages of each query, of those at the positions `rows` where they are given.

        Passages that share no word with the query are no hits.
        """
        k = min(k, len(self.ids))
        return stacked([self._best(query, k, rows) for query in queries], k)

    def score(self, queries: Sequence[str], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """The scores of each query's candidates, by words and pairs of words.

        -inf for those that share no word with it.
        """
        scores = np.full(candidates.shape, -np.inf, dtype=np.float32)
        for row, (query, places) in enumerate(zip(queries, candidates, strict=True)):
            found = self.scores(query)[places]
            kept = (places != MISSING) & (found > 0)
            scores[row, kept] = found[kept] + self.pair_scores(query, places[kept])
        return scores

    def scores(self, query: str) -> NDArray[np.float32]:
        """The score of every passage for one query, (passages,)."""
        last = self._last
        if last and last[0] == query:
            return last[1]
        terms = self.index.get_tokens_ids(self.words.of(query))
        if self._seen is not None:
            scores = self._scores_among(terms, self._seen)
        else:
            scores = np.asarray(self.index.get_scores_from_ids(terms), dtype=np.float32)
        self._last = query, scores
        return scores

    def pair_scores(self, query: str, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """What the query's pairs of neighbouring words add to the passages at `places`, (places,).

        A pair adds what a word does: its weight times tf / (tf + k1 (1 - b + b length / mean
        length)), where tf says how often the passage holds both words side by side. Its weight is
        the mean of the weights of its two words.
        """
        known = self.index.vocab_dict
        terms = np.array([known.get(term, -1) for term in self.words.of(query)], dtype=np.int32)
        both = (terms[:-1] >= 0) & (terms[1:] >= 0)
        pairs, times = np.unique(paired(terms)[both], return_counts=True)
        if self.order is None or not len(pairs):
            return np.zeros(len(places), dtype=np.float32)
        rows = places.astype(np.int64)
        counts = self.order.counts(pairs, rows)
        room = self.index.k1 * (1 - self.index.b + self.index.b * self.order.lengths(rows))
        # Where no pair stands, there may be nothing to divide by; elsewhere, the sum is at least 1.
        part = counts / np.maximum(counts + room[:, None], 1)
        weights = [(self._weight(pair // WIDE) + self._weight(pair % WIDE)) / 2 for pair in pairs]
        return np.asarray((part * (times * weights)).sum(axis=1), dtype=np.float32)

    def among(self, rows: Rows) -> Bm25:
        """The index for somebody who may see the passages at `rows` alone.

        A term weighs by how many of these passages hold it: weighed over all passages, scores would
        tell how many hidden ones do.
        """
        own = copy.copy(self)
        own._last = None
        own._seen = np.zeros(len(self.ids), dtype=bool)
        own._seen[rows] = True
        own._visible = int(own._seen.sum())
        return own

    def save(self, folder: Path) -> None:
        """Write the index as plain arrays and JSON: nothing in it can run code."""
        self.index.save(folder, show_progress=False, allow_pickle=False)
        folded = {"folded": True} if self.words.folded else {}
        write_json(folder / WORDS_FILE, {"ids": self.ids, "language": self.language, **folded})
        if self.order:
            self.order.save(folder)

    @classmethod
    def load(cls, folder: Path, mmap: bool = False) -> Bm25:
        """Read what `save` wrote; InputError where a part is missing or damaged."""
        try:
            own = _Own.model_validate_json((folder / WORDS_FILE).read_bytes())
            _check_postings(folder, len(own.ids))
            index = bm25s.BM25.load(folder, mmap=mmap, allow_pickle=False, show_progress=False)
            fits = len(own.ids) == index.scores["num_docs"]
            fits &= (index.dtype, index.int_dtype) == ("float32", "int32")
            terms = len(index.scores["indptr"]) - 1
            fits &= set(index.vocab_dict.values()) == set(range(terms))
            order = WordOrder.load(folder, len(own.ids), terms)
        # bm25s takes what it reads for what it wrote.
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{folder} holds no BM25 index that can be read ({reason}); run `dvc repro`"
            ) from None
        if not fits:
            raise _mixed(folder)
        return cls(index, own.ids, own.language, Words(own.language, own.folded), order)

    @classmethod
    def stored(cls, ids: Sequence[str]) -> Bm25:
        """The index of the stage `lexical`; InputError unless it is of just these passages."""
        bm25 = cls.load(LEXICAL)
        if bm25.ids != list(ids):
            raise InputError(
                f"{LEXICAL} indexes other passages than the corpus holds; run `dvc repro lexical`"
            )
        return bm25

    def _weight(self, term: int) -> float:
        """The weight of a term among the passages that may be found."""
        postings = self.index.scores
        own = slice(postings["indptr"][term], postings["indptr"][term + 1])
        if self._seen is None:
            return _idf(own.stop - own.start, len(self.ids))
        return _idf(self._seen[postings["indices"][own]].sum(), self._visible)

    def _scores_among(self, terms: Sequence[int], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The score of every passage that is `seen`, and 0 for all others, (passages,)."""
        postings = self.index.scores
        scores, visible = np.zeros(len(self.ids)), seen.sum()
        for term in terms:
            own = slice(postings["indptr"][term], postings["indptr"][term + 1])
            rows, stored = postings["indices"][own], postings["data"][own]
            kept = seen[rows]
            # What is stored of a term and a passage holds the term's weight over all passages.
            weight = _idf(kept.sum(), visible) / _idf(len(rows), len(seen))
            scores[rows[kept]] += stored[kept] * weight
        return scores.astype(np.float32)

    def _best(self, query: str, k: int, rows: Rows | None) -> Hits:
        """The hits of one query; `top_k` takes a score of -inf for no hit."""
        scores = self.scores(query)
        found = np.where(scores > 0, scores, np.float32(-np.inf))
        if rows is not None:
            allowed = np.zeros(len(found), dtype=bool)
            allowed[rows] = True
            found[~allowed] = -np.inf
        return top_k(found[None, :], k, self._ties)


def paired(terms: NDArray[np.int32]) -> NDArray[np.int64]:
    """Each term with the next one, as one number, (terms - 1,)."""
    wide = terms.astype(np.int64)
    return np.asarray(wide[:-1] * WIDE + wide[1:])


def _check_postings(folder: Path, passages: int) -> None:
    """Raise InputError unless the arrays that bm25s will read fit each other and the passages.

    It would read them whole, whatever size their heads name, and take any number for a position.
    """
    data = read_array(folder / "data.csc.index.npy", ["float32"], 1)
    rows = read_array(folder / "indices.csc.index.npy", ["int32"], 1)
    ends = read_array(folder / "indptr.csc.index.npy", ["int64"], 1)
    whole = len(ends) > 0 and ends[0] == 0 and ends[-1] == len(data) == len(rows)
    if not whole or (np.diff(ends) < 0).any():
        raise _mixed(folder)
    if len(rows) and not 0 <= rows.min() <= rows.max() < passages:
        raise _mixed(folder)


def _mixed(folder: Path) -> InputError:
    return InputError(
        f"{folder}: the parts of the BM25 index don't belong together; run `dvc repro`"
    )


def _idf(holding: int, passages: int) -> float:
    """The weight of a term that `holding` of the passages hold, in Lucene's variant of BM25."""
    return math.log(1 + (passages - holding + 0.5) / (holding + 0.5))


def without_accents(text: str) -> str:
    """The text as people type it where accents are too much trouble: coeur brise for cœur brisé."""
    letters = unicodedata.normalize("NFD", text.translate(LETTERS_IN_ONE))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _words(text: str) -> list[str]:
    """The matches of TERM in a text."""
    return TERM.findall(ELISION.sub(" ", unicodedata.normalize("NFKC", text).lower()))


def _pieces(part: str) -> list[str]:
    """A word as it is, or the overlapping pairs of characters of a script without spaces."""
    if not PAIRED.fullmatch(part):
        return [part]
    return [part[at : at + 2] for at in range(max(1, len(part) - 1))]


def _known(language: str) -> str:
    known = STEMMERS.keys() | STOP_WORDS.keys()
    if language not in known:
        names = ", ".join(sorted(known))
        raise ParamsError(
            f"params.yaml: lexical.language: '{language}' is unknown; "
            f"expected auto or one of {names}"
        )
    return language
