from pathlib import Path

import pytest

from weclick.metrics.evaluation import Speed
from weclick.pipeline.ablation import Outcome
from weclick.pipeline.settings import FitSettings


@pytest.fixture
def settings():
    """Return the settings of an arm and seed; keywords are of the data."""

    def make(arm="clicks", seed=0, **data):
        return FitSettings(
            arm=arm, seed=seed, data={"root": "x", **data}, teacher={}, student={}, trainer={"max_epochs": 12}
        )

    return make


@pytest.fixture
def outcome(settings):
    """Return an outcome by arm, seed and mIoU; keywords of the data, or fields in `fields`."""

    def make(arm, seed, miou, fields=(), **data):
        values = {
            **{"report": Path(f"runs/x/{arm}-s{seed}/test/report.html"), "split": "val", "frames": 101},
            **{"clicks": None if arm == "full" else 1000, "miou": miou, "iou": {"road": miou, "car": miou / 2}},
            **{"temporal": 0.8, "speed": Speed(50.04, 20.0, "a processor", (360, 480), "fp32")},
            **dict(fields),
        }
        return Outcome(settings(arm, seed, **data), **values)

    return make
