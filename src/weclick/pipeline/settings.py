"""The settings of a fit, one group of options per group of the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.strategies import Strategy

from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.options import DataOptions
from weclick.data.supply import Supply
from weclick.errors import ConfigError, one_line
from weclick.flow.estimators import FlowEstimator, FlowPrecision, flow_name, make_flow
from weclick.flow.scaled import ScaledFlow, scaled_name
from weclick.losses import SOFT, without_needs
from weclick.machine import launched_processes
from weclick.memory.options import MemoryOptions
from weclick.modules.arms import ArmName
from weclick.modules.options import ModuleOptions
from weclick.options import Options, PositiveInt, Seed
from weclick.pipeline.options import Stage
from weclick.reporting.options import TrackingOptions

_COUNTS: Final = ("max_epochs", "accumulate_grad_batches", "check_val_every_n_epoch")
"""Trainer options for which Lightning accepts 0, and then divides by it or trains nothing."""

_OTHER_PRECISIONS: Final = ("64", "64-true", "16-true", "bf16-true")
"""Precisions of the trainer that Lightning gives to weights but not to the frames of a batch."""


@dataclass(frozen=True)
class Engine:
    """What runs the processes of a fit, given in Python, as a config cannot hold objects.

    Args:
        strategy: A strategy of Lightning's Trainer, by name or as an object; None takes the config's.
        plugins: Plugins of Lightning's Trainer, such as a cluster environment, beside the config's.
    """

    strategy: str | Strategy | None = None
    plugins: tuple[Any, ...] = ()


@dataclass(frozen=True)
class FitSettings(Options):
    """Everything a fit needs, parsed.

    Args:
        data: Data set, clicks, clips, draws.
        arm: Name of the row in the method's table; its options are in the other groups already.
        seed: Seed of weights, order and draws.
        teacher: Network, optimiser and terms of the teacher.
        student: Network, optimiser and terms of the student.
        memory: How the memory is built.
        tracking: Where runs are tracked.
        trainer: Arguments of Lightning's Trainer, common to both stages.
        teacher_epochs: Epochs of the teacher, by default the trainer's.
        teacher_checkpoint: A finished teacher to use instead of training one.
        teacher_rounds: Teachers trained one after the other; each after the first also learns from the memory of the previous
            one, by its terms ``kd``, ``mfd`` and ``hard``.
        callbacks: Returns new instances of the user's own callbacks, called once per stage.
        engine: Strategy and plugins given in Python; no result depends on them.
        opened: Data sets that are open already, by root and layout; copies of these settings share them.

    Raises:
        ConfigError: An option is impossible, alone or with another.
    """

    data: DataOptions
    arm: ArmName = "weclick"
    seed: Seed = 0
    teacher: ModuleOptions = field(default_factory=ModuleOptions)
    student: ModuleOptions = field(default_factory=ModuleOptions)
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    tracking: TrackingOptions = field(default_factory=TrackingOptions)
    trainer: dict[str, Any] = field(default_factory=dict)
    teacher_epochs: PositiveInt | None = None
    teacher_checkpoint: str | None = None
    teacher_rounds: PositiveInt = 1
    callbacks: Callable[[], list[pl.Callback]] = list
    engine: Engine = field(default_factory=Engine, compare=False, repr=False)
    opened: dict[tuple[str, str], DataSet] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory.mode == "online" and self.memory.by_clicks:
            options = " and ".join(f"memory.{name}" for name in ("connected", "refined") if getattr(self.memory, name))
            raise ConfigError(
                f"{options} would take too long in every step; set them to false, or memory.mode to stored"
            )
        distilling = [f"teacher.terms.{term.name}" for term in self.teacher.active if term.needs & SOFT]
        if distilling and self.teacher_rounds == 1:
            raise ConfigError(
                f"{', '.join(distilling)}: there is no earlier teacher to learn from; give --teacher_rounds 2"
            )
        if not distilling and self.teacher_rounds > 1:
            raise ConfigError(
                f"teacher_rounds {self.teacher_rounds} needs teacher.terms.kd, .mfd or .hard with a weight: set one of them"
            )
        self._check_trainer_options()

    def _check_trainer_options(self) -> None:
        """Refuse values that Lightning accepts, but then fails on or trains nothing with."""
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
    def needed_stages(self) -> tuple[Stage, ...]:
        """The stages of a fit, in order."""
        if not self.needs_teacher:
            return ("student",)
        builds_memory = self.memory.mode == "stored" and self.memory.folder is None
        return ("teacher", "memory", "student") if builds_memory else ("teacher", "student")

    @property
    def earlier_round(self) -> FitSettings:
        """Settings of the previous round; in the first, the teacher learns from clicks alone."""
        teacher = self.teacher
        if self.teacher_rounds == 2:
            teacher = replace(teacher, terms=without_needs(teacher.terms, SOFT))
        memory = replace(self.memory, mode="stored", folder=None)
        return replace(self, teacher_rounds=self.teacher_rounds - 1, teacher=teacher, memory=memory)

    @property
    def device(self) -> torch.device:
        """Device for teacher and flow outside of training: the one this process gets in training, too."""
        return self.make_bare_trainer().strategy.root_device

    @property
    def processes(self) -> int:
        """Number of processes that share a batch, over all machines."""
        return self.make_bare_trainer().world_size

    def make_bare_trainer(self) -> pl.Trainer:
        """Return a new Trainer that trains nothing, but knows its devices and processes.

        Raises:
            ConfigError: An option has an unknown value, or this machine lacks the device.
        """
        with trainer_refusals():
            return pl.Trainer(**self.placement, logger=False, enable_checkpointing=False, enable_progress_bar=False)

    @property
    def placement(self) -> dict[str, Any]:
        """Arguments of a Trainer that decide where it runs: the config's, the engine's and, for the rest, the launcher's."""
        names = ("accelerator", "devices", "num_nodes", "strategy", "plugins")
        chosen = {name: self.trainer[name] for name in names if self.trainer.get(name) is not None}
        if (launched := launched_processes()) is not None:
            if chosen.get("devices", "auto") == "auto":
                chosen["devices"] = launched[0]
            if chosen.get("num_nodes", 1) == 1:
                chosen["num_nodes"] = launched[1]
        engine = deepcopy(self.engine)  # a Trainer fills in the strategy it is given, and refuses one that is filled in
        if engine.strategy is not None:
            chosen["strategy"] = engine.strategy
        plugins = chosen.get("plugins", [])
        chosen["plugins"] = [*(plugins if isinstance(plugins, list | tuple) else [plugins]), *engine.plugins]
        return chosen

    @property
    def evaluation_device(self) -> torch.device:
        """Device to evaluate on: that of training or, if this machine lacks it, its first."""
        try:
            return self.device
        except ConfigError:
            return replace(self, trainer={**self.trainer, "devices": 1, "num_nodes": 1}).device

    @property
    def dataset(self) -> DataSet:
        """The data set at the settings' working size; opened at the first use, as listing a large one takes seconds."""
        if self._source not in self.opened:
            self.opened[self._source] = DataSet.open(self.data.root, self.data.layout)
        return self.opened[self._source].at(self.data.size)

    def on(self, dataset: DataSet) -> FitSettings:
        """Return these settings with another view of their data set, such as with other labels."""
        return replace(self, opened={self._source: dataset})

    @property
    def _source(self) -> tuple[str, str]:
        return self.data.root, str(self.data.layout)

    def make_flow(self, device: torch.device, precision: FlowPrecision = "fp32") -> FlowEstimator:
        """Return the memory's flow estimator at its scale; see :func:`weclick.flow.estimators.make_flow`."""
        estimator = make_flow(self.memory.flow, device, precision)
        return estimator if self.memory.flow_scale == 1 else ScaledFlow(estimator, self.memory.flow_scale)

    def flow_name(self, device: torch.device) -> str:
        """Return that estimator's name, without loading the weights of a shipped one."""
        return scaled_name(flow_name(self.memory.flow, device), self.memory.flow_scale)

    def make_data(self, *, clicks: Path | None = None, supplies: tuple[Supply, ...] = ()) -> ClipDataModule:
        """Return a new data module; see :class:`ClipDataModule` for the arguments."""
        return ClipDataModule(self.data, seed=self.seed, dataset=self.dataset, clicks=clicks, supplies=supplies)


def _distils(options: ModuleOptions) -> bool:
    return bool(options.needs & SOFT)


@contextmanager
def trainer_refusals() -> Iterator[None]:
    """Raise what Lightning refuses about the trainer's options as an error of one line.

    Raises:
        ConfigError: An option has an unknown value, or this machine lacks the device.
    """
    try:
        yield
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ConfigError(f"{one_line(error, 600)} Check the trainer options") from error
