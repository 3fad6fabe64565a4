"""Samples, scores and files as Weights & Biases shows them.

The client is imported in each function: it takes a second, and a run that is not tracked needs none.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from weclick.classes import ClassSet
from weclick.metrics import Evaluation
from weclick.reporting.plots import plot_confusion
from weclick.reporting.samples import Sample

_CHART_UP_TO: Final = 40
"""Classes up to which a confusion matrix is a chart with a tip on each cell; beyond, it is a picture."""


@dataclass(frozen=True)
class Asset:
    """Files that one job writes and others read; the same files give the same version, whichever job names them.

    Args:
        name: Of the collection that keeps all versions; letters that the client refuses are replaced.
        kind: ``clicks``, ``model``, ``memory`` or ``export``.
        files: Files by their name in the collection.
        aliases: Names of this version.
        metadata: Shown beside it.
    """

    name: str
    kind: str
    files: Mapping[str, Path]
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


def artifact(asset: Asset) -> Any:  # noqa: ANN401
    """Return an asset as an artifact of the client."""
    import wandb

    made = wandb.Artifact(
        re.sub(r"[^\w.-]", "-", asset.name, flags=re.ASCII)[-128:], asset.kind, metadata=dict(asset.metadata)
    )
    for name, path in asset.files.items():
        # a checkpoint is large: neither staged nor cached, only read when it is uploaded
        made.add_file(str(path.absolute()), name=name, policy="immutable", skip_cache=True)
    return made


def picture(sample: Sample, classes: ClassSet) -> Any:  # noqa: ANN401
    """Return a frame with its clicks drawn, and its layers as masks that can be switched."""
    import wandb

    labels = dict(enumerate(classes.names))
    masks = {name: {"mask_data": layer, "class_labels": labels} for name, layer in sample.shown.items()}
    return wandb.Image(sample.frame(classes), masks=masks, caption=sample.name)


def frames_table(samples: Sequence[Sample], classes: ClassSet) -> Any:  # noqa: ANN401
    """Return a table of frames with their pictures, in the order given."""
    import wandb

    rows = [[sample.name, sample.miou, picture(sample, classes)] for sample in samples]
    return wandb.Table(columns=["frame", "mIoU", "picture"], data=rows)


def confusion_chart(matrix: np.ndarray, classes: ClassSet) -> Any:  # noqa: ANN401
    """Return the confusion matrix in percent of each true class."""
    import wandb

    if len(classes) > _CHART_UP_TO:
        return wandb.Image(Image.open(io.BytesIO(plot_confusion(matrix, classes))))
    shares = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    names = classes.names
    rows = [[names[i], names[j], round(float(share), 2)] for (i, j), share in np.ndenumerate(shares)]
    # not plot.confusion_matrix, which counts a list of one label per pixel
    return wandb.plot_table(
        "wandb/confusion_matrix/v1",
        wandb.Table(columns=["Actual", "Predicted", "nPredictions"], data=rows),
        {name: name for name in ("Actual", "Predicted", "nPredictions")},
        {"title": "Confusion, in percent of the true class"},
    )


def class_bars(evaluation: Evaluation, classes: ClassSet) -> Any:  # noqa: ANN401
    """Return a bar per class that was measured: its IoU or, of held-out clicks, the share that is right."""
    import wandb

    clicked = evaluation.measured_with == "clicks"
    values, title = (evaluation.scores.class_accuracy, "right clicks") if clicked else (evaluation.scores.iou, "IoU")
    rows = [[name, value] for name, value in zip(classes.names, values, strict=True) if not math.isnan(value)]
    return wandb.plot.bar(wandb.Table(columns=["class", title], data=rows), "class", title, title=f"{title} per class")


def iou_scores(prefix: str, iou: Sequence[float], classes: ClassSet) -> dict[str, float]:
    """Return the IoU of each class that was measured, by ``prefix/iou/CLASS``."""
    return {
        f"{prefix}/iou/{name}": value for name, value in zip(classes.names, iou, strict=True) if not math.isnan(value)
    }


def test_scores(evaluation: Evaluation, classes: ClassSet) -> dict[str, float]:
    """Return the scores of a test by name."""
    accuracy = evaluation.scores.accuracy
    scores = (
        {"test/click_accuracy": accuracy}
        if evaluation.measured_with == "clicks"
        else {"test/miou": evaluation.scores.miou, "test/accuracy": accuracy}
    )
    if evaluation.temporal is not None:
        scores["test/temporal_consistency"] = evaluation.temporal.masked
    if evaluation.speed is not None:
        scores["test/fps"] = evaluation.speed.fps
    return scores | iou_scores("test", evaluation.scores.iou, classes)
