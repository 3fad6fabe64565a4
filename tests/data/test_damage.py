import warnings

import pytest

from weclick.clicks import Click, ClickStore
from weclick.clicks.records import TimedClick
from weclick.data import datamodule
from weclick.data.dataset import DataSet
from weclick.errors import DataError


@pytest.fixture
def allow(monkeypatch):
    """Set the share of frames that may be damaged."""
    return lambda share: monkeypatch.setattr(datamodule, "MAX_DAMAGED", share)


def spoil(root, count):
    for path in sorted((root / "leftImg8bit" / "train").rglob("*.png"))[:count]:
        path.write_bytes(b"")


def epochs(data, count):
    for _ in range(count):
        for batch in data.train_dataloader():
            data.on_after_batch_transfer(batch, 0)


def test_a_damaged_image_is_warned_of_once_and_training_goes_on(make_data, copied):
    data = make_data(copied)
    spoil(copied, 1)
    with pytest.warns(UserWarning, match="damaged training frame left out: .*000000_000003") as caught:
        epochs(data, 3)
    assert len(caught) == 1


def test_training_stops_past_the_share_of_damaged_images(make_data, copied, allow):
    allow(0.3)
    data = make_data(copied)
    spoil(copied, 2)
    with pytest.raises(DataError, match=r"2 of 4 training frames are damaged.*weclick data check") as refusal:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            epochs(data, 2)
    assert "\n" not in str(refusal.value)


def test_clicks_made_on_another_size_than_the_image_are_not_used(make_data, copied, tmp_path):
    layout, state = DataSet.open(copied).layout, {"status": "done", "annotator": "", "seconds": 0}
    with ClickStore.create(tmp_path / "c.sqlite", layout.classes) as store:
        for key in (frame.key for frame in layout.frames("train") if frame.label is not None):
            size = (32, 64) if str(key).endswith("000000:3") else (64, 128)
            store.save(key, [TimedClick(Click(5, 5, 0), None)], version=0, size=size, **state)
    data = make_data(copied, store=str(tmp_path / "c.sqlite"))
    with pytest.warns(UserWarning, match="000000_000003.* is 128x64 but its clicks were made on 64x32") as caught:
        epochs(data, 2)
    assert len(caught) == 1


def test_a_share_of_0_stops_at_the_first_damaged_image(make_data, copied, allow):
    spoil(copied, 1)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match="1 of 4 training frames"):
        allow(0.0)
        epochs(make_data(copied), 1)


def test_any_other_share_forgives_one(make_data, copied, allow):
    spoil(copied, 1)
    with pytest.warns(UserWarning, match="damaged"):
        allow(0.01)
        epochs(make_data(copied), 1)


def test_the_size_is_that_of_the_first_readable_frame(copied):
    frames = [frame for split in ("train", "val") for frame in DataSet.open(copied).layout.frames(split)]
    for frame in frames[:9]:
        frame.image.write_bytes(b"")
    assert DataSet.open(copied).size == (64, 128)
    frames[9].image.write_bytes(b"")
    with pytest.raises(DataError, match=frames[0].image.name):
        _ = DataSet.open(copied).size


def test_a_larger_share_can_be_allowed(make_data, copied, allow):
    allow(0.6)
    data = make_data(copied)
    spoil(copied, 2)
    with pytest.warns(UserWarning, match="damaged"):
        epochs(data, 2)


def spoil_neighbours(root, count):
    for path in sorted((root / "leftImg8bit_sequence" / "train").rglob("*_000002_leftImg8bit.png"))[:count]:
        path.write_bytes(path.read_bytes()[:100])


def test_damaged_neighbours_of_an_online_memory_are_padding_and_counted(make_data, copied, with_online_memory, allow):
    spoil_neighbours(copied, 4)
    allow(0.4)
    data = with_online_memory(make_data(copied))
    assert {tuple(data.supplies[0].read(clip, data.dataset.size)["offsets"].tolist()) for clip in data.clips} == {
        (0, -2)
    }
    with pytest.warns(UserWarning, match="damaged training frame left out: .*_000002_") as caught:
        epochs(data, 2)
    assert len(caught) == 4


def test_too_many_damaged_neighbours_stop_training(make_data, copied, with_online_memory, allow):
    spoil_neighbours(copied, 4)
    allow(0.3)
    data = with_online_memory(make_data(copied))
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(DataError, match="4 of 12 training frames are damaged"),
    ):
        epochs(data, 2)


def test_neighbours_that_nothing_reads_do_not_dilute_the_share_of_damaged_frames(make_data, copied, allow):
    spoil(copied, 2)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match="2 of 4 training frames"):
        allow(0.3)
        epochs(make_data(copied, neighbours=2), 2)


def test_unlabelled_frames_that_may_be_drawn_count_among_all(make_data, copied, allow):
    spoil_neighbours(copied, 3)
    options = {"root": copied, "unlabelled": 1.0, "carried": True, "neighbours": 2}
    with pytest.warns(UserWarning, match="damaged") as caught:
        allow(0.3)
        epochs(make_data(**options), 6)
    assert len(caught) == 3
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(DataError, match="of 12 training frames are damaged"),
    ):
        allow(0.1)
        epochs(make_data(**options), 6)


def test_a_memorys_damaged_frames_count_among_all_it_reads(make_data, allow):
    allow(0.2)
    data = make_data(neighbours=2)
    with pytest.warns(UserWarning, match="damaged"):
        data.count_damaged(["one is empty", "", "another is empty"])
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError, match="3 of 12 training frames"):
        data.count_damaged(["a third is empty"])
