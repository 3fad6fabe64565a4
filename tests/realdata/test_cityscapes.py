"""A few snippets of Cityscapes, as they lie at WECLICK_CITYSCAPES, and the official evaluator's opinion of us."""

import json

import pytest

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

SMALL = ["--teacher", "teacher/lite2.yaml", "--student", "student/light.yaml", "--trainer", "trainer/cpu.yaml"]


def test_trained_by_all_stages_and_scored_as_by_the_official_evaluator(weclick, fit, cityscapes, tmp_path):
    official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    weclick("data", "check", cityscapes)
    options = ["--data.size=[256,512]", "--data.draws.crop=[128,256]", "--data.clips.neighbours=1"]
    fit("cityscapes.yaml", cityscapes, *SMALL, *options)
    weclick("test")
    folder = next((tmp_path / "runs").iterdir()) / "test"
    metrics = json.loads((folder / "metrics.json").read_text())
    truths = sorted(cityscapes.glob("gtFine/val/*/*_gtFine_labelIds.png"))
    assert metrics["evaluated"]["frames"] == len(truths)
    stems = [truth.name.removesuffix("_gtFine_labelIds.png") for truth in truths]
    predictions = [folder / "predictions" / f"{stem}_pred_labelIds.png" for stem in stems]
    official.args.evalInstLevelScore, official.args.quiet, official.args.JSONOutput = False, True, False
    found = official.evaluateImgLists([str(p) for p in predictions], [str(t) for t in truths], official.args)
    assert metrics["miou"] == pytest.approx(found["averageScoreClasses"], abs=1e-6)
    for name, iou in metrics["iou"].items():
        if iou is not None:
            assert iou == pytest.approx(found["classScores"][name], abs=1e-6)
