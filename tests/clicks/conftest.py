from pathlib import Path

import pytest
from PIL import Image

from weclick.classes import ClassSet
from weclick.clicks import ClickStore, Pictures
from weclick.conventions import FrameKey


@pytest.fixture(scope="session")
def classes():
    return ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}, {"name": "Mauer, rot"}])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clicks.sqlite"


@pytest.fixture
def store(path, classes):
    with ClickStore.create(path, classes) as store:
        yield store


@pytest.fixture
def other(tmp_path, classes):
    with ClickStore.create(tmp_path / "other.sqlite", classes) as other:
        yield other


@pytest.fixture(scope="session")
def fixtures():
    """Files of other tools, written by hand from the published descriptions of their formats."""
    return Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Frame 7 of the videos a and b, frame 6690 of 0001TP: 20 pixels wide and 10 high."""
    root = tmp_path_factory.mktemp("Straße 1")
    images = {
        FrameKey("a", 7): root / "frames" / "a" / "000007.png",
        FrameKey("b", 7): root / "frames" / "b" / "000007.png",
        FrameKey("0001TP", 6690): root / "train" / "0001TP_006690.png",
    }
    for image in images.values():
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10)).save(image)
    return Pictures(root, images)
