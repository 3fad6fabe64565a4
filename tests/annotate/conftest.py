import pytest
from starlette.testclient import TestClient

from weclick.annotate.api import create_app
from weclick.annotate.catalog import Catalog
from weclick.annotate.security import Access
from weclick.classes import ClassSet
from weclick.clicks import ClickStore
from weclick.conventions import FrameKey
from weclick.data.layouts import open_layout

from .helpers import HERE, make_root


@pytest.fixture
def root(tmp_path):
    return make_root(tmp_path / "data set", {"<b>a&b": 5, "東京": 40})


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store_path(root):
    path = root / "clicks.sqlite"
    ClickStore.create(path, ClassSet.read(root / "classes.yaml")).close()
    return path


@pytest.fixture
def catalog(root, store_path):
    return Catalog(open_layout("auto", root), store_path, goal=1000)  # more than there are: all


@pytest.fixture
def serve(catalog, clock):
    """Start the application; keywords are those of `create_app`, and `token`, `catalog`."""
    clients = []

    def start(*, token=None, catalog=catalog, **options):
        access = Access(frozenset({"127.0.0.1", "localhost", "::1"}), 8765, token)
        app = create_app(catalog, access, clock=clock, **options)
        client = TestClient(app, base_url=HERE)
        clients.append(client)
        return client.__enter__()

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve):
    return serve()


@pytest.fixture
def store(store_path, catalog):
    """The store, opened as by another process."""
    with ClickStore(store_path, catalog.classes) as store:
        yield store


@pytest.fixture
def contents(store):
    """Return a function that returns all contents of the store, to compare."""
    return lambda: (store.frames(), {key: store.timed_clicks(key) for key in store.frames()}, store.provenance)


@pytest.fixture
def key():
    return FrameKey("東京", 0)


@pytest.fixture
def url(catalog, key):
    return f"/api/frames/{catalog.id_of(key)}"


# the fixtures below import playwright only when they are used, as it is not installed everywhere


@pytest.fixture(scope="module")
def chromium():
    from .browser import browser

    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from .browser import Server, write_marked_set

    started = Server(write_marked_set(tmp_path_factory.mktemp("annotate") / "Daten & Bilder"))
    yield started
    started.close()


@pytest.fixture
def mortal(tmp_path):
    """A server for one test, which the test may kill."""
    from .browser import Server, write_marked_set

    started = Server(write_marked_set(tmp_path / "set", videos=("a",)))
    yield started
    started.close()


@pytest.fixture
def visit(chromium):
    """Return a function that opens a page in a new browser context; at the end, no page may have reported an error."""
    from .browser import Person

    people, contexts = [], []

    def open_page(url, **options):
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))
        people.append(Person(contexts[-1].new_page(), url))
        return people[-1]

    yield open_page
    errors = [error for person in people for error in person.errors]
    for context in contexts:
        context.close()
    assert errors == []
