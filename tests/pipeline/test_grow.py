"""The stage that grows clicks before a training learns from them."""

import csv
import os
import signal

import pytest

from weclick.data.label_maps import LabelMaps
from weclick.pipeline.grow import grow_clicks, grown_supply
from weclick.pipeline.inputs import run_data
from weclick.signals import Interrupted


def test_a_student_learns_from_grown_clicks_alone(settings, run, fit):
    chosen = settings(arm="clicks", student={"supervised": 0.0, "grown": 1.0})
    made = fit(chosen, run(), "student")
    assert "loss_grown" in (made.stage("student") / "metrics.csv").read_text(encoding="utf-8")
    files = sorted((made.folder / "grown").rglob("*.png"))
    assert len(files) == len(grown_supply(chosen, made).targets) > 0


def test_clicks_are_grown_once(settings, run):
    chosen, made = settings(arm="clicks", student={"grown": 1.0}), run()
    grow_clicks(chosen, made)
    first = {path: path.stat().st_mtime_ns for path in (made.folder / "grown").rglob("*.png")}
    dropped = next(iter(first))
    dropped.unlink()
    grow_clicks(chosen, made)
    again = {path: path.stat().st_mtime_ns for path in (made.folder / "grown").rglob("*.png")}
    assert again.keys() == first.keys()
    assert [path for path in first if again[path] != first[path]] == [dropped]


def test_another_share_grows_into_another_folder(settings, run):
    made = run()
    for share in (0.1, 0.3):
        grow_clicks(settings(arm="clicks", student={"grown": 1.0}, data={"grow": share}), made)
    assert len(list((made.folder / "grown").iterdir())) == 2


@pytest.mark.parametrize("data", [{"supervision": "masks"}, {"per_frame": 2}])
def test_without_a_click_on_every_region_nothing_grows(settings, run, fit, caplog, data):
    chosen = settings(arm="clicks", student={"grown": 1.0}, data=data)
    made = fit(chosen, run(), "student")
    assert "no target has a click on every region" in caplog.text
    assert not (made.folder / "grown").exists()
    with (made.stage("student") / "metrics.csv").open(encoding="utf-8") as stream:
        losses = {row["train/loss_grown"] for row in csv.DictReader(stream)} - {""}
    assert {float(loss) for loss in losses} == {0.0}


def test_growing_goes_on_where_a_signal_stopped_it(settings, run, monkeypatch):
    chosen, made = settings(arm="clicks", student={"grown": 1.0}), run()
    write, written = LabelMaps.write, []

    def write_and_stop(store, key, labels):
        write(store, key, labels)
        written.append(key)
        if len(written) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(LabelMaps, "write", write_and_stop)
    with pytest.raises(Interrupted):
        grow_clicks(chosen, made)
    assert len(list((made.folder / "grown").rglob("*.png"))) == 3
    grow_clicks(chosen, made)
    assert len(written) == len(set(written)) == 10


@pytest.mark.slow
def test_unlabelled_draws_have_no_grown_clicks(settings, run, fit):
    """Half of the samples show frames that nobody clicked; a training on them and on grown clicks runs."""
    chosen = settings(arm="weclick", student={"grown": 1.0}, data={"unlabelled": 0.5}, trainer={"max_epochs": 1})
    made = fit(chosen, run())
    supply = grown_supply(chosen, made)
    targets = {clip.target.key for clip in run_data(chosen, made).clips}
    assert supply.targets == targets
