"""The routes of the Train button."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from weclick.annotate.api import READ_ERRORS, WRITE_ERRORS, make_router
from weclick.annotate.catalog import Catalog
from weclick.annotate.handlers import Handlers
from weclick.annotate.schemas import Strict
from weclick.annotate.training import Training, sample_pictures
from weclick.conventions import FrameKey
from weclick.jobs import JobState
from weclick.reporting.stages import StageProgress, stages_of

MOST_POINTS = 200
"""Points of a curve."""


class TrainBody(Strict):
    """A request to train; ``resume`` goes on with a run that was stopped or failed."""

    resume: bool = False


class StageResponse(BaseModel):
    """How far a stage is; ``losses`` and ``mious`` are evenly spread over its epochs so far."""

    name: str
    finished: bool
    epoch: int
    epochs: int
    losses: list[float]
    mious: list[float]


class SampleResponse(BaseModel):
    """A sample picture of a stage."""

    stage: str
    name: str


class SuggestionResponse(BaseModel):
    """A frame to click next."""

    id: str
    video: str
    number: int


class ScoreResponse(BaseModel):
    """The IoU of a class, or with held-out clicks the share of them that are right; None where it cannot be measured."""

    name: str
    value: float | None


class ExportResponse(BaseModel):
    """How an export went, and the files it wrote."""

    outcome: Literal["none", "running", "done", "stopped", "failed"]
    message: str
    files: list[str]


class TrainingResponse(BaseModel):
    """The latest training."""

    outcome: Literal["none", "running", "done", "stopped", "failed"]
    run: str = ""
    step: str = ""
    message: str = ""
    stages: list[StageResponse] = []
    seconds_left: float | None = None
    samples: list[SampleResponse] = []
    results: list[str] = []
    suggestions: list[SuggestionResponse] = []
    scores: list[ScoreResponse] = []
    measured_with: Literal["masks", "clicks"] = "masks"
    export: ExportResponse | None = None


def training_routes(training: Training, handlers: Handlers) -> APIRouter:
    """Return the routes.

    Args:
        training: What they start and report.
        handlers: The frames and their clicks.
    """
    own = TrainingHandlers(training, handlers.catalog)
    return make_router(
        [
            ("GET", "/training", own.progress, TrainingResponse, READ_ERRORS),
            ("POST", "/training", own.start, TrainingResponse, WRITE_ERRORS),
            ("DELETE", "/training", own.stop, TrainingResponse, WRITE_ERRORS),
            ("POST", "/training/export", own.export, TrainingResponse, WRITE_ERRORS),
            ("GET", "/training/samples/{stage}/{name}", own.sample, "image/png", (404, *READ_ERRORS)),
            ("GET", "/training/results/{position}", own.result, "video/webm", (404, *READ_ERRORS)),
        ]
    )


class TrainingHandlers:
    """One method per request.

    Args:
        training: What they start and report.
        catalog: The frames to click.
    """

    def __init__(self, training: Training, catalog: Catalog) -> None:
        self.training, self._catalog = training, catalog
        self._offered: Path | None = None

    async def progress(self) -> Response:
        """Return how far the latest training is."""
        response = await asyncio.to_thread(self._progress)
        self._offer(response)
        return Response(response.model_dump_json(), media_type="application/json")

    async def start(self, body: TrainBody) -> Response:
        """Start a training, unless one is running."""
        await asyncio.to_thread(self.training.start, resume=body.resume)
        return await self.progress()

    async def stop(self, body: Strict) -> Response:
        """Ask the training to save and stop."""
        await asyncio.to_thread(self.training.job.stop)
        return await self.progress()

    async def export(self, body: Strict) -> Response:
        """Start to export the student of a finished training."""
        await asyncio.to_thread(self.training.export)
        return await self.progress()

    async def sample(self, stage: str, name: str) -> Response:
        """Return a sample picture."""
        run = self._run()
        if (stage, name) not in sample_pictures(run, stages_of(run)):
            raise HTTPException(404, "there is no such sample")
        return FileResponse(run / stage / f"{name}.png", headers={"Cache-Control": "no-cache"})

    async def result(self, position: int) -> Response:
        """Return a result video by its position in the list of results, whole or in part."""
        results = list(self.training.results(self._run()).values())
        if not 0 <= position < len(results):
            raise HTTPException(404, "there is no such result")
        return FileResponse(results[position], media_type="video/webm", headers={"Cache-Control": "no-cache"})

    def _run(self) -> Path:
        state = self.training.job.state()
        if state is None:
            raise HTTPException(404, "there is no training yet")
        return self.training.run_of(state)

    def _progress(self) -> TrainingResponse:
        state = self.training.job.state()
        if state is None:
            return TrainingResponse(outcome="none")
        run = self.training.run_of(state)
        stages = stages_of(run)
        active = next((stage for stage in stages if not stage.finished and stage.epochs), None)
        finished = state.outcome == "done"
        metrics = (self.training.scores(run) or {}) if finished else {}
        return TrainingResponse(
            outcome=state.outcome,
            run=run.name,
            step=state.steps[state.step][0],
            message=self._short(state.message),
            stages=[_stage(stage) for stage in stages],
            seconds_left=self.training.seconds_left(state, active) if active and state.outcome == "running" else None,
            samples=[SampleResponse(stage=stage, name=name) for stage, name in sample_pictures(run, stages)],
            results=list(self.training.results(run)) if finished else [],
            suggestions=self._suggestions(run) if finished else [],
            scores=_scores(metrics),
            measured_with=metrics.get("measured_with", "masks"),
            export=self._export(state) if finished else None,
        )

    def _suggestions(self, run: Path) -> list[SuggestionResponse]:
        keys = [FrameKey(entry["video"], entry["number"]) for entry in self.training.suggestions(run)]
        known = [key for key in keys if key in self._catalog]
        return [SuggestionResponse(id=self._catalog.id_of(key), **key._asdict()) for key in known]

    def _export(self, state: JobState) -> ExportResponse:
        exported = self.training.export_job.state()
        if exported is None or exported.facts != {"run": state.facts["run"]}:
            return ExportResponse(outcome="none", message="", files=[])
        folder = self.training.run_of(state) / "export"
        files = sorted(self._short(str(path)) for path in folder.glob("*")) if exported.outcome == "done" else []
        return ExportResponse(outcome=exported.outcome, message=self._short(exported.message), files=files)

    def _short(self, text: str) -> str:
        """Return a text with paths relative to the data set: clients need not see the server's folders."""
        return text.replace(f"{self.training.root}/", "")

    def _offer(self, response: TrainingResponse) -> None:
        """Offer the frames that a finished training suggests first, once."""
        run = self.training.runs / response.run
        if response.suggestions and run != self._offered:
            self._catalog.offer_first([FrameKey(one.video, one.number) for one in response.suggestions])
            self._offered = run


def _stage(stage: StageProgress) -> StageResponse:
    return StageResponse(
        name=stage.name,
        finished=stage.finished,
        epoch=len(stage.losses),
        epochs=stage.epochs,
        losses=_spread(stage.losses),
        mious=_spread(stage.mious),
    )


def _scores(metrics: Mapping[str, Any]) -> list[ScoreResponse]:
    """Return the value of each class from what a ``metrics.json`` holds; nothing of one that is missing."""
    kind = "class_accuracy" if metrics.get("measured_with") == "clicks" else "iou"
    return [ScoreResponse(name=name, value=value) for name, value in metrics.get(kind, {}).items()]


def _spread(values: tuple[float, ...]) -> list[float]:
    """Return at most ``MOST_POINTS`` of the values, the last one included."""
    step = -(-len(values) // MOST_POINTS) or 1
    return list(values[::-1][::step][::-1])
