"""Request handlers of the API: frames, pictures, leases and progress."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, Final, NamedTuple

from fastapi import Header
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Catalog, Entry
from weclick.annotate.leases import Leases
from weclick.annotate.overlay import Overlays
from weclick.annotate.pictures import Picture, Pictures
from weclick.annotate.preview import PreviewError, Previews, Segmentation, preview_picture
from weclick.annotate.worker import StoreWorker
from weclick.clicks import Click, ClickStore
from weclick.clicks.records import AcceptedLabel, FrameRecord, Progress, TimedClick, is_unchanged, validate_click
from weclick.conventions import FrameKey, Size
from weclick.errors import ClickError, ConflictError, DataError


class State(NamedTuple):
    """The stored record and clicks of a frame, and whether it has an accepted label."""

    record: FrameRecord
    clicks: list[TimedClick]
    accepted: bool


PROBE: Final = "preview of the page"
"""Names what predicted the labels that are accepted in the page."""

_log = logging.getLogger(__name__)


class Handlers:
    """One method per request.

    Leases are used by the event loop only and the store by its own thread, so neither needs a lock.

    Args:
        catalog: The frames.
        worker: The click store.
        leases: The leases of frames.
        pictures: The frames' pictures.
        overlays: Predictions to show, or None.
        previews: Previews of what the clicks mean, or None.
        annotator: Name stored with changes that carry no name.
    """

    def __init__(
        self,
        catalog: Catalog,
        worker: StoreWorker,
        leases: Leases,
        pictures: Pictures,
        overlays: Overlays | None,
        previews: Previews | None,
        annotator: str = "",
    ) -> None:
        self.catalog = catalog
        self.worker = worker
        self.leases = leases
        self.pictures = pictures
        self.overlays = overlays
        self.previews = previews
        self.annotator = annotator
        self._unreadable: set[FrameKey] = set()

    async def project(self) -> Response:
        """Return what does not change while the server runs."""
        classes = [
            schemas.ClassResponse(id=index, name=c.name, color="#{:02x}{:02x}{:02x}".format(*c.color), thing=c.thing)
            for index, c in enumerate(self.catalog.classes)
        ]
        videos = [
            schemas.VideoResponse(name=name, frames=len(frames), first=self.catalog.id_of(frames[0].key))
            for name, frames in self.catalog.videos.items()
        ]
        response = schemas.ProjectResponse(
            name=self.catalog.root.resolve().name.encode("utf-8", "replace").decode(),
            version=version("weclick"),
            classes=classes,
            videos=videos,
            overlay=self.overlays is not None,
            preview=self.previews is not None,
        )
        return _json(response)

    async def progress(self) -> Response:
        """Return the number of finished and remaining frames."""
        goal = self.catalog.goal
        unreadable = tuple(self._unreadable)  # a copy, as the store's thread reads it

        def work(store: ClickStore) -> tuple[Progress, int]:
            return store.progress(self.catalog), sum(store.frame(key).status == "todo" for key in unreadable)

        progress, unreadable_todo = await self.worker.read(work)
        available = len(self.catalog) - progress.done - progress.skipped - unreadable_todo
        todo = max(min(goal - progress.done, available), 0)
        return _json(schemas.ProgressResponse(goal=goal, todo=todo, **progress._asdict()))

    async def next_frame(self, body: schemas.NextBody) -> Response:
        """Lease the next "todo" frame without a lease to the client; 204 if there is none."""
        if body.after is not None:
            self._entry(body.after)
        statuses = await self.worker.read(ClickStore.statuses)
        upcoming = map(self._entry, self.catalog.upcoming(statuses, body.after))
        for entry in self._readable_first(upcoming):
            name = self.catalog.id_of(entry.frame.key)
            if self.leases.holder(name, body.client):
                continue
            try:
                size = await self._size(entry)
                self.leases.take(name, body.client, body.annotator or self.annotator)
            except (DataError, ConflictError):  # unreadable picture, or leased to another client meanwhile
                continue
            # read again under the lease: another client may have finished the frame since the statuses were read
            state = await self._state(entry)
            if state.record.status == "todo":
                return _json(self._frame(entry, size, state, body.client))
            self.leases.release(name, body.client)
        return Response(status_code=204)

    async def frame(self, frame_id: str, or_later: bool = False) -> Response:
        """Return a frame; with ``or_later``, the first one from it on in its video that can be read."""
        entry = self._entry(frame_id)
        later = self.catalog.later(entry) if or_later else iter(())
        while True:
            try:
                size = await self._size(entry)
                break
            except DataError:
                following = next(later, None)
                if following is None:
                    raise
                entry = following
        return _json(self._frame(entry, size, await self._state(entry)))

    async def save(self, frame_id: str, body: schemas.FrameBody) -> Response:
        """Store a frame's clicks and status if nobody has changed the frame since they were read."""
        entry = self._entry(frame_id)
        size = await self._size(entry)
        holder = self.leases.holder(frame_id, body.client)
        clicks = [click.timed() for click in body.clicks]
        shown = await self._shown(entry, clicks) if body.accept and body.status == "done" else None

        def work(store: ClickStore) -> State:
            record, stored, accepted = _read(store, entry)
            unchanged = is_unchanged(body.status, clicks, record, stored)
            # a repeated save, whose response was lost, succeeds even if another client has leased the frame since
            if holder and not (unchanged and accepted == body.accept):
                raise ConflictError(f"{holder} is working on this frame; nothing was stored")
            label = shown or (store.label(entry.frame.key) if body.accept and unchanged else None)
            store.save(
                entry.frame.key,
                clicks,
                version=body.version,
                # a preview that was not shown, for example as the server was started again since, is not accepted
                status="todo" if body.accept and label is None else body.status,
                size=size,
                annotator=body.annotator or self.annotator,
                seconds=body.seconds,
                label=label,
            )
            return _read(store, entry)

        try:
            state = await self.worker.write(work)
        except ConflictError as conflict:
            return await self._conflict(entry, size, body.client, conflict)
        used = state.clicks if state.record.status != "skipped" else []
        await self._learn(entry, size, [click for click, _ in used])
        return _json(self._frame(entry, size, state, body.client))

    async def lease(self, frame_id: str, body: schemas.AnnotatorBody) -> Response:
        """Lease a frame to the client, or renew its lease."""
        entry = self._entry(frame_id)
        try:
            self.leases.take(frame_id, body.client, body.annotator or self.annotator)
        except ConflictError as conflict:
            return await self._conflict(entry, await self._size(entry), body.client, conflict)
        return Response(status_code=204)

    async def release(self, frame_id: str, body: schemas.ClientBody) -> Response:
        """End the client's lease of a frame, if it has one."""
        self._entry(frame_id)
        self.leases.release(frame_id, body.client)
        return Response(status_code=204)

    async def image(
        self, frame_id: str, if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None
    ) -> Response:
        """Return a frame's picture."""
        picture = await asyncio.to_thread(self.pictures.read, self._entry(frame_id).frame.image)
        # the browser asks each time whether its copy is current: a restored picture shows up at once
        headers = {"ETag": picture.etag, "Cache-Control": "private, no-cache"}
        if picture.etag in (if_none_match or ""):
            return Response(status_code=304, headers=headers)
        return _picture(picture, headers)

    async def overlay(self, frame_id: str) -> Response:
        """Return the student's prediction for a frame."""
        entry = self._entry(frame_id)
        if self.overlays is None:
            raise HTTPException(404, "there is no prediction; start weclick annotate with --run RUN")
        await self._size(entry)  # raises for an unreadable picture
        version = await asyncio.to_thread(self.pictures.locate, entry.frame.image)
        return _picture(await self.overlays.read(version), {})

    async def preview(self, frame_id: str, body: schemas.PreviewBody) -> Response:
        """Return what these clicks mean: the stored label if it was accepted with them, else the preview; 204 for nothing yet."""
        entry = self._entry(frame_id)
        size = await self._size(entry)  # raises for an unreadable picture
        clicks = [click.timed().click for click in body.clicks]
        for click in clicks:
            validate_click(click, self.catalog.classes, size)

        def accepted(store: ClickStore) -> AcceptedLabel | None:
            return store.label(entry.frame.key) if store.clicks(entry.frame.key) == clicks else None

        label = await self.worker.read(accepted)
        shown = Segmentation(*label[:2]) if label else await self._segment(entry, clicks)
        if shown is None and self.previews is not None and self.previews.learns:
            raise PreviewError("learning from the clicks so far")
        if shown is None:
            return Response(status_code=204)
        picture = await asyncio.to_thread(preview_picture, shown, self.catalog.classes)
        return Response(picture, media_type="image/png")

    async def learn_stored(self) -> None:
        """Let the preview learn from all clicks that are stored already."""
        clicks: dict[FrameKey, list[Click]] = {}
        for key, click, _ in await self.worker.read(ClickStore.records):
            clicks.setdefault(key, []).append(click)
        for key, own in clicks.items():
            if key in self.catalog:
                entry = self._entry(self.catalog.id_of(key))
                with suppress(DataError):
                    await self._learn(entry, await self._size(entry), own)

    async def _learn(self, entry: Entry, size: Size, clicks: list[Click]) -> None:
        """Let the preview learn from a frame's stored clicks; whatever fails here, the clicks are stored."""
        if self.previews is None:
            return
        try:
            version = await asyncio.to_thread(self.pictures.locate, entry.frame.image)
            self.previews.learn(version, [click for click in clicks if self._valid(click, size)])
        except Exception as error:
            _log.warning("the preview does not learn from frame %s: %s", entry.frame.key, error)

    def _valid(self, click: Click, size: Size) -> bool:
        """Return whether a click can be learned from; another program may have stored any."""
        try:
            validate_click(click, self.catalog.classes, size)
        except ClickError:
            return False
        return True

    async def _segment(self, entry: Entry, clicks: list[Click]) -> Segmentation | None:
        if self.previews is None:
            raise HTTPException(404, "there is no preview; start weclick annotate with --preview true")
        version = await asyncio.to_thread(self.pictures.locate, entry.frame.image)
        return await self.previews.segment(version, clicks)

    async def _shown(self, entry: Entry, clicks: list[TimedClick]) -> AcceptedLabel | None:
        """Return the preview that was last shown for these clicks, as a label; a save never waits for a new one."""
        if self.previews is None:
            return None
        version = await asyncio.to_thread(self.pictures.locate, entry.frame.image)
        shown = self.previews.shown(version, [click for click, _ in clicks])
        return AcceptedLabel(*shown, PROBE) if shown else None

    def _entry(self, name: str) -> Entry:
        entry = self.catalog.entry(name)
        if entry is None:
            raise HTTPException(404, "there is no frame with this id")
        return entry

    def _readable_first(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield frames that could not be read earlier last; they may have been restored since."""
        later = []
        for entry in entries:
            if entry.frame.key in self._unreadable:
                later.append(entry)
            else:
                yield entry
        yield from later

    async def _size(self, entry: Entry) -> Size:
        key = entry.frame.key
        try:
            size = await asyncio.to_thread(self.pictures.size, entry.frame.image)
        except DataError as error:
            if key not in self._unreadable:
                _log.warning("frame %s cannot be shown: %s", key, error)
            self._unreadable.add(key)
            raise
        self._unreadable.discard(key)
        return size

    async def _state(self, entry: Entry) -> State:
        return await self.worker.read(lambda store: _read(store, entry))

    async def _conflict(self, entry: Entry, size: Size, client: str, error: ConflictError) -> Response:
        frame = self._frame(entry, size, await self._state(entry), client)
        return _json(schemas.Conflict(detail=str(error), frame=frame), 409)

    def _frame(self, entry: Entry, size: Size, state: State, client: str | None = None) -> schemas.FrameResponse:
        record, clicks, accepted = state
        key = entry.frame.key
        name = self.catalog.id_of(key)
        return schemas.FrameResponse(
            id=name,
            video=key.video,
            number=key.number,
            position=entry.position,
            frames=len(self.catalog.videos[key.video]),
            height=size[0],
            width=size[1],
            status=record.status,
            version=record.version,
            annotator=record.annotator,
            seconds=record.seconds,
            clicks=[schemas.ClickResponse(**click._asdict(), seconds=seconds) for click, seconds in clicks],
            around=self.catalog.around(entry),
            leased_by=self.leases.holder(name, client),
            accepted=accepted,
        )


def _read(store: ClickStore, entry: Entry) -> State:
    key = entry.frame.key
    return State(store.frame(key), store.timed_clicks(key), store.has_label(key))


def _json(content: BaseModel, status: int = 200) -> Response:
    return Response(content.model_dump_json(), status, media_type="application/json")


def _picture(picture: Picture, headers: dict[str, str]) -> Response:
    return Response(picture.data, media_type=picture.media_type, headers=headers)
