"""Flow estimated on smaller images."""

import numpy as np
import pytest
import torch

from weclick.flow import DISFlow, ScaledFlow
from weclick.synthetic import SyntheticVideo


class Recorder:
    """An estimator that notes the images it gets, and finds that everything moved by (2, 1) pixels."""

    name = "recorder"

    def __init__(self):
        self.sizes = []

    def __call__(self, target, neighbour):
        self.sizes += [tuple(target.shape), tuple(neighbour.shape)]
        return torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(len(target), 2, *target.shape[-2:])


def test_the_estimator_gets_smaller_images_and_its_vectors_are_enlarged():
    estimator, images = Recorder(), torch.rand(3, 3, 40, 60)
    flow = ScaledFlow(estimator, 0.5)(images, images)
    assert estimator.sizes == [(3, 3, 20, 30)] * 2
    assert flow.shape == (3, 2, 40, 60)
    torch.testing.assert_close(flow[:, 0], torch.full((3, 40, 60), 4.0))
    torch.testing.assert_close(flow[:, 1], torch.full((3, 40, 60), 2.0))


def test_vectors_grow_by_the_true_ratio_where_the_scale_does_not_divide_the_size():
    flow = ScaledFlow(Recorder(), 0.5)(torch.rand(1, 3, 41, 63), torch.rand(1, 3, 41, 63))
    assert flow[0, :, 20, 30].tolist() == pytest.approx([2 * 63 / 32, 41 / 20])  # 31.5 and 20.5 round to 32 and 20


def test_motion_of_a_video_is_estimated_at_half_its_size():
    video = SyntheticVideo(seed=3, size=(160, 320))
    frames = [torch.from_numpy(video.frame(number).image).permute(2, 0, 1)[None] for number in (0, 1)]
    exact = video.flow(0, 1)
    estimated = ScaledFlow(DISFlow(), 0.5)(*frames)[0].numpy()
    error = np.linalg.norm(estimated - exact.flow, axis=0)
    motion = np.linalg.norm(exact.flow, axis=0)
    assert np.median(error) < 0.5 < np.median(motion)


def test_bytes_and_floats_give_the_same_flow():
    video = SyntheticVideo(seed=3, size=(96, 160))
    frames = [torch.from_numpy(video.frame(number).image).permute(2, 0, 1)[None] for number in (0, 1)]
    flow = ScaledFlow(DISFlow(), 0.75)
    torch.testing.assert_close(flow(*frames), flow(*(frame.float() / 255 for frame in frames)))
