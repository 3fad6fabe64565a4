"""Limits on connections: a client that sends half a request, or opens many connections, locks nobody out.

uvicorn has neither limit: it waits for the rest of a request for ever, and a process can open only so many files.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, Final

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""Time within which the head of a request must arrive, and a body after its response."""

MAX_OPEN: Final = 512
"""Most open connections; fewer where the system allows a process fewer than twice as many files."""

BACKLOG: Final = 128
"""Connections that may wait to be opened."""

_TRUSTED: Final = "weclick.trusted"


def trust(scope: Scope) -> None:
    """Record that a request has passed all checks: its connection is closed only after those of strangers."""
    scope[_TRUSTED] = True


class LimitedConnection(H11Protocol):
    """A connection that closes when nothing is answered and no whole request arrives in time.

    When there are too many, the oldest one that never sent a valid token is closed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._trusted = False
        self._opened = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def trusted(self) -> bool:
        """Whether a request with a valid token came."""
        return self._trusted or (self.scope is not None and _TRUSTED in self.scope)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request, and make room for it."""
        super().connection_made(transport)
        self._time_request()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if len(self.connections) > min(MAX_OPEN, files // 2):
            own = [one for one in self.connections if isinstance(one, LimitedConnection)]
            min(own, key=lambda one: (one.trusted, one._opened)).hang_up()

    def data_received(self, data: bytes) -> None:
        """Handle data; the time that is left does not grow with it."""
        super().data_received(data)
        self._time_request()

    def on_response_complete(self) -> None:
        """Keep what is known of the client for its next request."""
        self._trusted = self.trusted
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """Close the connection, whatever is in progress."""
        self.connections.discard(self)  # at once: the transport reports it later, after further connections were made
        self.transport.abort()

    def _time_request(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif not answering and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.hang_up)
