"""Masks for what must not leave the machine: addresses, numbers, keys and passwords.

The numbers are those of phones, accounts (IBAN) and cards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn

# Phone numbers with a country code are found everywhere (None), national ones as these countries
# write them.
REGIONS = (None, "US", "GB")
SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS
    r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}",
    r"\bglpat-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{30,}|\bhf_[A-Za-z0-9]{20,}",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",  # a JSON web token
)
SECRET = re.compile("|".join(SECRETS), re.DOTALL)
# The value after "password =", "api key:" and the like, and the password in user:password@host.
NAMED = re.compile(
    r"(?i)\b(?:password|passwd|pwd|passphrase|secret|api[ _-]?key|access[ _-]?key|auth[ _-]?token"
    r"|token)\b[\"']?\s*(?:=|:|\bis\b)\s*[\"']?(?P<value>[^\s\"',;]{6,})"
    r"|(?<=://)[^\s/:@]+:(?P<login>[^\s/@]+)(?=@)"
)
EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)*\.\w{2,}")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{2,4}){3,8}(?:[ -]?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])")
PHONE_LABEL = re.compile(
    r"(?i)\b(?:tel|phone|telefon|fax|mobile|mobil|cell|hotline)\b[^\w\n+(]{0,4}"
    r"(?P<value>[+(]?\d[\d ()/.-]{4,20}\d)"
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
MASK = re.compile(r"\[(?:email|phone|iban|card|secret)\]")


class PrivateSpan(NamedTuple):
    """Something to mask, and what it is."""

    start: int
    end: int
    kind: str


class Redacted(NamedTuple):
    """A text with masks, and how often each kind was masked."""

    text: str
    counts: Counter[str]


def redact(text: str) -> Redacted:
    """Replace each find by `[email]`, `[phone]`, `[iban]`, `[card]` or `[secret]`."""
    counts: Counter[str] = Counter()
    # Secrets first: the end of user:password@host would be taken for an e-mail address.
    for find in (_secrets, _emails, _ibans, _cards, _phones):
        text = _masked(text, find, counts)
    return Redacted(text, counts)


def _masked(text: str, find: Callable[[str], Iterator[PrivateSpan]], counts: Counter[str]) -> str:
    end, parts = 0, []
    for span in sorted(find(text)):
        if span.start >= end:
            parts += [text[end : span.start], f"[{span.kind}]"]
            end = span.end
            counts[span.kind] += 1
    return "".join([*parts, text[end:]])


def _secrets(text: str) -> Iterator[PrivateSpan]:
    yield from (PrivateSpan(*match.span(), "secret") for match in SECRET.finditer(text))
    for match in NAMED.finditer(text):
        yield PrivateSpan(*match.span("value" if match["value"] else "login"), "secret")


def _emails(text: str) -> Iterator[PrivateSpan]:
    return (PrivateSpan(*match.span(), "email") for match in EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[PrivateSpan]:
    for match in IBAN.finditer(text):
        # The pattern may match into the next word: the longest prefix with a valid checksum is the
        # number.
        ends = (
            end
            for end in range(match.end(), match.start() + 14, -1)
            if iban.is_valid(text[match.start() : end])
        )
        if end := next(ends, 0):
            yield PrivateSpan(match.start(), end, "iban")


def _cards(text: str) -> Iterator[PrivateSpan]:
    for match in CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield PrivateSpan(*match.span(), "card")


def _phones(text: str) -> Iterator[PrivateSpan]:
    if not any(character.isdigit() for character in text):
        return
    yield from (PrivateSpan(*match.span("value"), "phone") for match in PHONE_LABEL.finditer(text))
    for region in REGIONS:
        for found in phonenumbers.PhoneNumberMatcher(text, region):
            if not DATE.search(found.raw_string):
                yield PrivateSpan(found.start, found.end, "phone")
