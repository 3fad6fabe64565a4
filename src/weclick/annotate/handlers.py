"""Request handlers of the API: frames, pictures, leases and progress."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated, NamedTuple

from fastapi import Header, Query
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Entry
from weclick.annotate.frames import Frames
from weclick.annotate.leases import Leases
from weclick.annotate.overlay import Overlays
from weclick.annotate.pictures import Picture
from weclick.annotate.preview_handlers import PreviewHandlers
from weclick.annotate.worker import StoreWorker
from weclick.clicks import ClickStore
from weclick.clicks.records import Answers, FrameRecord, Progress, TimedClick, absent_classes, is_unchanged
from weclick.conventions import Size
from weclick.errors import ConflictError, DataError


class State(NamedTuple):
    """The stored record, clicks and answers of a frame, and whether it has an accepted label."""

    record: FrameRecord
    clicks: list[TimedClick]
    accepted: bool
    answers: Answers | None


class Handlers:
    """One method per request.

    Leases are used by the event loop only and the store by its own thread, so neither needs a lock.

    Args:
        frames: The frames.
        worker: The click store.
        leases: The leases of frames.
        overlays: Predictions to show, or None.
        previews: Learns from what is saved, and knows which previews were shown.
        annotator: Name stored with changes that carry no name.
        training: Whether the page can start trainings.
    """

    def __init__(
        self,
        frames: Frames,
        worker: StoreWorker,
        leases: Leases,
        overlays: Overlays | None,
        previews: PreviewHandlers,
        annotator: str = "",
        training: bool = False,
    ) -> None:
        self.frames = frames
        self.catalog, self.pictures = frames.catalog, frames.pictures
        self.worker = worker
        self.leases = leases
        self.overlays = overlays
        self.previews = previews
        self.annotator = annotator
        self.training = training

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
            preview=self.previews.previews is not None,
            training=self.training,
        )
        return _json(response)

    async def progress(self) -> Response:
        """Return the number of finished and remaining frames, and of clicks."""
        goal = self.catalog.goal
        unreadable = self.frames.unreadable

        def work(store: ClickStore) -> tuple[Progress, int, list[int]]:
            todo = sum(store.frame(key).status == "todo" for key in unreadable)
            return store.progress(self.catalog), todo, [*store.counts().values()]

        progress, unreadable_todo, counts = await self.worker.read(work)
        available = len(self.catalog) - progress.done - progress.skipped - unreadable_todo
        todo = max(min(goal - progress.done, available), 0)
        return _json(schemas.ProgressResponse(goal=goal, todo=todo, class_clicks=counts, **progress._asdict()))

    async def next_frame(self, body: schemas.NextBody) -> Response:
        """Lease the next "todo" frame without a lease to the client; 204 if there is none."""
        if body.after is not None:
            self.frames.entry(body.after)
        statuses = await self.worker.read(ClickStore.statuses)
        upcoming = map(self.frames.entry, self.catalog.upcoming(statuses, body.after))
        offered = self.frames.readable_first(upcoming)
        for entry in offered:
            name = self.catalog.id_of(entry.frame.key)
            if self.leases.holder(name, body.client):
                continue
            try:
                size = await self.frames.size(entry)
                self.leases.take(name, body.client, body.annotator or self.annotator)
            except (DataError, ConflictError):  # unreadable picture, or leased to another client meanwhile
                continue
            # read again under the lease: another client may have finished the frame since the statuses were read
            state = await self._state(entry)
            if state.record.status == "todo":
                await self.previews.prepare(next(offered, None))
                return _json(self._frame(entry, size, state, body.client))
            self.leases.release(name, body.client)
        return Response(status_code=204)

    async def frame(self, frame_id: str, or_later: bool = False) -> Response:
        """Return a frame; with ``or_later``, the first one from it on in its video that can be read."""
        entry = self.frames.entry(frame_id)
        later = self.catalog.later(entry) if or_later else iter(())
        while True:
            try:
                size = await self.frames.size(entry)
                break
            except DataError:
                following = next(later, None)
                if following is None:
                    raise
                entry = following
        return _json(self._frame(entry, size, await self._state(entry)))

    async def frame_at(self, video: str, position: Annotated[int, Query(ge=0)]) -> Response:
        """Return the frame at a position of a video, or the first one after it that can be read."""
        frames = self.catalog.videos.get(video, ())
        if position >= len(frames):
            raise HTTPException(404, "there is no such frame")
        return await self.frame(self.catalog.id_of(frames[position].key), or_later=True)

    async def save(self, frame_id: str, body: schemas.FrameBody) -> Response:
        """Store a frame's clicks and status if nobody has changed the frame since they were read."""
        entry = self.frames.entry(frame_id)
        size = await self.frames.size(entry)
        holder = self.leases.holder(frame_id, body.client)
        clicks = [click.timed() for click in body.clicks]
        answers = None if body.answers is None else {answer.class_id: answer.present for answer in body.answers}
        accepts = body.accept and body.status == "done"
        shown = (
            await self.previews.shown(entry, [click for click, _ in clicks], absent_classes(answers))
            if accepts
            else None
        )

        def work(store: ClickStore) -> State:
            record, stored, accepted, known = _read(store, entry)
            unchanged = is_unchanged(body.status, clicks, record, stored) and answers == known
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
                answers=answers,
            )
            return _read(store, entry)

        try:
            state = await self.worker.write(work)
        except ConflictError as conflict:
            return await self._conflict(entry, size, body.client, conflict)
        used = state.clicks if state.record.status != "skipped" else []
        await self.previews.learn(entry, size, [click for click, _ in used])
        return _json(self._frame(entry, size, state, body.client))

    async def lease(self, frame_id: str, body: schemas.AnnotatorBody) -> Response:
        """Lease a frame to the client, or renew its lease."""
        entry = self.frames.entry(frame_id)
        try:
            self.leases.take(frame_id, body.client, body.annotator or self.annotator)
        except ConflictError as conflict:
            return await self._conflict(entry, await self.frames.size(entry), body.client, conflict)
        return Response(status_code=204)

    async def release(self, frame_id: str, body: schemas.ClientBody) -> Response:
        """End the client's lease of a frame, if it has one."""
        self.frames.entry(frame_id)
        self.leases.release(frame_id, body.client)
        return Response(status_code=204)

    async def image(
        self, frame_id: str, if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None
    ) -> Response:
        """Return a frame's picture."""
        picture = await asyncio.to_thread(self.pictures.read, self.frames.entry(frame_id).frame.image)
        # the browser asks each time whether its copy is current: a restored picture shows up at once
        headers = {"ETag": picture.etag, "Cache-Control": "private, no-cache"}
        if picture.etag in (if_none_match or ""):
            return Response(status_code=304, headers=headers)
        return _picture(picture, headers)

    async def overlay(self, frame_id: str) -> Response:
        """Return the student's prediction for a frame."""
        entry = self.frames.entry(frame_id)
        if self.overlays is None:
            raise HTTPException(404, "there is no prediction; start weclick annotate with --run RUN")
        await self.frames.size(entry)  # raises for an unreadable picture
        return _picture(await self.overlays.read(await self.frames.version(entry)), {})

    async def _state(self, entry: Entry) -> State:
        return await self.worker.read(lambda store: _read(store, entry))

    async def _conflict(self, entry: Entry, size: Size, client: str, error: ConflictError) -> Response:
        frame = self._frame(entry, size, await self._state(entry), client)
        return _json(schemas.Conflict(detail=str(error), frame=frame), 409)

    def _frame(self, entry: Entry, size: Size, state: State, client: str | None = None) -> schemas.FrameResponse:
        record, clicks, accepted, answers = state
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
            answers=None if answers is None else _answer_bodies(answers),
        )


def _read(store: ClickStore, entry: Entry) -> State:
    key = entry.frame.key
    return State(store.frame(key), store.timed_clicks(key), store.has_label(key), store.answers(key))


def _answer_bodies(answers: Answers) -> list[schemas.AnswerBody]:
    return [schemas.AnswerBody(class_id=class_id, present=present) for class_id, present in answers.items()]


def _json(content: BaseModel, status: int = 200) -> Response:
    return Response(content.model_dump_json(), status, media_type="application/json")


def _picture(picture: Picture, headers: dict[str, str]) -> Response:
    return Response(picture.data, media_type=picture.media_type, headers=headers)
