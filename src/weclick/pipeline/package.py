"""A folder to publish: the student's weights, its exported files, and the model card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from weclick.clicks import ClickStore, clicking_seconds, stats
from weclick.errors import DataError, RunError, one_line
from weclick.extensions import part_name
from weclick.files import new_folder, writing
from weclick.inference.checkpoint import write_weights
from weclick.inference.formats import FORMATS
from weclick.inference.published import (
    MODEL_CARD,
    REQUIREMENTS,
    WEIGHTS,
    changed_files,
    is_published,
)
from weclick.inference.published_weights import write_config
from weclick.inference.recorded import DONE
from weclick.inference.toolkits import missing
from weclick.inference.torch_model import TorchModel
from weclick.pipeline.export import card_of, choose_formats, export, open_data, open_student
from weclick.pipeline.options import MAX_DROP
from weclick.pipeline.run import Run
from weclick.pipeline.settings import FitSettings
from weclick.reporting.model_card import ClickFacts, ModelCard, write_model_card

_TEST_KEYS: Final = frozenset(
    {
        "measured_with",
        "miou",
        "accuracy",
        "iou",
        "class_accuracy",
        "clicks",
        "temporal_consistency",
        "speed",
        "evaluated",
    }
)
"""What the model card states of a test."""


def package(run: Run, settings: FitSettings, folder: Path, *, licence: str, need_data: bool = False) -> Iterator[str]:
    """Write a folder to publish; yield a line about each part, before what takes long.

    Args:
        run: Run whose student to publish: ``student/last.ckpt``, which ``weclick predict`` uses, too.
        settings: The run's. Where their data set is there, exported files are compared on its frames.
        folder: Folder to make. One that was made before is replaced if nothing in it was changed since.
        licence: As hubs spell it.
        need_data: Refuse to go on where the data set is not there.

    Raises:
        RunError: The run has no finished student, or a test whose results cannot be read.
        DataError: The folder holds something else, or cannot be written.
        ConfigError: The packages that an export takes are not installed.
        ExportError: An exported file gives other results than the student.
    """
    if not (run.stage("student") / DONE).is_file():
        raise RunError(f"{run.folder} has no finished student; train it with weclick fit --resume {run.folder}")
    checkpoint, test = run.checkpoint("student", "last"), _read_test(run)
    formats, _ = choose_formats("onnx" if missing(FORMATS["openvino"].packages) else "onnx,openvino", None, "")
    with new_folder(folder, "published model", replace=_may_replace(folder)) as made, writing(folder):
        model = open_student(checkpoint, None)
        data, no_data = open_data(settings, model.size)
        if need_data and data is None:
            raise DataError(no_data)
        yield f"{WEIGHTS}: {model.name}, {len(model.classes)} classes, from {checkpoint}"
        write_weights(made / WEIGHTS, model.network)
        yield f"exporting, compared on {f'frames of {data.root}' if data else f'random pictures ({no_data})'} ..."
        exported: dict[str, str] = {}
        card = card_of(model, checkpoint, labels=False, run=run.name)
        for written in export(model, card, made, formats, data=data, max_drop=MAX_DROP):
            yield f"{written.path.name}: {written}"
            exported[written.path.name] = str(written)
        (made / REQUIREMENTS).write_bytes(resources.files("weclick.inference").joinpath(REQUIREMENTS).read_bytes())
        frames = len(data.layout.frames("train")) if data else None
        write_model_card(made / MODEL_CARD, _model_card(run, settings, model, licence, frames, test, exported))
        write_config(made, checkpoint)


def _may_replace(folder: Path) -> bool:
    """Return whether a folder was written by this command, and holds nothing else.

    Raises:
        DataError: Something was changed since.
    """
    if not is_published(folder):
        return False
    if changed := changed_files(folder):
        raise DataError(
            f"{folder} was made by weclick package, but {', '.join(changed[:3])} was added or changed since and would be "
            "lost; move it away, or choose another folder with --out"
        )
    return True


def _model_card(
    run: Run,
    settings: FitSettings,
    model: TorchModel,
    licence: str,
    frames: int | None,
    test: dict[str, Any] | None,
    exported: dict[str, str],
) -> ModelCard:
    network = settings.student.network
    return ModelCard(
        name=run.name,
        classes=model.classes,
        licence=licence,
        network=model.name,
        imagenet=network.weights == "imagenet",
        outside=name if "." in (name := part_name("network", network.name)) else None,
        size=model.size,
        parameters=model.parameters,
        arm=settings.arm,
        data=Path(settings.data.root).resolve().name if settings.data.root else "unknown",
        frames=frames,
        clicks=_click_facts(run, model),
        test=test,
        checkpoint="last.ckpt",
        exported=exported,
        version=version("weclick"),
    )


def _click_facts(run: Run, model: TorchModel) -> ClickFacts | None:
    if not run.clicks.exists():
        return None
    with ClickStore(run.clicks, model.classes, readonly=True) as store:
        counted = stats(store)
        frames = {record.key for record in store.records()} | set(store.accepted())
        return ClickFacts(
            clicks=counted.clicks,
            frames=len(frames),
            labels=counted.labels,
            simulated="rule" in counted.provenance,
            seconds=clicking_seconds(store),
        )


def _read_test(run: Run) -> dict[str, Any] | None:
    """Return the results of ``weclick test``, or None if the run was not tested.

    Raises:
        RunError: They cannot be read, or are of an earlier student.
    """
    path, again = run.folder / "test" / "metrics.json", f"run weclick test --run {run.folder} again"
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mtime < (run.stage("student") / DONE).stat().st_mtime:
            raise RunError(f"{path} is older than the student, which was trained again since; {again}")
        if not metrics.keys() >= _TEST_KEYS:
            raise ValueError("it lacks metrics")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({one_line(error)}); {again}") from None
    return metrics
