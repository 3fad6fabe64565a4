"""The first minute of a project: the page asks for its classes while the videos are decoded, then clicking begins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weclick.annotate.api import READ_ERRORS, WRITE_ERRORS, make_app, make_router
from weclick.annotate.schemas import Strict
from weclick.annotate.security import Access
from weclick.classes import distinct_color
from weclick.conventions import IGNORE_INDEX
from weclick.data.layouts.folder import decode_videos
from weclick.data.project import Project, make_classes
from weclick.errors import WeclickError, one_line

_PATH: Final = "/api/setup"
_log = logging.getLogger(__name__)
_METHODS: Final = ["GET", "POST", "PUT", "DELETE"]


class ClassBody(Strict):
    """A class: its name, and whether its objects can be counted."""

    name: str
    thing: bool = False


class SetupBody(Strict):
    """The classes in the order of their ids."""

    classes: Annotated[list[ClassBody], Field(max_length=IGNORE_INDEX)]


class SetupResponse(BaseModel):
    """How far the project is: ``done`` of ``total`` frames of ``video`` are decoded; ``problem`` says why it stopped."""

    name: str
    videos: list[str]
    colors: list[str]
    named: bool
    video: str
    done: int
    total: int
    problem: str
    ready: bool


class _Closing(Exception):
    """The server stops."""


class Setup:
    """An ASGI application that prepares a project, then hands over to the application for clicking.

    Args:
        project: The project; its classes may be named already.
        access: Accepted hosts and the token.
        open_page: Returns the application for clicking, once classes are named and videos decoded.
    """

    def __init__(self, project: Project, access: Access, open_page: Callable[[], FastAPI]) -> None:
        self.project, self._open_page = project, open_page
        self._page: FastAPI | None = None
        self._named, self._closing = asyncio.Event(), False
        self._decoding = ("", 0, 0)
        self._problem = ""
        self._app = make_app([self._routes()], access, project.folder, self._lifespan, "setup.html")
        self._app.add_api_route("/api/{path:path}", self._not_yet, methods=_METHODS, include_in_schema=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application in charge."""
        app = self._app if self._page is None or scope.get("path") == _PATH else self._page
        await app(scope, receive, send)

    def _routes(self) -> APIRouter:
        return make_router(
            [
                ("GET", "/setup", self.progress, SetupResponse, READ_ERRORS),
                ("POST", "/setup", self.name_classes, SetupResponse, WRITE_ERRORS),
            ]
        )

    async def _not_yet(self, path: str) -> Response:
        """Refuse what a page for clicking sends that was opened before the server was started again."""
        raise HTTPException(503, self._problem or "the frames are not ready yet")

    async def progress(self) -> Response:
        """Return how far the project is."""
        video, done, total = self._decoding
        response = SetupResponse(
            name=self.project.folder.name,
            videos=list(self.project.videos),
            colors=["#{:02x}{:02x}{:02x}".format(*distinct_color(index)) for index in range(IGNORE_INDEX)],
            named=self.project.has_classes,
            video=video,
            done=done,
            total=total,
            problem=self._problem,
            ready=self._page is not None,
        )
        return Response(response.model_dump_json(), media_type="application/json")

    async def name_classes(self, body: SetupBody) -> Response:
        """Name the classes, once."""
        things = [one.name for one in body.classes if one.thing]
        classes = make_classes([one.name for one in body.classes], things)
        await asyncio.to_thread(self.project.name_classes, classes)
        self._named.set()
        return await self.progress()

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        if self.project.has_classes:
            self._named.set()
        async with AsyncExitStack() as stack:
            preparing = asyncio.create_task(self._prepare(stack))
            yield
            self._closing = True
            preparing.cancel()
            with suppress(asyncio.CancelledError):
                await preparing

    async def _prepare(self, stack: AsyncExitStack) -> None:
        """Decode the videos, wait for the classes, and hand over; ``stack`` gets what ends with the server."""
        try:
            await asyncio.to_thread(decode_videos, self.project.folder, show=self._show)
            await self._named.wait()
            page = await asyncio.to_thread(self._open_page)
            await stack.enter_async_context(page.router.lifespan_context(page))
            self._page = page
        except (WeclickError, OSError) as error:  # a full disk, for example
            self._problem = one_line(error, 600).replace(f"{self.project.folder}/", "")
            _log.error("%s", error)

    def _show(self, video: str, done: int, total: int) -> None:
        if self._closing:  # the thread would keep the process alive
            raise _Closing
        self._decoding = (video, done, total)
