"""Bad input in every layout: refused in one line that names it, counted, or harmless; never half-written."""

import warnings

import cv2
import numpy as np
import pytest

from weclick.clicks import ClickStore
from weclick.data.datamodule import ClipDataModule
from weclick.data.dataset import DataSet
from weclick.data.masks import find_click_store, require_masks, simulate_split
from weclick.data.supplies import OnlineMemory
from weclick.errors import WeclickError

SIZE = (32, 64)
LAYOUTS = ["cityscapes", "camvid", "folder"]
VALUES = {"cityscapes": (7, 26), "camvid": (0, 8), "folder": (0, 1)}
"""Stored label values of two classes."""


class Set:
    """A data set on disk: four training videos and one for validation, of three frames each; the last has a mask."""

    def __init__(self, layout, root):
        self.layout, self.root = layout, root
        rng = np.random.default_rng(0)
        mask = np.full(SIZE, VALUES[layout][0], np.uint8)
        mask[8:24, 16:48] = VALUES[layout][1]
        self.mask = mask
        for split, video in [*(("train", f"t{n}_000000") for n in range(4)), ("val", "v0_000000")]:
            for number in range(3):
                write(self.image(split, video, number), rng.integers(0, 256, (*SIZE, 3), np.uint8))
            write(self.label(split, video), mask)
        if layout == "folder":
            (root / "classes.yaml").write_text("[ground, car]", encoding="utf-8")
            (root / "splits.yaml").write_text(
                f"train: [{', '.join(f't{n}_000000' for n in range(4))}]\nval: [v0_000000]"
            )

    def image(self, split, video, number):
        town = video.split("_")[0]
        return (
            self.root
            / {
                "cityscapes": f"leftImg8bit_sequence/{split}/{town}/{video}_{number:06d}_leftImg8bit.png",
                "camvid": f"{split}/{video}_{number}.png",
                "folder": f"frames/{video}/{number}.png",
            }[self.layout]
        )

    def label(self, split, video, number=2):
        town = video.split("_")[0]
        return (
            self.root
            / {
                "cityscapes": f"gtFine/{split}/{town}/{video}_{number:06d}_gtFine_labelIds.png",
                "camvid": f"{split}annot/{video}_{number}.png",
                "folder": f"masks/{video}/{number}.png",
            }[self.layout]
        )

    def targets(self, split="train", count=4):
        return [self.image(split, f"{split[0]}{n}_000000", 2) for n in range(count)]

    def labels(self, split="train", count=4):
        return [self.label(split, f"{split[0]}{n}_000000") for n in range(count)]

    def clicked(self, **options):
        """Return a data module with the existing clicks, or simulated ones."""
        dataset, store = DataSet.open(self.root), self.root.with_name("run") / "clicks.sqlite"
        if find_click_store(dataset.layout, None) is None and not store.exists():
            require_masks(dataset.layout)
            simulate_split(dataset.layout, "train", store, rule="center", min_area=1, seed=0)
        options = {"root": str(self.root), "size": SIZE, "batch_size": 2, "workers": 0, **options}
        return ClipDataModule(options, dataset=dataset, clicks=find_click_store(dataset.layout, None) or store)

    def use(self, batch_size=2, **draws):
        """Read everything a training reads, and return the training batches."""
        data = self.clicked(batch_size=batch_size, draws={"crop": SIZE, **draws})
        batches = [data.on_after_batch_transfer(batch, 0) for batch in data.train_dataloader()]
        assert list(data.val_dataloader())
        return batches

    def tree(self):
        return {path: path.stat().st_mtime_ns for path in self.root.rglob("*")}


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", array)[1].tobytes())


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def empty(path):
    path.write_bytes(b"")


def deep(path):
    write(path, cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.uint16) * 256)


@pytest.fixture(params=LAYOUTS)
def made(request, tmp_path):
    return Set(request.param, tmp_path / "Straße 1 東京")


