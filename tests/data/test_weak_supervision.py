import shutil
import sys

import pytest

from weclick.conventions import IGNORE_INDEX
from weclick.data import samples
from weclick.data.datamodule import ClipDataModule
from weclick.errors import DataError

_opened: list[str] | None = None


def _watch(event, arguments):
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.fixture
def opened():
    """Names of all files that are opened from now on."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


def test_promise_2_a_neighbours_mask_is_never_read_during_weak_training(
    folder_root, opened, monkeypatch, online_recall
):
    def refuse(*args):
        raise AssertionError("a mask was read")

    monkeypatch.setattr(samples, "read_label", refuse)
    data = ClipDataModule(str(folder_root), workers=0, batch_size=2)
    data.open_clicks(folder_root / "unused.sqlite")
    online_recall(data)
    assert sum(batch["offsets"].count_nonzero() for batch in data.train_dataloader()) == 4
    assert len(list(data.clip_loader(data.clips()))) == 5
    assert {name[-5] for name in opened if "/frames/a/" in name} == {"0", "1", "2", "3", "4"}
    assert not [name for name in opened if "/masks/" in name]


def test_promise_2_weak_training_needs_no_mask_that_can_be_read(copied, make_data, online_recall):
    data = make_data(root=str(copied))
    for mask in (copied / "gtFine" / "train").rglob("*.png"):
        mask.write_bytes(b"")
    online_recall(data)
    assert not any(message for batch in data.train_dataloader() for message in batch["damaged"])
    assert not any("damaged" in sample for batch in data.clip_loader(data.clips()) for sample in batch)


def test_full_supervision_trains_on_masks_without_clicks(make_data):
    data = make_data(clicks=None)
    data.supervision = "masks"
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    share = (batch["labels"] != IGNORE_INDEX).float().mean()
    assert share > 0.5


def test_with_masks_unlabelled_draws_learn_from_the_memory_alone(make_data, online_recall):
    data = online_recall(make_data(clicks=None, supervision="masks", unlabelled=1.0, neighbours=2))
    for batch in data.train_dataloader():
        assert not any(batch["damaged"])
        assert (batch["labels"] == IGNORE_INDEX).all()
        assert not batch["present"].any()


def test_with_masks_those_left_out_of_training_are_not_read_on_unlabelled_draws(folder_root, online_recall, opened):
    options = {"supervision": "masks", "frame_share": 0.2, "unlabelled": 1.0, "sides": "both"}
    data = online_recall(ClipDataModule(str(folder_root), workers=0, batch_size=2, **options))
    assert [clip.target.key.number for clip in data.clips()] == [0]
    assert [(batch["labels"] == IGNORE_INDEX).all() for batch in data.train_dataloader()] == [True]
    assert not [name for name in opened if "/masks/" in name]


def test_full_supervision_without_masks_is_refused(make_data, copied):
    shutil.rmtree(copied / "gtFine" / "train")
    data = make_data(root=str(copied))
    data.supervision = "masks"
    with pytest.raises(DataError, match=r"no training frame of .* has masks"):
        data.train_dataloader()
