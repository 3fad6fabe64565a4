import cv2
import numpy as np
import pytest

from weclick.errors import DataError, DiskError
from weclick.synthetic import SyntheticVideo, write_synthetic
from weclick.synthetic.writer import FIRST_WORLD

SMALL = {"train": 2, "val": 1, "frames": 3, "target": 1, "size": (48, 96)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic") / "street"
    write_synthetic(root, seed=7, **SMALL)
    return root


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_training_snippets_are_labelled_on_the_target_only(written):
    assert names(written / "gtFine/train") == [
        f"synthaven/synthaven_{sequence:06d}_000001_gtFine_{kind}.png"
        for sequence in (0, 1)
        for kind in ("instanceIds", "labelIds")
    ]
    assert names(written / "leftImg8bit/train") == [
        f"synthaven/synthaven_{sequence:06d}_000001_leftImg8bit.png" for sequence in (0, 1)
    ]


def test_validation_snippets_are_labelled_on_every_frame(written):
    images = [f"synthfield/synthfield_000000_{number:06d}_leftImg8bit.png" for number in range(3)]
    assert names(written / "leftImg8bit/val") == images
    assert len(names(written / "gtFine/val")) == 6


def test_sequence_holds_every_frame(written):
    assert len(names(written / "leftImg8bit_sequence/train")) == 6
    assert len(names(written / "leftImg8bit_sequence/val")) == 3


def test_files_contain_the_rendered_frames(written):
    frame = SyntheticVideo(7, FIRST_WORLD["val"], SMALL["size"]).frame(2)
    stem = "val/synthfield/synthfield_000000_000002"
    image = cv2.imread(str(written / f"leftImg8bit/{stem}_leftImg8bit.png"))
    assert np.array_equal(image[..., ::-1], frame.image)
    for kind, array in (("labelIds", frame.label), ("instanceIds", frame.instances)):
        stored = cv2.imread(str(written / f"gtFine/{stem}_gtFine_{kind}.png"), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == array.dtype
        assert np.array_equal(stored, array)


def test_notice_states_licence_version_and_seed(written):
    text = (written / "README.txt").read_text(encoding="utf-8")
    assert all(word in text for word in ("Synthetic", "CC0", "version 1", "seed 7"))


def test_same_seed_writes_the_same_bytes(written, tmp_path):
    write_synthetic(tmp_path / "again", seed=7, **SMALL)
    assert names(tmp_path / "again") == names(written)
    assert all((tmp_path / "again" / name).read_bytes() == (written / name).read_bytes() for name in names(written))


def test_more_training_snippets_do_not_change_validation(written, tmp_path):
    write_synthetic(tmp_path / "more", seed=7, **(SMALL | {"train": 3, "frames": 2}))
    name = "leftImg8bit/val/synthfield/synthfield_000000_000000_leftImg8bit.png"
    assert (tmp_path / "more" / name).read_bytes() == (written / name).read_bytes()


def test_empty_folder_may_exist_and_progress_is_reported(tmp_path):
    root = tmp_path / "empty"
    root.mkdir()
    calls = []
    write_synthetic(root, **(SMALL | {"val": 0}), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 6) for done in range(1, 7)]
    assert not (root / "gtFine/val").exists()


def test_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="is not empty"):
        write_synthetic(tmp_path, **SMALL)
    assert names(tmp_path) == ["mine.txt"]


def test_refuses_a_file_as_root(tmp_path):
    (tmp_path / "file").write_text("keep")
    with pytest.raises(DataError, match="is not a folder"):
        write_synthetic(tmp_path / "file", **SMALL)


def test_refuses_a_root_below_a_file(tmp_path):
    (tmp_path / "file").write_text("keep")
    with pytest.raises(DataError, match=r"cannot be written .*file"):
        write_synthetic(tmp_path / "file/street", **SMALL)


@pytest.mark.parametrize(
    "failure, expected", [(OSError(28, "No space left on device"), DiskError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_no_files_remain_after_a_failure(tmp_path, monkeypatch, failure, expected):
    def fail(self, number):
        if number == 2:
            raise failure
        return frame(self, number)

    frame = SyntheticVideo.frame
    monkeypatch.setattr(SyntheticVideo, "frame", fail)
    with pytest.raises(expected):
        write_synthetic(tmp_path / "street", **SMALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"train": 0, "val": 0}, "at least one, found train = 0, val = 0"),
        ({"train": -1}, "found train = -1"),
        ({"frames": 0}, "1 to 100 frames, found 0"),
        ({"frames": 101}, "1 to 100 frames, found 101"),
        ({"target": 3}, "target frame 3 is outside a snippet of 3 frames"),
        ({"target": -1}, "target frame -1"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"size": (16, 512)}, "found 16 x 512"),
    ],
)
def test_refuses_values_out_of_range_before_writing(tmp_path, wrong, message):
    with pytest.raises(DataError, match=message):
        write_synthetic(tmp_path / "street", **(SMALL | wrong))
    assert list(tmp_path.iterdir()) == []
