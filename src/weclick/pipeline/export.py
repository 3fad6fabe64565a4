"""Exporting a student to files for other runtimes; each is checked before it replaces an earlier one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from weclick.data.dataset import DataSet
from weclick.data.index import Split
from weclick.errors import CheckpointError, ConfigError, DataError, ExportError
from weclick.files import atomic_path, partial_folder, sha256, writing
from weclick.images import resize_image
from weclick.inference.array_rules import Image
from weclick.inference.card import Card
from weclick.inference.convert import quantise, to_onnx, to_openvino, write_model
from weclick.inference.exported import SUFFIXES, ExportedNetwork
from weclick.inference.formats import FORMATS, Format
from weclick.inference.model import ExportedModel
from weclick.inference.opening import open_model
from weclick.inference.published import is_published
from weclick.inference.toolkits import missing
from weclick.inference.torch_model import TorchModel
from weclick.inference.verify import agreement, miou, noise_images
from weclick.pipeline.options import LEAST_UNJUDGED
from weclick.pipeline.settings import FitSettings

COMPARED: Final = 16
CALIBRATION: Final = 128
LEAST_AGREEMENT: Final = 0.999
"""Smallest share of pixels that an fp32 file must label like PyTorch; ties may be rounded differently."""


@dataclass(frozen=True)
class Exported:
    """A file that was written and checked.

    Args:
        path: The file; a ``.xml`` file has its ``.bin`` beside it.
        format: Name of its format.
        agreement: Share of pixels labelled like PyTorch, 0..1.
        frames: Number of frames compared.
        real: Whether these were frames of the data set, not random images.
        miou: On val, 0..1; None without masks there.
        drop: Points of mIoU lost against PyTorch.
    """

    path: Path
    format: str
    agreement: float
    frames: int
    real: bool
    miou: float | None
    drop: float | None

    @property
    def doubtful(self) -> bool:
        """Whether it differs much from PyTorch, and no masks show whether it is worse."""
        return self.drop is None and self.agreement < LEAST_UNJUDGED

    def __str__(self) -> str:
        kind = "frames" if self.real else "random pictures"
        compared = f"{self.agreement:.3%} of pixels as in PyTorch ({self.frames} {kind})"
        if self.miou is None or self.drop is None:
            return f"{compared}, mIoU not measured"
        return f"{compared}, mIoU {100 * self.miou:.2f} on val ({0 - round(self.drop, 2):+.2f})"


@dataclass(frozen=True)
class Evidence:
    """Images to compare exported models on, and PyTorch's results on them.

    Args:
        images: RGB frames uint8 (H, W, 3) of the exported size.
        reference: PyTorch's labels of each.
        real: Whether the images are frames of the data set, or random ones.
        data: The data set, or None.
        miou: PyTorch's on val, NaN without masks.
    """

    images: Sequence[Image]
    reference: Sequence[Image]
    real: bool
    data: DataSet | None
    miou: float


def choose_formats(names: str | None, data: DataSet | None, no_data: str) -> tuple[list[Format], list[str]]:
    """Return the formats to make, and a line about each that is left out.

    Args:
        names: Comma-separated; None chooses all that the installed packages and the data allow.
        data: The data set; int8 is calibrated on it.
        no_data: Reason why there is none.

    Raises:
        ConfigError: A named format is unknown or cannot be made, or none can.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()] if names is not None else list(FORMATS)
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise ConfigError(
            f"--formats {names}: unknown {', '.join(unknown) or 'nothing'}; choose of {', '.join(FORMATS)}"
        )
    obstacles = {name: _obstacle(FORMATS[name], data, no_data) for name in wanted}
    lines = [f"{name} left out: {obstacle}" for name, obstacle in obstacles.items() if obstacle]
    if lines and (names is not None or len(lines) == len(wanted)):
        raise ConfigError(f"cannot be exported: {'; '.join(lines)}")
    return [made for name, made in FORMATS.items() if name in wanted and not obstacles[name]], lines


def _obstacle(made: Format, data: DataSet | None, no_data: str) -> str | None:
    if absent := missing(made.packages):
        return f"it needs {', '.join(absent)}; pip install 'weclick[export]'"
    if made.precision == "int8" and (data is None or not data.layout.frames("train")):
        return f"it is calibrated on training images, and there are none ({no_data}); name the data with --data.root"
    return None


def open_data(settings: FitSettings, size: tuple[int, int]) -> tuple[DataSet | None, str]:
    """Return the run's data set at the exported size, or None and the reason."""
    if not settings.data.root:
        return None, "no data set is named"
    try:
        return settings.dataset.at(size), ""
    except DataError as error:
        return None, str(error)


def open_student(checkpoint: Path, size: tuple[int, int] | None) -> TorchModel:
    """Open the student to export, for images of a size (H, W), by default the one it was trained at.

    It runs on the CPU in fp32, which exported files are compared with.

    Raises:
        CheckpointError: It is not a student, or it is exported already.
    """
    if not checkpoint.exists():
        raise CheckpointError(f"checkpoint {checkpoint} not found; name one with --ckpt_path, or a run with --run")
    if checkpoint.suffix in SUFFIXES or is_published(checkpoint):
        raise CheckpointError(f"{checkpoint} is exported already; name the .ckpt file it was made of")
    model = open_model(checkpoint, stage="student", device="cpu", precision="fp32")
    assert isinstance(model, TorchModel)
    model.size = size or model.size
    return model


