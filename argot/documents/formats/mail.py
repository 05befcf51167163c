"""E-mail (EML): subject, people, date, and the text."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import MIMEPart
from itertools import starmap

from argot.documents.formats import Parsed, UnreadableError
from argot.documents.formats.html import to_markdown
from argot.documents.formats.plain import escaped_comments
from argot.documents.formats.text import clean, decode

SAMPLE, MAIL = 200, "message/rfc822"
PEOPLE = ("From", "To", "Cc", "Date")
# How many mails one within the other, and how many in all, are read of one file.
DEEPEST, MOST = 5, 200


def read_mail(data: bytes) -> Parsed:
    """The plain text where there is one, else the HTML; then the mails within the mail.

    Other attachments are not read; the metadata name them. UnreadableError where there is no
    header.
    """
    if b"\0" in data[:SAMPLE]:  # some programs save a mail as UTF-16, whose headers no parser knows
        data = decode(data).encode()
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not message.keys():
        raise UnreadableError("corrupt eml: no header")
    metadata: dict[str, object] = {
        name.lower(): value for name in PEOPLE if (value := _header(message, name))
    }
    attached = [part for part in message.iter_attachments() if part.get_content_type() != MAIL]
    if attached:
        metadata["attachments"] = [part.get_filename() or "" for part in attached]
    mails = list(_mails(message))
    read = [mail for mail in mails if mail[1] <= DEEPEST][:MOST]
    if len(read) < len(mails):
        metadata["mails_not_read"] = len(mails) - len(read)
    text = "\n\n".join(filter(None, starmap(_markdown, read)))
    return Parsed("eml", clean(text), _header(message, "Subject"), metadata)


def _mails(message: MIMEPart, level: int = 1) -> Iterator[tuple[MIMEPart, int]]:
    """The mail at level 1, and after each mail those within it, one level deeper."""
    yield message, level
    for inner in _attached(message):
        yield from _mails(inner, level + 1)


def _attached(part: MIMEPart) -> Iterator[MIMEPart]:
    for inner in part.iter_parts():
        if part.get_content_type() == MAIL:
            yield inner
        else:
            yield from _attached(inner)


def _markdown(message: MIMEPart, level: int) -> str:
    """A mail below its subject; one within another that has none is called by its sender."""
    body = message.get_body(("plain", "html"))
    text = _text(body).strip() if body is not None else ""
    title = _header(message, "Subject") or (_header(message, "From") if level > 1 else "")
    head = "\n".join(f"{name}: {value}" for name in PEOPLE if (value := _header(message, name)))
    parts = [f"{'#' * level} {title}" if title else "", head if text else "", text]
    return "\n\n".join(filter(None, parts))


def _text(body: MIMEPart) -> str:
    payload = body.get_payload(decode=True)
    text = decode(payload, body.get_content_charset() or "") if isinstance(payload, bytes) else ""
    if body.get_content_subtype() == "html":
        return to_markdown(text)[0]
    return "\n".join(escaped_comments(text.splitlines()))


def _header(message: MIMEPart, name: str) -> str:
    return " ".join(clean(str(message.get(name, ""))).split())
