"""The whole pipeline: teacher, memory, student; finished stages are reused, interrupted ones go on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.utilities import rank_zero_info

from weclick.data.datamodule import ClipDataModule
from weclick.data.mask_content import read_masks
from weclick.data.supplies import NeighbourPairs, PlainView
from weclick.data.supply import Supply
from weclick.errors import ConfigError, DataError, RunError
from weclick.flow import flow_name
from weclick.inference.recorded import DONE
from weclick.losses import SOFT
from weclick.memory.store import MemoryStore
from weclick.modules.checkpoint import load_checkpoint
from weclick.modules.options import ModuleOptions
from weclick.modules.student import StudentModule
from weclick.modules.teacher import TeacherModule
from weclick.pipeline.accepted import accepted_supply
from weclick.pipeline.clicks import clicks_of, take_clicks
from weclick.pipeline.grow import grow_clicks, grown_supply
from weclick.pipeline.inputs import data_facts, describe_targets, earlier_round, enough_epochs, run_data, teacher_facts
from weclick.pipeline.memory import Shard, build_memory, memory_facts, memory_supply, refuse_incomplete_memory
from weclick.pipeline.options import Stage
from weclick.pipeline.processes import first_process_first
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.pipeline.training import check_trainer, train
from weclick.reporting.loggers import refuse_missing_tensorboard
from weclick.reporting.progress import progress_bar


def check(settings: FitSettings, stages: tuple[Stage, ...] = ("student",)) -> None:
    """Refuse a bad data set, trainer, teacher, flow, memory or student before anything is written, or trained for it."""
    check_trainer(settings)
    refuse_missing_tensorboard(settings.tracking)
    classes = settings.dataset.classes
    if "student" in stages:  # its ImageNet weights must be available, too; the size does not matter
        StudentModule(classes.to_list(), (32, 32), settings.student)
    flow_name(settings.memory.flow, settings.device)
    if settings.needs_teacher and settings.teacher_checkpoint is not None:
        load_checkpoint(settings.teacher_checkpoint, stage="teacher", classes=classes)
    if settings.needs_teacher and settings.memory.folder is not None:
        refuse_other_memory(MemoryStore(Path(settings.memory.folder)), settings)


def fit(settings: FitSettings, run: Run, stages: tuple[Stage, ...], shard: Shard | None = None) -> None:
    """Run the stages an arm needs, in order.

    Args:
        settings: Parsed settings.
        run: Gets the results.
        stages: Stages to run; those the arm does not need are skipped.
        shard: Build only this part of the memory.

    Raises:
        RunError: An earlier stage that is needed is missing.
    """
    needed = settings.needed_stages
    unneeded = [stage for stage in stages if stage not in needed]
    if unneeded == list(stages):
        raise ConfigError(
            f"arm {settings.arm} with memory.mode {settings.memory.mode} has no {', '.join(stages)} stage"
        )
    with first_process_first():  # it alone prints what was found
        take_clicks(settings, run)
    if "student" in stages:
        need_neighbours(settings, run)
    trains_teacher = "teacher" in needed and "teacher" in stages and settings.teacher_checkpoint is None
    if settings.teacher_rounds > 1 and trains_teacher and not (run.stage("teacher") / DONE).exists():
        take_clicks(settings, earlier_round(run), clicks_of(run))
        fit(settings.earlier_round, earlier_round(run), ("teacher", "memory"))
    for stage in needed:
        if stage in stages:
            _DO[stage](settings, run, shard)


def _seed(settings: FitSettings) -> None:
    """Seed all random numbers, right before a network is made: what comes before may draw some, in a resumed run no more."""
    pl.seed_everything(settings.seed, workers=True, verbose=False)


def fit_teacher(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Train the teacher from clicks, unless one is given."""
    if settings.teacher_checkpoint is not None:
        rank_zero_info(f"teacher: {settings.teacher_checkpoint}")
        return
    data = run_data(settings, run)
    facts = teacher_facts(settings, data)
    if not run.begin("teacher", facts):
        rank_zero_info(f"teacher: finished in {run.stage('teacher')}")
        return
    _examine_masks(data)
    if "grown" in settings.teacher.needs:
        grow_clicks(settings, run)
    data = run_data(settings, run, _teacher_supplies(settings, run))
    round_text = f", round {settings.teacher_rounds}" if settings.teacher_rounds > 1 else ""
    rank_zero_info(f"teacher: {describe_targets(data)}, {facts['epochs']} epochs{round_text}")
    _seed(settings)
    module = TeacherModule(data.dataset.classes.to_list(), data.dataset.size, settings.teacher)
    train(module, data, run, settings, facts["epochs"])
    run.mark_done("teacher", facts)


