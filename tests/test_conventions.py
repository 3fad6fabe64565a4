import numpy as np
import torch

from weclick.classes import ClassSet
from weclick.conventions import IGNORE_INDEX
from weclick.data.draws import draw_discs
from weclick.flow import warp_to_target
from weclick.losses.cross_entropy import partial_cross_entropy
from weclick.metrics import SegmentationScore


def test_the_ignore_index_is_255_and_is_no_class():
    assert IGNORE_INDEX == 255
    assert len(ClassSet.from_list([{"name": str(n)} for n in range(IGNORE_INDEX)])) == IGNORE_INDEX


def test_ignored_pixels_are_neither_trained_on_nor_counted():
    label = torch.tensor([[[0, IGNORE_INDEX]]])
    logits = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
    assert partial_cross_entropy(logits, label) < 1e-6
    score = SegmentationScore(2)
    score.update(logits.argmax(1), label)
    assert score.compute().confusion.tolist() == [[1, 0], [0, 0]]


def test_points_are_x_y_and_sizes_are_height_width():
    label = draw_discs(np.array([[4.0, 1.0, 0]], np.float32), (3, 6), radius=0)
    assert label.shape == (3, 6)
    assert label[1, 4] == 0


def test_a_target_pixel_is_seen_in_the_neighbour_at_its_place_plus_flow():
    neighbour = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0], flow[:, 1] = 2, 1  # dx, dy
    warped, inside = warp_to_target(neighbour, flow)
    assert inside[0, 0, 1, 1]
    assert warped[0, 0, 1, 1] == neighbour[0, 0, 2, 3]
