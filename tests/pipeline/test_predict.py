import numpy as np
import pytest
import torch

from weclick.modules import StudentModule
from weclick.pipeline import predict as predicting
from weclick.pipeline.predict import Segmenter, fitted_size, segmenter, working_size


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    classes = [{"name": "road"}, {"name": "car"}, {"name": "sky"}]
    return StudentModule(classes, (64, 128), encoder="mobilenetv3_small_050", pretrained=False, width=8).eval()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((64, 128), (64, 128)),
        ((256, 512), (64, 128)),
        ((32, 64), (64, 128)),
        ((480, 480), (91, 91)),
        ((1, 10000), (1, 9051)),
    ],
)
def test_a_frame_is_run_at_its_own_shape_with_as_many_pixels_as_in_training(frame, expected):
    assert working_size(frame, (64, 128)) == expected


def test_trap_26_classes_are_chosen_at_the_networks_size_and_enlarged_as_ids(module, monkeypatch):
    seen, sizes = [], []
    chosen = predicting.labels_at
    monkeypatch.setattr(predicting, "labels_at", lambda logits, size: sizes.append(size) or chosen(logits, size))
    with module.network.register_forward_pre_hook(lambda network, inputs: seen.append(tuple(inputs[0].shape))):
        labels = segmenter(module)(np.random.default_rng(0).integers(0, 256, (256, 512, 3), np.uint8))
    assert seen == [(1, 3, 64, 128)]
    assert sizes == [(64, 128)]
    assert labels.shape == (256, 512)
    assert labels.dtype == np.uint8
    assert (labels.reshape(64, 4, 128, 4) == labels[::4, None, ::4, None]).all()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ((36, 48), (36, 48)),
        ((720, 1280), (27, 48)),
        ((1280, 720), (36, 20)),
        ((72, 96), (36, 48)),
        ((1, 5000), (1, 48)),
    ],
)
def test_a_frame_fits_into_the_one_size_of_an_exported_model_in_its_own_shape(frame, expected):
    assert fitted_size(frame, (36, 48)) == expected


def test_a_model_of_one_size_sees_a_frame_of_another_shape_undistorted():
    image = np.zeros((20, 80, 3), np.uint8)
    image[:, 40:] = 200  # left and right half
    seen = []

    def network(room):
        seen.append(room)
        return torch.from_numpy((room[None, ..., 0] > 100).astype(np.uint8))

    labels = Segmenter(network, lambda frame: fitted_size(frame, (30, 40)), None, (30, 40))(image)
    assert seen[0].shape == (30, 40, 3)
    assert (seen[0][9] == seen[0][29]).all()  # below the frame its last row is repeated
    assert (labels == (image[..., 0] > 100)).all()