def _teacher_supplies(settings: FitSettings, run: Run) -> tuple[Supply, ...]:
    """Return what the terms of the teacher need; in later rounds it also learns from the memory of the previous one."""
    if settings.teacher_rounds == 1:
        return supplies_of(settings.teacher, settings, run)
    earlier, before = settings.earlier_round, earlier_round(run)
    refuse_incomplete_memory(earlier, before, run_data(settings, run))
    return supplies_of(settings.teacher, settings, run, memory_supply(earlier, before))


def fit_student(settings: FitSettings, run: Run, shard: Shard | None = None) -> None:
    """Train the student by its arm."""
    data = run_data(settings, run)
    epochs = enough_epochs(settings, data, settings.trainer["max_epochs"])
    facts = {"student": asdict(settings.student), "epochs": epochs, **data_facts(settings, data)}
    facts |= memory_facts(settings, run, data)
    if "neighbour" in settings.student.needs:
        facts["flow"] = settings.flow_name(settings.device)
    if not run.begin("student", facts):
        rank_zero_info(f"student: finished in {run.stage('student')}")
        return
    _examine_masks(data)
    if "grown" in settings.student.needs:
        grow_clicks(settings, run)
    data = run_data(settings, run, supplies_of(settings.student, settings, run))
    if settings.needs_teacher:
        refuse_incomplete_memory(settings, run, data)
    rank_zero_info(f"student: arm {settings.arm}, {describe_targets(data)}, {epochs} epochs")
    _seed(settings)
    module = StudentModule(data.dataset.classes.to_list(), data.dataset.size, settings.student)
    train(module, data, run, settings, epochs)
    run.mark_done("student", facts)


def supplies_of(
    options: ModuleOptions, settings: FitSettings, run: Run, soft_labels: Supply | None = None
) -> tuple[Supply, ...]:
    """Return what the terms of a module need besides image and labels.

    Args:
        options: Options of the module.
        settings: Settings of the run.
        run: Holds its clicks, what they grow to, and its memory or the teacher that makes it.
        soft_labels: Supply of soft labels; by default from the run's own memory.
    """
    supplies: list[Supply] = []
    if options.needs & SOFT:
        supplies.append(soft_labels or memory_supply(settings, run))
    if "neighbour" in options.needs:
        supplies.append(NeighbourPairs(settings.make_flow(settings.device), settings.dataset.reader))
    if "average" in options.needs:
        supplies.append(PlainView())
    if "grown" in options.needs:
        supplies.append(grown_supply(settings, run))
    if "accepted" in options.needs:
        supplies.append(accepted_supply(settings, run))
    return tuple(supplies)


def _examine_masks(data: ClipDataModule) -> None:
    """Before a training on masks, print how many of them are void, and refuse those that tell no two classes apart.

    Raises:
        DataError: They hold one class at most, though the data set has several.
    """
    if data.options.supervision != "masks":
        return
    targets = [clip.target.label for clip in data.clips if clip.target.label is not None]
    with progress_bar("masks") as show:
        masks = read_masks(data.dataset.layout, targets, show)
    if (message := masks.single_class_message()) is not None:
        raise DataError(f"nothing can be learned from {data.dataset.root}: {message}")
    if (message := masks.void_message()) is not None:
        rank_zero_info(message)


def need_neighbours(settings: FitSettings, run: Run) -> None:
    """Refuse a student that needs neighbours if no training frame has one.

    Raises:
        ConfigError: No target has a neighbour.
    """
    needs = settings.student.needs
    other = "teacher" in needs or settings.memory.fusion.own or settings.memory.folder
    needed = "neighbour" in needs or ("memory" in needs and not other)
    if needed and not any(clip.neighbours for clip in run_data(settings, run).clips):
        terms = ", ".join(term.name for term in settings.student.active if term.needs & {"neighbour", "memory"})
        raise ConfigError(
            f"student.terms {terms} needs neighbours, and no training frame has one; set data.clips.neighbours to at "
            "least 1, or data.clips.stride lower"
        )


def refuse_other_memory(store: MemoryStore, settings: FitSettings) -> None:
    """Refuse a memory that was built with other classes or another size.

    Raises:
        RunError: It was.
    """
    wanted = {"classes": list(settings.dataset.classes.names), "size": list(settings.dataset.size)}
    differing = [name for name, value in wanted.items() if store.manifest.get(name) != value]
    if differing:
        raise RunError(f"memory.folder {store.folder} was built with another {', '.join(differing)}; build a new one")


_DO = {"teacher": fit_teacher, "memory": build_memory, "student": fit_student}