def refused(made, *words, **options):
    with pytest.raises(WeclickError) as refusal:
        made.use(**options)
    message = str(refusal.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
    assert not [path for path in made.root.parent.rglob("*") if path.name.startswith(".")]
    assert not (made.root.with_name("run") / "clicks.sqlite-wal").exists()
    return message


def test_a_missing_folder_is_refused_by_name(made):
    made.root.rename(made.root.with_name("elsewhere"))
    refused(made, made.root, "missing", layout=made.layout)


def test_neither_masks_nor_clicks_is_refused(made):
    for label in [*made.labels(), *made.labels("val", 1)]:
        label.unlink()
    refused(made, made.root, "neither clicks nor masks")
    assert not (made.root.with_name("run") / "clicks.sqlite").exists()


def test_no_labelled_frame_to_validate_with_is_refused(made):
    made.labels("val", 1)[0].unlink()
    refused(made, made.root, "val", "no masks")


def test_a_mask_without_its_image_is_refused_by_name(made):
    made.targets()[1].unlink()
    refused(made, made.labels()[1].name)


def test_an_unknown_label_id_is_refused_by_file_and_value(made):
    write(made.labels()[1], np.full(SIZE, 77, np.uint8))
    refused(made, made.labels()[1], "[77]")
    assert not (made.root.with_name("run") / "clicks.sqlite").exists()


@pytest.mark.parametrize("spoil", [cut, empty, deep])
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_mask_that_cannot_be_read_is_refused_by_name(made, spoil, split):
    label = made.labels(split, 1)[0]
    spoil(label)
    refused(made, label)


def test_a_validation_mask_of_another_size_than_its_image_is_refused_by_name(made):
    (label,) = made.labels("val", 1)
    write(label, made.mask[::2, ::2])
    refused(made, label, "32x16", "64x32")


@pytest.mark.parametrize("spoil", [cut, empty, deep])
def test_one_bad_image_among_many_is_a_counted_warning(made, spoil):
    bad = made.targets()[1]
    spoil(bad)
    with pytest.warns(UserWarning, match="damaged training frame left out") as warned:
        assert len(made.use()) == 2
    assert [str(bad) in str(warning.message) for warning in warned] == [True]


@pytest.mark.parametrize("spoil", [cut, empty, deep])
def test_bad_images_only_are_refused_with_the_first(made, spoil):
    for image in made.targets():
        spoil(image)
    refused(made, made.root, "damaged")


@pytest.mark.parametrize("spoil", [cut, empty, deep])
def test_a_bad_validation_image_is_refused_by_name(made, spoil):
    (bad,) = made.targets("val", 1)
    spoil(bad)
    refused(made, bad)


def test_a_store_without_clicks_is_refused(made):
    data = ClipDataModule({"root": str(made.root)})
    with ClickStore.create(made.root / "clicks.sqlite", data.dataset.classes) as store:
        store.add(next(iter(data.dataset.layout.frames("train"))).key, [], status="skipped")
    refused(made, "clicks.sqlite", "click some")


def test_images_without_mask_are_neighbours_or_unlabelled(made):
    made.labels()[1].unlink()
    data = ClipDataModule({"root": str(made.root)})
    assert len(data.dataset.labelled("train")) == 3
    assert {batch["image"].shape[0] for batch in made.use(batch_size=3)} == {3}


def test_one_class_only_can_be_trained_on(made):
    for label in [*made.labels(), *made.labels("val", 1)]:
        write(label, np.full(SIZE, VALUES[made.layout][0], np.uint8))
    for batch in made.use():
        assert set(batch["labels"].unique().tolist()) == {0, 255}


def test_grey_images_are_taken_as_colours(made):
    for image in [*made.targets(), *made.targets("val", 1)]:
        write(image, cv2.imread(str(image), cv2.IMREAD_GRAYSCALE))
    for batch in made.use(colour=0.0):
        assert (batch["image"][:, :1] == batch["image"]).all()


def test_a_clip_with_too_few_neighbours_is_padded(made):
    data = made.clicked(clips={"neighbours": 5})
    read = OnlineMemory(None, None, data.dataset.reader, 5).read
    assert {tuple(read(clip, data.dataset.size)["offsets"].tolist()) for clip in data.clips} == {(-1, -2, 0, 0, 0)}


def test_a_snippet_of_its_target_alone_has_no_neighbour(made):
    for number in range(2):
        made.image("train", "t0_000000", number).unlink()
    data = made.clicked()
    assert [clip.offsets for clip in data.clips] == [(), *[(-1, -2)] * 3]


def test_a_data_set_is_only_read_and_may_be_read_only(made):
    before = made.tree()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.use()
    assert made.tree() == before
