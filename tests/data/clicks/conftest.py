import pytest

from weclick.classes import ClassSet
from weclick.data.clicks import ClickStore


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
