"""Evaluating a checkpoint: scores, consistency over time, speed, pictures, report."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from weclick.callbacks.loggers import make_tracker, read_metrics
from weclick.callbacks.pictures import comparison, write_picture
from weclick.callbacks.report import Provenance, Report, Sample, write_report, write_tables
from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Frame, Segment, Split
from weclick.errors import CheckpointError, DataError
from weclick.flow.estimators import FarnebackFlow
from weclick.flow.reliability import reliable
from weclick.flow.warp import warp_to_target
from weclick.metrics import Evaluation, TemporalConsistency, VideoConsistency, labels_at
from weclick.modules import ExportedModule, SegmentationModule, StudentModule, load_checkpoint
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings, refusing_options
from weclick.serve.speed import device_name, measure_speed

SAMPLES: Final = 8
MOST_PAIRS: Final = 500
WINDOWS: Final = (8, 16)


@dataclass(frozen=True)
class Chosen:
    """A checkpoint to evaluate, and why it was chosen."""

    path: Path
    reason: str


def choose_checkpoint(run: Run, stage: Literal["teacher", "student"], split: Split) -> Chosen:
    """Pick a run's checkpoint: ``best`` on a split it was not chosen by, ``last`` where it was.

    ``best.ckpt`` was chosen by its mIoU on val; reporting that same number would flatter it.

    Raises:
        CheckpointError: The stage has no checkpoint.
    """
    which: Literal["best", "last"] = "last" if split == "val" else "best"
    path = run.checkpoint(stage, which)
    if not path.exists():
        raise CheckpointError(f"{run.folder} has no {stage} checkpoint {path.name}; train it with weclick fit")
    last = "end of training; best.ckpt was chosen on val itself"
    return Chosen(path, last if which == "last" else "best val/miou during training")


def results_folder(run: Run, chosen: Chosen) -> Path:
    """Return where a run keeps the results of a checkpoint: ``test/`` is for its own student, the rest lies below."""
    if chosen.path.resolve().parent == run.stage("student").resolve():
        return run.folder / "test"
    return run.folder / "test" / f"{chosen.path.resolve().parent.name}-{chosen.path.stem}"


def evaluate(
    settings: FitSettings, run: Run, chosen: Chosen, split: Split, *, folder: Path | None, stage: str | None = None
) -> tuple[Evaluation, SegmentationModule]:
    """Evaluate a checkpoint on a split and, given a folder, write tables, pictures and ``report.html`` there.

    With a folder, the results of a run's own checkpoint also go to its record in Weights & Biases.

    Raises:
        CheckpointError: The checkpoint is of another stage than asked for, or for other classes.
        DataError: The split has no masks.
    """
    data = settings.make_data()
    if not data.labelled(split):
        raise DataError(f"the {split} split of {data.root} has no masks to evaluate with; see data/README.md")
    module = load_checkpoint(chosen.path, stage=stage, classes=data.classes)
    if isinstance(module, ExportedModule):  # knows one size only
        data = settings.make_data(size=module.card.size)
    collector = Collector(data, split, folder / "predictions" if folder and data.layout.name == "cityscapes" else None)
    _score(module, data, split, settings, collector)
    assert module.scores is not None
    device = settings.device
    module.to(device)
    evaluation = consistency(module, data, split, device)
    bf16 = "bf16" in str(settings.trainer.get("precision", ""))
    speed = measure_speed(module, data.size, device, bf16=bf16)
    if isinstance(module, ExportedModule):
        speed = replace(speed, device=device_name(module.network.device), precision=module.network.precision)
    found = Evaluation(module.scores, *evaluation, speed=speed)
    if folder is not None:
        report = Report(
            found,
            _provenance(settings, run, chosen, module, split, data),
            data.classes,
            run.config.read_text(encoding="utf-8"),
            collector.samples,
            read_metrics(chosen.path.parent / "metrics.csv"),
        )
        write_tables(folder, report)
        write_report(folder, report)
        if chosen.path.resolve().parent == (run.folder / module.stage).resolve():
            _track(settings, run, module, found)
    return found, module


def _track(settings: FitSettings, run: Run, module: SegmentationModule, found: Evaluation) -> None:
    """Put the results into the stage's record in Weights & Biases, where it is tracked."""
    tracker = make_tracker(
        run.folder / module.stage,
        mode=settings.tracking.wandb,
        project=settings.tracking.project,
        run=run.name,
        stage=module.stage,
    )
    if tracker is None:
        return
    values = {"test/miou": found.scores.miou}
    if found.temporal is not None:
        values["test/temporal_consistency"] = found.temporal.masked
    per_class = zip(module.classes.names, found.scores.iou, strict=True)
    values |= {f"test/iou/{name}": iou for name, iou in per_class if not math.isnan(iou)}
    tracker.log_summary(values)
    tracker.finalize("success")


def _score(
    module: SegmentationModule, data: ClipDataModule, split: Split, settings: FitSettings, collector: Collector
) -> None:
    data.chosen_split = split
    options = {key: settings.trainer[key] for key in ("accelerator", "precision") if key in settings.trainer}
    with refusing_options():
        trainer = pl.Trainer(
            **options,
            devices=1,
            logger=False,
            callbacks=[collector],
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            enable_checkpointing=False,
        )
    trainer.test(module, datamodule=data, verbose=False)


