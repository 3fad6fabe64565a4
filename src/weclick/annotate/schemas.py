"""What the API takes and gives, as pydantic checks it and OpenAPI describes it."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from weclick.clicks.records import Click, Status, TimedClick

MOST_CLICKS: Final = 2000
"""Clicks on one frame."""

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"


def _printable(name: str) -> str:
    if not re.fullmatch(_PRINTABLE, name):
        raise PydanticCustomError("printable", "a name must not hold tabs, line breaks or other control characters")
    return name


Client = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Annotator = Annotated[str, Field(max_length=80, json_schema_extra={"pattern": _PRINTABLE}), AfterValidator(_printable)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Total = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]


class Strict(BaseModel):
    """Takes nothing for something else: no text for numbers, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ClickBody(Strict):
    """A click in source pixels, and the time it took."""

    x: Coordinate
    y: Coordinate
    class_id: Annotated[int, Field(ge=0, le=254)]
    seconds: Seconds | None = None

    def timed(self) -> TimedClick:
        """Return it as the store takes it."""
        return TimedClick(Click(self.x, self.y, self.class_id), self.seconds)


class ClientBody(Strict):
    """Which tab of a browser asks."""

    client: Client


class WhoBody(ClientBody):
    """Which tab asks, and who sits in front of it."""

    annotator: Annotator = ""


class NextBody(WhoBody):
    """A request for a frame to do."""

    after: Annotated[str, StringConstraints(max_length=64)] | None = None


class FrameBody(WhoBody):
    """A frame as it shall be, made from ``version``."""

    version: Annotated[int, Field(ge=0, lt=2**53)]
    status: Status
    seconds: Total
    clicks: Annotated[list[ClickBody], Field(max_length=MOST_CLICKS)]


class ClickResponse(BaseModel):
    """A click as it is: another program may have stored what nobody could send here."""

    x: float
    y: float
    class_id: int
    seconds: float | None


class FrameResponse(BaseModel):
    """A frame as it is."""

    id: str
    video: str
    number: int
    position: int
    frames: int
    height: int
    width: int
    status: Status
    version: int
    annotator: str
    seconds: float
    clicks: list[ClickResponse]
    around: list[tuple[int, str]]
    leased_by: str | None


class ClassResponse(BaseModel):
    """A class."""

    id: int
    name: str
    color: str
    thing: bool


class VideoResponse(BaseModel):
    """A video: its number of frames, and the first one's id."""

    name: str
    frames: int
    first: str


class ProjectResponse(BaseModel):
    """What does not change while the server runs."""

    name: str
    version: str
    classes: list[ClassResponse]
    videos: list[VideoResponse]
    overlay: bool


class ProgressResponse(BaseModel):
    """How far things are."""

    goal: int
    done: int
    skipped: int
    todo: int
    clicks: int
    seconds: float


class Problem(BaseModel):
    """Why a request is refused."""

    detail: str


class Conflict(Problem):
    """Why a change is refused, and what is stored."""

    frame: FrameResponse
