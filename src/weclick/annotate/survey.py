"""The survey: how unsure the probe is of the frames that can be clicked next, and what the last clicks changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from statistics import fmean
from typing import Final

from starlette.responses import Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Entry
from weclick.annotate.frames import Frames
from weclick.annotate.preview import PreviewError, Previews
from weclick.annotate.worker import StoreWorker
from weclick.clicks import ClickStore
from weclick.conventions import FrameKey
from weclick.errors import DataError

FRAMES: Final = 60
"""Frames of a survey: those that are offered next."""
PAUSE: Final = 0.3
"""Seconds between two frames, and until somebody who clicks is looked for again."""

_log = logging.getLogger(__name__)


class Survey:
    """Examines the frames that are offered next, again after every save, and answers the request for what was found.

    Args:
        previews: Examines frames; None for no survey.
        frames: The frames.
        worker: The click store.
    """

    def __init__(self, previews: Previews | None, frames: Frames, worker: StoreWorker) -> None:
        self.previews, self.frames, self.worker = previews, frames, worker
        self._unsure: dict[FrameKey, float] = {}
        self._changed: float | None = None
        self._clicks = 0
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to examine frames; they are examined as soon as there are clicks."""
        if self.previews is not None:
            self._due.set()
            self._task = asyncio.create_task(self._run(self.previews))

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def repeat(self) -> None:
        """Examine the frames again: clicks have been saved."""
        self._due.set()

    async def survey(self) -> Response:
        """Return the examined frames that are still to do, the most unsure first, and what the last clicks changed."""
        statuses = await self.worker.read(ClickStore.statuses)
        found = [(key, share) for key, share in self._unsure.items() if statuses.get(key, "todo") == "todo"]
        found.sort(key=lambda one: -one[1])
        frames = [
            schemas.SurveyedFrame(id=self.frames.catalog.id_of(key), video=key.video, number=key.number, unsure=share)
            for key, share in found
        ]
        response = schemas.SurveyResponse(frames=frames, changed=self._changed, clicks=self._clicks)
        return Response(response.model_dump_json(), media_type="application/json")

    async def _run(self, previews: Previews) -> None:
        clicks = 0
        while True:
            await self._due.wait()
            self._due.clear()
            before, clicks = clicks, len(await self.worker.read(ClickStore.records))
            changes = await self._examine(previews, await self._offered())
            if changes and clicks != before:
                self._changed, self._clicks = fmean(changes), clicks - before

    async def _offered(self) -> Sequence[Entry]:
        statuses = await self.worker.read(ClickStore.statuses)
        return [self.frames.entry(name) for name in islice(self.frames.catalog.upcoming(statuses), FRAMES)]

    async def _examine(self, previews: Previews, entries: Sequence[Entry]) -> list[float]:
        """Examine frames one by one; return the share of each that is segmented differently from the last time."""
        changes = []
        for entry in entries:
            while not previews.idle:  # previews, which the same process computes, must not wait for other frames
                await asyncio.sleep(PAUSE)
            try:
                found = await self._learned(previews, entry)
            except (DataError, PreviewError) as error:  # a damaged picture; a worker that is started again
                _log.debug("frame %s is not examined: %s", entry.frame.key, error)
                continue
            if found is None:
                return []
            self._unsure[entry.frame.key], changed = found
            if changed is not None:
                changes.append(changed)
            await asyncio.sleep(PAUSE)
        return changes

    async def _learned(self, previews: Previews, entry: Entry) -> tuple[float, float | None] | None:
        """Return what was found in a frame, after the first clicks are learned from; None if there are no clicks."""
        version = await self.frames.version(entry)
        while (found := await previews.examine(version)) is None and previews.learns:
            await asyncio.sleep(PAUSE)
        return found
