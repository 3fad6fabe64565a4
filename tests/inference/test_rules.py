"""The rules of size, precision and resizing, by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from weclick.errors import ShapeError
from weclick.inference import array_rules
from weclick.inference.array_rules import fitted_size
from weclick.inference.rules import (
    choose_precision,
    class_ids,
    class_probabilities,
    default_device,
    image_batch,
    labels_at,
    resize_ids,
    trained_size,
)


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
    assert trained_size(frame, (64, 128)) == expected


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


@pytest.mark.parametrize("has_bf16", [True, False])
def test_bf16_is_for_gpus_that_compute_in_it(monkeypatch, has_bf16):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert choose_precision("auto", cuda) == ("bf16" if has_bf16 else "fp32")
    assert choose_precision("auto", cpu) == "fp32"
    assert [choose_precision(chosen, cuda) for chosen in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert choose_precision("bf16", cpu) == "bf16"


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(1, 1, "cuda:0"), (0, 1, "mps"), (0, 0, "cpu")])
def test_the_first_gpu_is_taken(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: bool(mps))
    assert str(default_device()) == expected


def test_an_image_becomes_a_batch_of_one_in_0_to_1():
    image = np.zeros((2, 3, 3), np.uint8)
    image[1, 2] = (255, 51, 0)
    batch = image_batch(image)
    assert batch.shape == (1, 3, 2, 3)
    torch.testing.assert_close(batch[0, :, 1, 2], torch.tensor([1.0, 0.2, 0.0]))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
def test_where_input_and_label_have_one_size_the_logits_are_resized_to_it(seed, h, w, height, width):
    logits = torch.randn(2, 4, h, w, generator=torch.Generator().manual_seed(seed))
    enlarged = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    labels = labels_at(logits, (height, width), (height, width))
    chosen = enlarged.gather(1, labels.long()[:, None])
    torch.testing.assert_close(chosen, enlarged.amax(1, keepdim=True))
    assert labels.dtype == torch.uint8


def test_borders_fall_between_the_logits_pixels():
    # Two pixels, class 0 strong left, class 1 weak right: the border moves right of the middle.
    logits = torch.tensor([[[[3.0, 0.0]], [[0.0, 1.0]]]])
    # Weights of the right pixel at the 8 centres: 0, 0, 1/8, 3/8, 5/8, 7/8, 1, 1; class 1 wins above 3/4.
    assert labels_at(logits, (1, 8), (1, 8)).tolist() == [[[0, 0, 0, 0, 0, 1, 1, 1]]]
    # at an input of two pixels each gives its own class, which is then enlarged
    assert labels_at(logits, (1, 2), (1, 8)).tolist() == [[[0, 0, 0, 0, 1, 1, 1, 1]]]


def test_trap_26_classes_are_chosen_at_the_inputs_size_and_enlarged_as_ids():
    logits = torch.randn(1, 5, 4, 6, generator=torch.Generator().manual_seed(0))
    labels = labels_at(logits, (8, 12), (32, 48))
    assert torch.equal(labels, class_ids(logits, (8, 12)).repeat_interleave(4, 1).repeat_interleave(4, 2))


def test_enlarged_ids_stay_centred():
    ids = torch.tensor([[[0, 1, 2]]], dtype=torch.uint8)
    assert resize_ids(ids, (1, 5)).tolist() == [[[0, 0, 1, 2, 2]]]  # plain nearest neighbour gives 0, 0, 1, 1, 2
    assert resize_ids(ids, (1, 3)) is ids


def test_bfloat16_makes_no_ties():
    low = torch.tensor([[[[1.0, 0.0]], [[0.99, 1.0]]]]).to(torch.bfloat16)
    assert torch.equal(class_ids(low, (1, 64)), class_ids(low.float(), (1, 64)))


def test_logits_are_a_batch():
    with pytest.raises(ShapeError, match=r"\(B, C, h, w\)"):
        class_ids(torch.zeros(3, 4, 4), (8, 8))


# The same rules for arrays

sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 99), st.integers(2, 12), st.integers(1, 9), st.integers(1, 9), sizes, sizes)
def test_arrays_get_the_labels_and_probabilities_of_tensors(seed, classes, h, w, filled, frame):
    filled = (max(h, filled[0]), max(w, filled[1]))
    logits = np.random.default_rng(seed).normal(size=(classes, h, w)).astype(np.float32) * 5
    ids = class_ids(torch.from_numpy(logits)[None], filled)
    own = array_rules.class_ids(logits, filled)
    assert (own == ids[0].numpy()).mean() > 0.99  # ties may be rounded differently
    expected = resize_ids(ids, frame)[0].numpy()
    np.testing.assert_array_equal(array_rules.resize_nearest(ids[0].numpy(), frame), expected)
    inside = ((filled[0] + 1) // 2, filled[1])
    expected = class_probabilities(torch.from_numpy(logits)[None], inside, filled, frame).numpy()
    np.testing.assert_allclose(array_rules.class_probabilities(logits, inside, filled, frame), expected, atol=1e-4)
    np.testing.assert_allclose(array_rules.softmax(logits[None]), torch.from_numpy(logits)[None].softmax(1), atol=1e-6)