class Collector(pl.Callback):
    """Keeps evenly spread samples for the report and writes official-format predictions.

    Args:
        data: What is evaluated.
        split: Of it.
        predictions: Folder for ``<city>_<seq>_<frame>_pred_labelIds.png`` at the labels' size, as the official
            Cityscapes evaluator reads them; None writes none.
    """

    def __init__(self, data: ClipDataModule, split: Split, predictions: Path | None) -> None:
        keys = [frame.key for frame in data.labelled(split)]
        self.wanted = {keys[i] for i in np.linspace(0, len(keys) - 1, min(SAMPLES, len(keys))).round().astype(int)}
        self.samples: list[Sample] = []
        self.predictions = predictions
        table = data.layout.label_ids()
        count = len(data.classes)
        self.stored = np.array([table.index(c) if table else c for c in range(count)], np.uint8)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at each frame of the batch."""
        for image, label, key, prediction in zip(
            batch["image"], batch["label"], batch["key"], outputs["predictions"], strict=True
        ):
            if key in self.wanted:
                shown = comparison(image, label, prediction)
                self.samples.append(Sample(str(key), shown["image"], shown["prediction"], shown["truth"]))
            if self.predictions is not None:
                name = f"{key.video}_{key.number:06d}_pred_labelIds.png"
                write_picture(self.predictions / name, self.stored[prediction.cpu().numpy()])


def consistency(
    module: SegmentationModule, data: ClipDataModule, split: Split, device: torch.device
) -> tuple[Any, dict[int, float]]:
    """Measure temporal consistency over pairs of successive frames, and VC_n over densely labelled videos.

    The flow is Farneback's, which no training uses. At most ``MOST_PAIRS`` pairs, evenly spread.

    Returns:
        Temporal consistency, None without any pair; and VC_n by n, without those no video is long enough for.
    """
    found = data.segments(split)
    temporal = TemporalConsistency(len(data.classes)).to(device)
    for frame, following in _shown(list(_pairs(found)), "consistency"):
        _compare(temporal, module, data, frame, following, device)
    windows = {n: VideoConsistency(n).to(device) for n in WINDOWS}
    for segment in found:
        _follow(windows, module, data, segment, device)
    values = {n: metric.compute() for n, metric in windows.items() if int(metric.windows)}
    return (temporal.compute() if int(temporal.inside_pairs.sum()) else None), values


def _pairs(found: list[Segment]) -> Iterator[tuple[Frame, Frame]]:
    pairs = [
        pair for s in found for pair in pairwise(s.frames) if pair[0].label is not None or pair[1].label is not None
    ]
    chosen = np.linspace(0, len(pairs) - 1, min(MOST_PAIRS, len(pairs))).round().astype(int)
    return (pairs[index] for index in chosen)


def _shown(work: list[Any], title: str) -> Any:  # noqa: ANN401
    return track(work, title, disable=not sys.stderr.isatty(), transient=True)


@torch.inference_mode()
def _compare(
    temporal: TemporalConsistency,
    module: SegmentationModule,
    data: ClipDataModule,
    frame: Frame,
    following: Frame,
    device: torch.device,
) -> None:
    flow = FarnebackFlow()
    one, two = (_read(data, f, device) for f in (frame, following))
    first, second = (labels_at(module(image), data.size) for image in (one, two))
    forward, backward = flow(one, two), flow(two, one)
    warped, inside = warp_to_target(second[:, None].float(), forward, mode="nearest")
    temporal.update(first, warped[:, 0].long(), inside[:, 0], reliable(forward, backward)[:, 0])


@torch.inference_mode()
def _follow(
    windows: dict[int, VideoConsistency],
    module: SegmentationModule,
    data: ClipDataModule,
    segment: Segment,
    device: torch.device,
) -> None:
    """Feed the segment's labelled stretches to VC_n."""
    labelled = [frame.label is not None for frame in segment.frames]
    if sum(labelled) < min(windows):
        return
    for frame, has_label in zip(segment.frames, labelled, strict=True):
        if not has_label:
            for metric in windows.values():
                metric.reset_video()
            continue
        label = torch.from_numpy(data.reader.label(frame)).to(device)
        prediction = labels_at(module(_read(data, frame, device)), (label.shape[0], label.shape[1]))[0]
        for metric in windows.values():
            metric.update(prediction, label.long())
    for metric in windows.values():
        metric.reset_video()


def _read(data: ClipDataModule, frame: Frame, device: torch.device) -> Tensor:
    image = torch.from_numpy(data.reader.image(frame)).to(device)
    return image.permute(2, 0, 1)[None].float() / 255


def _provenance(
    settings: FitSettings, run: Run, chosen: Chosen, module: SegmentationModule, split: Split, data: ClipDataModule
) -> Provenance:
    clicks = None
    if data.supervision == "clicks" and (data.clicks_path or run.clicks.exists()):
        data.open_clicks(run.clicks)
        clicks = sum(map(len, data.clicks.values()))
    return Provenance(
        run=run.name,
        stage=module.stage,
        arm=settings.arm if isinstance(module, StudentModule) else None,
        split=split,
        frames=len(data.labelled(split)),
        checkpoint=str(chosen.path),
        reason=chosen.reason,
        seed=settings.seed,
        clicks=clicks,
        parameters=(
            module.card.parameters
            if isinstance(module, ExportedModule)
            else sum(p.numel() for p in module.network.parameters())
        ),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions={name: version(name) for name in ("weclick", "torch", "lightning")},
    )
