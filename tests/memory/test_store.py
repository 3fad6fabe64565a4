import json
import pickle
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.data.index import FrameKey
from weclick.errors import DiskError, RunError
from weclick.losses.distillation import at_temperature
from weclick.memory.fuse import Memory
from weclick.memory.item import MemoryItem, dequantise, quantise
from weclick.memory.online import SoftLabels
from weclick.memory.store import FORMAT, MemoryStore

MANIFEST = {"teacher": "abc", "flow": "dis", "size": [32, 64]}
KEY = FrameKey("drive", 12)


def item(classes=3, height=8, width=16, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (classes, height, width), (classes, height, width), (1, height, width)
    return MemoryItem(*(rng.integers(0, 256, shape, np.uint8) for shape in shapes))


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def store(tmp_path):
    return MemoryStore(tmp_path / "memory", MANIFEST)


def stored(labels):
    """Soft labels after a way through the bytes of an item."""
    items = quantise(labels)
    arrays = [np.stack(arrays) for arrays in zip(*items, strict=True)]
    assert all(array.dtype == np.uint8 for array in arrays)
    return dequantise(*map(torch.from_numpy, arrays))


def softmax(classes, spread, seed):
    return (spread * torch.randn(2, classes, 20, 30, generator=torch.Generator().manual_seed(seed))).softmax(1)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([11, 19]), st.sampled_from([1.0, 3.0, 6.0]))
def test_a_stored_probability_is_off_by_half_a_step_of_its_root_at_most(seed, classes, spread):
    exact = softmax(classes, spread, seed)
    confidence = exact[:, :1]
    found = stored(SoftLabels(exact, Memory(exact.flip(1), confidence)))
    half = 1 / 510
    for maps, truth in ((found.teacher, exact), (found.memory.probabilities, exact.flip(1))):
        assert (maps.sqrt() - truth.sqrt()).abs().max() <= half + 1e-6
        assert (maps - truth).abs().max() <= 2 * half
        assert (maps.sum(1) - 1).abs().max() < 0.01
    assert (found.memory.confidence - confidence).abs().max() <= half + 1e-6


@pytest.mark.parametrize("classes", [11, 19])
@pytest.mark.parametrize("spread", [3.0, 6.0])
def test_a_temperature_finds_in_the_store_what_it_softens(classes, spread):
    exact = softmax(classes, spread, seed=0)
    found = stored(SoftLabels(exact, Memory(exact, exact[:, :1]))).teacher
    softened, truth = (at_temperature(maps, 2.0) for maps in (found, exact))
    divergence = (torch.xlogy(softened, softened) - softened * truth.log()).sum(1).mean()
    assert divergence < 0.005  # 0.04 to 0.08 on a linear scale


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_certainty_is_stored_exactly(value):
    maps = torch.full((1, 3, 2, 2), value)
    assert torch.equal(stored(SoftLabels(maps, Memory(maps, maps[:, :1]))).teacher, maps)


def test_what_was_written_is_read(store):
    store.write(KEY, item())
    assert same(store.read(KEY), item())


@pytest.mark.parametrize("video", ["Straße 1/Nord", "..%2F..", "aachen_000012", "视频" * 20, "a b"])
def test_any_video_name_has_a_place_inside_the_store(store, video):
    key = FrameKey(video, 7)
    store.write(key, item())
    assert same(store.read(key), item())
    assert store.path(key).resolve().is_relative_to(store.folder.resolve())
    assert store.path(key).parent.parent == store.folder


def test_videos_that_differ_only_in_a_slash_do_not_share_items(store):
    names = ["a/b", "a%2Fb", "a_b", "a"]
    assert len({store.path(FrameKey(name, 1)) for name in names}) == len(names)


def test_missing_lists_what_is_still_to_do_in_order(store):
    keys = [FrameKey("a", number) for number in (3, 1, 2)]
    store.write(keys[1], item())
    assert store.missing(keys) == [keys[0], keys[2]]


def test_the_memory_of_another_teacher_is_refused_by_name(store):
    with pytest.raises(RunError, match="built with another teacher, flow;") as refusal:
        MemoryStore(store.folder, {**MANIFEST, "teacher": "xyz", "flow": "raft-large"})
    assert str(store.folder) in str(refusal.value)


def test_the_same_manifest_opens_the_store_again(store):
    store.write(KEY, item())
    again = MemoryStore(store.folder, MANIFEST)
    assert again.missing([KEY]) == []
    assert MemoryStore(store.folder).manifest == {"version": FORMAT, **MANIFEST}


