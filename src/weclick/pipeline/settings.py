"""The settings of a fit, one dataclass per group of the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import lightning.pytorch as pl
import torch
from lightning.fabric import Fabric
from lightning.fabric.utilities.exceptions import MisconfigurationException

from weclick.data.datamodule import ClipDataModule
from weclick.errors import ConfigError, one_line
from weclick.flow.estimators import FlowName
from weclick.memory import Fusion
from weclick.modules import StudentModule, TeacherModule
from weclick.modules.arms import ArmName
from weclick.ranges import PositiveInt, Seed, check_ranges
from weclick.reporting.loggers import WandbMode

_COUNTS: Final = ("max_epochs", "accumulate_grad_batches", "check_val_every_n_epoch")
"""Trainer options that Lightning takes as 0 and then divides by, or trains nothing."""

_OTHER_PRECISIONS: Final = ("64", "64-true", "16-true", "bf16-true")
"""Precisions of the trainer in which weights are of another type than the frames they meet."""


@dataclass
class MemorySettings:
    """How the memory is made.

    Args:
        mode: ``stored`` builds it once and trains from disk; ``online`` runs teacher and flow in every step.
        flow: ``auto`` is RAFT-large on a GPU and DIS on a CPU; or one of ``dis``, ``dis-fast``, ``raft-small``,
            ``raft-large``.
        folder: A finished memory of another run to use instead of building one.
        views: Let the teacher look at each frame at three scales and mirrored, and average.
        fusion: How the neighbours' votes, and the target's own, are weighed.
        connected: Keep of each class only what hangs together with a click of it; takes every region to have its click,
            and so does nothing with ``data.clicks_per_frame``.
        restricted: Leave only classes that were clicked on the target; changes training, not what is stored.
    """

    mode: Literal["stored", "online"] = "stored"
    flow: FlowName = "auto"
    folder: str | None = None
    views: bool = False
    fusion: Fusion = field(default_factory=Fusion)
    connected: bool = False
    restricted: bool = False


@dataclass
class TrackingSettings:
    """Where runs are tracked, besides the local ``metrics.csv``.

    Args:
        wandb: ``auto`` is online when you are logged in to Weights & Biases, else offline; or ``online``, ``offline``,
            ``disabled``. The environment variable WANDB_MODE goes first.
        project: Weights & Biases project.
    """

    wandb: WandbMode = "auto"
    project: str = "weclick"


@dataclass
class FitSettings:
    """Everything a fit needs, parsed.

    Args:
        arm: Name of the row in the method's table; its options are in the groups below already.
        seed: Of weights, order and draws.
        data: Arguments of :class:`~weclick.data.datamodule.ClipDataModule`.
        teacher: Arguments of the teacher module.
        student: Arguments of the student module.
        trainer: Arguments of Lightning's Trainer, common to both stages.
        teacher_epochs: Epochs of the teacher, by default the trainer's.
        teacher_checkpoint: A finished teacher to use instead of training one.
        teacher_rounds: Teachers trained one after the other; each after the first also learns from the memory of the one before,
            by its ``kd_weight`` and ``mfd_weight``.
        callbacks: Makes the user's own callbacks, anew for each stage.

    Raises:
        ConfigError: A number is out of its range, or the trainer has no number of epochs.
    """

    arm: ArmName
    seed: Seed
    data: dict[str, Any]
    teacher: dict[str, Any]
    student: dict[str, Any]
    trainer: dict[str, Any]
    memory: MemorySettings = field(default_factory=MemorySettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    teacher_epochs: PositiveInt | None = None
    teacher_checkpoint: str | None = None
    teacher_rounds: PositiveInt = 1
    callbacks: Callable[[], list[pl.Callback]] = list

    def __post_init__(self) -> None:
        check_ranges(FitSettings, vars(self))
        check_ranges(Fusion, vars(self.memory.fusion), "memory.fusion")
        check_ranges(ClipDataModule, self.data, "data")
        check_ranges(TeacherModule, self.teacher, "teacher")
        check_ranges(StudentModule, self.student, "student")
        if self.memory.connected and self.memory.mode == "online":
            raise ConfigError(
                "memory.connected takes too long in every step; give --memory.connected false, or mode stored"
            )
        if (self.teacher_rounds > 1) != _distils(self.teacher):
            alone = "above 0: there is no earlier teacher, give --teacher_rounds 2"
            raise ConfigError(
                f"teacher_rounds {self.teacher_rounds} with teacher.kd_weight and teacher.mfd_weight "
                f"{alone if self.teacher_rounds == 1 else '0: set one of them'}"
            )
        if self.trainer.get("limit_train_batches") == 0:
            raise ConfigError("trainer.limit_train_batches 0 trains nothing; give at least 1, or a share such as 0.1")
        if str(self.trainer.get("precision")) in _OTHER_PRECISIONS:
            raise ConfigError(
                f"trainer.precision {self.trainer['precision']}: frames are float32; give 32-true, bf16-mixed or 16-mixed"
            )
        for name in _COUNTS:
            value = self.trainer.get(name, 1)
            if (value is None and name == "max_epochs") or (value is not None and value < 1):
                raise ConfigError(f"trainer.{name} must be at least 1, found {value}")

    @property
    def needs_teacher(self) -> bool:
        """Whether teacher and memory stages come before the student's."""
        return _distils(self.student)

    @property
    def earlier_round(self) -> FitSettings:
        """Settings of the round before: the teacher of the first learns from clicks alone."""
        alone = {"kd_weight": 0.0, "mfd_weight": 0.0} if self.teacher_rounds == 2 else {}
        memory = replace(self.memory, mode="stored", folder=None)
        return replace(self, teacher_rounds=self.teacher_rounds - 1, teacher={**self.teacher, **alone}, memory=memory)

    @property
    def device(self) -> torch.device:
        """Where this process runs teacher and flow outside of training: the device that training gives it, too."""
        names = ("accelerator", "devices", "num_nodes")
        chosen = {name: self.trainer[name] for name in names if self.trainer.get(name) is not None}
        with refusing_options():
            return Fabric(**chosen).device

    @property
    def evaluation_device(self) -> torch.device:
        """The one device to evaluate on: that of training or, where this machine has no such, its first."""
        try:
            return self.device
        except ConfigError:
            return replace(self, trainer={**self.trainer, "devices": 1, "num_nodes": 1}).device

    def make_data(self, size: tuple[int, int] | None = None) -> ClipDataModule:
        """Return a fresh data module, by default of the settings' working size."""
        changed = {} if size is None else {"size": size}
        return ClipDataModule(**{**self.data, **changed}, seed=self.seed)


def _distils(network: Mapping[str, Any]) -> bool:
    return any(network.get(f"{term}_weight", 0.0) > 0 for term in ("kd", "mfd"))


@contextmanager
def refusing_options() -> Iterator[None]:
    """Say in one line what Lightning refuses about the trainer's options.

    Raises:
        ConfigError: An option has no such value, or this machine no such device.
    """
    try:
        yield
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"{one_line(error, 600)} Check the trainer options") from error
