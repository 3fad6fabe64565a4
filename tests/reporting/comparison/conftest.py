from pathlib import Path

import pytest

from weclick.metrics.evaluation import Speed
from weclick.reporting.comparison.outcome import Outcome


@pytest.fixture
def outcome():
    """Return an outcome by arm, seed and mIoU; keywords are further fields."""

    def make(arm, seed, miou, **fields):
        values = {
            **{"epochs": 12, "report": Path(f"runs/x/{arm}-s{seed}/test/report.html"), "split": "val", "frames": 101},
            **{"clicks": None if arm == "full" else 1000, "iou": {"road": miou, "car": miou / 2}},
            **{"temporal": 0.8, "speed": Speed(50.04, 20.0, "a processor", (360, 480), "fp32")},
        }
        return Outcome(arm=arm, seed=seed, miou=miou, **{**values, **fields})

    return make
