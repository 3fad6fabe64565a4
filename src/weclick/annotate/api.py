"""The ASGI application: routes, error responses, the page. ``/api/openapi.json`` describes the API."""

from __future__ import annotations

import reprlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from weclick.annotate import schemas
from weclick.annotate.catalog import Catalog
from weclick.annotate.frames import Frames
from weclick.annotate.handlers import Handlers
from weclick.annotate.leases import Leases
from weclick.annotate.overlay import Overlays, Predict
from weclick.annotate.pictures import Pictures
from weclick.annotate.preview import CACHE, PreviewError, Previews
from weclick.annotate.preview_handlers import PreviewHandlers
from weclick.annotate.security import Access, Guard, problem
from weclick.annotate.survey import Survey
from weclick.annotate.worker import StoreWorker
from weclick.errors import DataError, DiskError, OutsideError, StoreError, WeclickError

PAGE: Final = Path(__file__).parent / "page"

_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_DESCRIPTIONS: Final = {
    204: "No frame is left.",
    304: "Not modified.",
    400: "Malformed request, or unknown Host.",
    401: "Token missing or wrong.",
    403: "Request from a page of another origin, or a picture outside the data set.",
    404: "Not found.",
    408: "The body arrived too slowly.",
    409: "Changed meanwhile, or somebody else is working on it.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    422: "Invalid fields, or a picture that cannot be read.",
    503: "The store cannot be used: disk full, read-only or busy.",
}
Route = tuple[str, str, Callable[..., Any], type[BaseModel] | str, tuple[int, ...]]
"""Method, path under ``/api``, handler, model or media type of the response (empty for none), further statuses."""

READ_ERRORS: Final = (400, 401, 403, 422, 503)
WRITE_ERRORS: Final = (*READ_ERRORS, 404, 408, 413, 415)


