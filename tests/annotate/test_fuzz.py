"""Random requests generated from the OpenAPI description: responses match it, and server and store stay intact."""

import zlib

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from weclick.annotate.api import create_app
from weclick.annotate.catalog import Catalog
from weclick.annotate.security import Access
from weclick.clicks import CLICKS_FILE, ClickStore
from weclick.data.layouts import open_layout

from .helpers import make_root


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    root = make_root(tmp_path_factory.mktemp("fuzz") / "set", {"a": 3})
    return Catalog(open_layout("auto", root), root / CLICKS_FILE)


@pytest.fixture(scope="module")
def described(catalog):
    ClickStore.create(catalog.store, catalog.classes).close()
    app = create_app(catalog, Access(frozenset({"testserver"}), 80))

    async def running(scope, receive, send):
        """The application without lifespan events: schemathesis would shut it down after some requests."""
        assert scope["type"] == "http"
        await app(scope, receive, send)

    schema = schemathesis.openapi.from_asgi("/api/openapi.json", running)
    names = list(catalog.upcoming({}))

    @schema.hook
    def map_path_parameters(context, path_parameters):
        """Use an existing frame in every second request."""
        chosen = zlib.crc32(repr(path_parameters).encode()) % (2 * len(names))
        return {"frame_id": names[chosen]} if path_parameters and chosen < len(names) else path_parameters

    with TestClient(app):
        yield schema
    with ClickStore(catalog.store, catalog.classes) as store:  # raises if it is damaged
        store.all_clicks()
        assert all(key in catalog for key in store.frames())


FRAME = "/api/frames/{frame_id}"


READS = [("GET", f"/api/{name}") for name in ("project", "progress")]
READS += [("GET", f"{FRAME}{what}") for what in ("", "/image", "/overlay")]
WRITES = [("POST", "/api/next"), ("PUT", FRAME), ("PUT", f"{FRAME}/lease"), ("DELETE", f"{FRAME}/lease")]
VALID, INVALID = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(
    ("mode", "method", "path"),
    [*((VALID, *one) for one in READS + WRITES), *((INVALID, *one) for one in WRITES)],
    ids=lambda value: getattr(value, "value", value),
)
def test_every_response_matches_the_description(described, mode, method, path):
    cases = described[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=20, phases=[Phase.generate], deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(cases)
    def check(case):
        # OpenAPI cannot describe that unknown classes, points outside the image, or 1.0 for 1 are refused
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()


def test_all_operations_are_fuzzed(described):
    assert sum(1 for _ in described.get_all_operations()) == 12
