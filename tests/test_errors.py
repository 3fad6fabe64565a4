import pickle

import pytest
from torch.utils.data import DataLoader, Dataset

from weclick import errors
from weclick.errors import DataError, ShapeError, WeclickError

MESSAGE = "/data/a: b.png is empty (0 bytes); fetch it again"


class Damaged(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise DataError(MESSAGE)


def test_all_errors_are_of_one_tree():
    found = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(found) > 5
    assert all(issubclass(kind, WeclickError) for kind in found)
    assert issubclass(ShapeError, ValueError)


@pytest.mark.parametrize("workers", [0, 1])
def test_promise_5_an_error_in_a_loaders_worker_is_one_line_too(workers):
    with pytest.raises(DataError) as refusal:
        list(DataLoader(Damaged(), num_workers=workers))
    assert str(refusal.value) == MESSAGE
    if workers:
        assert "Original Traceback" in refusal.value.__notes__[0]  # what --debug shows


def test_errors_survive_pickling():
    again = pickle.loads(pickle.dumps(DataError(MESSAGE)))
    assert isinstance(again, DataError)
    assert str(again) == MESSAGE
