import pytest
import torch

from weclick.memory.views import average_views


@pytest.mark.parametrize("size", [(32, 64), (36, 60)])
def test_views_of_a_teacher_that_sees_each_colour_as_a_class(size):
    """Every view of an even frame shows the same, so their mean is what one view shows."""
    images = torch.tensor([0.2, 0.5, 0.3]).reshape(1, 3, 1, 1).expand(1, 3, *size)
    teacher = average_views(lambda x: torch.nn.functional.avg_pool2d(x, 4).clamp(min=1e-3).log())
    logits = teacher(images)
    assert logits.shape == (1, 3, size[0] // 4, size[1] // 4)
    torch.testing.assert_close(logits.softmax(1)[0, :, 0, 0], torch.tensor([0.2, 0.5, 0.3]), atol=1e-4, rtol=0)


def test_mirrored_views_make_the_teacher_fair_to_both_sides():
    images = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(-3, 3, 16).reshape(1, 1, 1, 16)

    def biased(x):
        pooled = torch.nn.functional.avg_pool2d(x, 4)
        return pooled + torch.nn.functional.interpolate(slope, size=pooled.shape[-2:]) * torch.tensor(
            [1.0, 0, -1]
        ).reshape(1, 3, 1, 1)

    teacher = average_views(biased)
    torch.testing.assert_close(teacher(images.flip(-1)).flip(-1), teacher(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(90, 131), (37, 63)])
def test_every_view_covers_the_whole_image(size):
    images, views = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), []
    average_views(lambda view: views.append(view) or view)(images)
    assert len(views) == 6
    for view in views:
        whole = torch.nn.functional.interpolate(images, view.shape[-2:], mode="bilinear", antialias=True)
        assert torch.equal(view, whole) or torch.equal(view, whole.flip(-1))
