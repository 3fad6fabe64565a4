"""`weclick data check` and the lines of `weclick clicks` about a data set of one's own, without masks."""

import shutil

import cv2
import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.clicks import CLICKS_FILE, Click, ClickStore
from weclick.conventions import FrameKey


@pytest.fixture
def root(tmp_path):
    """Three videos of two frames, 64x32, no masks, no splits.yaml."""
    root = tmp_path / "mine"
    for video in ("monday", "tuesday", "wednesday"):
        (root / "frames" / video).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(root / "frames" / video / f"{number}.png"), np.full((32, 64, 3), 90, np.uint8))
    (root / "classes.yaml").write_text("[ground, car]\n", encoding="utf-8")
    return root


def test_data_without_masks_is_in_order(weclick, root):
    out = weclick("data", "check", root).done().out
    assert "no masks: clicks can be trained from, and some are held out to measure with" in out
    assert out.splitlines()[-2:] == ["no problems found", f"next: weclick annotate {root}"]


def test_all_that_is_bad_is_listed_at_once(weclick, root):
    (root / "videos").mkdir()
    for name in ("friday.mp4", "saturday.mp4"):
        (root / "videos" / name).write_text("no video")
    for name in ("masks/monday/7.png", "masks/sunday/0.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.zeros((32, 64), np.uint8))
    (root / "frames" / "tuesday" / "1.png").write_bytes(b"")
    result = weclick("data", "check", root)
    assert result.status == 1
    for words in ("friday.mp4 cannot be opened", "saturday.mp4 cannot", "masks/monday/7.png has no frame 7"):
        assert result.out.count(words) == 1, result.out
    for words in ("masks/sunday belongs to no video", "tuesday/1.png is empty", "5 problems", "64x32 (5)"):
        assert words in result.out, result.out
    assert weclick("clicks", "stats", root).refused("friday.mp4", "move it away")


def test_masks_and_names_that_do_not_fit_are_listed_with_everything_else(weclick, copied):
    images = sorted((copied / "leftImg8bit_sequence" / "train").rglob("*.png"))
    for image in (copied / "leftImg8bit").rglob("*000000_000003*"):
        image.unlink()
    for image in images:
        if "000000_000003" in image.name:
            image.unlink()
    odd = shutil.copy(images[0], images[0].with_name("holiday.png"))
    images[0].write_bytes(b"")
    result = weclick("data", "check", copied)
    assert result.status == 1
    for words in ("000000_000003_gtFine_labelIds.png has no image", f"{odd} is not named", f"{images[0]} is empty"):
        assert words in result.out, result.out


def test_without_masks_no_video_is_kept_for_validation(weclick, root, tmp_path):
    (tmp_path / "in.csv").write_text("video,number,x,y,class,annotator\nwednesday,0,1,2,car,\n")
    result = weclick("clicks", "import", root, tmp_path / "in.csv").done()
    assert result.out.splitlines() == [
        f"1 clicks into {root / CLICKS_FILE}",
        f"next: weclick clicks check {root}",
    ]
    assert "train: monday, tuesday, wednesday" in weclick("data", "check", root).done().out


def test_clicks_that_nothing_is_trained_from_are_told(weclick, fit, root, tmp_path, caplog):
    (root / "splits.yaml").write_text("{train: [monday, tuesday], val: [wednesday]}")
    table = "video,number,x,y,class,annotator\nwednesday,0,1,2,car,\nwednesday,1,1,2,ground,\n"
    (tmp_path / "in.csv").write_text(table)
    weclick("clicks", "import", root, tmp_path / "in.csv").done()
    line = fit("--data.root", root, "--arm", "clicks").refused("no training frame", "2 in val (wednesday)")
    assert "splits.yaml" in line
    fit("--data.root", root, "--arm", "full").refused("no training frame", "masks", "another arm")
    (tmp_path / "in.csv").write_text("video,number,x,y,class,annotator\nmonday,0,1,2,car,\n")
    weclick("clicks", "import", root, tmp_path / "in.csv").done()
    fit("--data.root", root, "--arm", "clicks").done()
    assert sum("clicks not trained from: 2 in val (wednesday)" in line for line in caplog.messages) == 1
    assert caplog.messages.count("never clicked, so never learned: ground") == 1


def test_simulating_without_masks_points_to_clicking(weclick, root):
    line = weclick("clicks", "simulate", root).refused("no masks in its train split", f"weclick annotate {root}")
    assert "--data.clicks.store" not in line


def test_a_training_on_clicks_outside_their_pictures_is_refused(weclick, fit, root):
    with ClickStore.create(root / CLICKS_FILE, ClassSet.read(root / "classes.yaml")) as store:
        store.add(FrameKey("monday", 0), [Click(5000, 5, 1)])  # without a size, as in stores of earlier versions
    result = weclick("clicks", "check", root)
    assert result.status == 1 and "monday:0: click at (5000, 5) is outside the image of 64x32" in result.out
    fit("--data.root", root, "--arm", "clicks").refused("monday/0.png is 64x32", "at (5000, 5)", "weclick clicks check")
