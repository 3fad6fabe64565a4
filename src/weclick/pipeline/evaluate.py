"""Evaluating a trained model: scores, consistency over time, speed, pictures, report."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Final, Literal

import numpy as np

from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.index import Split
from weclick.errors import CheckpointError, DataError
from weclick.inference.checkpoint import is_whole
from weclick.inference.model import ExportedModel, Model
from weclick.inference.opening import open_model
from weclick.inference.speed import measure_speed
from weclick.metrics import Evaluation
from weclick.pipeline.consistency import ConsistencyMeter
from weclick.pipeline.held_out import measures_with_clicks
from weclick.pipeline.options import DEFAULT_PAIRS
from weclick.pipeline.run import Run
from weclick.pipeline.scoring import ScoredFrame, score
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.tracking import checkpoint_asset, job_record
from weclick.reporting.pictures import write_picture
from weclick.reporting.report import Provenance, Report, write_report, write_tables
from weclick.reporting.samples import Sample
from weclick.reporting.stages import read_metrics

SAMPLES: Final = 8
"""Frames in a report."""
WORST: Final = 48
"""Frames in the table of Weights & Biases; it advises against more than 50 pictures at once."""


_REASONS: Final[dict[Split, str]] = {
    "test": "best val/miou during training",
    "val": "end of training; best.ckpt was chosen on val itself",
    "train": "end of training",
}


@dataclass(frozen=True)
class Chosen:
    """A checkpoint to evaluate, and why it was chosen."""

    path: Path
    reason: str


def choose_checkpoint(run: Run, stage: Literal["teacher", "student"], split: Split) -> Chosen:
    """Choose a run's checkpoint: ``best`` on the test split, ``last`` on others.

    ``best.ckpt`` was chosen by its mIoU on val, so its mIoU there is biased upwards. The train split is evaluated on clicks that
    were held out from it where there are no masks, by which nothing is chosen.

    Raises:
        CheckpointError: The stage has no such checkpoint, or a damaged one.
    """
    which: Literal["best", "last"] = "best" if split == "test" else "last"
    path = run.checkpoint(stage, which)
    if not is_whole(path):
        raise CheckpointError(_missing(run, path))
    return Chosen(path, _REASONS[split])


def _missing(run: Run, path: Path) -> str:
    """Describe a missing or damaged checkpoint, and what to do: the other one beside it may be whole."""
    if not path.parent.exists():
        return f"{run.folder} has no {path.parent.name}; train it with weclick fit --resume {run.folder}"
    other = path.with_name("best.ckpt" if path.name == "last.ckpt" else "last.ckpt")
    beside = f"evaluate the one beside it with --ckpt_path {other}, or " if is_whole(other) else ""
    return (
        f"{path} is {'damaged' if path.exists() else 'missing'}; {beside}delete {path.parent} and train it again with "
        f"weclick fit --resume {run.folder}"
    )


def need_masks(dataset: DataSet, split: Split) -> None:
    """Refuse a split without masks.

    Raises:
        DataError: It has none.
    """
    if not dataset.labelled(split):
        raise DataError(
            f"the {split} split of {dataset.root} has no masks to evaluate with (data/README.md shows where they go); "
            "weclick predict draws a student's predictions without any"
        )


def results_folder(run: Run, chosen: Chosen) -> Path:
    """Return the folder for the results of a checkpoint: ``test/`` for the run's own student, a folder in it for others."""
    path, own = chosen.path.resolve(), run.folder.resolve()
    if path.parent == run.stage("student").resolve():
        return run.folder / "test"
    # FOLDER-FILE, with the suffix if a folder may hold several formats of one name. For files of other runs also the run and
    # its comparison, as different comparisons have runs of the same names
    parts = path.relative_to(own).parts if path.is_relative_to(own) else path.parts[1:][-4:]
    name = path.stem if path.suffix == ".ckpt" else path.name
    return run.folder / "test" / "-".join((*parts[:-1], name))


