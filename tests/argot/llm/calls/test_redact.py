from __future__ import annotations

import re
import time

import pytest

from argot.llm.calls.redact import redact
from tests.argot.llm.calls.leaks import MORE, REVIEWED

MARKED = re.compile("«(.*?)»", re.DOTALL)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to jan.de-boer+x@mail.example.org today.", "Write to [email] today."),
        ("Call +49 30 901820 or (212) 555-0187.", "Call [phone] or [phone]."),
        ("Tel.: 0341-22 33 44 5, office hours", "Tel.: [phone], office hours"),
        ("Pay to DE89 3704 0044 0532 0130 00 by Friday", "Pay to [iban] by Friday"),
        ("Card 4111 1111 1111 1111 expired", "Card [card] expired"),
        ("key sk-ant-api03-abcdefghijklmnop and AKIAABCDEFGHIJKLMNOP", "key [secret] and [secret]"),
        ("password: hunter2secret, then log in", "password: [secret], then log in"),
        ("postgres://admin:s3cr3t@db.local/x", "postgres://admin:[secret]@db.local/x"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end", "[secret] end"),
    ],
)
def test_what_must_not_leave_is_masked(text: str, masked: str) -> None:
    assert redact(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "Ticket HELM-4031, claim FL-26-0031, tariff TW-D12, hold K7.",
        "Effective 2026-03-01 10.30.22 until 01.04.2027.",
        "Container MSKU 123456 7 weighs 28,400 kg; the fee is USD 15,000 per 40' box.",
        "Order 4111111111111112 fails its checksum.",
        "The token is read once; the secret of the trade.",
        "Set points: -18 C, 13.3 C; version 3.11.4; 192.168.0.1",
    ],
)
def test_codes_dates_and_amounts_stay(text: str) -> None:
    assert redact(text) == (text, {})


@pytest.mark.parametrize("marked", [*REVIEWED, *MORE])
def test_no_secret_leaves_whatever_its_form(marked: str) -> None:
    masked = redact(re.sub("[«»]", "", marked)).text
    for secret in MARKED.findall(marked.replace("»«", "")):
        assert secret not in masked
    before = marked.partition("«")[0].split("-----")[0]
    assert masked.startswith(before[:12])  # the words around it stay


def test_what_is_masked_is_not_masked_again() -> None:
    for marked in (*REVIEWED, *MORE):
        once = redact(re.sub("[«»]", "", marked)).text
        assert redact(once).text == once


def test_prose_about_keys_stays() -> None:
    text = (
        "A key begins with -----BEGIN PRIVATE KEY----- and is kept in the safe. Your password must "
        "have 12 letters; a token bearer may pass. Basic information: see the secret ballot. "
        "The file is sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08."
    )
    assert redact(text).text == text.replace("-----BEGIN PRIVATE KEY-----", "[secret]")


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "1 ", "4", "AB12", "AB12 ", "password ", "password", "://", "://:", "x@a.", "a@",
     "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "SG.", "eyJ", "sk-", "$6$",
     "curl -u ", "authorization:", "Private-Lines: 1\n", "Private-Lines: 1 A", " ", "\n", "aB3", "+49 ",
     "+", "(", "key for a ", "cookie: a", "&sig=", "tel.", "token|"],
)  # fmt: skip
def test_any_text_is_searched_in_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 4


def test_masks_are_counted() -> None:
    assert redact("a@b.de, c@d.de, +49 30 901820").counts == {"email": 2, "phone": 1}
