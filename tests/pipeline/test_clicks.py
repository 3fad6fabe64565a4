"""A run learns from the clicks it started with."""

import resource
import shutil

import pytest

from weclick.clicks import Click, ClickStore
from weclick.data.layouts import open_layout
from weclick.data.masks import simulate_split
from weclick.errors import DataError, RunError
from weclick.pipeline.clicks import clicks_of, clicks_of_comparison, report_newer_clicks, take_clicks
from weclick.pipeline.inputs import run_data


@pytest.fixture
def root(street, tmp_path):
    """A copy of ``street`` with a click store in its root."""
    root = shutil.copytree(street, tmp_path / "street")
    simulate_split(open_layout("auto", root), "train", root / "clicks.sqlite", rule="center", min_area=20, seed=7)
    return root


@pytest.fixture
def make_settings(settings, root):
    """Settings of ``root``, some replaced."""
    return lambda **changes: settings(**{"trainer": {"max_epochs": 1}, **changes, "data": {"root": str(root)}})


def click(root, split="train", store=None):
    """Click once more, as a user may while a run trains."""
    layout = open_layout("auto", root)
    with ClickStore(store or root / "clicks.sqlite", layout.classes) as opened:
        opened.add(next(iter(layout.frames(split))).key, [Click(3.0, 3.0, 0)])


def fingerprint(root, path):
    with ClickStore(path, open_layout("auto", root).classes, readonly=True) as store:
        return store.fingerprint()


@pytest.mark.parametrize("split", ["train", "val"])
def test_promise_3_what_is_clicked_meanwhile_changes_nothing_for_a_run(make_settings, root, run, fit, split):
    the_run, began = fit(make_settings(), run()), fingerprint(root, root / "clicks.sqlite")
    before = the_run.checkpoint("student", "last").stat().st_mtime_ns
    click(root, split)
    fit(make_settings(), the_run)
    assert the_run.checkpoint("student", "last").stat().st_mtime_ns == before
    assert fingerprint(root, the_run.clicks) == began != fingerprint(root, root / "clicks.sqlite")
    new = run("new")
    take_clicks(make_settings(), new)
    assert fingerprint(root, new.clicks) == fingerprint(root, root / "clicks.sqlite")


def test_a_run_goes_on_when_the_store_is_gone(make_settings, root, run):
    the_run = run()
    clicks = run_data(make_settings(), the_run).clicks
    (root / "clicks.sqlite").unlink()
    assert run_data(make_settings(), the_run).clicks == clicks


def test_simulated_clicks_stay_when_somebody_begins_to_click(make_settings, root, run):
    the_run, aside = run(), root / "aside"
    (root / "clicks.sqlite").rename(aside)
    clicks = run_data(make_settings(), the_run).clicks
    aside.rename(root / "clicks.sqlite")
    click(root)
    assert run_data(make_settings(), the_run).clicks == clicks


def test_a_run_that_begins_tells_once_what_cannot_be_learned(make_settings, root, run, caplog):
    layout = open_layout("auto", root)
    with ClickStore(root / "clicks.sqlite", layout.classes) as store:
        for key in list(store.all_clicks())[1:]:
            store.add(key, [], status="skipped")
        left = next(iter(store.all_clicks()))
        store.replace(left, [Click(3.0, 3.0, class_id) for class_id in range(2, len(layout.classes))])
    the_run = run()
    for _ in range(2):
        take_clicks(make_settings(), the_run)
    assert caplog.messages == ["never clicked, so never learned: road, sidewalk"]


def test_clicks_made_meanwhile_are_reported_in_one_line(make_settings, settings, root, run, tmp_path, caplog):
    the_run = run()
    take_clicks(make_settings(), the_run)
    caplog.clear()
    report_newer_clicks(make_settings(), the_run.clicks)
    assert not caplog.records
    other = shutil.copy(root / "clicks.sqlite", tmp_path / "other.sqlite")
    click(root)
    report_newer_clicks(make_settings(), the_run.clicks)
    click(root, store=other)
    named = settings(data={"root": str(root), "store": str(other)})
    report_newer_clicks(named, the_run.clicks)
    other.unlink()
    report_newer_clicks(named, the_run.clicks)
    for record, store in zip(caplog.records, (root / "clicks.sqlite", other, other), strict=True):
        assert f"clicks it started with ({the_run.clicks}); {store}" in record.message
        assert "\n" not in record.message
    assert "a new run uses its clicks" in caplog.records[1].message


def test_clicks_nothing_can_be_trained_from_are_not_taken_and_named_where_they_lie(make_settings, root, run):
    with ClickStore(root / "clicks.sqlite", open_layout("auto", root).classes) as store:
        for key in store.frames():
            store.replace(key, [], status="skipped")
    the_run = run()
    with pytest.raises(DataError, match=rf"no training frame .* has clicks \({root}/clicks\.sqlite\)"):
        take_clicks(make_settings(), the_run)
    assert not the_run.clicks.exists()


def test_a_full_disk_leaves_no_half_copy(make_settings, run):
    the_run = run()
    had = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, had[1]))
    try:
        with pytest.raises(DataError, match=rf"{the_run.clicks}.*space") as refusal:
            take_clicks(make_settings(), the_run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, had)
    assert "\n" not in str(refusal.value)
    assert [path.name for path in the_run.folder.iterdir()] == ["config.yaml"]


def test_a_run_whose_clicks_are_lost_goes_on_with_the_store_if_that_is_as_it_was(make_settings, root, run, fit):
    the_run = fit(make_settings(), run())
    the_run.clicks.unlink()
    fit(make_settings(), the_run)
    the_run.clicks.unlink()
    click(root)
    with pytest.raises(RunError, match="finished, with other clicks"):
        fit(make_settings(), the_run)


def test_all_rows_of_a_comparison_begin_with_the_same_clicks(make_settings, root, run, tmp_path):
    rows = [run("one"), run("two"), run("three")]
    for the_run in rows:
        take_clicks(make_settings(), the_run, clicks_of_comparison(tmp_path / "runs"))
        click(root)
    shared = run("shared/teacher")
    take_clicks(make_settings(), shared, clicks_of(rows[2]))
    assert len({fingerprint(root, the_run.clicks) for the_run in (*rows, shared)}) == 1


def test_a_comparison_that_simulates_its_clicks_goes_on_so(make_settings, root, run, tmp_path):
    find, aside = clicks_of_comparison(tmp_path / "runs"), root / "aside"
    (root / "clicks.sqlite").rename(aside)
    one, two, other = run("one"), run("two"), run("other seed")
    take_clicks(make_settings(), one, find)
    aside.rename(root / "clicks.sqlite")
    click(root)
    take_clicks(make_settings(), two, find)
    assert fingerprint(root, one.clicks) == fingerprint(root, two.clicks) != fingerprint(root, root / "clicks.sqlite")
    take_clicks(make_settings(seed=1), other, find)
    with ClickStore(other.clicks, open_layout("auto", root).classes, readonly=True) as store:
        assert store.provenance["seed"] == "1"
