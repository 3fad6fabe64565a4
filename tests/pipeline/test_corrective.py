"""Simulating a person who corrects the preview and accepts it."""

import shutil
from unittest.mock import Mock

import numpy as np
import pytest

from weclick.cli.main import run
from weclick.clicks import Click, ClickStore
from weclick.clicks.corrective import corrective_click
from weclick.data.dataset import DataSet
from weclick.data.masks import load_masks
from weclick.errors import ClickError, ConfigError, DataError
from weclick.pipeline import corrective
from weclick.pipeline.corrective import Annotator, simulate_corrective
from weclick.probe.features import FrozenFeatures
from weclick.synthetic import write_synthetic


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three training frames with masks. Tests must not change it."""
    root = tmp_path_factory.mktemp("corrective") / "data"
    write_synthetic(root, train=3, val=1, frames=2, target=1, size=(64, 96))
    return root


@pytest.fixture(scope="module")
def layout(root):
    return DataSet.open(root).layout


@pytest.fixture(scope="module")
def targets(layout):
    """The masks of the training frames."""
    frames = [frame for frame in layout.frames("train") if frame.label is not None]
    return {frame.key: load_masks(layout, frame)[0] for frame in frames}


@pytest.fixture(scope="module", autouse=True)
def one_encoder():
    """Load the encoder once, not for every simulation."""
    frozen = FrozenFeatures()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corrective, "FrozenFeatures", lambda: frozen)
        yield


def simulate(layout, path, split="train", *, per_frame=3, accept=True, min_area=20):
    return simulate_corrective(layout, split, path, per_frame=per_frame, accept=accept, min_area=min_area)


@pytest.fixture(scope="module")
def simulated(layout, tmp_path_factory):
    """Return the path of a store with so many clicks per frame; each is simulated once. Tests must not change it."""
    folder = tmp_path_factory.mktemp("simulated")

    def get(per_frame, accept=True):
        path = folder / f"{per_frame} {accept}.sqlite"
        if not path.exists():
            simulate(layout, path, per_frame=per_frame, accept=accept)
        return path

    return get


@pytest.fixture
def opened(layout):
    """Open a store for reading."""
    stores = []

    def call(path):
        stores.append(ClickStore(path, layout.classes, readonly=True))
        return stores[-1]

    yield call
    for store in stores:
        store.close()


@pytest.mark.parametrize("per_frame", [1, 3])
def test_every_frame_has_at_most_so_many_clicks(layout, tmp_path, opened, targets, per_frame):
    count = simulate(layout, tmp_path / "c.sqlite", per_frame=per_frame, accept=False)
    assert [path.name for path in tmp_path.iterdir()] == ["c.sqlite"]
    clicks = opened(tmp_path / "c.sqlite").all_clicks()
    assert clicks.keys() == targets.keys()
    assert {len(own) for own in clicks.values()} == {per_frame}  # there is always more to correct in these frames
    assert count == per_frame * len(targets)


def test_a_frame_without_a_large_enough_mistake_is_not_clicked_further(layout, tmp_path, opened, targets):
    count = simulate(layout, tmp_path / "c.sqlite", per_frame=12, accept=False, min_area=700)
    numbers = [len(opened(tmp_path / "c.sqlite").clicks(key)) for key in targets]
    assert count == sum(numbers)
    assert 0 < max(numbers) < 12


def test_clicks_have_the_class_of_the_mask(simulated, opened, targets):
    for key, clicks in opened(simulated(6)).all_clicks().items():
        assert all(targets[key][int(click.y), int(click.x)] == click.class_id for click in clicks)


def test_before_the_first_click_of_all_everything_is_wrong(simulated, opened, targets):
    first, mask = next(iter(targets.items()))
    assert opened(simulated(1)).clicks(first) == [corrective_click(mask, np.full_like(mask, 255), 20)]


def test_the_same_masks_give_the_same_store(layout, tmp_path, simulated, opened):
    simulate(layout, tmp_path / "again.sqlite", per_frame=3)
    assert opened(tmp_path / "again.sqlite").fingerprint() == opened(simulated(3)).fingerprint()
    assert opened(simulated(3)).fingerprint() != opened(simulated(6)).fingerprint()


def test_without_accepting_frames_are_unfinished_and_have_no_label(simulated, opened, targets):
    store = opened(simulated(3, accept=False))
    assert store.statuses() == dict.fromkeys(targets, "todo")
    assert store.accepted() == []


def test_accepting_finishes_every_frame_with_a_label_and_keeps_its_clicks(simulated, opened, targets):
    store = opened(simulated(3))
    assert store.statuses() == dict.fromkeys(targets, "done")
    assert set(store.accepted()) == targets.keys()
    assert store.all_clicks() == opened(simulated(3, accept=False)).all_clicks()
    for key, mask in targets.items():
        label = store.label(key)
        assert label.ids.shape == mask.shape == store.frame(key).size
        assert label.confidence.shape == (16, 24)
        assert label.probe == "tf_efficientnet_lite0, 9 clicks"


def halves(left, right):
    """Return an image with a grey and a red half, and a mask with a class for each."""
    image, mask = np.full((64, 96, 3), 120, np.uint8), np.full((64, 96), left, np.uint8)
    image[:, 48:], mask[:, 48:] = (200, 30, 30), right
    return image, mask


@pytest.fixture
def annotator():
    """An annotator who called the red half first class 1, then class 2."""
    annotator = Annotator(3, 2, 20)
    for right in (1, 2):
        clicks, _ = annotator.click(*halves(0, right))
        assert {click.class_id for click in clicks} == {0, right}
    annotator.refit()
    return annotator


@pytest.mark.parametrize(("right", "wrong"), [(1, 2), (2, 1)])
def test_a_class_that_is_answered_to_be_absent_is_not_in_the_preview(annotator, right, wrong):
    """The image does not tell whether the red half is class 1 or 2; the answer does."""
    image, _ = halves(0, right)
    assert set(np.unique(annotator.preview(image, [], {wrong: False}).ids)) == {0, right}


def test_a_class_that_is_seen_and_not_there_is_asked_about_and_then_nothing_is_wrong(annotator):
    """The preview shows class 1 in a part of the red half."""
    assert annotator.click(*halves(0, 2)) == ([], {1: False})


def test_a_preview_uses_the_clicks_of_its_frame(annotator):
    image, _ = halves(0, 1)
    assert annotator.preview(image, [], {}).ids[30, 22] == 0
    assert annotator.preview(image, [Click(22.0, 30.0, 1)], {}).ids[30, 22] == 1


def test_answers_are_stored_and_true(simulated, opened, targets):
    store = opened(simulated(6))
    assert store.all_answers().keys() == targets.keys()
    for key, answers in store.all_answers().items():
        assert all(present is False and class_id not in targets[key] for class_id, present in answers.items())


def test_more_clicks_give_better_labels(simulated, opened, targets):
    def accuracy(store):
        pairs = [(store.label(key).ids[mask != 255], mask[mask != 255]) for key, mask in targets.items()]
        return np.mean([(ids == mask).mean() for ids, mask in pairs])

    few, many = (accuracy(opened(simulated(per_frame))) for per_frame in (1, 6))
    assert many > few + 0.1
    assert many > 0.6


def test_it_is_recorded_how_the_clicks_were_made(simulated, opened):
    store = opened(simulated(3))
    assert store.provenance == {
        **{"source": "simulation", "rule": "corrective", "per_frame": "3", "min_area": "20"},
        "encoder": "tf_efficientnet_lite0",
    }
    assert {record.annotator for record in store.frames().values()} == {"simulation"}


def test_regions_below_the_smallest_area_are_not_clicked(layout, tmp_path, opened, targets):
    assert simulate(layout, tmp_path / "c.sqlite", accept=False, min_area=10**6) == 0
    assert opened(tmp_path / "c.sqlite").statuses() == dict.fromkeys(targets, "todo")


def test_a_store_that_exists_is_refused_before_any_work_and_not_changed(layout, tmp_path, opened, monkeypatch):
    path = tmp_path / "c.sqlite"
    monkeypatch.setattr(corrective, "read_image", Mock(side_effect=AssertionError("an image was read")))
    with ClickStore.create(path, layout.classes) as store:
        store.add(layout.frames("train")[0].key, [Click(1, 1, 0)])
    with pytest.raises(ClickError, match="already exists"):
        simulate(layout, path)
    assert sum(map(len, opened(path).all_clicks().values())) == 1


def test_a_store_that_another_process_made_meanwhile_is_not_replaced(layout, tmp_path, opened, monkeypatch):
    path, accept = tmp_path / "c.sqlite", ClickStore.accept

    def accept_and_create(*arguments, **options):
        accept(*arguments, **options)
        if not path.exists():
            ClickStore.create(path, layout.classes).close()

    monkeypatch.setattr(ClickStore, "accept", accept_and_create)
    with pytest.raises(ClickError, match="already exists"):
        simulate(layout, path, per_frame=1)
    assert opened(path).all_clicks() == {}


def test_a_split_without_masks_is_refused(layout, tmp_path):
    with pytest.raises(DataError, match="no masks in its test split"):
        simulate(layout, tmp_path / "c.sqlite", "test")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("per_frame", [0, -1])
def test_no_clicks_per_frame_are_refused(layout, tmp_path, per_frame):
    with pytest.raises(ConfigError, match=f"per_frame {per_frame} .* must be at least 1"):
        simulate(layout, tmp_path / "c.sqlite", per_frame=per_frame)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["corrective_click", "AcceptedLabel"])
def test_an_interrupted_simulation_leaves_nothing_behind(layout, tmp_path, monkeypatch, name):
    """It is interrupted at the second click, or at the second label."""
    original, calls = getattr(corrective, name), []

    def interrupt(*arguments):
        calls.append(name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(corrective, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(layout, tmp_path / "c.sqlite", per_frame=1)
    assert not list(tmp_path.iterdir())


def test_a_damaged_image_is_named_and_leaves_nothing_behind(root, tmp_path):
    copied = shutil.copytree(root, tmp_path / "data")
    layout = DataSet.open(copied).layout
    last = [frame for frame in layout.frames("train") if frame.label is not None][-1].image
    last.write_bytes(last.read_bytes()[:200])
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=rf"{last.name} is truncated"):
        simulate(layout, tmp_path / "out" / "c.sqlite", per_frame=1)
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def weclick(capfd):
    """Run a command line in this process; return its status, and what it printed."""

    def call(*arguments):
        capfd.readouterr()
        status = run(["clicks", "simulate", *map(str, arguments)])
        return status, *capfd.readouterr()

    return call


def test_the_command_simulates_and_says_how_many_clicks(weclick, root, tmp_path, simulated, opened):
    out = tmp_path / "c.sqlite"
    options = ("--rule", "corrective", "--per_frame", 3, "--accept", "true", "--min_area", 20, "--out", out)
    status, printed, _ = weclick(root, *options)
    assert status == 0
    assert printed.splitlines()[0] == f"9 clicks in {out}"
    assert opened(out).fingerprint() == opened(simulated(3)).fingerprint()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rule", "center", "--accept", "true"], "rule center has no preview to accept; add --rule corrective"),
        (["--accept", "true"], "rule center has no preview to accept"),
        (["--rule", "corrective", "--per_frame", "0"], "per_frame 0 of the click simulation must be at least 1"),
        (["--rule", "corrective", "--split", "test"], "has no masks in its test split"),
    ],
)
def test_the_command_refuses_in_one_line(weclick, root, tmp_path, options, words):
    status, _, error = weclick(root, "--out", tmp_path / "c.sqlite", *options)
    assert status == 1
    assert words in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_where_nothing_is_clicked_nothing_is_accepted(layout, tmp_path, opened):
    assert simulate(layout, tmp_path / "c.sqlite", min_area=10**6) == 0
    assert opened(tmp_path / "c.sqlite").accepted() == []


def test_a_smallest_area_below_one_is_refused(layout, tmp_path):
    with pytest.raises(ConfigError, match="min_area 0"):
        simulate(layout, tmp_path / "c.sqlite", min_area=0)
