"""Index the passages for BM25, once for all stages that search by words: data/lexical/.

    python -m stages.lexical [--home FOLDER]

`synthesize`, `mine` and `evaluate` load the index, `index` puts a copy into the release.
"""

from __future__ import annotations

from pathlib import Path

from argot.core.files import replacing_folder
from argot.core.params import load
from argot.core.stage import HERE, run_in_home, write_figures
from argot.ranking.bm25 import LEXICAL, Bm25, LexicalSettings
from argot.tables.chunks import PATH, Corpus


def main(home: Path = HERE) -> str:
    """Index the passages below `home`, in the language of most unless params name another."""
    corpus = Corpus(home / PATH)
    settings = load("lexical", LexicalSettings)
    bm25 = Bm25.build(corpus.ids, corpus.passages, settings, corpus.language)
    with replacing_folder(home / LEXICAL) as folder:
        bm25.save(folder)
    words = len(bm25.index.vocab_dict) - 1  # bm25s counts the empty word too
    figures = {"language": bm25.language, "passages": len(bm25.ids), "words": words}
    write_figures("lexical", figures, home)
    return f"{len(bm25.ids):,} passages, {words:,} distinct words; language {bm25.language}"


if __name__ == "__main__":
    run_in_home("lexical", main)
