import pytest
import torch
from torch.nn import functional as F

from weclick.data import reader
from weclick.data.supplies import NeighbourPairs, OnlineMemory, StoredMemory
from weclick.errors import ConfigError, RunError
from weclick.images import ImageFile
from weclick.memory.item import MemoryItem, quantise
from weclick.memory.store import MemoryStore
from weclick.memory.stream import stream_memory


def teacher(images):
    return 6 * F.avg_pool2d(images, 4)


class ShiftedFlow:
    """A shift by one pixel and back, reliable nearly everywhere."""

    name = "shifted"

    def __call__(self, target, neighbour):
        flow = torch.zeros(len(target), 2, *target.shape[-2:])
        brighter = target.float().mean((1, 2, 3)) > neighbour.float().mean((1, 2, 3))
        flow[:, 0] = brighter.float().view(-1, 1, 1) * 2 - 1
        return flow


@pytest.fixture
def store(make_data, tmp_path):
    data = make_data()
    store = MemoryStore(tmp_path / "memory", {})
    frames = ({s["key"]: s["image"] for s in batch} for batch in data.frame_loader(data.clips))
    wanted = {clip.target.key: [frame.key for frame in clip.neighbours] for clip in data.clips}
    for key, soft in stream_memory(teacher, ShiftedFlow(), frames, wanted, count=data.options.clips.neighbours):
        store.write(key, quantise(soft)[0])
    return store


def finished_batches(data):
    return [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]


def test_stored_and_online_memory_agree_to_quantisation(make_data, store):
    plain = make_data()
    neighbours = plain.options.clips.neighbours
    supplies = (StoredMemory(store), OnlineMemory(teacher, ShiftedFlow(), plain.dataset.reader, neighbours))
    stored, online = (make_data(colour=0.0, batch_size=1, supplies=(supply,)) for supply in supplies)
    pairs = list(zip(finished_batches(stored), finished_batches(online), strict=True))
    assert len(pairs) == 4
    for first, second in pairs:
        assert torch.equal(first["image"], second["image"])
        assert torch.equal(first["labels"], second["labels"])
        one, other = first["soft_labels"], second["soft_labels"]
        assert one.memory.confidence.max() > 0.9
        for a, b in ((one.teacher, other.teacher), *zip(one.memory, other.memory, strict=True)):
            torch.testing.assert_close(a, b, atol=1 / 255, rtol=0)


def test_a_finished_batch_has_no_entries_that_only_made_the_soft_labels(make_data, store):
    data = make_data(supplies=(StoredMemory(store),))
    assert finished_batches(data)[0].keys() == {"frame", "image", "labels", "present", "inside", "soft_labels"}


def test_memory_and_pairs_in_one_batch_equal_each_alone(make_data, store):
    reader = make_data().dataset.reader
    memory, pairs = StoredMemory(store), NeighbourPairs(ShiftedFlow(), reader)
    both, first, second = (
        finished_batches(make_data(colour=0.0, supplies=supplies))[0]
        for supplies in ((memory, pairs), (memory,), (pairs,))
    )
    assert both.keys() == first.keys() | second.keys()
    assert torch.equal(both["image"], first["image"])
    assert torch.equal(both["soft_labels"].teacher, first["soft_labels"].teacher)
    assert all(torch.equal(a, b) for a, b in zip(both["pair"], second["pair"], strict=True))


def test_two_supplies_of_one_entry_are_refused(make_data, store):
    online = OnlineMemory(teacher, ShiftedFlow(), make_data().dataset.reader, 2)
    with pytest.raises(ConfigError, match=r"two supplies .* add the same, of soft_labels, soft_labels; keep one"):
        make_data(supplies=(StoredMemory(store), online))


def test_the_stored_memory_needs_no_neighbours(make_data, store, opened_images):
    data = make_data(supplies=(StoredMemory(store),))
    finished_batches(data)
    assert opened_images
    assert all("_000003_" in name for name in opened_images)


@pytest.fixture
def opened_images(monkeypatch):
    names = []
    monkeypatch.setattr(reader, "ImageFile", lambda path: names.append(path.name) or ImageFile(path))
    return names


def test_a_damaged_item_stops_training_by_name(make_data, store):
    data = make_data(supplies=(StoredMemory(store),))
    path = store.path(data.clips[0].target.key)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=str(path)) as refusal:
        finished_batches(data)
    assert "\n" not in str(refusal.value)


def test_an_item_of_another_shape_than_its_frame_is_refused_by_name(make_data, store):
    data = make_data(supplies=(StoredMemory(store),))
    key = data.clips[0].target.key
    store.write(key, MemoryItem(*(array[:, ::2] for array in store.read(key))))
    with pytest.raises(
        RunError, match=rf"{store.path(key)} is of another shape than its frame \(8 x 32 cells for 64 x 128"
    ):
        finished_batches(data)
