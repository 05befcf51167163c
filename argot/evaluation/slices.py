"""Kinds of queries measured separately: where does the tuned model gain, and where does it lose?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from argot.documents.words import count_words
from argot.errors import ModelError
from argot.evaluation.statistics import LEVEL, paired

# The highest value of each slice, and its name.
LENGTHS = (
    (4, "up to 4 words"),
    (9, "5 to 9 words"),
    (19, "10 to 19 words"),
    (np.inf, "20 words or more"),
)
JARGON = (
    (0.0, "no unknown word"),
    (0.25, "up to a quarter unknown"),
    (np.inf, "more than a quarter unknown"),
)
# A query's language is believed from this probability on. Of 1,230 English questions on four
# corpora none was taken for another language then.
SURE = 0.8
# The number of documents that are named on either side, losing and gaining.
DOCUMENTS = 10
# A sum of differences below this comes from rounding.
TINY = 1e-9


def by_length(texts: Sequence[str]) -> list[str]:
    """Each query's slice by its number of words."""
    return [_slice(count_words(text), LENGTHS) for text in texts]


def by_jargon(texts: Sequence[str], model: Path) -> list[str]:
    """Each query's slice by the share of its words that the model's vocabulary lacks.

    The tokenizer splits such words into pieces. A model without a tokenizer.json gives no slices;
    ModelError where it is damaged.
    """
    from tokenizers import Tokenizer

    file = next(iter(sorted(model.rglob("tokenizer.json"))), None)
    if file is None:
        return []
    try:
        tokenizer = Tokenizer.from_file(str(file))
    # The library raises no class of its own.
    except Exception as error:
        raise ModelError(f"{file} is damaged ({error}); run `dvc checkout {model}`") from None
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [_slice(unknown_share(encoding.word_ids), JARGON) for encoding in encoded]


def unknown_share(words: Sequence[int | None]) -> float:
    """The share of words that were split into several pieces; `words` numbers each piece's word."""
    counts = np.unique([word for word in words if word is not None], return_counts=True)[1]
    return float((counts > 1).mean()) if len(counts) else 0.0


def by_language(texts: Sequence[str], passages: Sequence[str]) -> list[str]:
    """Is each query in its passage's language? Empty where all are, as far as can be seen.

    `passages` are the languages of the passages. What py3langid is not sure of counts as the same.
    """
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identify = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify
    names = []
    for text, language in zip(texts, passages, strict=True):
        asked, probability = identify(text)
        is_other = asked != language and probability >= SURE
        names.append("in another language" if is_other else "in its passage's language")
    return names if len(set(names)) > 1 else []


def compare(
    names: Sequence[str],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    clusters: NDArray[np.int64],
) -> dict[str, dict[str, float]]:
    """Means of both systems in each slice, and the interval of their difference.

    `names` (queries,) is each query's slice; `clusters` is that of `paired`. The
    intervals hold for all slices at once, at 95 %.
    """
    slices = np.asarray(names, dtype=object)
    found = {}
    for name in sorted(set(names)):
        part = slices == name
        # Bonferroni's correction is enough: slices share no query, so that a joint distribution of
        # their differences would gain little.
        level = 1 - (1 - LEVEL) / len(set(names))
        gain = paired((ours - theirs)[part, None], clusters[part], level)
        found[name] = {
            "queries": int(part.sum()),
            "ours": float(ours[part].mean()),
            "theirs": float(theirs[part].mean()),
            "difference": float(gain.mean[0]),
            "low": float(gain.low[0]),
            "high": float(gain.high[0]),
        }
    return found


def by_document(
    groups: Sequence[str], difference: NDArray[np.float64]
) -> dict[str, list[dict[str, Any]]]:
    """The documents whose queries lose and gain most, by the sum of differences."""
    names, number = np.unique(np.asarray(groups, dtype=object), return_inverse=True)
    sums, counts = np.bincount(number, difference), np.bincount(number)

    def figures(document: int) -> dict[str, Any]:
        return {
            "document": str(names[document]),
            "queries": int(counts[document]),
            "difference": float(sums[document] / counts[document]),
        }

    order = np.argsort(sums, kind="stable")
    losing, gaining = order[sums[order] < -TINY], order[sums[order] > TINY][::-1]
    return {
        "losing": [figures(document) for document in losing[:DOCUMENTS]],
        "gaining": [figures(document) for document in gaining[:DOCUMENTS]],
    }


def _slice(value: float, ends: Sequence[tuple[float, str]]) -> str:
    return next(name for end, name in ends if value <= end)
