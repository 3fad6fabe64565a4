"""Training one stage with Lightning: trainer, callbacks, resume, final files."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from weclick.data.datamodule import ClipDataModule
from weclick.data.sampler import own_batch
from weclick.files import atomic_path
from weclick.inference.checkpoint import write_weights
from weclick.modules.averaging import HorizonAveraging
from weclick.modules.base import SegmentationModule
from weclick.modules.batch_norm import BatchNormSync
from weclick.modules.checkpoint import load_checkpoint
from weclick.pipeline.checkpoint_io import WholeCheckpointIO
from weclick.pipeline.environment import record_environment
from weclick.pipeline.interrupt import SaveOnSignal
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings, trainer_refusals
from weclick.pipeline.tracking import StoredCheckpoints, stage_loggers
from weclick.reporting.epochs import EpochBar, EpochLines
from weclick.reporting.means import EpochMeans
from weclick.reporting.pictures import SamplePictures
from weclick.reporting.progress import on_terminal


def train(module: SegmentationModule, data: ClipDataModule, run: Run, settings: FitSettings, epochs: int) -> None:
    """Train the module of a stage, resuming from ``last.ckpt`` if that exists.

    Afterwards the stage's folder holds ``best.ckpt`` (by ``val/miou``; a copy of the last one without validation),
    ``last.ckpt``, ``weights.safetensors``, ``metrics.csv``, ``curves.png`` and sample pictures.

    Raises:
        Interrupted: A signal was received; ``last.ckpt`` holds the state.
    """
    folder = run.stage(module.stage)  # type: ignore[arg-type]
    last = folder / "last.ckpt"
    guard = SaveOnSignal(last)
    trainer = make_trainer(module, data, run, settings, epochs, guard)
    record_environment(settings, folder)
    resume = str(last) if last.exists() else None
    if resume is not None:
        load_checkpoint(last, stage=module.stage, classes=module.classes)
    with guard.listening(), _calm_warnings():
        try:
            trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
        except SystemExit:  # how Lightning leaves after a second Ctrl-C
            raise KeyboardInterrupt from None
    _finish(folder)


def make_trainer(
    module: SegmentationModule, data: ClipDataModule, run: Run, settings: FitSettings, epochs: int, guard: SaveOnSignal
) -> pl.Trainer:
    """Return the trainer of a stage."""
    folder = run.stage(module.stage)  # type: ignore[arg-type]
    validated = bool(data.dataset.labelled("val"))
    horizon = module.options.optimiser.ema
    callbacks = [
        EpochMeans(),  # before the callbacks that print its means, and before the guard, which saves its sums
        *_checkpoints(folder, validated),
        SamplePictures(folder, module.classes, clicked=data.clicks is not None),
        StoredCheckpoints(folder),
        EpochBar() if on_terminal() else EpochLines(),
        *([HorizonAveraging(horizon)] if horizon else []),
        guard,  # after averaging, so that it saves the average; before the rates, so that it stops before they are logged
        LearningRateMonitor("epoch"),
        *settings.callbacks(),
    ]
    return _trainer(
        settings,
        max_epochs=epochs,
        callbacks=callbacks,
        plugins=[
            WholeCheckpointIO(),
            *([BatchNormSync(settings.device.type)] if settings.processes > 1 else []),
        ],
        logger=stage_loggers(settings, run, module),
        default_root_dir=folder,
        enable_progress_bar=False,  # Lightning's own
        **({} if validated else {"limit_val_batches": 0}),
    )


def check_trainer(settings: FitSettings) -> None:
    """Refuse trainer options that Lightning would refuse, before anything is written.

    Raises:
        ConfigError: An option has an unknown value, this machine lacks the device, or its processes cannot divide a batch.
    """
    _trainer(settings, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    own_batch(settings.data.batch_size, settings.processes, settings.trainer.get("accumulate_grad_batches") or 1)


def _trainer(settings: FitSettings, plugins: Sequence[Any] = (), **own: Any) -> pl.Trainer:  # noqa: ANN401
    fixed = {
        "use_distributed_sampler": False,  # the data module distributes samples itself, without repeating any
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
    }
    placement = settings.placement
    placement["plugins"] += plugins
    with trainer_refusals():
        return pl.Trainer(**{"log_every_n_steps": 10, **settings.trainer, **placement, **fixed, **own})


class StageCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint whose state is kept apart from that of one among the user's callbacks."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best score also if the run was moved, with its checkpoints; and the latest, which Lightning leaves out."""

        def moved(path: str) -> str:
            return str(Path(self.dirpath or "") / Path(path).name) if path else path

        places = {
            name: moved(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **places, "best_k_models": best, "dirpath": self.dirpath})
        self.current_score = state_dict["current_score"]


def _checkpoints(folder: Path, validated: bool) -> list[ModelCheckpoint]:
    """Return the callbacks that save ``last.ckpt`` after every epoch and, with validation, ``best.ckpt``.

    Two callbacks, as ``save_last`` of a single one saves only when the best has changed.
    """
    last = StageCheckpoint(folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False)
    best = StageCheckpoint(
        folder,
        filename="best",
        monitor="val/miou",
        mode="max",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )
    return [last, best] if validated else [last]


@rank_zero_only
def _finish(folder: Path) -> None:
    """Write the files made from checkpoints; these hold the averaged weights, the module in memory does not."""
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not best.exists() and last.exists():
        with atomic_path(best) as temporary:
            shutil.copyfile(last, temporary)
    write_weights(folder / "weights.safetensors", load_checkpoint(last).network)


@contextmanager
def _calm_warnings() -> Iterator[None]:
    """Silence warnings of Lightning that do not apply here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
        # EpochMeans averages over all processes already
        warnings.filterwarnings("ignore", ".*It is recommended to use .*sync_dist=True.*")
        warnings.filterwarnings("ignore", ".*number of training batches .* is smaller than the logging interval.*")
        yield


def frozen(module: SegmentationModule, device: torch.device) -> torch.nn.Module:
    """Return the module's network on the device, in evaluation mode and without gradients."""
    network: torch.nn.Module = module.network.to(device).eval().requires_grad_(False)
    return network
