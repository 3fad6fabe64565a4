"""Request and response bodies of the API, as pydantic models."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from weclick.clicks.records import UNKNOWN, Click, Status, TimedClick

MAX_CLICKS: Final = 2000
"""Largest number of clicks on one frame."""

MAX_CLASSES: Final = 255

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"


def _printable(name: str) -> str:
    if not re.fullmatch(_PRINTABLE, name):
        raise PydanticCustomError("printable", "a name must not contain tabs, line breaks or other control characters")
    return name


Client = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{8,64}$")]
Annotator = Annotated[str, Field(max_length=80, json_schema_extra={"pattern": _PRINTABLE}), AfterValidator(_printable)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]
ClassId = Annotated[int, Field(ge=0, le=254)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Total = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]


class Strict(BaseModel):
    """Accepts no other types (such as text for a number) and no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ClickBody(Strict):
    """A click in source pixels, and the time it took in seconds; class 255 is unknown."""

    x: Coordinate
    y: Coordinate
    class_id: Annotated[int, Field(ge=0, le=UNKNOWN)]
    seconds: Seconds | None = None

    def timed(self) -> TimedClick:
        """Convert to the store's record."""
        return TimedClick(Click(self.x, self.y, self.class_id), self.seconds)


class AnswerBody(Strict):
    """Whether a class is in the frame; null for a question without an answer."""

    class_id: ClassId
    present: bool | None


class ClientBody(Strict):
    """The browser tab that sends the request."""

    client: Client


class AnnotatorBody(ClientBody):
    """The browser tab and its annotator."""

    annotator: Annotator = ""


class NextBody(AnnotatorBody):
    """A request for the next frame."""

    after: Annotated[str, StringConstraints(max_length=64)] | None = None


def _distinct(answers: list[AnswerBody]) -> list[AnswerBody]:
    if len({answer.class_id for answer in answers}) < len(answers):
        raise PydanticCustomError("distinct", "a class is in the answers more than once")
    return answers


class FrameBody(AnnotatorBody):
    """The new state of a frame, based on ``version``; ``accept`` stores its preview as its label.

    ``answers`` lists the classes that the annotator was asked about; without it, nobody was asked.
    """

    version: Annotated[int, Field(ge=0, lt=2**53)]
    status: Status
    seconds: Total
    clicks: Annotated[list[ClickBody], Field(max_length=MAX_CLICKS)]
    accept: bool = False
    answers: Annotated[list[AnswerBody], Field(max_length=MAX_CLASSES), AfterValidator(_distinct)] | None = None


class PreviewBody(ClientBody):
    """The clicks of a frame as they are in the page, saved or not, and the classes that are not there."""

    clicks: Annotated[list[ClickBody], Field(max_length=MAX_CLICKS)]
    absent: Annotated[list[ClassId], Field(max_length=MAX_CLASSES)] = []


class ClickResponse(BaseModel):
    """A stored click; other programs may have stored values that :class:`ClickBody` does not accept."""

    x: float
    y: float
    class_id: int
    seconds: float | None


class FrameResponse(BaseModel):
    """The stored state of a frame."""

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
    accepted: bool
    answers: list[AnswerBody] | None


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
    """Facts that do not change while the server runs."""

    name: str
    version: str
    classes: list[ClassResponse]
    videos: list[VideoResponse]
    overlay: bool
    preview: bool
    training: bool


class ProgressResponse(BaseModel):
    """Number of finished and remaining frames, and of clicks; ``class_clicks`` in the order of the classes."""

    goal: int
    done: int
    skipped: int
    todo: int
    clicks: int
    seconds: float
    class_clicks: list[int]


class SurveyedFrame(BaseModel):
    """A frame to do, and the share of it of which the preview is unsure, 0..1."""

    id: str
    video: str
    number: int
    unsure: float


class SurveyResponse(BaseModel):
    """Frames, the most unsure first; and the share of them that the last ``clicks`` clicks changed, null if that is unknown."""

    frames: list[SurveyedFrame]
    changed: float | None
    clicks: int


class Problem(BaseModel):
    """The reason why a request was refused."""

    detail: str


class Conflict(Problem):
    """The reason why a change was refused, and the stored state."""

    frame: FrameResponse
