"""Leases: who is working on which frame. A lease ends if the client does not renew it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from weclick.errors import ConflictError

LEASE_SECONDS: Final = 30.0
"""Duration of a lease; the page renews it every ten seconds, so that two lost requests do not end it."""

UNNAMED: Final = "somebody"


class _Lease(NamedTuple):
    client: str
    annotator: str
    ends: float


class Leases:
    """Leases of frames, at most one per client.

    They are in memory only. After a restart of the server, the versions of frames still prevent that one client
    overwrites the changes of another.

    Args:
        clock: Returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_frame: dict[str, _Lease] = {}
        self._frames: dict[str, str] = {}

    def take(self, frame: str, client: str, annotator: str) -> None:
        """Lease a frame to a client, or renew its lease; the client's lease of another frame ends.

        Raises:
            ConflictError: The frame is leased to another client.
        """
        if holder := self.holder(frame, client):
            raise ConflictError(f"{holder} is working on this frame; take another one or wait until it is free")
        self._end(self._frames.get(client))
        self._by_frame[frame] = _Lease(client, annotator, self._clock() + LEASE_SECONDS)
        self._frames[client] = frame

    def release(self, frame: str, client: str) -> None:
        """End a client's lease of a frame, if it has one."""
        if self._frames.get(client) == frame:
            self._end(frame)

    def holder(self, frame: str, client: str | None) -> str | None:
        """Return the annotator of another client that has leased the frame, or None."""
        lease = self._by_frame.get(frame)
        if lease is not None and lease.ends <= self._clock():
            self._end(frame)
            return None
        return (lease.annotator or UNNAMED) if lease is not None and lease.client != client else None

    def _end(self, frame: str | None) -> None:
        if frame is not None and (lease := self._by_frame.pop(frame, None)) is not None:
            del self._frames[lease.client]
