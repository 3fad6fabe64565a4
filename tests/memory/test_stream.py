"""One pass over the frames: the same soft labels as clip by clip, with teacher and flow run once per frame and pair."""

import gc
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from weclick.conventions import FrameKey
from weclick.memory.fuse import fuse
from weclick.memory.online import online_memory
from weclick.memory.options import Fusion
from weclick.memory.stream import stream_memory, stream_votes

SIZE = (32, 64)


def key(number):
    return FrameKey("drive", number)


def video(count):
    generator = torch.Generator().manual_seed(0)
    return {key(n): torch.randint(0, 256, (3, *SIZE), generator=generator, dtype=torch.uint8) for n in range(count)}


class Teacher:
    """Stride 4, the same everywhere; counts the frames it sees."""

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen += [tuple(image.flatten()[:8].tolist()) for image in images]
        return 6 * F.avg_pool2d(images, 4)


class Flow:
    """Another motion for every pair, undone by the pair's other direction but for a few pixels; counts the pairs."""

    name = "odd"

    def __init__(self):
        self.pairs = []

    def __call__(self, target, neighbour):
        flow = torch.zeros(len(target), 2, *SIZE)
        for index, images in enumerate(zip(target, neighbour, strict=True)):
            first, second = (i.float() / 255 if i.dtype == torch.uint8 else i for i in images)
            self.pairs.append((first.sum().item(), second.sum().item()))
            flow[index] = 200 * (first.mean() - second.mean())
            flow[index, :, first[0] > 0.9] += 1
        return flow


def in_batches(frames, size, damaged=()):
    names = list(frames)
    for start in range(0, len(names), size):
        yield {name: None if name in damaged else frames[name] for name in names[start : start + size]}


def needed(frames, wanted):
    order = dict.fromkeys(name for target, neighbours in wanted.items() for name in (target, *neighbours))
    return {name: frames[name] for name in order}


def clips_of(targets, steps, length):
    return {key(t): [key(t + s) for s in steps if 0 <= t + s < length] for t in sorted(targets)}


def clip_by_clip(frames, wanted, count, damaged):
    for target, neighbours in wanted.items():
        if target in damaged:
            continue
        images, offsets = torch.zeros(1, count, 3, *SIZE), torch.zeros(1, count, dtype=torch.int64)
        for position, neighbour in enumerate(neighbours):
            if neighbour not in damaged:
                images[0, position] = frames[neighbour].float() / 255
                offsets[0, position] = neighbour.number - target.number
        yield target, online_memory(Teacher(), Flow(), frames[target][None].float() / 255, images, offsets)


@settings(deadline=None, max_examples=40)
@given(
    targets=st.sets(st.integers(0, 7), min_size=1),
    steps=st.sampled_from([(-1, -2), (-1, 1, -2, 2), (-2, 2), (-3,), ()]),
    batch=st.integers(1, 4),
    damaged=st.sets(st.integers(0, 7), max_size=2),
)
def test_one_pass_gives_the_soft_labels_of_clip_by_clip(targets, steps, batch, damaged):
    frames, wanted, damaged = video(8), clips_of(targets, steps, 8), {key(n) for n in damaged}
    passing = in_batches(needed(frames, wanted), batch, damaged)
    found = list(stream_memory(Teacher(), Flow(), passing, wanted, count=4))
    expected = list(clip_by_clip(frames, wanted, 4, damaged))
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.teacher, theirs.teacher, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(ours.memory.probabilities, theirs.memory.probabilities, atol=1e-5, rtol=1e-4)
        assert torch.equal(ours.memory.confidence, theirs.memory.confidence)


@pytest.mark.parametrize(("steps", "flows"), [((-1, -2), 2 * (9 + 8)), ((-1, 1, -2, 2), 2 * (9 + 8))])
def test_the_teacher_runs_once_per_frame_and_flow_once_per_pair(steps, flows):
    frames, wanted, teacher, flow = video(10), clips_of(range(10), steps, 10), Teacher(), Flow()
    assert len(list(stream_memory(teacher, flow, in_batches(frames, 3), wanted, count=4))) == 10
    assert len(teacher.seen) == len(set(teacher.seen)) == 10
    assert set(Counter(flow.pairs).values()) == {1}
    assert len(flow.pairs) == flows