def create_app(
    catalog: Catalog,
    access: Access,
    *,
    annotator: str = "",
    predict: Predict | None = None,
    preview: bool = False,
    preview_cache: int = CACHE,
    training: Callable[[Handlers], APIRouter] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the server application for a data set.

    Args:
        catalog: The frames to click; their click store must exist.
        access: Accepted hosts and the token.
        annotator: Name stored with changes that carry no name.
        predict: Returns the class ids, uint8 (H, W), of the picture at a path, for the overlay; called in its own thread.
        preview: Show what the clicks mean, computed in a process of its own.
        preview_cache: Bytes of frames' features that are kept in the user's cache folder.
        training: Returns the routes of the Train button; None leaves it out.
        clock: Returns the time for leases, in seconds.

    Raises:
        OutsideError: All frames are outside the data set, behind links.
        ClickError: The store cannot be opened.
    """
    pictures = Pictures(catalog.root)
    _check_pictures(catalog, pictures)
    worker = StoreWorker(catalog.store, catalog.classes)
    overlays = Overlays(predict, catalog.classes) if predict else None
    previews = Previews(catalog.classes, preview_cache) if preview else None
    frames = Frames(catalog, pictures)
    survey = Survey(previews, frames, worker)
    preview_handlers = PreviewHandlers(previews, frames, worker, survey)
    handlers = Handlers(frames, worker, Leases(clock), overlays, preview_handlers, annotator, training is not None)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if previews:
            await preview_handlers.learn_stored()
        survey.start()
        yield
        await survey.close()
        if overlays:
            overlays.close()
        if previews:
            previews.close()
        worker.close()

    routers = [_routes(handlers), *([training(handlers)] if training else [])]
    return make_app(routers, access, catalog.root, lifespan)


def make_app(
    routers: Sequence[APIRouter],
    access: Access,
    root: Path,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    index: str = "index.html",
) -> FastAPI:
    """Return a guarded application of some routes and the page's files.

    Args:
        routers: The routes.
        access: Accepted hosts and the token.
        root: Folder whose place no response reveals.
        lifespan: What begins and ends with the application.
        index: File of the page to send at ``/``.
    """
    app = FastAPI(
        title="weclick annotate",
        version=version("weclick"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's documentation pages load scripts from other servers
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={RequestValidationError: _handle_invalid_fields, WeclickError: _error_handler(root)},
    )
    for router in routers:
        app.include_router(router)
    for path, handler in (("/", partial(_page, index)), ("/page/{name}", _page)):
        app.add_api_route(path, handler, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_middleware(Guard, access=access)
    return app


def _check_pictures(catalog: Catalog, pictures: Pictures) -> None:
    """Raise an OutsideError if the first frame of every video is outside the data set: nothing could be shown."""
    outside = None
    for first, *_ in catalog.videos.values():
        try:
            pictures.locate(first.image)
            return
        except OutsideError as error:
            outside = error
        except DataError:  # a missing file is the problem of one frame
            return
    if outside:
        raise outside


def _routes(handlers: Handlers) -> APIRouter:
    frame = "/frames/{frame_id}"
    routes: list[Route] = [
        ("GET", "/project", handlers.project, schemas.ProjectResponse, READ_ERRORS),
        ("GET", "/progress", handlers.progress, schemas.ProgressResponse, READ_ERRORS),
        ("POST", "/next", handlers.next_frame, schemas.FrameResponse, (204, *WRITE_ERRORS)),
        ("GET", "/frames", handlers.frame_at, schemas.FrameResponse, (404, *READ_ERRORS)),
        ("GET", frame, handlers.frame, schemas.FrameResponse, (404, *READ_ERRORS)),
        ("PUT", frame, handlers.save, schemas.FrameResponse, (409, *WRITE_ERRORS)),
        ("PUT", f"{frame}/lease", handlers.lease, "", (409, *WRITE_ERRORS)),
        ("DELETE", f"{frame}/lease", handlers.release, "", WRITE_ERRORS),
        ("GET", f"{frame}/image", handlers.image, "image/*", (304, 404, *READ_ERRORS)),
        ("GET", f"{frame}/overlay", handlers.overlay, "image/png", (404, *READ_ERRORS)),
        ("GET", "/survey", handlers.previews.survey.survey, schemas.SurveyResponse, READ_ERRORS),
        ("POST", f"{frame}/preview", handlers.previews.preview, "image/png", (204, *WRITE_ERRORS)),
    ]
    return make_router(routes)


def make_router(routes: Sequence[Route]) -> APIRouter:
    """Return a router of routes, described with all their responses."""
    router = APIRouter(prefix="/api")
    for method, path, handler, content, codes in routes:
        responses: dict[int | str, dict[str, Any]] = {code: {"description": _DESCRIPTIONS[code]} for code in codes}
        for code in codes:
            if code >= 400:
                responses[code]["model"] = schemas.Conflict if code == 409 else schemas.Problem
        if content:
            responses[200] = {"description": "OK"}
            if isinstance(content, str):
                responses[200]["content"] = {content: {}}
            else:
                responses[200]["model"] = content
        router.add_api_route(
            path,
            handler,
            methods=[method],
            status_code=200 if content else 204,
            response_class=Response,
            responses=responses,
        )
    return router


async def _page(name: str) -> Response:
    """Send a file of the page."""
    # compared with the folder's own listing, so that no name can lead out of it
    file = next((path for path in PAGE.iterdir() if path.name == name and path.is_file()), None)
    if file is None:
        raise HTTPException(404, "the page has no such file")
    media_type = _MEDIA_TYPES.get(file.suffix, "application/octet-stream")
    return FileResponse(file, media_type=media_type, headers={"Cache-Control": "no-cache"})


async def _handle_invalid_fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(400, "the body is not JSON")
    field = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    value = first.get("input")
    found = "" if isinstance(value, dict | list) else f", found {reprlib.repr(value)}"
    return problem(422, f"{field}: {first['msg']}{found}".encode("utf-8", "replace").decode())


def _error_handler(root: Path) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        unable = isinstance(error, StoreError | PreviewError | DiskError)
        status = 503 if unable else 403 if isinstance(error, OutsideError) else 422
        text = " ".join(str(error).encode("utf-8", "replace").decode().split())
        for folder in (root.resolve(), root.absolute(), root):  # clients need not see the server's folders
            text = text.replace(f"{folder}/", "")
        return problem(status, text)

    return handle
