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
from weclick.reporting.metrics_file import MetricsFile
from weclick.reporting.pictures import SamplePictures, training_sample, write_picture

CLASSES = ClassSet.from_list([{"name": "road", "color": [200, 0, 0]}, {"name": "car", "color": [0, 0, 200]}])


def trainer(**options):
    common = {"global_rank": 0, "sanity_checking": False, "loggers": [], "global_step": 0}
    return SimpleNamespace(**{**common, "current_epoch": 0, "max_epochs": 10, **options})


def training_batch(count=2, soft_labels=False):
    labels = torch.full((count, 32, 64), 255)
    labels[:, 8:12, 8:12] = 1
    batch = {"image": torch.full((count, 3, 32, 64), 0.5), "labels": labels}
    if soft_labels:
        soft = torch.zeros(count, 2, 8, 16)
        soft[:, 0, :, 8:] = 1
        batch["soft_labels"] = SoftLabels(soft, Memory(soft, torch.ones(count, 1, 8, 16)))
    return batch


def logits(count=2):
    return torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(count, 2, 8, 16)


OUTPUTS = {"logits": logits(), "terms": {"loss": torch.tensor(1.0)}}


def evaluation_batch(count=2):
    labels = [torch.zeros(48, 96, dtype=torch.uint8) for _ in range(count)]
    batch = {"image": torch.rand(count, 3, 32, 64), "label": labels, "key": [f"a:{i}" for i in range(count)]}
    return batch, {"predictions": [x.long() for x in labels]}


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture
def pictures(tmp_path):
    return SamplePictures(tmp_path, CLASSES)


def test_a_training_shows_its_first_batch_at_the_start_and_after_each_fifth(pictures, tmp_path):
    shown = []
    for epoch in range(10):
        for batch_idx in range(2):
            file = tmp_path / "train_samples.png"
            pictures.on_train_batch_end(trainer(current_epoch=epoch), None, OUTPUTS, training_batch(), batch_idx)
            if file.exists():
                shown.append((epoch, batch_idx))
                file.unlink()
    assert shown == [(epoch, 0) for epoch in (0, 1, 3, 5, 7, 9)]


def test_a_training_sample_shows_clicks_as_rings_and_no_empty_layer():
    sample = training_sample(training_batch(), logits(), 0, clicked=True)
    assert list(sample.shown) == ["prediction"]
    ((x, y, class_id),) = sample.clicks  # 9.5, 9.5 in the batch's image, which is enlarged five times
    assert (x, y, class_id) == (pytest.approx(49.5), pytest.approx(49.5), 1)
    drawn = sample.frame(CLASSES)
    assert tuple(drawn[49, 49]) == (0, 0, 200)
    assert (drawn == 255).all(-1).any(), "a white ring"


def test_a_training_sample_shows_soft_labels_where_they_predict_something():
    sample = training_sample(training_batch(1, soft_labels=True), logits(1), 0, clicked=True)
    assert list(sample.shown) == ["teacher", "memory", "prediction"]
    for name in ("teacher", "memory"):
        assert (sample.layers[name][:, :160] == 255).all()
        assert (sample.layers[name][:, 160:] == 0).all()


def test_dense_labels_are_shown_as_truth_and_not_as_clicks():
    sample = training_sample(training_batch(), logits(), 0, clicked=False)
    assert list(sample.shown) == ["truth", "prediction"]
    assert not sample.clicks


def test_labels_made_from_clicks_are_shown_too():
    batch = training_batch() | {"grown": torch.zeros(2, 8, 16).long(), "accepted": torch.full((2, 8, 16), 255)}
    assert list(training_sample(batch, logits(), 0, clicked=True).shown) == ["grown", "prediction"]


def test_only_the_first_process_writes(pictures, tmp_path):
    pictures.on_train_batch_end(trainer(global_rank=1), None, OUTPUTS, training_batch(), 0)
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
    assert 4 * 160 <= shown.shape[0] < 5 * 160  # four of the six, enlarged to 320 x 160


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
