"""Before every request: who may ask, from where, how much at once. In every reply: the headers."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
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
OPEN = {"/", "/healthz", "/readyz", "/docs"}  # need no key; nor do the files of the page
PAGE = "/page/"
ALWAYS = {"/healthz", "/readyz", "/metrics"}  # answered however busy the server is


class Guard:
    """ASGI middleware around the whole application: refuses, limits, counts, and adds headers."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self.at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = _ReplyWithHeaders(send)
        started = time.perf_counter()
        refused = self._refusal(scope)
        try:
            self.at_work += 1
            self.metrics.at_work.set(self.at_work)
            if refused:
                await refuse(reply, *refused)
            else:
                await self.app(scope, self._limited(receive), reply)
        finally:
            self.at_work -= 1
            self.metrics.at_work.set(self.at_work)
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, str(reply.status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and message for a request that must not pass; None if it may."""
        headers = text_headers(scope)
        path, limits = scope["path"], self.settings.limits
        host = headers.get(b"host", "")
        if self.settings.hosts and _name(host) not in self.settings.hosts:
            return 421, "this server does not answer to that host name"
        origin = headers.get(b"origin")
        if origin and scope["method"] not in ("GET", "HEAD") and origin.split("://")[-1] != host:
            return 403, "requests from other origins are not allowed"
        if not self._allowed(path, headers):
            return 401, "this server asks for an API key: send it as 'Authorization: Bearer KEY'"
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > limits.body_bytes:
            return 413, f"the body may hold at most {limits.body_bytes} bytes"
        if self.at_work >= limits.concurrency and path not in ALWAYS:
            return 503, "too many requests at once; come back in a second"
        return None

    def _allowed(self, path: str, headers: dict[bytes, str]) -> bool:
        if not self.settings.api_key or not needs_key(path):
            return True
        given = credential(headers)
        return secrets.compare_digest(given.encode("latin-1"), self.settings.api_key.encode())

    def _limited(self, receive: Receive) -> Receive:
        """`receive` that counts the body's bytes: its Content-Length may be wrong or missing."""
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.settings.limits.body_bytes:
                raise HTTPException(
                    413, f"the body may hold at most {self.settings.limits.body_bytes} bytes"
                )
            return message

        return limited


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


def needs_key(path: str) -> bool:
    """Is this path for those alone whom the server knows?"""
    return path not in OPEN and not path.startswith(PAGE)


def credential(headers: Mapping[bytes, str]) -> str:
    """The key or token that a request carries; empty where there is none."""
    given = headers.get(b"authorization", "").removeprefix("Bearer ")
    return given or headers.get(b"x-api-key", "")


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
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """A Host header without its port."""
    return host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()
