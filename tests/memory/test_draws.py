import numpy as np
import torch

from weclick.memory.draws import follow_draw
from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels


def soft_labels(height=6, width=10, classes=3):
    generator = torch.Generator().manual_seed(1)
    maps = [torch.rand(2, classes, height, width, generator=generator).softmax(1) for _ in range(2)]
    return SoftLabels(maps[0], Memory(maps[1], torch.rand(2, 1, height, width, generator=generator)))


def grid(height, width):
    return torch.nn.functional.affine_grid(torch.eye(2, 3).repeat(2, 1, 1), (2, 1, height, width), align_corners=False)


def flat(found):
    return torch.cat([found.teacher, found.memory.probabilities, found.memory.confidence], 1)


def test_the_identity_draw_at_native_resolution_changes_nothing():
    undrawn = soft_labels()
    torch.testing.assert_close(flat(follow_draw(undrawn, grid(6, 10))), flat(undrawn), atol=1e-5, rtol=1e-5)


def test_a_flipped_grid_flips_the_memory():
    undrawn = soft_labels()
    drawn = follow_draw(undrawn, grid(6, 10).flip(2))
    torch.testing.assert_close(flat(drawn), flat(undrawn).flip(3), atol=1e-5, rtol=1e-5)


def test_a_crop_of_the_grid_crops_the_memory():
    undrawn = soft_labels()
    drawn = follow_draw(undrawn, grid(6, 10)[:, 1:4, 3:8])
    torch.testing.assert_close(flat(drawn), flat(undrawn)[..., 1:4, 3:8], atol=1e-5, rtol=1e-5)


def test_outside_the_draw_nothing_is_known():
    places = grid(6, 10)
    places[:, :, :4] = 255.0  # what albumentations fills borders of the grid with
    drawn = follow_draw(soft_labels(), places)
    assert torch.equal(drawn.memory.confidence[..., :4], torch.zeros(2, 1, 6, 4))
    assert drawn.memory.confidence[..., 4:].gt(0).all()
    inside = (drawn.teacher.sum(1, keepdim=True) > 0).float()
    assert inside.shape == (2, 1, 6, 10)
    assert not inside[..., :4].any()
    assert inside[..., 4:].all()


def test_probabilities_stay_probabilities_between_cells():
    rng = np.random.default_rng(0)
    places = torch.from_numpy(rng.uniform(-1, 1, (2, 5, 7, 2)).astype(np.float32))
    drawn = follow_draw(soft_labels(), places)
    torch.testing.assert_close(drawn.teacher.sum(1), torch.ones(2, 5, 7))
    torch.testing.assert_close(drawn.memory.probabilities.sum(1), torch.ones(2, 5, 7))
