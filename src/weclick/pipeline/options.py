"""Options of the trainer, and constants of commands, for the parser: nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from weclick.extensions import Part
from weclick.options import Options

PAGE_PORT: Final = 8765
"""Default port of the page."""

RUNS: Final = Path("runs")
"""Folder of all runs."""

Stage = Literal["teacher", "memory", "student"]

DEFAULT_PAIRS: Final = 200
"""Pairs of successive frames that temporal consistency is measured on."""

MAX_DROP: Final = 1.0
"""Points of mIoU on val that an exported file may lose at most, if no other number is given."""

LEAST_UNJUDGED: Final = 0.97
"""Share of pixels labelled like PyTorch below which a file is warned about, if there are no masks to measure it with.

On CamVid, int8 files of trained students kept 98.2 to 99.1 % of the pixels and lost 0.1 to 0.6 points of mIoU: 3 % of
the pixels correspond to about the one point that ``max_drop`` allows.
"""

Precision = Literal[
    "32-true", "16-mixed", "bf16-mixed", "transformer-engine", "transformer-engine-float16", "16-true", "bf16-true",
    "64-true", "64", "32", "16", "bf16", 64, 32, 16,
]  # fmt: skip
Duration = str | dict[str, int]


@dataclass(frozen=True)
class TrainerOptions(Options):
    """Arguments of Lightning's Trainer that a config may set, common to both stages.

    They are listed here, and not read from its signature, because importing Lightning takes seconds.

    Args:
        accelerator: ``auto``, ``cpu``, ``gpu`` or another of Lightning's.
        strategy: How processes share the work: ``auto``, ``ddp`` or another of Lightning's.
        devices: Number of devices per machine, their indices, -1 for all, or ``auto``.
        num_nodes: Number of machines.
        precision: Number format of the training, such as ``32-true``, ``bf16-mixed`` or ``16-mixed``; by default 32-true.
        callbacks: Callbacks beside ours, each {class_path: ..., init_args: {...}}.
        max_epochs: Epochs of each stage.
        min_epochs: Train at least this many epochs.
        max_steps: Stop after this number of optimiser steps; -1 sets no limit.
        min_steps: Train at least this number of optimiser steps.
        max_time: Stop after this time, DD:HH:MM:SS.
        limit_train_batches: Number of batches of an epoch, or a share of them; by default all.
        limit_val_batches: The same for validation.
        limit_test_batches: The same for Lightning's test loop.
        limit_predict_batches: The same for Lightning's predict loop.
        val_check_interval: Validate after this number of batches, or this share of an epoch; by default once per epoch.
        check_val_every_n_epoch: Validate after every so many epochs.
        log_every_n_steps: Log after every so many steps.
        accumulate_grad_batches: Number of steps of the loader per optimiser step.
        gradient_clip_val: Largest gradient; by default gradients are not clipped.
        gradient_clip_algorithm: ``norm`` or ``value``; by default norm.
        deterministic: Use deterministic algorithms only; ``warn`` warns where there is none.
        benchmark: Let cuDNN choose its algorithms by measurement.
        inference_mode: Validate in torch's inference mode.
        profiler: ``simple``, ``advanced`` or another of Lightning's.
        detect_anomaly: Let torch find the operation that made a gradient NaN.
        plugins: Only in Python: the argument of ``weclick.fit``.
        sync_batchnorm: Leave it off: weclick always synchronises BatchNorm, and Lightning would do it twice.
        reload_dataloaders_every_n_epochs: Make new loaders after every so many epochs; 0 keeps them.
        enable_autolog_hparams: Log the hyperparameters when a stage starts.
        model_registry: Name of a model to upload to Lightning's registry.
    """

    accelerator: str = "auto"
    strategy: str = "auto"
    devices: list[int] | str | int = "auto"
    num_nodes: int = 1
    precision: Precision | None = None
    callbacks: list[Part] | Part | None = None
    max_epochs: int | None = 20
    min_epochs: int | None = None
    max_steps: int = -1
    min_steps: int | None = None
    max_time: Duration | None = None
    limit_train_batches: int | float | None = None
    limit_val_batches: int | float | None = None
    limit_test_batches: int | float | None = None
    limit_predict_batches: int | float | None = None
    val_check_interval: int | float | Duration | None = None
    check_val_every_n_epoch: int | None = 1
    log_every_n_steps: int | None = None
    accumulate_grad_batches: int = 1
    gradient_clip_val: int | float | None = None
    gradient_clip_algorithm: str | None = None
    deterministic: bool | Literal["warn"] | None = None
    benchmark: bool | None = None
    inference_mode: bool = True
    profiler: str | None = None
    detect_anomaly: bool = False
    plugins: None = None
    sync_batchnorm: bool = False
    reload_dataloaders_every_n_epochs: int = 0
    enable_autolog_hparams: bool = True
    model_registry: str | None = None
