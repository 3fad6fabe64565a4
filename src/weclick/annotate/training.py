"""Trainings that the page starts: the commands of a run, how far they are, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final

from weclick.jobs import Command, Job, JobState
from weclick.reporting.stages import StageProgress, stages_of

SUGGESTED: Final = 12
"""Frames to click next."""
_EXAMINED: Final = 100
_MOST_FRAMES: Final = 3000
"""Frames of each result video, two minutes."""

SAMPLES: Final = ("train_samples", "val_samples")
"""Sample pictures of a stage, as :class:`weclick.reporting.pictures.SamplePictures` writes them."""


@dataclass(frozen=True)
class Training:
    """The trainings of one data set; one runs at a time, in a job that outlives the server.

    Args:
        root: The data set.
        config: Settings of a training.
        runs: Folder of the runs and of the jobs' files.
        videos: Files to predict on afterwards, by name.
    """

    root: Path
    config: Path
    runs: Path
    videos: dict[str, Path]

    @property
    def job(self) -> Job:
        """The job that trains."""
        return Job(self.runs, "train")

    @property
    def export_job(self) -> Job:
        """The job that exports."""
        return Job(self.runs, "export")

    def run_of(self, state: JobState) -> Path:
        """Return the folder of a job's run."""
        return self.runs / str(state.facts["run"])

    def start(self, *, resume: bool) -> None:
        """Start a new run, or go on with the latest one if it is not finished; without effect while one is running."""
        state = self.job.state()
        steps: Sequence[Command]
        if resume and state is not None and state.outcome != "done":
            name, steps = str(state.facts["run"]), state.steps
        else:
            name = self._new_name()
            steps = self._steps(name)
        epochs = {stage.name: len(stage.losses) for stage in stages_of(self.runs / name)}
        self.job.start(steps, {"run": name, "started": time(), "epochs": epochs})

    def export(self) -> None:
        """Export the student of the latest run; without effect while that is running."""
        state = self.job.state()
        if state is not None and state.outcome == "done":
            run = self.run_of(state)
            self.export_job.start([["export", "--run", str(run)]], {"run": run.name})

    def seconds_left(self, state: JobState, stage: StageProgress) -> float | None:
        """Return how long the rest of a stage takes at the speed so far; None before its first epoch."""
        before = state.facts["epochs"].get(stage.name, 0)
        seconds = stage.updated - max(stage.begun, state.facts["started"])
        done = len(stage.losses) - before
        return max(seconds, 0.0) / done * (stage.epochs - len(stage.losses)) if done > 0 else None

    def results(self, run: Path) -> dict[str, Path]:
        """Return the result videos of a run by the name of their video."""
        places = {name: run / "result" / name / "compare.webm" for name in self.videos}
        return {name: place for name, place in places.items() if place.exists()}

    def suggestions(self, run: Path) -> list[dict[str, Any]]:
        """Return what ``weclick clicks suggest`` listed after a run."""
        file = run / "suggestions.json"
        return list(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else []

    def scores(self, run: Path) -> dict[str, Any] | None:
        """Return what ``weclick test`` measured after a run."""
        file = run / "test" / "metrics.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None

    def _new_name(self) -> str:
        taken = [int(path.name[6:]) for path in self.runs.glob("train-*") if path.name[6:].isdecimal()]
        return f"train-{max(taken, default=0) + 1}"

    def _steps(self, name: str) -> Sequence[Command]:
        """Return the commands of a run: training, result videos, frames to click next, and its scores if it can be measured."""
        run = self.runs / name
        named = ["--runs", str(self.runs), "--name", name, "--resume", name]
        fit = ["fit", "--config", str(self.config), "--data.root", str(self.root), "--report", "false", *named]
        film = ["--run", str(run), "--labels", "false", "--compare", "true", "--max_frames", str(_MOST_FRAMES)]
        predict = [
            ["predict", "--source", str(video), "--out", str(run / "result" / video_name), *film]
            for video_name, video in self.videos.items()
        ]
        suggest = ["clicks", "suggest", str(self.root), "--run", str(run), "--out", str(run / "suggestions.json")]
        suggest += ["--count", str(SUGGESTED), "--most", str(_EXAMINED)]
        return [fit, *predict, suggest, ["test", "--run", str(run), "--required", "false"]]


def sample_pictures(run: Path, stages: Collection[StageProgress]) -> list[tuple[str, str]]:
    """Return stage and name of the sample pictures that a run has."""
    return [(s.name, name) for s in stages for name in SAMPLES if (run / s.name / f"{name}.png").exists()]
