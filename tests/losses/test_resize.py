import torch

from weclick.losses import resized


def test_logits_take_the_size_of_labels_and_of_maps():
    logits = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    for like in (torch.zeros(3, 2, 4, dtype=torch.long), torch.zeros(3, 5, 2, 4)):
        found = resized(logits, like)
        # a pixel's value lies at its centre, so the outer quarters repeat the border
        torch.testing.assert_close(found, torch.tensor([0.0, 0.25, 0.75, 1.0]).expand(1, 1, 2, 4))


def test_half_precision_is_interpolated_in_full():
    logits = torch.tensor([1.0, 1.0078125], dtype=torch.bfloat16).reshape(1, 1, 1, 2)  # neighbours in bfloat16
    found = resized(logits, torch.zeros(1, 1, 4))
    assert found.dtype == torch.float32
    assert len(found.unique()) == 4


def test_what_has_the_size_already_is_returned_as_it_is():
    logits = torch.rand(1, 2, 4, 4)
    assert resized(logits, torch.zeros(1, 4, 4)) is logits
