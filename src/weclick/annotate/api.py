"""The server as an ASGI application: routes, refusals, the page. ``/api/openapi.json`` describes the API."""

from __future__ import annotations

import reprlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
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
from weclick.annotate.handlers import Handlers
from weclick.annotate.leases import Leases
from weclick.annotate.overlay import Overlays, Predict
from weclick.annotate.pictures import Pictures
from weclick.annotate.security import Access, Guard, problem
from weclick.annotate.worker import StoreWorker
from weclick.errors import DataError, OutsideError, StoreError, WeclickError

PAGE: Final = Path(__file__).parent / "page"

_MEDIA: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_WHY: Final = {
    400: "Malformed, or asked under another name.",
    401: "Token missing or wrong.",
    403: "Asked by a page of another origin, or a picture outside the data set.",
    404: "There is no such thing.",
    408: "Sent too slowly.",
    409: "Changed meanwhile, or somebody else is working on it.",
    413: "Too long.",
    415: "Not JSON.",
    422: "Fields that cannot be right, or a picture that cannot be read.",
    503: "The store cannot be used: disk full, read-only, busy.",
}
_READ: Final = (400, 401, 403, 422, 503)
_WRITE: Final = (*_READ, 404, 408, 413, 415)


def create_app(
    catalog: Catalog,
    access: Access,
    *,
    annotator: str = "",
    predict: Predict | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Return the server of a data set.

    Args:
        catalog: The frames to click; their click store exists.
        access: Who may ask.
        annotator: Name to store with what nobody signed.
        predict: Gives class ids, uint8 (H, W), for the picture at a path, to lay over it; called in a thread of its own.
        clock: Tells the time for leases, in seconds.

    Raises:
        OutsideError: All frames lie outside the data set, behind links.
        ClickError: The store cannot be opened.
    """
    pictures = Pictures(catalog.root)
    _require_pictures(catalog, pictures)
    worker = StoreWorker(catalog.store, catalog.classes)
    overlays = Overlays(predict, catalog.classes) if predict else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        if overlays:
            overlays.close()
        worker.close()

    app = FastAPI(
        title="weclick annotate",
        version=version("weclick"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page comes from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={RequestValidationError: _fields, WeclickError: _refusing(catalog.root)},
    )
    app.include_router(_routes(Handlers(catalog, worker, Leases(clock), pictures, overlays, annotator)))
    for path in ("/", "/page/{name}"):
        app.add_api_route(path, _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_middleware(Guard, access=access)
    return app


def _require_pictures(catalog: Catalog, pictures: Pictures) -> None:
    """Refuse a data set of which nothing could be shown."""
    refusal = None
    for first, *_ in catalog.videos.values():
        try:
            pictures.locate(first.image)
            return
        except OutsideError as error:
            refusal = error
        except DataError:
            return
    if refusal:
        raise refusal


def _routes(answers: Handlers) -> APIRouter:
    frame = "/frames/{frame_id}"
    routes: list[tuple[str, str, Callable[..., Any], type[BaseModel] | str, tuple[int, ...]]] = [
        ("GET", "/project", answers.project, schemas.ProjectResponse, _READ),
        ("GET", "/progress", answers.progress, schemas.ProgressResponse, _READ),
        ("POST", "/next", answers.next_frame, schemas.FrameResponse, (204, *_WRITE)),
        ("GET", frame, answers.frame, schemas.FrameResponse, (404, *_READ)),
        ("PUT", frame, answers.save, schemas.FrameResponse, (409, *_WRITE)),
        ("PUT", f"{frame}/lease", answers.lease, "", (409, *_WRITE)),
        ("DELETE", f"{frame}/lease", answers.release, "", _WRITE),
        ("GET", f"{frame}/image", answers.image, "image/*", (304, 404, *_READ)),
        ("GET", f"{frame}/overlay", answers.overlay, "image/png", (404, *_READ)),
    ]
    router = APIRouter(prefix="/api")
    for method, path, answer, kind, others in routes:
        good: dict[str, Any] = {"model": kind} if isinstance(kind, type) else {"content": {kind: {}}}
        status = 204 if kind == "" else 200
        described: dict[int | str, dict[str, Any]] = {code: _described(code) for code in others}
        router.add_api_route(
            path,
            answer,
            methods=[method],
            status_code=status,
            response_class=Response,
            responses=described if kind == "" else {200: {"description": "As asked.", **good}, **described},
        )
    return router


def _described(code: int) -> dict[str, Any]:
    """Return OpenAPI's description of an answer that is not the usual one."""
    if code < 400:
        return {"description": {204: "None is left.", 304: "As it was."}[code]}
    return {"description": _WHY[code], "model": schemas.Conflict if code == 409 else schemas.Problem}


async def _page(name: str = "index.html") -> Response:
    """Send a file of the page; none but those that lie beside each other there."""
    found = next((path for path in PAGE.iterdir() if path.name == name and path.is_file()), None)
    if found is None:
        raise HTTPException(404, "the page has no such file")
    media = _MEDIA.get(found.suffix, "application/octet-stream")
    return FileResponse(found, media_type=media, headers={"Cache-Control": "no-cache"})


async def _fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(400, "the body is no JSON")
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    found = first.get("input")
    shown = "" if isinstance(found, dict | list) else f", found {reprlib.repr(found)}"
    return problem(422, f"{where}: {first['msg']}{shown}".encode("utf-8", "replace").decode())


def _refusing(root: Path) -> Callable[[Request, Exception], Coroutine[Any, Any, Response]]:
    async def refused(request: Request, error: Exception) -> Response:
        status = 503 if isinstance(error, StoreError) else 403 if isinstance(error, OutsideError) else 422
        text = " ".join(str(error).encode("utf-8", "replace").decode().split())
        for home in (root.resolve(), root.absolute(), root):  # where the data set lies is nobody's business
            text = text.replace(f"{home}/", "")
        return problem(status, text)

    return refused
