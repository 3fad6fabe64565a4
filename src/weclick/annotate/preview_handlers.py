"""Request handlers of the preview, and what it learns from."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Entry
from weclick.annotate.frames import Frames
from weclick.annotate.preview import PreviewError, Previews, preview_picture
from weclick.annotate.survey import Survey
from weclick.annotate.worker import StoreWorker
from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore
from weclick.clicks.labels import seen_classes
from weclick.clicks.records import UNKNOWN, AcceptedLabel, absent_classes, validate_answers, validate_click
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, DataError

SEEN: Final = "X-Seen-Classes"
"""Header of a preview: ids of the classes that it sees, separated by commas."""

_log = logging.getLogger(__name__)


class PreviewHandlers:
    """The request for a preview, and what saving a frame means for previews.

    Args:
        previews: Computes them; None if there are none.
        frames: The frames.
        worker: The click store.
        survey: Is repeated after saves.
    """

    def __init__(self, previews: Previews | None, frames: Frames, worker: StoreWorker, survey: Survey) -> None:
        self.previews, self.frames, self.worker, self.survey = previews, frames, worker, survey

    @property
    def _classes(self) -> ClassSet:
        return self.frames.catalog.classes

    async def preview(self, frame_id: str, body: schemas.PreviewBody) -> Response:
        """Return what clicks and answers mean: the label that was accepted with them, else the preview; 204 for nothing."""
        entry = self.frames.entry(frame_id)
        size = await self.frames.size(entry)  # raises for an unreadable picture
        clicks = [click.timed().click for click in body.clicks]
        for click in clicks:
            validate_click(click, self._classes, size)
        validate_answers(dict.fromkeys(body.absent, False), self._classes)
        label = await self._accepted(entry, clicks, body.absent) or await self._segment(entry, clicks, body.absent)
        if label is None and self.previews is not None and self.previews.learns:
            raise PreviewError("learning from the clicks so far")
        if label is None:
            return Response(status_code=204)
        picture = await asyncio.to_thread(preview_picture, label, self._classes)
        seen = ",".join(map(str, seen_classes(label.ids)))
        return Response(picture, media_type="image/png", headers={SEEN: seen})

    async def shown(self, entry: Entry, clicks: Sequence[Click], absent: Collection[int]) -> AcceptedLabel | None:
        """Return the preview that was last shown for these clicks and answers; a save never waits for a new one."""
        if self.previews is None:
            return None
        return self.previews.shown(await self.frames.version(entry), clicks, absent)

    async def prepare(self, entry: Entry | None) -> None:
        """Let the preview prepare a frame that will probably be asked for next."""
        if self.previews is not None and entry is not None:
            with suppress(DataError):  # its picture is missing
                self.previews.prepare(await self.frames.version(entry))

    async def learn_stored(self) -> None:
        """Let the preview learn from all clicks that are stored already."""
        clicks: dict[FrameKey, list[Click]] = {}
        for key, click, _ in await self.worker.read(ClickStore.records):
            clicks.setdefault(key, []).append(click)
        for key, own in clicks.items():
            if key in self.frames.catalog:
                entry = self.frames.entry(self.frames.catalog.id_of(key))
                with suppress(DataError):
                    await self.learn(entry, await self.frames.size(entry), own)

    async def learn(self, entry: Entry, size: Size, clicks: Sequence[Click]) -> None:
        """Let the preview learn from a frame's stored clicks; whatever fails here, the clicks are stored."""
        if self.previews is None:
            return
        try:
            version = await self.frames.version(entry)
            self.previews.learn(version, [click for click in clicks if self._valid(click, size)])
            self.survey.repeat()
        except Exception as error:
            _log.warning("the preview does not learn from frame %s: %s", entry.frame.key, error)

    def _valid(self, click: Click, size: Size) -> bool:
        """Return whether a click can be learned from: not one on unknown, and another program may have stored any."""
        try:
            validate_click(click, self._classes, size)
        except ClickError:
            return False
        return click.class_id != UNKNOWN

    async def _accepted(self, entry: Entry, clicks: list[Click], absent: Collection[int]) -> AcceptedLabel | None:
        key = entry.frame.key

        def read(store: ClickStore) -> AcceptedLabel | None:
            same = store.clicks(key) == clicks and set(absent_classes(store.answers(key))) == set(absent)
            return store.label(key) if same else None

        return await self.worker.read(read)

    async def _segment(self, entry: Entry, clicks: list[Click], absent: Collection[int]) -> AcceptedLabel | None:
        if self.previews is None:
            raise HTTPException(404, "there is no preview; start weclick annotate with --preview true")
        return await self.previews.segment(await self.frames.version(entry), clicks, absent)
