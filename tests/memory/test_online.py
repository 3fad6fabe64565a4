import pytest
import torch
from torch.nn import functional as F

from weclick.memory.online import online_memory, soft_labels
from weclick.synthetic import SyntheticVideo

SHIFT = 8


def teacher(images):
    """Stride 4, and the same everywhere: what it says moves with the image."""
    return 6 * F.avg_pool2d(images, 4)


class RolledFlow:
    """Exact flow between an image and itself rolled to the right by SHIFT pixels."""

    name = "rolled"

    def __call__(self, target, neighbour):
        forward = torch.equal(neighbour, target.roll(SHIFT, -1))
        assert forward or torch.equal(target, neighbour.roll(SHIFT, -1))
        flow = torch.zeros(len(target), 2, *target.shape[-2:])
        flow[:, 0] = SHIFT if forward else -SHIFT
        return flow


def no_flow(target, neighbour):
    raise AssertionError("the flow of a padding neighbour was asked for")


@pytest.fixture
def target():
    return torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))


def test_a_rolled_neighbour_is_carried_back_by_its_flow(target):
    neighbours, offsets = target.roll(SHIFT, -1)[:, None], torch.full((2, 1), -1)
    labels = online_memory(teacher, RolledFlow(), target, neighbours, offsets)
    known = labels.memory.confidence[:, 0] > 0
    cells = SHIFT // 4
    assert known[..., :-cells].all()
    assert not known[..., -cells:].any()  # seen outside the neighbour
    rolled_back = teacher(neighbours[:, 0]).softmax(1).roll(-cells, -1)
    torch.testing.assert_close(
        labels.memory.probabilities[..., :-cells], rolled_back[..., :-cells], atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(labels.teacher, teacher(target).softmax(1))


def test_padding_neighbours_are_never_read(target):
    padding = torch.full((2, 3, 3, 32, 64), float("nan"))
    labels = online_memory(teacher, no_flow, target, padding, torch.zeros(2, 3, dtype=torch.int64))
    assert torch.equal(labels.memory.confidence, torch.zeros(2, 1, 8, 16))
    assert torch.equal(labels.memory.probabilities, torch.zeros(2, 3, 8, 16))
    assert labels.teacher.isfinite().all()


def test_padding_of_one_sample_leaves_the_others_alone(target):
    neighbour = target.roll(SHIFT, -1)[:, None]
    both = online_memory(teacher, RolledFlow(), target, neighbour, torch.tensor([[-1], [-1]]))
    neighbour = neighbour.clone()
    neighbour[0] = float("nan")
    one = online_memory(teacher, RolledFlow(), target, neighbour, torch.tensor([[0], [-1]]))
    assert torch.equal(one.memory.confidence[0], torch.zeros(1, 8, 16))
    assert torch.equal(one.memory.probabilities[1], both.memory.probabilities[1])


def test_a_missing_neighbour_lowers_the_confidence(target):
    neighbours = target.roll(SHIFT, -1)[:, None].repeat(1, 2, 1, 1, 1)
    labels = online_memory(teacher, RolledFlow(), target, neighbours, torch.tensor([[-1, 0], [-1, -2]]))
    assert labels.memory.confidence[0].max() == 0.5
    assert labels.memory.confidence[1].max() == 1.0


def test_a_memory_carries_no_gradient(target):
    network = torch.nn.Conv2d(3, 4, 4, stride=4)
    labels = online_memory(network, RolledFlow(), target, target.roll(SHIFT, -1)[:, None], torch.full((2, 1), -1))
    assert not labels.teacher.requires_grad
    assert not labels.memory.probabilities.requires_grad


@pytest.mark.parametrize(("stride", "kept"), [(1, 4), (2, 4), (4, 4), (8, 8)])
def test_soft_labels_are_kept_at_stride_4_or_the_teachers_own(stride, kept):
    soft = soft_labels(lambda images: F.avg_pool2d(images, stride), torch.rand(1, 3, 32, 64))
    assert soft.shape == (1, 3, 32 // kept, 64 // kept)
    torch.testing.assert_close(soft.sum(1), torch.ones(1, 32 // kept, 64 // kept))


class NoisyTeacher:
    """Knows the true labels of a synthetic video, with noise of its own on every frame."""

    def __init__(self, video, count):
        frames = [video.frame(number) for number in range(count)]
        self.images = [torch.from_numpy(f.image.copy()).permute(2, 0, 1).float() / 255 for f in frames]
        labels = torch.stack([torch.from_numpy(f.label.copy()) for f in frames]).long()
        self.ids = labels.unique()
        one_hot = (labels[:, None] == self.ids.view(1, -1, 1, 1)).float()
        self.truth = F.avg_pool2d(one_hot, 4).argmax(1)
        noise = torch.randn(one_hot.shape, generator=torch.Generator().manual_seed(0))
        self.logits = F.avg_pool2d(2 * one_hot + 6 * noise, 4)

    def number(self, image):
        return next(n for n, known in enumerate(self.images) if torch.equal(known, image))

    def __call__(self, images):
        return torch.stack([self.logits[self.number(image)] for image in images])


class ExactFlow:
    name = "exact"

    def __init__(self, video, teacher):
        self.video, self.number = video, teacher.number

    def __call__(self, target, neighbour):
        pairs = [(self.number(a), self.number(b)) for a, b in zip(target, neighbour, strict=True)]
        return torch.stack([torch.from_numpy(self.video.flow(*pair).flow.copy()) for pair in pairs])


@pytest.mark.parametrize("world", [0, 3])
def test_the_memory_is_better_than_one_frame(world):
    video = SyntheticVideo(0, world, (64, 128))
    noisy = NoisyTeacher(video, count=5)
    *neighbours, target = noisy.images
    offsets = torch.tensor([[-4, -3, -2, -1]])
    labels = online_memory(noisy, ExactFlow(video, noisy), target[None], torch.stack(neighbours)[None], offsets)
    known = labels.memory.confidence[0, 0] == 1
    assert known.float().mean() > 0.3
    right = [(maps[0].argmax(0) == noisy.truth[-1])[known].float().mean().item() for maps in (labels[0], labels[1][0])]
    assert right[1] > right[0] + 0.05, f"one frame {right[0]:.3f}, memory {right[1]:.3f}"
