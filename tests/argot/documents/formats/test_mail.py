"""Mails, and mails within mails."""

from __future__ import annotations

from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart

from argot.documents.formats.mail import DEEPEST, MOST
from argot.documents.formats.reader import parse


def mail(subject: str, text: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "ann@port.example"
    if subject:
        message["Subject"] = subject
    message.set_content(text)
    return message


def within(*messages: EmailMessage, kind: str = "mixed") -> MIMEMultipart:
    whole = MIMEMultipart(kind)
    whole["Subject"] = "Forwarded"
    for message in messages:
        whole.attach(MIMEMessage(message))
    return whole


def test_a_mail_that_is_forwarded_is_read_below_its_own_subject() -> None:
    message = mail("Berths", "See below.")
    message.add_attachment(mail("Re: berths", "Take berth nine."))
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    parsed = parse("a.eml", message.as_bytes())
    assert parsed.text == (
        "# Berths\n\nFrom: ann@port.example\n\nSee below.\n\n"
        "## Re: berths\n\nFrom: ann@port.example\n\nTake berth nine."
    )
    assert parsed.metadata == {"from": "ann@port.example", "attachments": ["plan.pdf"]}


def test_the_mails_of_a_digest_are_read() -> None:
    digest = within(mail("Cranes", "They stop."), mail("", "They go."), kind="digest")
    text = parse("a.eml", digest.as_bytes()).text
    assert text.split("\n\n") == [
        "# Forwarded", "## Cranes", "From: ann@port.example", "They stop.",
        "## ann@port.example", "From: ann@port.example", "They go.",
    ]  # fmt: skip


def test_mails_beyond_the_limits_are_counted() -> None:
    many = within(*(mail(f"Mail {number}", "Text.") for number in range(MOST + 2)))
    parsed = parse("a.eml", many.as_bytes())
    assert (parsed.text.count("Text."), parsed.metadata["mails_not_read"]) == (MOST - 1, 3)
    deep = mail("Innermost", "Gate code.")
    for _ in range(DEEPEST):
        deep, inner = mail("Around", "Text."), deep
        deep.add_attachment(inner)
    parsed = parse("a.eml", deep.as_bytes())
    assert (parsed.text.count("Text."), parsed.metadata["mails_not_read"]) == (DEEPEST, 1)
    assert "Gate code" not in parsed.text


def test_comments_in_a_plain_mail_are_no_headings() -> None:
    text = "# Steps\n\nRun this:\n\n# stop the belt\nbeltctl stop\n"
    assert parse("a.eml", mail("Belt", text).as_bytes()).text.endswith(
        "# Steps\n\nRun this:\n\n\\# stop the belt\nbeltctl stop"
    )
