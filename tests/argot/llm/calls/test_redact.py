from __future__ import annotations

import pytest

from argot.llm.calls.redact import redact


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


def test_masks_are_counted() -> None:
    assert redact("a@b.de, c@d.de, +49 30 901820").counts == {"email": 2, "phone": 1}