@pytest.mark.parametrize("manifest", [None, MANIFEST])
@pytest.mark.parametrize("version", [2, 4, None])
def test_a_memory_of_another_format_is_refused_whoever_opens_it(store, version, manifest):
    (store.folder / "manifest.json").write_text(json.dumps({"version": version, **MANIFEST}))
    with pytest.raises(RunError, match=rf"format {version}, .*reads format 3; delete that folder and build") as refusal:
        MemoryStore(store.folder, manifest)
    assert str(store.folder) in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [None, "", "{", "3", "\udcff"])
def test_a_folder_without_readable_manifest_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    words = "holds no memory" if content is None else r"manifest\.json is damaged \(.*\); restore it, or delete"
    with pytest.raises(RunError, match=words):
        MemoryStore(tmp_path)


def test_a_missing_item_is_refused_by_path(store):
    with pytest.raises(RunError, match="is missing; resume the run") as refusal:
        store.read(KEY)
    assert str(store.path(KEY)) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04", b"\x93NUMPY", pickle.dumps({"teacher": 1})])
def test_a_file_that_is_no_item_is_refused(store, content):
    store.write(KEY, item())
    store.path(KEY).write_bytes(content)
    with pytest.raises(RunError, match="is damaged; delete it and resume") as refusal:
        store.read(KEY)
    assert "pickle" not in str(refusal.value)  # numpy's advice, which would run code from the file


def test_a_damaged_item_quotes_no_advice_to_load_it_unsafely(store):
    store.write(KEY, item())
    np.savez_compressed(store.path(KEY), teacher=np.array([{}], object))
    with pytest.raises(RunError, match="is damaged; delete it") as refusal:
        store.read(KEY)
    assert "pickle" not in str(refusal.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"teacher": np.zeros((3, 8, 16), np.float32)},
        {"memory": np.zeros((3, 8, 15), np.uint8)},
        {"teacher": np.zeros((8, 16), np.uint8), "memory": np.zeros((8, 16), np.uint8)},
        {"confidence": np.zeros((3, 8, 16), np.uint8)},
        {"teacher": np.zeros((2, 8, 16), np.uint8), "memory": np.zeros((2, 8, 16), np.uint8)},
        {"teacher": np.uint8(0), "memory": np.uint8(0), "confidence": np.uint8(0)},
    ],
)
def test_arrays_that_are_no_item_are_refused_by_file_and_shape(tmp_path, wrong):
    store = MemoryStore(tmp_path / "memory", {**MANIFEST, "classes": ["a", "b", "c"]})
    store.write(KEY, item()._replace(**wrong))
    with pytest.raises(RunError, match="delete it and resume") as refusal:
        store.read(KEY)
    name, array = next(iter(wrong.items()))
    assert str(store.path(KEY)) in str(refusal.value)
    assert f"{name} {array.dtype} {array.shape}" in str(refusal.value)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_damaged_item_is_refused_or_read_as_it_was(tmp_path_factory, data):
    store = MemoryStore(tmp_path_factory.mktemp("memory"), MANIFEST)
    store.write(KEY, item(height=2, width=4))
    raw = bytearray(store.path(KEY).read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[place] ^= data.draw(st.integers(1, 255))
    else:
        del raw[place:]
    store.path(KEY).write_bytes(raw)
    try:
        found = store.read(KEY)
    except RunError as error:
        assert "\n" not in str(error)
    else:
        assert same(found, item(height=2, width=4))


def test_a_write_that_fails_leaves_nothing_behind(store, monkeypatch):
    write = ZipFile.writestr

    def full(archive, info, *args, **kwargs):
        if info.filename == "memory.npy":
            raise OSError(28, "No space left on device")
        write(archive, info, *args, **kwargs)

    store.write(FrameKey("drive", 1), item())
    monkeypatch.setattr(ZipFile, "writestr", full)
    with pytest.raises(DiskError, match="is full"):
        store.write(KEY, item())
    assert [path.name for path in store.path(KEY).parent.iterdir()] == ["1.npz"]
    assert store.missing([KEY]) == [KEY]


@pytest.mark.parametrize(("classes", "height", "width"), [(3, 8, 16), (19, 32, 64), (255, 4, 4)])
def test_an_item_stays_below_the_documented_bytes(store, classes, height, width):
    store.write(KEY, item(classes, height, width))  # random bytes: deflation does not help
    assert store.path(KEY).stat().st_size <= (2 * classes + 1) * height * width + 1024


def test_the_manifest_is_plain_json(store):
    assert json.loads((store.folder / "manifest.json").read_text(encoding="utf-8")) == store.manifest
