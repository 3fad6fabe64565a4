import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.losses.resize import resized, sampled


def test_logits_are_resized_to_labels_and_to_maps():
    logits = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    for like in (torch.zeros(3, 2, 4, dtype=torch.long), torch.zeros(3, 5, 2, 4)):
        maps = resized(logits, like)
        # a pixel's value lies at its centre, so the outer quarters repeat the border
        torch.testing.assert_close(maps, torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(1, 1, 2, 4))


def test_half_precision_is_interpolated_in_float32():
    logits = torch.tensor([1.0, 1.0078125], dtype=torch.bfloat16).reshape(1, 1, 1, 2)  # neighbours in bfloat16
    maps = resized(logits, torch.zeros(1, 1, 4))
    assert maps.dtype == torch.float32
    assert len(maps.unique()) == 4


def test_maps_of_the_right_size_are_returned_unchanged():
    logits = torch.rand(1, 2, 4, 4)
    assert resized(logits, torch.zeros(1, 4, 4)) is logits


sides = st.integers(1, 12)


@settings(deadline=None, max_examples=60)
@given(sides, sides, sides, sides, st.integers(0, 2**31))
def test_resizing_at_some_pixels_gives_their_values_and_gradient(height, width, to_height, to_width, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, height, width, generator=generator, dtype=torch.float32, requires_grad=True)
    like = torch.rand(2, to_height, to_width, generator=generator)
    pixels = (like < 0.5).nonzero()
    everywhere = resized(logits, like).permute(0, 2, 3, 1)[tuple(pixels.unbind(1))]
    there = sampled(logits, pixels, like)
    torch.testing.assert_close(there, everywhere, rtol=1e-4, atol=1e-5)
    gradients = [torch.autograd.grad(values.square().sum(), logits)[0] for values in (there, everywhere)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_half_precision_is_interpolated_in_float32_at_some_pixels_too():
    logits = torch.tensor([1.0, 1.0078125], dtype=torch.bfloat16).reshape(1, 1, 1, 2)
    pixels = torch.ones(1, 1, 4).nonzero()
    assert torch.equal(
        sampled(logits, pixels, torch.zeros(1, 1, 4))[:, 0], resized(logits, torch.zeros(1, 1, 4)).ravel()
    )
