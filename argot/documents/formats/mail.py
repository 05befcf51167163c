"""E-mail (EML): subject, people, date, and the text."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, MIMEPart

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.html import to_markdown
from argot.documents.formats.text import clean, decode

SAMPLE = 200
PEOPLE = ("From", "To", "Cc", "Date")


def read_mail(data: bytes) -> Parsed:
    """The plain text where there is one, else the HTML.

    Attachments are not read; the metadata name them. UnreadableError where there is no header.
    """
    if b"\0" in data[:SAMPLE]:  # some programs save a mail as UTF-16, whose headers no parser knows
        data = decode(data).encode()
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys():
        raise UnreadableError("corrupt eml: no header")
    body = message.get_body(("plain", "html"))
    text = _text(body) if body is not None else ""
    subject = _header(message, "Subject")
    metadata: dict[str, object] = {
        name.lower(): value for name in PEOPLE if (value := _header(message, name))
    }
    if attachments := [part.get_filename() or "" for part in message.iter_attachments()]:
        metadata["attachments"] = attachments
    head = "\n".join(f"{name}: {value}" for name in PEOPLE if (value := _header(message, name)))
    parts = [f"# {subject}" if subject else "", head if text.strip() else "", text.strip()]
    return Parsed("eml", clean("\n\n".join(part for part in parts if part)), subject, metadata)


def _text(body: MIMEPart) -> str:
    payload = body.get_payload(decode=True)
    text = decode(payload, body.get_content_charset() or "") if isinstance(payload, bytes) else ""
    return to_markdown(text)[0] if body.get_content_subtype() == "html" else text


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(clean(str(message.get(name, ""))).split())
