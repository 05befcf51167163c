"""Text in any encoding that can be recognised, and what readers share to make Markdown of it."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

from argot.documents.formats import UnreadableError

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BREAK = re.compile("\r\n?|\u2028|\x85")
PAGE = re.compile("\f|\u2029")
# Control characters other than tab and newline, stray byte order marks, halves of surrogate pairs.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\uffff\ud800-\udfff]")
# Invisible characters that would split a word in two: soft hyphens, spaces without width, marks of
# direction. The joiners U+200C and U+200D stay, because Persian and Hindi are spelt with them.
UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]")
# Letters that a typesetter joined, such as ﬁ: nobody types them in a search.
LIGATURES = str.maketrans(
    {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
)
FENCES = re.compile("^ *`{3,}", re.MULTILINE)
BINARY = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27})
SAMPLE = 1 << 18
# Encodings that documents are found in, the most frequent first. A short text fits several, and
# with rare encodings among them the guess is often wrong.
COMMON = [
    *(f"cp{page}" for page in (1252, 1250, 1251, 1253, 1254, 1255, 1256, 1257)),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_9", "koi8_r", "koi8_u", "cp866", "cp874"),
    *("cp932", "euc_jp", "iso2022_jp", "gb18030", "big5", "cp949"),
]


def decode(data: bytes, declared: str = "") -> str:
    """The text of `data`.

    The encoding is that of its byte order mark, else UTF-8, else the declared one, else what
    charset-normalizer finds. UnreadableError for bytes that are no text.
    """
    for mark, name in MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if wide := _wide(data):
        return data.decode(wide, errors="replace")
    sample = data[:SAMPLE]
    if len(sample) - len(sample.translate(None, BINARY)) > len(sample) // 100:
        raise UnreadableError("binary of unknown kind")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    # A text with a few broken bytes is still UTF-8.
    if text.count("\ufffd") * 4 < sum(character > "\x7f" for character in text):
        return text
    try:
        return data.decode(declared or _guess(data), errors="replace")
    except LookupError:
        return data.decode(_guess(data), errors="replace")


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of most characters is zero."""
    sample = data[:SAMPLE]
    odd, even = sample[1::2].count(0), sample[::2].count(0)
    if max(odd, even) * 5 < len(sample) * 2 or min(odd, even) * 100 > len(sample):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = list(from_bytes(data[:SAMPLE], cp_isolation=COMMON))
    if not matches:
        raise UnreadableError("unknown encoding; save it as UTF-8")
    return min(
        matches, key=lambda match: (match.chaos, -match.coherence, COMMON.index(match.encoding))
    ).encoding


def clean(text: str) -> str:
    """Newlines as one character, nothing invisible, characters composed (NFC), no ligatures."""
    lines = BREAK.sub("\n", PAGE.sub("\n\n", text))
    return unicodedata.normalize("NFC", UNSEEN.sub("", CONTROL.sub("", lines)).translate(LIGATURES))


def clean_parts(parts: Sequence[str]) -> tuple[str, list[int]]:
    """The parts as one clean text, and where each starts in it, in characters."""
    lengths = [len(clean(part)) for part in parts]
    return clean("".join(parts)), [*accumulate(lengths[:-1], initial=0)]


def slides_in(texts: Sequence[str]) -> tuple[str, list[int]]:
    """The texts of slides as one clean text, and where each starts in it, in characters."""
    text, starts = clean_parts([f"{text}\n\n" if text else "" for text in texts])
    return text.rstrip(), starts


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first is its header."""
    width = max((len(row) for row in rows), default=0)
    if not width:
        return ""
    lines = [
        "| " + " | ".join(_cell(value) for value in [*row, *[""] * (width - len(row))]) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())


def fenced(text: str) -> str:
    """Text as a block of code; empty for blank text."""
    if not text.strip():
        return ""
    longest = max(map(len, FENCES.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
