"""Evaluating a checkpoint: scores, consistency over time, speed, pictures, report."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import lightning.pytorch as pl
import numpy as np
import torch

from weclick.data.datamodule import ClipDataModule
from weclick.data.index import Split
from weclick.errors import CheckpointError, DataError
from weclick.inference.speed import device_name, measure_speed
from weclick.metrics import Evaluation
from weclick.modules import ExportedModule, SegmentationModule, StudentModule, load_checkpoint
from weclick.pipeline.checkpoint_io import is_whole
from weclick.pipeline.consistency import consistency
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings, trainer_refusals
from weclick.reporting.loggers import make_tracker, read_metrics
from weclick.reporting.pictures import comparison, write_picture
from weclick.reporting.report import Provenance, Report, Sample, write_report, write_tables

SAMPLES: Final = 8


@dataclass(frozen=True)
class Chosen:
    """A checkpoint to evaluate, and why it was chosen."""

    path: Path
    reason: str


def choose_checkpoint(run: Run, stage: Literal["teacher", "student"], split: Split) -> Chosen:
    """Pick a run's checkpoint: ``best`` on a split it was not chosen by, ``last`` where it was.

    ``best.ckpt`` was chosen by its mIoU on val; reporting that same number would flatter it.

    Raises:
        CheckpointError: The stage has no such checkpoint, or a damaged one.
    """
    which: Literal["best", "last"] = "last" if split == "val" else "best"
    path = run.checkpoint(stage, which)
    if not is_whole(path):
        raise CheckpointError(_lost(run, path))
    last = "end of training; best.ckpt was chosen on val itself"
    return Chosen(path, last if which == "last" else "best val/miou during training")


def _lost(run: Run, path: Path) -> str:
    """Say what can be done without a checkpoint: the other one beside it may be whole."""
    if not path.parent.exists():
        return f"{run.folder} has no {path.parent.name}; train it with weclick fit --resume {run.folder}"
    other = path.with_name("best.ckpt" if path.name == "last.ckpt" else "last.ckpt")
    beside = f"evaluate the one beside it with --ckpt_path {other}, or " if is_whole(other) else ""
    return (
        f"{path} is {'damaged' if path.exists() else 'missing'}; {beside}delete {path.parent} and train it anew with "
        f"weclick fit --resume {run.folder}"
    )


def need_masks(data: ClipDataModule, split: Split) -> None:
    """Refuse a split that nothing can be evaluated on.

    Raises:
        DataError: It has no masks.
    """
    if not data.labelled(split):
        raise DataError(
            f"the {split} split of {data.root} has no masks to evaluate with (data/README.md tells where they go); "
            "weclick predict shows what a student does without any"
        )


def results_folder(run: Run, chosen: Chosen) -> Path:
    """Return where a run keeps the results of a checkpoint: ``test/`` is for its own student, the rest lies below."""
    path, own = chosen.path.resolve(), run.folder.resolve()
    if path.parent == run.stage("student").resolve():
        return run.folder / "test"
    # FOLDER-FILE, the suffix with it where a folder may hold several formats of one name; from elsewhere also the run, and
    # the comparison it is of: their runs are all called alike
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
) -> tuple[Evaluation, SegmentationModule]:
    """Evaluate a checkpoint on a split and, given a folder, write tables, pictures and ``report.html`` there.

    With a folder, the results of a run's own checkpoint also go to its record in Weights & Biases.

    Args:
        settings: What to evaluate with.
        run: Its settings were asked for, and its record and folder get the results.
        chosen: The checkpoint.
        split: Of the settings' data.
        folder: For the results.
        stage: Refuse a checkpoint of another.
        config: ``settings`` as YAML, for the report; by default what the run was started with.

    Raises:
        CheckpointError: The checkpoint is of another stage than asked for, or for other classes.
        DataError: The split has no masks.
    """
    data = settings.make_data()
    need_masks(data, split)
    module = load_checkpoint(chosen.path, stage=stage, classes=data.classes)
    if isinstance(module, ExportedModule):  # knows one size only
        data = settings.make_data(size=module.card.size)
    collector = Collector(data, split, folder / "predictions" if folder and data.layout.name == "cityscapes" else None)
    device = settings.evaluation_device
    _score(module, data, split, settings, device, collector)
    assert module.scores is not None
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
            run.config.read_text(encoding="utf-8") if config is None else config,
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
    module: SegmentationModule,
    data: ClipDataModule,
    split: Split,
    settings: FitSettings,
    device: torch.device,
    collector: Collector,
) -> None:
    data.chosen_split = split
    options = {key: settings.trainer[key] for key in ("accelerator", "precision") if key in settings.trainer}
    with trainer_refusals():
        trainer = pl.Trainer(
            **options,
            devices=1 if device.index is None else [device.index],
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


def _provenance(
    settings: FitSettings, run: Run, chosen: Chosen, module: SegmentationModule, split: Split, data: ClipDataModule
) -> Provenance:
    clicks = None
    if run.clicks.exists():
        data.clicks_path = run.clicks
    if data.supervision == "clicks" and data.clicks_path is not None:
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