def test_flows_of_all_targets_that_a_batch_completes_are_one_batch():
    frames, wanted, flow, calls = video(6), clips_of(range(6), (-1,), 6), Flow(), []

    def counted(target, neighbour):
        calls.append(len(target))
        return flow(target, neighbour)

    assert len(list(stream_memory(Teacher(), counted, in_batches(frames, 3), wanted, count=1))) == 6
    assert calls == [4, 6]


def test_the_memory_covers_a_part_of_the_pixels():
    frames, wanted = video(6), clips_of(range(6), (-1, 1), 6)
    made = [soft_labels for _, soft_labels in stream_memory(Teacher(), Flow(), in_batches(frames, 1), wanted, count=2)]
    assert all(0.1 < soft_labels.memory.confidence.mean() < 0.9 for soft_labels in made)


def test_votes_are_what_the_memory_is_fused_of():
    frames, wanted, fusion = video(6), clips_of(range(6), (-1, 1), 6), Fusion(own=0.5, decay=0.1)
    votes = dict(stream_votes(Teacher(), Flow(), in_batches(frames, 2), wanted, count=2))
    made = dict(stream_memory(Teacher(), Flow(), in_batches(frames, 2), wanted, count=2, fusion=fusion))
    assert list(votes) == list(made) == list(wanted)
    for name, found in votes.items():
        memory = fuse(*found, fusion)
        assert torch.equal(made[name].teacher, found.own)
        assert torch.equal(made[name].memory.probabilities, memory.probabilities)
        assert torch.equal(made[name].memory.confidence, memory.confidence)


def test_votes_name_their_neighbours_and_leave_damaged_ones_out():
    frames, wanted = video(4), {key(1): [key(0), key(2), key(3)]}
    passing = in_batches(frames, 4, damaged={key(2)})
    ((_, votes),) = stream_votes(Teacher(), Flow(), passing, wanted, count=4)
    assert votes.offsets.tolist() == [[-1, 0, 2, 0]]
    assert not votes.reliable[:, [1, 3]].any()
    assert votes.reliable[:, [0, 2]].flatten(2).any(2).all()


def test_votes_of_some_neighbours_alone():
    wanted = {key(1): [key(0), key(2)]}
    ((_, votes),) = stream_votes(Teacher(), Flow(), in_batches(video(3), 3), wanted, count=2)
    first = votes.of(slice(1))
    assert first.offsets.tolist() == [[-1]]
    assert torch.equal(first.own, votes.own)
    assert torch.equal(first.warped, votes.warped[:, :1]) and torch.equal(first.reliable, votes.reliable[:, :1])
    assert votes.of(slice(0)).warped.shape[1] == 0


def held():
    gc.collect()
    return sum(type(o) is torch.Tensor and o.numel() >= SIZE[0] * SIZE[1] for o in gc.get_objects())


@pytest.mark.parametrize("steps", [(-1, -2), (-1, 1, -2, 2)])
def test_promise_8_what_is_held_does_not_grow_with_the_video(steps):
    def passing(count):
        generator = torch.Generator().manual_seed(0)
        for name in needed(dict.fromkeys(map(key, range(count))), clips_of(range(count), steps, count)):
            yield {name: torch.randint(0, 256, (3, *SIZE), generator=generator, dtype=torch.uint8)}

    before, along = held(), []
    wanted = clips_of(range(40), steps, 40)
    for number, _ in enumerate(stream_memory(Teacher(), Flow(), passing(40), wanted, count=4)):
        if number in (8, 30):
            along.append(held() - before)
    assert along[0] == along[1] < 20


def test_without_targets_there_is_no_memory():
    assert list(stream_memory(Teacher(), Flow(), [], {}, count=2)) == []
