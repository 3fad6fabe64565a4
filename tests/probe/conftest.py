import numpy as np
import pytest

from weclick.probe.features import FrozenFeatures

GREY, RED = (120, 120, 120), (200, 30, 30)


@pytest.fixture(scope="session")
def frozen():
    """Features of the packaged encoder."""
    return FrozenFeatures()


@pytest.fixture(scope="session")
def halves():
    """A picture of 64 x 96 pixels: its left half is grey, its right half red."""
    image = np.full((64, 96, 3), GREY, np.uint8)
    image[:, 48:] = RED
    return image


@pytest.fixture(scope="session")
def mosaic():
    """A picture of 64 x 96 pixels: 4 x 6 squares of random colours, with a little noise."""
    rng = np.random.default_rng(0)
    squares = np.kron(rng.integers(20, 236, (4, 6, 3)), np.ones((16, 16, 1), int))
    return (squares + rng.integers(-9, 10, squares.shape)).astype(np.uint8)
