"""Masks for what must not leave the machine: addresses, numbers, keys and passwords.

The numbers are those of phones, accounts (IBAN) and cards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn

# Phone numbers with a country code are found everywhere (None), national ones as these countries
# write them.
REGIONS = (None, "US", "GB")
SPACE = "[ \u00a0\u2007\u2009\u202f-]"  # between the groups of a number
# A key's lines may be quoted, indented, escaped or in a list. Without an end line the key ends with
# the last line of its form.
BETWEEN = r"(?:\s|\\[nr]|[>|\"'+,\\])"
PRIVATE_KEY = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?:{BETWEEN}++(?:[A-Z][A-Za-z-]{{2,20}}: [^\n]{{0,80}}|[A-Za-z0-9+/=]{{16,}}+"
    rf"|[A-Za-z0-9+/=]{{1,15}}+(?={BETWEEN}{{1,9}}(?:=|-----END))))*+"
    rf"(?:{BETWEEN}*+-----END [A-Z0-9 ]{{0,40}}PRIVATE KEY(?: BLOCK)?-----)?"
)
SECRETS = (
    PRIVATE_KEY,
    r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic
    r"\b[rs]k_(?:live|test)_\w{10,}|\bwhsec_\w{16,}",  # Stripe
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS
    r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}",
    r"\bglpat-[\w-]{20,}|\bx(?:ox[abeoprs]|app)-[\w-]{10,}|\bhf_[A-Za-z0-9]{20,}",
    r"\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}",  # Google
    r"\bnpm_\w{30,}|\bpypi-[\w-]{40,}|\bdckr_pat_[\w-]{20,}",
    r"\bSG\.[\w-]{16,}\.[\w-]{16,}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\bdo[op]_v1_\w{40,}",
    r"\bhv[bs]\.[\w-]{20,}|\bAGE-SECRET-KEY-1\w{20,}|\b\d{8,10}:AA[\w-]{30,}",
    r"(?<=hooks\.slack\.com/services/)[\w/]{20,}|(?<=/api/webhooks/)\d+/[\w-]{20,}",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",  # a JSON web token
    r"\$(?:1|2[abxy]|5|6|y|argon2\w{1,2})\$[\w./$=,+-]{20,}",  # a hashed password
    # Lines of a key whose first line is lost: long runs of base64, unlike words or hex digits.
    r"(?<![\w+/])(?=[a-z0-9+/]*[A-Z])(?=[A-Z0-9+/]*[a-z])(?=[A-Za-z+/]*\d)[A-Za-z0-9+/]{38,}={0,2}",
)
SECRET = re.compile("|".join(SECRETS))
LABEL = (
    r"(?:passw(?:or[dt]|d)|pwd|passphrase|kennwort|mot de passe|contraseña|wachtwoord"
    r"|secret(?:[ _-]?(?:access|signing|encryption))?(?:[ _-]?key)?(?:_base)?"
    r"|(?:api|access|account|private|encryption|signing|master)[ _-]?key(?:[ _-]?id)?"
    r"|credentials?|(?:auth[ _-]?|access[ _-]?|refresh[ _-]?|private[ _-]?)?token)"
)
VALUE = (
    r"(?:\"(?P<double>[^\"\n]{6,80})\"|'(?P<single>[^'\n]{6,80})'"
    r"|[\"'*`_]{0,3}(?P<value>[^\s\"',;]{6,}))"
)
# The value after "password =", "api key:" and the like, and the password in user:password@host.
NAMED = re.compile(
    rf"(?i:{LABEL}(?:[_-]\w{{1,12}}| for [\w ]{{1,30}})?[\"'*`_]{{0,3}}\s{{0,20}}"
    r"(?:=>|:=|=|:|\bis\b|\blautet\b)[*_]{0,2}\s{0,20})"
    + VALUE
    # Without a sign between them the value must hold a digit, as no common word does.
    + rf"|(?i:{LABEL}|\bsshpass -p)[ |>]{{1,8}}(?P<loose>(?=[^\s|<]{{0,40}}\d)[^\s\"',;<|&]{{6,}})"
    r"|(?<=://)[^\s/:@]{0,80}:(?P<login>[^\s/]{1,200})(?=@)"
    r"|\bcurl\b[^\n]{0,100}? -u [^\s:]{1,60}:(?P<curl>\S{4,})"
    r"|(?i:\bauthorization[\"']?\s?[:=]\s?[\"']?(?:bearer|basic|token|digest)?\s{0,3})"
    r"(?P<header>[\w.~+/=-]{8,})"
    r"|\b[Bb]earer\s(?P<bearer>(?=[a-zA-Z.~+/=_-]*\d)[\w.~+/=-]{16,})"
    r"|(?i:\bcookie: ?)(?P<cookie>[\w.-]{1,60}=[^\n]{6,})"
    r"|(?i:[?&;](?:sig|signature|key)=)(?P<query>[^\s&;\"'<>]{16,})"
    r"|\bPIN(?: is|:) ?(?P<pin>\d{4,8})\b"
    r"|\bPrivate-(?:Lines: \d+\s(?P<lines>[A-Za-z0-9+/=\s]{20,})(?=Private-)"
    r"|MAC: (?P<mac>\w{8,}))"
)
LOCAL = r"\w.!#$%&'*+/=?^`{|}~-"
# Each run of such letters is read once: tried from each of its letters, a long one takes hours.
EMAIL = re.compile(rf"(?<![{LOCAL}])[{LOCAL}]++@[\w-]+(?:\.[\w-]+)*\.\w{{2,}}")
IBAN = re.compile(rf"(?i)(?<![A-Z0-9])[A-Z]{{2}}\d{{2}}(?:{SPACE}?[A-Z0-9]){{11,30}}")
CARD = re.compile(rf"(?<![\w.-])(?:(?:\d{SPACE}?){{12,18}}\d|\d{{4}}(?:\.\d{{4}}){{3}})(?![\w-])")
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
    spans = private_spans(text)
    return Redacted(masked(text, spans), Counter(span.kind for span in spans))


def private_spans(text: str) -> list[PrivateSpan]:
    """What must be masked in a text, in its order and without overlaps."""
    found: list[PrivateSpan] = []
    # Secrets first: the end of user:password@host would be taken for an e-mail address. What is
    # found is hidden from the next search.
    for find in (_secrets, _emails, _ibans, _cards, _phones):
        end = 0
        for span in sorted(find(text)):
            if span.start >= end:
                found.append(span)
                end = span.end
        text = _hidden(text, found)
    return sorted(found)


def masked(text: str, spans: Iterable[PrivateSpan]) -> str:
    """The text with a mask for each of the spans, which are in order and do not overlap."""
    end, parts = 0, []
    for span in spans:
        parts += [text[end : span.start], f"[{span.kind}]"]
        end = span.end
    return "".join([*parts, text[end:]])


def _hidden(text: str, spans: Iterable[PrivateSpan]) -> str:
    """The text with signs that no search finds in place of the spans; of the same length."""
    end, parts = 0, []
    for span in sorted(spans):
        parts += [text[end : span.start], "\0" * (span.end - span.start)]
        end = span.end
    return "".join([*parts, text[end:]])


def _secrets(text: str) -> Iterator[PrivateSpan]:
    yield from (PrivateSpan(*match.span(), "secret") for match in SECRET.finditer(text))
    for match in NAMED.finditer(text):
        name = match.lastgroup
        if name and match.end(name) > match.start(name):
            yield PrivateSpan(*match.span(name), "secret")


def _emails(text: str) -> Iterator[PrivateSpan]:
    return (PrivateSpan(*match.span(), "email") for match in EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[PrivateSpan]:
    for match in IBAN.finditer(text):
        # The pattern may match into the next word: the longest prefix with a valid checksum is the
        # number.
        for end in range(match.end(), match.start() + 14, -1):
            whole = text[end - 1].isalnum() and not text[end : end + 1].isalnum()
            if whole and iban.is_valid(re.sub(r"[\W_]", "", text[match.start() : end])):
                yield PrivateSpan(match.start(), end, "iban")
                break


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