def evaluate(
    settings: FitSettings,
    run: Run,
    chosen: Chosen,
    split: Split,
    *,
    folder: Path | None,
    stage: str | None = None,
    config: str | None = None,
    predictions: Path | None = None,
    pairs: int = DEFAULT_PAIRS,
) -> tuple[Evaluation, Model]:
    """Evaluate a checkpoint or exported model on a split and, given a folder, write tables, pictures and ``report.html``.

    With a folder, the results of a run's own checkpoint also go to Weights & Biases, as the run's test.

    Args:
        settings: Data and device to evaluate with; for held-out clicks, those of :func:`~weclick.pipeline.held_out.measurable`.
        run: Run of these settings.
        chosen: The checkpoint.
        split: Split of the settings' data.
        folder: Folder for the results.
        stage: Stage the checkpoint must be of; None allows both.
        config: ``settings`` as YAML, for the report; by default the run's own.
        predictions: Folder for predictions in the official Cityscapes format, which are written for data of that layout;
            by default ``predictions`` in ``folder``.
        pairs: Number of pairs of successive frames to measure temporal consistency on; see :class:`ConsistencyMeter`.

    Raises:
        CheckpointError: The checkpoint is of another stage, or for other classes.
        DataError: The split has no masks, or only void ones.
    """
    need_masks(settings.dataset, split)
    model = open_model(chosen.path, stage=stage, classes=settings.dataset.classes, device=settings.evaluation_device)
    if isinstance(model, ExportedModel):  # it takes images of one size only
        settings = replace(settings, data=replace(settings.data, size=model.size))
    data = settings.make_data(clicks=run.clicks if run.clicks.exists() else None)
    dataset = data.dataset
    official = (predictions or folder / "predictions") if folder and dataset.layout.name == "cityscapes" else None
    clicked = measures_with_clicks(dataset)
    collector = Collector(dataset, official, clicked=clicked)
    meter = ConsistencyMeter(model, dataset, split, pairs)
    scores = score(model, data, split, [collector.add, meter.add])
    if not scores.confusion.any():
        raise DataError(
            f"all masks of the {split} split of {dataset.root} are void everywhere; they must hold class ids"
        )
    temporal, compared, video = meter.compute()
    speed = measure_speed(model, dataset.size)
    if clicked:  # single pixels: no area to measure, and no video that is labelled densely
        evaluation = Evaluation(scores.without_iou(), temporal, compared, speed=speed, measured_with="clicks")
    else:
        evaluation = Evaluation(scores, temporal, compared, video, speed)
    if folder is not None:
        report = Report(
            evaluation,
            _provenance(settings, run, chosen, model, split, data),
            dataset.classes,
            run.config.read_text(encoding="utf-8") if config is None else config,
            collector.worst[:SAMPLES],
            read_metrics(chosen.path.parent / "metrics.csv"),
        )
        write_tables(folder, report)
        write_report(folder, report)
        if chosen.path.resolve().parent == (run.folder / model.stage).resolve():
            facts = {"stage": model.stage, "split": split, "checkpoint": str(chosen.path), "reason": chosen.reason}
            with job_record(settings, run, "test", folder, facts) as tracker:
                tracker.use(checkpoint_asset(chosen.path))
                tracker.log_evaluation(evaluation, collector.worst, dataset.classes)
    return evaluation, model


class Collector:
    """Keeps the worst frames for the report, and writes predictions in the official format.

    Args:
        dataset: Data set to evaluate on.
        predictions: Folder for ``<city>_<seq>_<frame>_pred_labelIds.png`` at the labels' size, as the official
            Cityscapes evaluator reads them; None writes none.
        clicked: Whether the labels are clicks: the worst frames are then those with the fewest correct ones.
    """

    def __init__(self, dataset: DataSet, predictions: Path | None, *, clicked: bool = False) -> None:
        self._worst: list[tuple[float, int, Sample]] = []
        self._order = count()
        self.predictions, self.clicked = predictions, clicked
        table, classes = dataset.layout.label_ids(), range(len(dataset.classes))
        self.stored = np.array([table.index(c) if table else c for c in classes], np.uint8)

    def add(self, frame: ScoredFrame) -> None:
        """Collect from a scored frame."""
        quality = frame.accuracy if self.clicked else frame.miou
        rank = -quality, -next(self._order)  # the best of the worst comes first, and no two are equal
        if not math.isnan(quality) and (len(self._worst) < WORST or rank > self._worst[0][:2]):
            heapq.heappush(self._worst, (*rank, self._sample(frame)))
            if len(self._worst) > WORST:
                heapq.heappop(self._worst)
        if self.predictions is not None:
            name = f"{frame.key.video}_{frame.key.number:06d}_pred_labelIds.png"
            write_picture(self.predictions / name, self.stored[frame.prediction.cpu().numpy()])

    def _sample(self, frame: ScoredFrame) -> Sample:
        name, layers = str(frame.key), {"truth": frame.label, "prediction": frame.prediction}
        if self.clicked:
            return Sample.of_clicks(name, frame.image, **layers)
        return Sample.of(name, frame.image, layers, miou=frame.miou)

    @property
    def worst(self) -> list[Sample]:
        """The worst frames, the worst first."""
        return [sample for *_, sample in sorted(self._worst, reverse=True)]


def _provenance(
    settings: FitSettings, run: Run, chosen: Chosen, model: Model, split: Split, data: ClipDataModule
) -> Provenance:
    # the checkpoint of another run may be evaluated in a run without clicks
    clicks = data.clicks if run.clicks.exists() else None
    return Provenance(
        run=run.name,
        stage=model.stage,
        arm=settings.arm if model.stage == "student" else None,
        split=split,
        frames=len(data.dataset.labelled(split)),
        checkpoint=str(chosen.path),
        reason=chosen.reason,
        seed=settings.seed,
        clicks=None if clicks is None else sum(map(len, clicks.clicks.values())),
        parameters=model.parameters,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions={name: version(name) for name in ("weclick", "torch", "lightning")},
    )
