import errno
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.errors import DiskError
from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels
from weclick.reporting.loggers import MetricsFile
from weclick.reporting.pictures import SamplePictures, comparison, ids, picture, write_picture

CLASSES = ClassSet.from_list([{"name": "road", "color": [200, 0, 0]}, {"name": "car", "color": [0, 0, 200]}])


def trainer(**options):
    return SimpleNamespace(**{"global_rank": 0, "sanity_checking": False, "loggers": [], **options})


def training_batch(count=2, soft_labels=False):
    labels = torch.full((count, 32, 64), 255)
    labels[:, 8:12, 8:12] = 1
    batch = {"image": torch.full((count, 3, 32, 64), 0.5), "labels": labels}
    if soft_labels:
        soft = torch.zeros(count, 2, 8, 16)
        soft[:, 0, :, 8:] = 1
        batch["soft_labels"] = SoftLabels(soft, Memory(soft, torch.ones(count, 1, 8, 16)))
    return batch


def evaluation_batch(count=2):
    labels = [torch.zeros(48, 96, dtype=torch.uint8) for _ in range(count)]
    return {"image": torch.rand(count, 3, 32, 64), "label": labels}, {"predictions": [x.long() for x in labels]}


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture
def pictures(tmp_path):
    return SamplePictures(tmp_path, CLASSES)


def test_the_first_training_batch_is_shown_once(pictures, tmp_path):
    file = tmp_path / "train_samples.png"
    pictures.on_train_batch_start(trainer(), None, training_batch(), 1)
    assert not file.exists()
    pictures.on_train_batch_start(trainer(), None, training_batch(), 0)
    shown = file.read_bytes()
    assert (read(file) == (0, 0, 200)).all(-1).sum() == 2 * 16  # the discs, in their class's colour
    pictures.on_train_batch_start(trainer(), None, training_batch(1), 0)
    assert file.read_bytes() == shown


def test_teacher_and_memory_are_shown_where_they_have_a_prediction(pictures, tmp_path):
    pictures.on_train_batch_start(trainer(), None, training_batch(1, soft_labels=True), 0)
    shown = read(tmp_path / "train_samples.png")
    blended = (np.abs(shown.astype(int) - (164, 64, 64)) <= 1).all(-1)
    assert blended.sum() == pytest.approx(2 * 32 * 32, rel=0.05)


def test_only_the_first_process_writes(pictures, tmp_path):
    pictures.on_train_batch_start(trainer(global_rank=1), None, training_batch(), 0)
    batch, outputs = evaluation_batch()
    pictures.on_validation_batch_end(trainer(global_rank=1), None, outputs, batch, 0)
    pictures.on_validation_end(trainer(global_rank=1), None)
    assert list(tmp_path.iterdir()) == []


def test_validation_frames_are_shown_after_every_validation(pictures, tmp_path):
    batch, outputs = evaluation_batch(6)
    for _ in range(2):
        pictures.on_validation_batch_end(trainer(), None, outputs, batch, 0)
        pictures.on_validation_batch_end(trainer(), None, None, None, 1)
        pictures.on_validation_end(trainer(), None)
    shown = read(tmp_path / "val_samples.png")
    assert shown.shape[0] >= 4 * 32  # four of the six
    assert shown.shape[0] < 6 * 32 + 4 * 32


def test_a_sanity_check_is_not_shown(pictures, tmp_path):
    batch, outputs = evaluation_batch()
    pictures.on_validation_batch_end(trainer(sanity_checking=True), None, outputs, batch, 0)
    pictures.on_validation_end(trainer(), None)
    assert not (tmp_path / "val_samples.png").exists()


def test_curves_are_drawn_where_there_are_metrics(pictures, tmp_path):
    pictures.on_fit_end(trainer(), None)
    assert not (tmp_path / "curves.png").exists()
    file = MetricsFile(tmp_path)
    for step in range(3):
        file.log_metrics({"train/loss": 1.0 / (step + 1), "epoch": step}, step)
    pictures.on_fit_end(trainer(), None)
    assert read(tmp_path / "curves.png").ndim == 3


def test_a_comparison_is_at_the_images_size():
    entry = comparison(torch.rand(3, 32, 64), torch.ones(64, 128, dtype=torch.uint8), torch.zeros(64, 128).long())
    assert {name: value.shape for name, value in entry.items()} == {
        "image": (32, 64, 3),
        "truth": (32, 64),
        "prediction": (32, 64),
    }
    assert entry["truth"].min() == 1


def test_pictures_and_ids_by_hand():
    assert picture(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1)).tolist() == [[[0, 128, 255]]]
    assert ids(torch.tensor([[0, 255]])).tolist() == [[0, 255]]


def test_a_picture_is_written_as_rgb_and_whole(tmp_path):
    write_picture(tmp_path / "ü.png", np.full((4, 4, 3), (10, 20, 30), np.uint8))
    assert read_bytes(tmp_path / "ü.png").tolist() == [10, 20, 30]
    assert [path.name for path in tmp_path.iterdir()] == ["ü.png"]


def test_a_map_of_ids_is_written_as_it_is(tmp_path):
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    write_picture(tmp_path / "ids.png", labels)
    assert (cv2.imread(str(tmp_path / "ids.png"), cv2.IMREAD_UNCHANGED) == labels).all()


def test_a_full_disk_is_named_with_the_picture(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskError, match=r"val_samples\.png cannot be written: the disk .* is full"):
        write_picture(tmp_path / "val_samples.png", np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def read_bytes(path):
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)[0, 0]
