"""What the API answers: frames, their pictures, who works on them, and how far things are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Catalog, Place
from weclick.annotate.leases import Leases
from weclick.annotate.overlay import Overlays
from weclick.annotate.pictures import Picture, Pictures
from weclick.annotate.worker import StoreWorker
from weclick.clicks import ClickStore
from weclick.clicks.records import FrameRecord, Progress, TimedClick, is_unchanged
from weclick.conventions import FrameKey, Size
from weclick.errors import ConflictError, DataError

State = tuple[FrameRecord, list[TimedClick]]
"""What the store knows of a frame."""

_log = logging.getLogger(__name__)


class Handlers:
    """One method per request. Leases are touched by the event loop only, the store by its own thread.

    Args:
        catalog: The frames.
        worker: The click store.
        leases: Who works on what.
        pictures: The frames' pictures.
        overlays: Predictions to show, if there is something that predicts.
        annotator: Name to store with what nobody signed.
    """

    def __init__(
        self,
        catalog: Catalog,
        worker: StoreWorker,
        leases: Leases,
        pictures: Pictures,
        overlays: Overlays | None,
        annotator: str = "",
    ) -> None:
        self.catalog = catalog
        self.worker = worker
        self.leases = leases
        self.pictures = pictures
        self.overlays = overlays
        self.annotator = annotator
        self._unreadable: set[FrameKey] = set()

    async def project(self) -> Response:
        """Tell what does not change while the server runs."""
        classes = [
            schemas.ClassResponse(id=index, name=c.name, color="#{:02x}{:02x}{:02x}".format(*c.color), thing=c.thing)
            for index, c in enumerate(self.catalog.classes)
        ]
        videos = [
            schemas.VideoResponse(name=name, frames=len(frames), first=self.catalog.name(frames[0].key))
            for name, frames in self.catalog.videos.items()
        ]
        name = self.catalog.root.resolve().name.encode("utf-8", "replace").decode()
        overlay = self.overlays is not None
        return _json(
            schemas.ProjectResponse(
                name=name, version=version("weclick"), classes=classes, videos=videos, overlay=overlay
            )
        )

    async def progress(self) -> Response:
        """Tell how far things are."""
        goal = self.catalog.goal
        unreadable = tuple(self._unreadable)

        def work(store: ClickStore) -> tuple[Progress, int]:
            return store.progress(self.catalog), sum(store.frame(key).status == "todo" for key in unreadable)

        found, lost = await self.worker.read(work)
        todo = max(min(goal - found.done, len(self.catalog) - found.done - found.skipped - lost), 0)
        return _json(schemas.ProgressResponse(goal=goal, todo=todo, **found._asdict()))

    async def next_frame(self, body: schemas.NextBody) -> Response:
        """Lease the next frame that is to do and free to the client; 204 when there is none."""
        if body.after is not None:
            self._place(body.after)
        statuses = await self.worker.read(ClickStore.statuses)
        upcoming = map(self._place, self.catalog.upcoming(statuses, body.after))
        for place in self._readable_first(upcoming):
            name = self.catalog.name(place.frame.key)
            if self.leases.holder(name, body.client):
                continue
            try:
                size = await self._size(place)
                self.leases.take(name, body.client, body.annotator or self.annotator)
            except (DataError, ConflictError):  # cannot be shown, or somebody was faster
                continue
            state = await self._state(place)
            if state[0].status == "todo":
                return _json(self._frame(place, size, state, body.client))
            self.leases.release(name, body.client)
        return Response(status_code=204)

    async def frame(self, frame_id: str, or_later: bool = False) -> Response:
        """Tell what is known of a frame, or of the first one after it in its video that can be shown."""
        place = self._place(frame_id)
        later = self.catalog.later(place) if or_later else iter(())
        while True:
            try:
                size = await self._size(place)
                break
            except DataError:
                following = next(later, None)
                if following is None:
                    raise
                place = following
        return _json(self._frame(place, size, await self._state(place)))

    async def save(self, frame_id: str, body: schemas.FrameBody) -> Response:
        """Store a frame's clicks and status if it is still what they were made from."""
        place = self._place(frame_id)
        size = await self._size(place)
        holder = self.leases.holder(frame_id, body.client)
        clicks = [click.timed() for click in body.clicks]

        def work(store: ClickStore) -> State:
            if holder and not is_unchanged(body.status, clicks, *_read(store, place)):
                raise ConflictError(f"{holder} is working on this frame; nothing was stored")
            store.save(
                place.frame.key,
                clicks,
                version=body.version,
                status=body.status,
                size=size,
                annotator=body.annotator or self.annotator,
                seconds=body.seconds,
            )
            return _read(store, place)

        try:
            state = await self.worker.write(work)
        except ConflictError as conflict:
            return await self._conflict(place, size, body.client, conflict)
        return _json(self._frame(place, size, state, body.client))

    async def lease(self, frame_id: str, body: schemas.WhoBody) -> Response:
        """Lease a frame, or go on holding it."""
        place = self._place(frame_id)
        try:
            self.leases.take(frame_id, body.client, body.annotator or self.annotator)
        except ConflictError as conflict:
            return await self._conflict(place, await self._size(place), body.client, conflict)
        return Response(status_code=204)

    async def release(self, frame_id: str, body: schemas.ClientBody) -> Response:
        """End the client's lease of a frame, if it has it."""
        self._place(frame_id)
        self.leases.release(frame_id, body.client)
        return Response(status_code=204)

    async def image(
        self, frame_id: str, if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None
    ) -> Response:
        """Send a frame's picture."""
        picture = await asyncio.to_thread(self.pictures.read, self._place(frame_id).frame.image)
        headers = {"ETag": picture.etag, "Cache-Control": "private, no-cache"}
        if picture.etag in (if_none_match or ""):
            return Response(status_code=304, headers=headers)
        return _picture(picture, headers)

    async def overlay(self, frame_id: str) -> Response:
        """Send the student's prediction of a frame."""
        place = self._place(frame_id)
        if self.overlays is None:
            raise HTTPException(404, "there is no prediction; start weclick annotate with --run RUN")
        await self._size(place)  # which refuses what cannot be shown
        version = await asyncio.to_thread(self.pictures.locate, place.frame.image)
        return _picture(await self.overlays.read(version), {})

    def _place(self, name: str) -> Place:
        place = self.catalog.place(name)
        if place is None:
            raise HTTPException(404, "there is no frame with this id")
        return place

    def _readable_first(self, places: Iterable[Place]) -> Iterator[Place]:
        """Put off the frames that could not be read before; by then they may have been restored."""
        later = []
        for place in places:
            if place.frame.key in self._unreadable:
                later.append(place)
            else:
                yield place
        yield from later

    async def _size(self, place: Place) -> Size:
        key = place.frame.key
        try:
            size = await asyncio.to_thread(self.pictures.size, place.frame.image)
        except DataError as error:
            if key not in self._unreadable:
                _log.warning("frame %s cannot be shown: %s", key, error)
            self._unreadable.add(key)
            raise
        self._unreadable.discard(key)
        return size

    async def _state(self, place: Place) -> State:
        return await self.worker.read(lambda store: _read(store, place))

    async def _conflict(self, place: Place, size: Size, client: str, why: ConflictError) -> Response:
        frame = self._frame(place, size, await self._state(place), client)
        return _json(schemas.Conflict(detail=str(why), frame=frame), 409)

    def _frame(self, place: Place, size: Size, state: State, client: str | None = None) -> schemas.FrameResponse:
        record, clicks = state
        key = place.frame.key
        name = self.catalog.name(key)
        return schemas.FrameResponse(
            id=name,
            video=key.video,
            number=key.number,
            position=place.position,
            frames=len(self.catalog.videos[key.video]),
            height=size[0],
            width=size[1],
            status=record.status,
            version=record.version,
            annotator=record.annotator,
            seconds=record.seconds,
            clicks=[schemas.ClickResponse(**click._asdict(), seconds=seconds) for click, seconds in clicks],
            around=self.catalog.around(place),
            leased_by=self.leases.holder(name, client),
        )


def _read(store: ClickStore, place: Place) -> State:
    return store.frame(place.frame.key), store.timed_clicks(place.frame.key)


def _json(answer: BaseModel, status: int = 200) -> Response:
    return Response(answer.model_dump_json(), status, media_type="application/json")


def _picture(picture: Picture, headers: dict[str, str]) -> Response:
    return Response(picture.data, media_type=picture.media_type, headers=headers)
