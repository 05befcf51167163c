"""A connection that holds nothing for ever: limits of time below HTTP, where uvicorn has none."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedConnection(H11Protocol):
    """Is cut off if a request's head does not come, or a reply is not read, within `seconds`.

    Without these limits, clients that send half a head use up the file descriptors, and clients
    that never read a reply keep the places of their requests.
    """

    seconds: ClassVar[float] = 20.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to look whether requests come."""
        super().connection_made(transport)
        self._waiting_after: object = None
        self._unread: asyncio.TimerHandle | None = None
        self._look = self.loop.call_later(self.seconds, self._end_if_waiting)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        self._look.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads more slowly than the server writes."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        if self._unread:
            self._unread.cancel()
        super().resume_writing()

    def _end_if_waiting(self) -> None:
        """Cut off where the same wait was seen at the last look.

        uvicorn closes a connection that is silent after a reply much sooner, so this one has sent
        some bytes of a request, or has never sent any.
        """
        waiting = self.cycle is None or self.cycle.response_complete
        after = (self.cycle or self) if waiting else None
        if after is not None and after is self._waiting_after:
            self.transport.abort()
            return
        self._waiting_after = after
        self._look = self.loop.call_later(self.seconds, self._end_if_waiting)
