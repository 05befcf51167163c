"""Text of strangers, made safe: documents, their names, questions and models' replies."""

from __future__ import annotations

import unicodedata

KEPT = "\n\t"
# They change the order in which the text around them is shown: "exe.gpj" as "jpg.exe".
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Text whose control characters are replaced by "�": a terminal would execute them.

    Half surrogates are replaced too: printing one raises UnicodeEncodeError.
    """
    return "".join("�" if _harms(c) else c for c in text)


def encodable(text: str) -> str:
    """Text with "?" for each half of a surrogate pair, which neither UTF-8 nor a tokenizer takes.

    JSON can hold such halves.
    """
    return text.encode(errors="replace").decode()


def escaped(line: str) -> str:
    r"""JSON text in which such characters stand as \u escapes, so that it means the same."""
    return "".join(f"\\u{ord(c):04x}" if _harms(c) else c for c in line)


def _harms(c: str) -> bool:
    return c not in KEPT and (unicodedata.category(c) in ("Cc", "Cs") or c in BIDI)
