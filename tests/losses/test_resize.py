import torch

from weclick.losses import resized


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
