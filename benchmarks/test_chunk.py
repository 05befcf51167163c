"""Cutting documents into passages."""

from __future__ import annotations

from collections.abc import Callable

from argot.documents.spans import Text
from argot.documents.words import count_words
from benchmarks.prose import Author
from benchmarks.track import Goal, Track
from stages import chunk

WORDS = 128


def test_cutting_documents(race: Track, scale: Callable[[int], int]) -> None:
    """Cut Markdown documents of 1,500 words into passages of at most 128."""
    from chonkie import RecursiveChunker, SentenceChunker
    from langchain_text_splitters import MarkdownTextSplitter

    author = Author()
    documents = [author.document() for _ in range(scale(400))]
    settings = chunk.ChunkSettings(max_words=WORDS, overlap_words=0, min_words=1)
    recursive = RecursiveChunker(tokenizer="word", chunk_size=WORDS, min_characters_per_chunk=1)
    sentences = SentenceChunker(
        tokenizer="word", chunk_size=WORDS, chunk_overlap=0, min_sentences_per_chunk=1
    )
    markdown = MarkdownTextSplitter(chunk_size=WORDS, chunk_overlap=0, length_function=count_words)

    def ours() -> list[list[str]]:
        cut = (chunk.cut(Text(text, "en"), "", settings)[0] for text in documents)
        return [
            [text[p.span.start : p.span.end] for p in part]
            for text, part in zip(documents, cut, strict=True)
        ]

    for way in (ours(), [markdown.split_text(text) for text in documents]):
        for text, passages in zip(documents, way, strict=True):
            assert max(map(count_words, passages)) <= WORDS
            assert sum(len("".join(p.split())) for p in passages) >= 0.95 * len(
                "".join(text.split())
            )

    megabytes = sum(len(text.encode()) for text in documents) / 1e6
    race(
        "chunking",
        f"{len(documents):,} documents, {megabytes:.1f} MB, at most {WORDS} words",
        ours,
        {
            "langchain MarkdownTextSplitter": Goal(
                lambda: [markdown.split_text(text) for text in documents], 1
            ),
            "chonkie RecursiveChunker": Goal(
                lambda: [recursive.chunk(text) for text in documents], 1
            ),
            "chonkie SentenceChunker": Goal(
                lambda: [sentences.chunk(text) for text in documents], 1
            ),
        },
    )
