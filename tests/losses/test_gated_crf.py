import itertools
import math

import pytest
import torch

from weclick.losses.gated_crf import gated_crf


def slowly(logits, images, inside, radius, sigma_xy, sigma_rgb):
    """Compute the formula pair by pair, for images of the logits' size."""
    probabilities, (batch, _, height, width) = logits.softmax(1), logits.shape
    pixels = list(itertools.product(range(height), range(width)))
    total = 0.0
    for b, (y, x), (v, u) in itertools.product(range(batch), pixels, pixels):
        if (y, x) == (v, u) or max(abs(y - v), abs(x - u)) > radius:
            continue
        colour = (images[b, :, y, x] - images[b, :, v, u]).square().sum().item() / (2 * sigma_rgb**2)
        kernel = math.exp(-((y - v) ** 2 + (x - u) ** 2) / (2 * sigma_xy**2) - colour)
        gate = (inside[b, 0, y, x] & inside[b, 0, v, u]).item()
        total += gate * kernel * (1 - (probabilities[b, :, y, x] * probabilities[b, :, v, u]).sum().item())
    return total / inside.sum().item()


@pytest.mark.parametrize("radius", [1, 2, 9])
def test_the_formula_pair_by_pair(radius):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator)
    images = torch.rand(2, 3, 4, 5, generator=generator)
    inside = torch.rand(2, 1, 4, 5, generator=generator) > 0.2
    energy = gated_crf(logits, images, inside, radius=radius, sigma_xy=2.0, sigma_rgb=0.5)
    assert energy.item() == pytest.approx(slowly(logits, images, inside, radius, 2.0, 0.5), rel=1e-5)


def halves(first, second, size=8):
    """Return a map with one value in its left half and another in its right half."""
    return torch.cat([first.expand(1, -1, size, size // 2), second.expand(1, -1, size, size // 2)], -1)


RED, BLUE = torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1), torch.tensor([0, 0, 1.0]).reshape(1, 3, 1, 1)


def test_labels_that_change_where_colours_change_cost_less():
    images = halves(RED, BLUE)
    right = halves(torch.tensor([9.0, 0]).reshape(1, 2, 1, 1), torch.tensor([0, 9.0]).reshape(1, 2, 1, 1))
    assert gated_crf(right, images).item() < 0.01
    assert gated_crf(right.roll(2, -1), images).item() > 0.5


def test_images_are_averaged_down_to_the_logits():
    logits = torch.randn(1, 2, 8, 8)
    images = torch.rand(1, 3, 8, 8)
    enlarged = images.repeat_interleave(4, -1).repeat_interleave(4, -2)
    torch.testing.assert_close(gated_crf(logits, enlarged), gated_crf(logits, images))


def test_nothing_outside_of_the_frame_counts():
    logits, images = torch.randn(1, 2, 6, 6), torch.rand(1, 3, 6, 6)
    inside = torch.ones(1, 1, 6, 6, dtype=torch.bool)
    inside[..., :2] = False
    before = gated_crf(logits, images, inside)
    logits[..., :2] *= -3
    images[..., :2] = 0
    torch.testing.assert_close(gated_crf(logits, images, inside), before)
    torch.testing.assert_close(before, gated_crf(logits[..., 2:], images[..., 2:]))
    assert gated_crf(logits, images, torch.zeros_like(inside)).item() == 0


def test_its_gradient_makes_similar_pixels_agree():
    logits = torch.zeros(1, 2, 3, 3)
    logits[:, 0] = 1.0
    logits[0, :, 1, 1] = torch.tensor([0.0, 1.0])  # one pixel disagrees with all around it
    logits.requires_grad_()
    gated_crf(logits, torch.zeros(1, 3, 3, 3)).backward()
    assert logits.grad[0, 0, 1, 1] < 0 < logits.grad[0, 1, 1, 1]