def export(
    model: TorchModel,
    card: Card,
    folder: Path,
    formats: Sequence[Format],
    *,
    data: DataSet | None,
    max_drop: float,
) -> Iterator[Exported]:
    """Write the files one after another.

    Args:
        model: The student, on the CPU in fp32.
        card: Description to store in the files; format, precision and mIoU are filled in.
        folder: Folder for the files.
        formats: Formats to write.
        data: Data set to check and calibrate with, of the model's size; None compares on random images.
        max_drop: Largest loss of mIoU on val that is accepted, in points.

    Raises:
        ExportError: A file gives other results than the student; it is not written.
        CheckpointError: The data set has other classes.
    """
    if data is not None and data.classes.names != model.classes.names:
        raise CheckpointError(
            f"the student has {len(model.classes)} classes ({', '.join(model.classes.names)}), the data set "
            f"{data.root} has {len(data.classes)}; name the student's data with --data.root"
        )
    evidence = _gather(model, data)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    graph = to_onnx(model.network, card.size, labels=card.output == "labels")
    for made in formats:
        own = replace(card, format=made.name, precision=made.precision)
        yield _write(_converted(graph, made, data), own, folder / made.file, evidence, max_drop)


def card_of(model: TorchModel, checkpoint: Path, *, labels: bool, run: str | None) -> Card:
    """Return the description that all files of one export share."""
    return Card(
        model.classes,
        model.size,
        output="labels" if labels else "logits",
        run=run,
        checkpoint=checkpoint.name,
        sha256=sha256(checkpoint),
        parameters=model.parameters,
    )


def _converted(graph: Any, made: Format, data: DataSet | None) -> Any:  # noqa: ANN401
    if made.name == "onnx":
        return graph
    model = to_openvino(graph)
    if made.precision != "int8":
        return model
    assert data is not None
    return quantise(model, _images(data, "train", CALIBRATION))


def _write(model: Any, card: Card, path: Path, evidence: Evidence, max_drop: float) -> Exported:  # noqa: ANN401
    """Write into a temporary folder beside ``path``, check the file, and move it to ``path``."""
    with writing(path), partial_folder(path, "exporting") as made:
        draft = made / path.name
        write_model(model, card, draft, final=path)
        result = _check(draft, card, path, evidence, max_drop)
        write_model(model, replace(card, miou=result.miou), draft, final=path)
        _move(draft, path)
    return result


def _move(draft: Path, path: Path) -> None:
    weights = draft.with_suffix(".bin")
    if weights.exists():
        path.unlink(missing_ok=True)  # never leave an old .xml beside new weights
        with atomic_path(path.with_suffix(".bin")) as temporary:
            weights.replace(temporary)
    with atomic_path(path) as temporary:
        draft.replace(temporary)


def _check(draft: Path, card: Card, path: Path, evidence: Evidence, max_drop: float) -> Exported:
    exported = ExportedModel(ExportedNetwork.open(draft))
    try:
        equal = agreement(exported, evidence.images, evidence.reference)
    except ExportError as error:
        raise ExportError(f"{path} is not written: {error}") from None
    if card.precision == "fp32" and equal < LEAST_AGREEMENT:
        raise ExportError(
            f"{path} is not written: it labels only {equal:.2%} of {len(evidence.images)} frames' pixels like PyTorch, "
            f"{LEAST_AGREEMENT:.1%} are needed; try another --size or leave {card.format} out of --formats, and report it"
        )
    score = drop = None
    if evidence.data is not None and not math.isnan(evidence.miou):
        score = miou(exported, _labelled(evidence.data))
        drop = 100 * (evidence.miou - score)
        if drop > max_drop:
            raise ExportError(
                f"{path} is not written: it loses {drop:.2f} points of mIoU on val ({100 * evidence.miou:.2f} to "
                f"{100 * score:.2f}), --max_drop allows {max_drop:g}; raise it, or leave {card.format} out of --formats"
            )
    return Exported(path, card.format, equal, len(evidence.images), evidence.real, score, drop)


def _gather(model: TorchModel, data: DataSet | None) -> Evidence:
    images: list[Image] = []
    if data is not None:
        images = _images(data, "val", COMPARED) or _images(data, "train", COMPARED)
    real, images = bool(images), images or noise_images(model.size, COMPARED)
    score = miou(model, _labelled(data)) if data is not None and data.labelled("val") else math.nan
    return Evidence(images, [model.labels(image) for image in images], real, data, score)


def _images(data: DataSet, split: Split, most: int) -> list[Image]:
    """Read evenly spread frames of a split at the data's size, whatever their shape, without damaged ones."""
    frames = [frame for segment in data.segments(split) for frame in segment.frames]
    images = []
    for index in np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(int):
        try:
            images.append(resize_image(data.reader.image(frames[index]), data.size))
        except DataError as error:
            warnings.warn(f"damaged frame left out: {error}", stacklevel=2)
    return images


def _labelled(data: DataSet) -> Iterator[tuple[Image, Image]]:
    return (data.reader.labelled(frame) for frame in data.labelled("val"))
