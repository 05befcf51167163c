"""Before every request: who may ask, from where, how much at once. In every reply: the headers."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from argot.serving.server.prometheus import ServerMetrics
from argot.serving.server.server_settings import ServerSettings

# No inline scripts, and none from other hosts: a script inside a passage cannot run on the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
OPEN = {"/", "/healthz", "/readyz", "/docs", "/read"}  # need no key; nor do the files of the page
PAGE = "/page/"
PROBES = {"/healthz", "/readyz"}  # under any host name: they say nothing of the documents
ALWAYS = {*PROBES, "/metrics"}  # answered however busy the server is
# A proxy adds these, so a request with one of them may come from another machine.
FORWARDED = {
    *(b"forwarded", b"via", b"x-real-ip"),
    *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
}
SHORT = 64 << 10  # bytes of a body for which there is always room
RATE = 64 << 10  # bytes a second that a longer body must come with
LOG = logging.getLogger("argot.serving.server")
ACCESS = logging.getLogger("argot.serving.access")
LOG_SECONDS = 1.0  # between two lines about wrong keys: whoever guesses must not fill the log
Refusal = tuple[int, str]


class Guard:
    """ASGI middleware around the whole application: refuses, limits, counts, and adds headers."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.at_work = 0
        self.held_bytes = 0  # of bodies that are still coming in
        self.wrong_keys = WrongKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        root = self.settings.root_path
        if root and scope["path"].startswith(f"{root}/"):  # a proxy may strip it, or not
            scope = {**scope, "path": scope["path"].removeprefix(root)}
        reply = _ReplyWithHeaders(send)
        started = time.perf_counter()
        try:
            refused = self._refusal(scope)
            body = refused or await self._body(receive)
            if isinstance(body, bytes):
                await self._answer(scope, _Replayed(body, receive), reply)
            elif body:
                await refuse(reply, *body)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - started
            self.metrics.requests.labels(route, str(reply.status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            log_access(scope, reply.status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer. A request takes a place only now that its body is here."""
        if self.at_work >= self.settings.limits.concurrency and scope["path"] not in ALWAYS:
            await refuse(send, 503, "too many requests at once; come back in a second")
            return
        self.at_work += 1
        self.metrics.at_work.set(self.at_work)
        # HEAD is GET without a body, which the server leaves out: FastAPI's routes know GET alone.
        asked = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self.app(asked, receive, send)
        finally:
            scope["route"] = asked.get("route")
            self.at_work -= 1
            self.metrics.at_work.set(self.at_work)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Status and message for a request that must not pass; None if it may."""
        headers = text_headers(scope)
        path, limits = scope["path"], self.settings.limits
        host = headers.get(b"host", "")
        if path not in PROBES and not self._answers_to(_name(host)):
            return 421, "this server does not answer to that host name: see --allow-host"
        if not self.settings.public and not FORWARDED.isdisjoint(headers):
            return 403, "this server is for its own machine: behind a proxy it needs --allow-host"
        origin = headers.get(b"origin")
        own = origin in self.settings.origins or (origin or "").split("://")[-1] == host
        if origin and scope["method"] not in ("GET", "HEAD") and not own:
            return 403, "requests from other origins are not allowed"
        if not self._allowed(scope, headers):
            return 401, "this server asks for an API key: send it as 'Authorization: Bearer KEY'"
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > limits.body_bytes:
            return self._too_long()
        return None

    def _answers_to(self, host: str) -> bool:
        """Is it an address, or a name that the settings give?

        By a name of its own (DNS rebinding), a page of another site could read from this server as
        if the server were that site. An address it cannot use so, and a key it does not know.
        """
        if host in self.settings.hosts or host == "localhost" or _is_address(host):
            return True
        return self.settings.asks_for_key and not self.settings.hosts

    def _allowed(self, scope: Scope, headers: Mapping[bytes, str]) -> bool:
        if not self.settings.api_key or not needs_key(scope["path"]):
            return True
        given = credentials(headers)
        # The environment may hold bytes that are not UTF-8; a header holds any bytes as Latin-1.
        own = os.fsencode(self.settings.api_key)
        if any(secrets.compare_digest(key.encode("latin-1"), own) for key in given):
            return True
        if given:
            self.wrong_keys.count(scope)
        return False

    async def _body(self, receive: Receive) -> bytes | Refusal | None:
        """The whole body, or why it is refused; None where the client has gone."""
        body, loop, limits = bytearray(), asyncio.get_running_loop(), self.settings.limits
        until = loop.time() + limits.body_seconds
        try:
            async with asyncio.timeout_at(until) as timer:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    piece = message.get("body", b"")
                    body += piece
                    self.held_bytes += len(piece)
                    if len(body) > limits.body_bytes:
                        return self._too_long()
                    if len(body) > SHORT and self.held_bytes > limits.held_bytes:
                        return 503, "too many long bodies at once; come back in a second"
                    if not message.get("more_body"):
                        return bytes(body)
                    timer.reschedule(until + len(body) / RATE)
        except TimeoutError:
            return 408, f"the body did not come within {limits.body_seconds:g} s"
        finally:
            self.held_bytes -= len(body)

    def _too_long(self) -> Refusal:
        return 413, f"the body may hold at most {self.settings.limits.body_bytes} bytes"


class WrongKeys:
    """Logs where wrong keys come from; never the key, which may be the right one misspelt."""

    def __init__(self) -> None:
        self.since = 0  # the last line in the log
        self.logged = -LOG_SECONDS

    def count(self, scope: Scope) -> None:
        """Count a request with a wrong key, and log it unless a line was written just now."""
        self.since += 1
        if time.monotonic() - self.logged < LOG_SECONDS:
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        LOG.warning("wrong API key from %s (%d since the last line)", client, self.since)
        self.logged, self.since = time.monotonic(), 0


class _Replayed:
    """`receive` that gives a body that has been read, then what comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body: bytes | None = body
        self.receive = receive

    async def __call__(self) -> Message:
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _ReplyWithHeaders:
    """`send` that adds the headers, and keeps the status for the metrics."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name for name, _ in message["headers"]}
            own = [pair for pair in RAW_HEADERS if pair[0] not in given]
            message = {**message, "headers": [*message["headers"], *own]}
        await self.send(message)


def log_access(scope: Scope, status: int, seconds: float) -> None:
    """A line for each request: who, what, which status, how long; never the question."""
    client = scope["client"][0] if scope.get("client") else "unknown"
    path = quote(scope["path"])  # a path may hold line breaks
    fields = {"client": client, "method": scope["method"], "path": path, "status": status}
    fields["milliseconds"] = round(1000 * seconds, 1)
    # Probes and metrics come every few seconds.
    level = logging.DEBUG if scope["path"] in ALWAYS else logging.INFO
    line = "{client} {method} {path} {status} {milliseconds} ms".format_map(fields)
    ACCESS.log(level, "%s", line, extra={"fields": fields})


def needs_key(path: str) -> bool:
    """Is this path for those alone whom the server knows?"""
    return path not in OPEN and not path.startswith(PAGE)


def credentials(headers: Mapping[bytes, str]) -> list[str]:
    """The keys and tokens that a request carries."""
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return [key for key in (bearer, headers.get(b"x-api-key", "")) if key]


def text_headers(scope: Scope) -> dict[bytes, str]:
    """The request's headers; of one that is sent twice, the last."""
    return {name: value.decode("latin-1") for name, value in scope["headers"]}


def error_body(status: int, message: str) -> dict[str, Any]:
    """An error in the form that OpenAI's clients expect; all routes use it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "code": status}}


async def refuse(send: Send, status: int, message: str) -> None:
    """Reply with an error."""
    body = json.dumps(error_body(status, message)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    if status == 408:
        headers.append((b"connection", b"close"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """A Host header without its port, and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
