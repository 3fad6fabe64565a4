import warnings

import pytest

from weclick.errors import DataError


def spoil(root, count):
    for path in sorted((root / "leftImg8bit" / "train").rglob("*.png"))[:count]:
        path.write_bytes(b"")


def epochs(data, count):
    for _ in range(count):
        for batch in data.train_dataloader():
            data.on_after_batch_transfer(batch, 0)


def test_a_damaged_image_is_warned_of_once_and_training_goes_on(make_data, copied):
    data = make_data(root=str(copied))
    spoil(copied, 1)
    with pytest.warns(UserWarning, match="damaged training frame left out: .*000000_000003") as caught:
        epochs(data, 3)
    assert len(caught) == 1


def test_training_stops_past_the_share_of_damaged_images(make_data, copied):
    data = make_data(root=str(copied), max_damaged=0.3)
    spoil(copied, 2)
    with pytest.raises(DataError, match=r"2 of 4 training frames are damaged.*data\.max_damaged") as refusal:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            epochs(data, 2)
    assert "\n" not in str(refusal.value)


def test_a_larger_share_can_be_allowed(make_data, copied):
    data = make_data(root=str(copied), max_damaged=0.6)
    spoil(copied, 2)
    with pytest.warns(UserWarning, match="damaged"):
        epochs(data, 2)


def test_damaged_neighbours_are_padding_and_no_damage_to_the_run(make_data, copied, online_recall):
    data = make_data(root=str(copied), max_damaged=0.0)
    for path in (copied / "leftImg8bit_sequence" / "train").rglob("*_000002_leftImg8bit.png"):
        path.write_bytes(path.read_bytes()[:100])
    online_recall(data)
    batches = list(data.clip_loader(data.clips()))
    assert {tuple(row.tolist()) for batch in batches for row in batch["offsets"]} == {(0, -2)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        epochs(data, 1)
