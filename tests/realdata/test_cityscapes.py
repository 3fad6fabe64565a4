"""A few snippets of Cityscapes, as they lie at WECLICK_CITYSCAPES, and the official evaluator's opinion of us."""

import json
import zipfile

import pytest

from weclick.data.dataset import DataSet
from weclick.data.options import ClipOptions

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


def test_what_the_preset_needs_is_extracted_from_archives(weclick, cityscapes, tmp_path, capsys):
    archives, out = tmp_path / "archives", tmp_path / "out"
    for folder in ("gtFine", "leftImg8bit", "leftImg8bit_sequence"):
        name = f"{folder}_trainvaltest"
        (archives / name).mkdir(parents=True)
        with zipfile.ZipFile(archives / name / f"{name}.zip", "w") as file:
            for path in sorted((cityscapes / folder).rglob("*.*g")):
                file.write(path, path.relative_to(cityscapes))
    extract = ("data", "cityscapes", "--from", archives, "--root", out)
    whole = DataSet.open(cityscapes)
    for arm, options in (("beyond", ClipOptions(4, sides="both")), ("weclick", ClipOptions(4, sides="past"))):
        weclick(*extract, "--arm", arm)
        weclick("data", "check", out)
        part = DataSet.open(out)
        for split in ("train", "val"):
            targets = [frame.key for frame in whole.labelled(split)]
            clips, same = (data.clips(split, targets, options) for data in (whole, part))
            assert [clip.offsets for clip in clips] == [clip.offsets for clip in same]
    taken = [path for path in out.rglob("*") if path.is_file()]
    assert len(taken) < len(list(cityscapes.rglob("*.*g"))) / 2
    assert all(path.read_bytes() == (cityscapes / path.relative_to(out)).read_bytes() for path in taken)
    capsys.readouterr()
    weclick(*extract)
    assert ": 0 files extracted" in capsys.readouterr().out
