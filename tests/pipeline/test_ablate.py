from pathlib import Path

import pytest
import torch

from weclick.metrics import Evaluation, SegmentationScore
from weclick.pipeline.ablate import Result, summary, table_markdown


def result(arm, seed, right):
    """A network that gets `right` of ten pixels of each of two classes right."""
    labels = torch.tensor([[0] * 10 + [1] * 10])
    score = SegmentationScore(2)
    score.update(torch.where(torch.arange(20) % 10 < right, labels, 1 - labels), labels)
    return Result(arm, seed, Evaluation(score.compute()), Path("report.html"))


def test_gain_and_share_by_hand():
    results = [result("clicks", 0, 5), result("clicks", 1, 8), result("full", 0, 10)]  # IoU 1/3, 2/3, 1
    clicks, full = summary(results)
    assert (clicks["mIoU"], clicks["seeds"], clicks["spread"]) == ("50.00", "2", "23.57")
    assert (clicks["gain over clicks"], clicks["share of full"]) == ("+0.00", "50.00")
    assert (full["mIoU"], full["spread"], full["gain over clicks"], full["share of full"]) == (
        "100.00",
        "-",
        "+50.00",
        "100.00",
    )
    assert "| clicks | 2 | 50.00 |" in table_markdown(results)


@pytest.mark.parametrize("arms", [("kd",), ("kd", "full")])
def test_without_its_reference_a_column_stays_empty(arms):
    row = summary([result(arm, 0, 5 if arm == "kd" else 0) for arm in arms])[0]
    assert row["gain over clicks"] == "-"
    assert row["share of full"] == "-"  # there is no full, or it got nothing right
