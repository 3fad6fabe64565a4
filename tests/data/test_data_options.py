import pytest

from weclick.data.options import DataOptions
from weclick.errors import ConfigError


def of(**draws):
    return DataOptions.of({"root": "data", "draws": draws}, "data")


@pytest.mark.parametrize("crop", [(36, 64), (64, 0), (-32, 32)])
def test_a_crop_that_is_no_multiple_of_32_is_refused(crop):
    with pytest.raises(ConfigError, match=r"data\.draws\.crop must be positive multiples of 32"):
        of(crop=crop)


@pytest.mark.parametrize("scale", [(0.0, 1.0), (1.5, 0.75), (-1.0, 1.0), (float("nan"), 1.0)])
def test_scales_that_make_no_sense_are_refused(scale):
    with pytest.raises(ConfigError, match=r"data\.draws\.scale must be"):
        of(scale=scale)


@pytest.mark.parametrize("colour", [-0.5, 1.5])
def test_a_strength_of_the_colour_augmentation_is_a_share(colour):
    with pytest.raises(ConfigError, match=r"data\.draws\.colour must be from 0 to 1"):
        of(colour=colour)
