import torch

from weclick.memory.fuse import Memory
from weclick.memory.online import SoftLabels
from weclick.memory.restrict import restrict


def soft_labels(teacher, memory, confidence):
    maps = [torch.tensor([row]).reshape(1, -1, 1, 1) for row in (teacher, memory, [confidence])]
    return SoftLabels(maps[0], Memory(maps[1], maps[2]))


def test_absent_classes_leave_their_share_to_present_ones_in_proportion():
    found = restrict(soft_labels([0.5, 0.3, 0.2], [0.2, 0.2, 0.6], 1.0), torch.tensor([[True, False, True]]))
    torch.testing.assert_close(found.teacher.flatten(), torch.tensor([5 / 7, 0, 2 / 7]), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.memory.probabilities.flatten(), torch.tensor([0.25, 0, 0.75]), atol=1e-5, rtol=0)


def test_where_only_absent_classes_were_thought_of_any_present_one_may_be():
    found = restrict(soft_labels([0.0, 1.0, 0.0], [0.0, 1.0, 0.0], 1.0), torch.tensor([[True, False, True]]))
    torch.testing.assert_close(found.teacher.flatten(), torch.tensor([0.5, 0.0, 0.5]))


def test_where_nothing_is_known_nothing_becomes_known():
    found = restrict(soft_labels([1.0, 0.0], [0.0, 0.0], 0.0), torch.tensor([[True, False]]))
    assert found.memory.probabilities.flatten().tolist() == [0.0, 0.0]
    assert found.memory.confidence.item() == 0


def test_a_target_of_which_nothing_is_known_keeps_its_probabilities():
    before = soft_labels([0.5, 0.3, 0.2], [0.2, 0.2, 0.6], 1.0)
    found = restrict(before, torch.zeros(1, 3, dtype=torch.bool))
    torch.testing.assert_close(found.teacher, before.teacher)
    torch.testing.assert_close(found.memory.probabilities, before.memory.probabilities)
