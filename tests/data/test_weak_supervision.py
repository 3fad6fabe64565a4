import shutil
import sys
from pathlib import Path

import pytest

from weclick.conventions import IGNORE_INDEX
from weclick.data import reader
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
    folder_root, opened, monkeypatch, data_module, with_online_memory
):
    def refuse(*args):
        raise AssertionError("a mask was read")

    monkeypatch.setattr(reader, "read_label", refuse)
    data = with_online_memory(data_module(folder_root, batch_size=2))
    assert sum(batch["offsets"].count_nonzero() for batch in data.train_dataloader()) == 4
    assert len(list(data.frame_loader(data.clips))) == 5
    images = {Path(name).stem for name in opened if "/frames/a/" in name and name.endswith(".png")}
    assert images == {"0", "1", "2", "3", "4"}
    assert not [name for name in opened if "/masks/" in name]


def test_promise_2_weak_training_needs_no_mask_that_can_be_read(copied, make_data, with_online_memory):
    data = with_online_memory(make_data(copied))
    for mask in (copied / "gtFine" / "train").rglob("*.png"):
        mask.write_bytes(b"")
    assert not any(message for batch in data.train_dataloader() for message in batch["damaged"])
    assert not any("damaged" in sample for batch in data.frame_loader(data.clips) for sample in batch)


def test_full_supervision_trains_on_masks_without_clicks(make_data):
    data = make_data(store=None, supervision="masks")
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    share = (batch["labels"] != IGNORE_INDEX).float().mean()
    assert share > 0.5


def test_with_masks_unlabelled_draws_learn_from_the_memory_alone(make_data, with_online_memory):
    data = with_online_memory(make_data(store=None, supervision="masks", unlabelled=1.0, neighbours=2))
    for batch in data.train_dataloader():
        assert not any(batch["damaged"])
        assert (batch["labels"] == IGNORE_INDEX).all()
        assert not batch["present"].any()


def test_with_masks_the_masks_outside_the_budget_are_not_read_on_unlabelled_draws(
    folder_root, data_module, with_online_memory, opened
):
    options = {"supervision": "masks", "frame_share": 0.2, "unlabelled": 1.0, "sides": "both"}
    data = with_online_memory(data_module(folder_root, batch_size=2, **options))
    assert [clip.target.key.number for clip in data.clips] == [0]
    assert [(batch["labels"] == IGNORE_INDEX).all() for batch in data.train_dataloader()] == [True]
    assert not [name for name in opened if "/masks/" in name]


def test_full_supervision_without_masks_is_refused(make_data, copied):
    shutil.rmtree(copied / "gtFine" / "train")
    data = make_data(copied, supervision="masks")
    with pytest.raises(DataError, match=r"no training frame of .* has masks"):
        data.train_dataloader()
