"""Refused requests: the right status, one line, and an unchanged store."""

import asyncio
import json
import re

import pytest

from weclick.annotate.security import MAX_BODY, Access, Guard, is_loopback
from weclick.clicks import Click
from weclick.conventions import FrameKey

from .helpers import ANN, SIZE, body, click

TOKEN = "a-token-nobody-guesses"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture
def refused(client, contents, store, key):
    """Return a function that sends a request and asserts that it is refused and changes nothing."""
    store.add(key, [Click(1, 1, 0)])

    def send(method, url, status, client=client, **request):
        before = contents()
        response = client.request(method, url, **request)
        assert response.status_code == status, response.text
        assert contents() == before
        detail = response.json()["detail"]
        assert isinstance(detail, str) and detail and "\n" not in detail
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.headers["cache-control"] == "no-store"
        return detail

    return send


def raw(text, **headers):
    return {"content": text, "headers": {"Content-Type": "application/json", **headers}}


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost:8766", "[::1]", ""),
        *("127.0.0.1:8765.evil.example", "127.0.0.1:8765@evil.example", "0.0.0.0:8765", "192.168.1.5:8765"),
        *("LOCALHOST.:8765", "127.0.0.1:8765, evil.example:8765", "é:8765".encode()),
    ],
)
def test_another_host(refused, url, host):
    for method, path, request in (("GET", "/", {}), ("GET", url, {}), ("PUT", url, {"json": body()})):
        refused(method, path, 400, **{**request, "headers": {"Host": host}})


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LocalHost:8765"])
def test_hosts_of_this_machine_are_accepted(client, url, host):
    headers = {"Host": host, "Origin": f"http://{host.lower()}"}
    assert client.put(url, json=body([click()]), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "https://127.0.0.1:8765", "http://127.0.0.1", "http://127.0.0.1:8766", "http://evil.example", ""),
        *("http://127.0.0.1:8765.evil.example", "file://", "http://evil.example#http://127.0.0.1:8765"),
    ],
)
def test_another_origin(refused, url, origin):
    headers = {"Origin": origin}
    refused("PUT", url, 403, json=body([click(9, 9)], version=1), headers=headers)
    refused("GET", url, 403, headers=headers)
    refused("OPTIONS", url, 403, headers={**headers, "Access-Control-Request-Method": "PUT"})


def test_a_browser_that_hides_its_origin(refused, client, url):
    for site in ("cross-site", "same-origin", "none"):
        refused("PUT", url, 403, json=body(version=1), headers={"Sec-Fetch-Site": site})
    assert client.put(url, json=body(version=1)).status_code == 200  # as curl does
    assert client.get(url, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


TRAVERSALS = [
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cboot.ini",
]
TRAVERSALS += [
    "%252e%252e%252fetc",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a\\..\\b",
    "%00",
    "....//",
    "file:%2f%2f%2fetc",
    "%ff",
]


@pytest.mark.parametrize("name", TRAVERSALS)
def test_paths_in_place_of_ids(client, contents, name):
    before = contents()
    for method, tail in (
        *(("GET", tail) for tail in ("", "/image", "/overlay")),
        *(("PUT", tail) for tail in ("", "/lease")),
        ("DELETE", "/lease"),
    ):
        sent = {"PUT": body() if not tail else {"client": ANN, "annotator": ""}, "DELETE": {"client": ANN}}.get(method)
        response = client.request(method, f"/api/frames/{name}{tail}", json=sent)
        assert response.status_code in (404, 405)
        assert "root:" not in response.text
    after = {"client": ANN, "annotator": "", "after": name}
    assert client.post("/api/next", json=after).status_code == 404
    page = client.get(f"/page/{name}")  # "/page/.." is what the client makes "/" of
    assert page.status_code == 404 or name == ".."
    assert contents() == before


def test_paths_in_other_fields(refused, url):
    for field in ("client", "status"):
        refused("PUT", url, 422, json={**body(), field: "../../etc/passwd"})


@pytest.mark.parametrize("length", [True, False])
def test_ten_megabytes(refused, url, length):
    content = json.dumps(body(annotator="a" * 10_000_000)).encode()
    chunks = (content[start : start + 65536] for start in range(0, len(content), 65536))
    refused("PUT", url, 413, **raw(content if length else chunks))


def test_a_body_that_arrives_too_slowly_is_refused_and_the_connection_closed(monkeypatch):
    monkeypatch.setattr("weclick.annotate.security.BODY_SECONDS", 0.02)
    sent = []

    async def drip():
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost:8765"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "PUT", "path": "/api/frames/1", "query_string": b"", "headers": headers}
    asyncio.run(Guard(None, Access.at("127.0.0.1", "127.0.0.1", 8765))(scope, drip, send))
    assert sent[0]["status"] == 408 and (b"connection", b"close") in sent[0]["headers"]
    assert b"within 0.02 seconds" in sent[1]["body"]


def test_a_body_at_the_limit_is_read(refused, url):
    content = json.dumps(body()).encode()
    refused("PUT", url, 422, **raw(content[:-1] + b', "x": 1}' + b" " * (MAX_BODY - len(content) - 8)))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1,", b"{'client': 1}", b"\xff\xfe\x00", b'{"x": "\xff"}', b"nul", b"[" * 100_000, b"1" * 5000],
    ids=lambda content: repr(content[:8]),
)
def test_malformed_json(client, contents, url, content):
    before = contents()
    response = client.put(url, **raw(content))
    assert response.status_code in ((400, 422) if content in (b"", b"1" * 5000) else (400,)), response.text
    assert contents() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"])
def test_content_types_of_html_forms(refused, url, kind):
    content = json.dumps(body([click(9, 9)], version=1))
    refused("PUT", url, 415, content=content, headers={"Content-Type": kind})
    refused("POST", "/api/next", 415, content=content, headers={"Content-Type": kind})
    refused("DELETE", f"{url}/lease", 415, content=content, headers={"Content-Type": kind})


def test_json_with_a_charset_is_json(client, url):
    request = raw(json.dumps(body([click()])), **{"Content-Type": "application/json; charset=utf-8"})
    assert client.put(url, **request).status_code == 200


@pytest.mark.parametrize("field", ["x", "y"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "-0.51", "1e308", "40", '"1"', "true", "null", "[1]", "{}"]
)
def test_invalid_coordinates(refused, url, field, value):
    if field == "y" and value == "40":
        value = str(SIZE[0] - 0.5)
    text = json.dumps(body([click(), {**click(), field: "?"}], version=1)).replace('"?"', value)
    detail = refused("PUT", url, 422, **raw(text))
    assert field in detail or "outside" in detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"clicks": [click(class_id=2)]}, "unknown class id 2"),
        ({"clicks": [click(class_id=-1)]}, "class_id"),
        ({"clicks": [click(class_id=256)]}, "class_id"),
        ({"clicks": [click(class_id=10**30)]}, "class_id"),
        ({"clicks": [click(class_id="0")]}, "class_id"),
        ({"clicks": [click(class_id=True)]}, "class_id"),
        ({"clicks": [click(class_id=0.5)]}, "class_id"),
        ({"clicks": [click(class_id="<script>alert(1)</script>")]}, "class_id"),
        ({"clicks": [click(seconds=-1)]}, "seconds"),
        ({"clicks": [click(seconds=3601)]}, "seconds"),
        ({"clicks": [click(seconds="1")]}, "seconds"),
        ({"clicks": [{"x": 1, "y": 1}]}, "class_id"),
        ({"clicks": [{**click(), "z": 1}]}, "z"),
        ({"clicks": [[1, 1, 0]]}, "clicks"),
        ({"clicks": {"0": click()}}, "clicks"),
        ({"clicks": [click()] * 2001}, "2000"),
        ({"version": -1}, "version"),
        ({"version": "1"}, "version"),
        ({"version": True}, "version"),
        ({"version": 2**60}, "version"),
        ({"status": "finished"}, "status"),
        ({"status": None}, "status"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": False}, "seconds"),
        ({"client": "short"}, "client"),
        ({"client": "a" * 65}, "client"),
        ({"client": "a client with spaces"}, "client"),
        ({"client": "newline-at-end\n"}, "client"),
        ({"client": 12345678}, "client"),
        ({"annotator": "a" * 81}, "annotator"),
        ({"annotator": "two\nlines"}, "annotator: a name must not contain tabs, line breaks"),
        ({"annotator": "nul\0"}, "annotator"),
        ({"annotator": "\ud800"}, "annotator"),
        ({"annotator": None}, "annotator"),
        ({"extra": 1}, "extra"),
    ],
    ids=lambda value: re.sub(r"\W+", "-", ascii(value))[:40] if isinstance(value, dict) else "",
)
def test_invalid_fields(refused, url, change, words):
    assert words in refused("PUT", url, 422, **raw(json.dumps({**body(version=1), **change})))


@pytest.mark.parametrize("value", [None, [], 1, "text"])
def test_a_body_that_is_not_an_object(refused, url, value):
    refused("PUT", url, 422, **raw(json.dumps(value)))


def test_a_stale_version_and_one_from_the_future(refused, url):
    for version in (0, 2):
        assert "version 1 now" in refused("PUT", url, 409, json=body([click(9, 9)], version=version))


def test_a_frame_that_somebody_else_works_on(refused, client, url):
    client.put(f"{url}/lease", json={"client": "client-of-bob", "annotator": "<img src=x onerror=alert(1)>"})
    assert "<img src=x" in refused("PUT", url, 409, json=body([click(9, 9)], version=1))
    refused("PUT", f"{url}/lease", 409, json={"client": ANN, "annotator": ""})


def test_unknown_paths_and_methods(refused, client):
    for method, path in (
        ("GET", "/api/frames/0000000000000000"),
        ("GET", "/api"),
        ("GET", "/docs"),
        ("GET", "/page/x.js"),
    ):
        refused(method, path, 404)
    refused("GET", "/api/next", 405)
    refused("POST", "/api/project", 405, json={})
    assert client.get("/api/openapi.json").status_code == 200


def test_names_of_videos_classes_and_people_are_sent_as_json_only(client, catalog):
    """A browser never renders JSON as a page."""
    frame = f"/api/frames/{catalog.id_of(FrameKey('<b>a&b', 0))}"
    client.put(frame, json=body([click()], annotator="<script>alert(2)</script>"))
    for path, text in ((frame, "<script>alert(2)"), ("/api/project", "<script>alert(1)"), (frame, "<b>a&b")):
        response = client.get(path)
        assert text in response.text
        assert response.headers["content-type"] == "application/json"
        assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_a_link_that_leads_out_of_the_data_set(refused, client, catalog, key, url, tmp_path):
    path = catalog.entry(catalog.id_of(key)).frame.image
    outside = tmp_path / "outside.png"
    path.rename(outside)
    path.symlink_to(outside)
    for tail in ("", "/image"):
        assert str(tmp_path) not in refused("GET", url + tail, 403)
    refused("PUT", url, 403, json=body([click()], version=1))
    path.unlink()
    path.symlink_to("/etc/passwd")
    refused("GET", f"{url}/image", 403)


class TestToken:
    @pytest.fixture
    def guarded(self, serve):
        return serve(token=TOKEN)

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
    @pytest.mark.parametrize(
        "cookie", ["", "weclick-8765=wrong", "weclick-8765=", f"weclick-1={TOKEN}", "weclick-8765=é"]
    )
    def test_without_the_token_nothing_is_returned_or_changed(self, refused, guarded, url, headers, cookie):
        headers = {**headers, "Cookie": cookie.encode()}
        for path in ("/api/project", url, f"{url}/image", "/api/openapi.json", "/api/nothing"):
            refused("GET", path, 401, client=guarded, headers=headers)
        refused("PUT", url, 401, client=guarded, json=body([click()], version=1), headers=headers)

    def test_the_printed_address_sets_a_cookie_and_redirects_to_one_without_the_token(self, guarded, url):
        response = guarded.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"]
        assert cookie == f"weclick-8765={TOKEN}; HttpOnly; Path=/; SameSite=strict"
        assert guarded.get(url).status_code == 200

    def test_a_wrong_token_in_the_address_sets_no_cookie(self, guarded):
        for token in ("wrong", "", "é", TOKEN + "x"):
            response = guarded.get("/", params={"token": token})
            assert response.status_code == 401 and "set-cookie" not in response.headers

    def test_programs_may_send_the_token_in_a_header(self, guarded, url):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert guarded.put(url, json=body([click()]), headers=headers).status_code == 200
        refusal = guarded.get(url, headers={**headers, "Origin": "null"})
        assert refusal.status_code == 403


def test_the_default_address_needs_no_token():
    assert Access.at("127.0.0.1", "127.0.0.1", 80).token is None


@pytest.mark.parametrize(
    ("host", "bound"),
    [("localhost", "127.0.0.1"), ("localhost", "10.0.0.1"), ("::1", "::1"), ("our-machine", "127.0.1.1")],
)
def test_every_other_server_has_its_own_token(host, bound):
    access, other = Access.at(host, bound, 8765), Access.at(host, bound, 8765)
    assert len(access.token) >= 43 and access.token != other.token
    assert access.accepts("localhost:8765") and not access.accepts("192.168.1.6:8765")
    assert Access.at("192.168.1.5", "192.168.1.5", 8765).accepts("192.168.1.5:8765")


def test_loopback_addresses_are_recognised():
    assert all(map(is_loopback, ("127.0.0.1", "127.0.1.1", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.5", "fe80::1%eth0")))


def test_on_all_interfaces_addresses_are_accepted_but_unknown_names_are_not():
    for host, bound in (("0.0.0.0", "0.0.0.0"), ("::", "::"), ("0", "0.0.0.0")):
        access = Access.at(host, bound, 8765)
        assert access.token
        assert access.accepts("192.168.1.5:8765") and access.accepts("[fe80::1]:8765")
        assert not access.accepts("evil.example:8765") and not access.accepts("192.168.1.5:80")


def test_browsers_leave_out_the_usual_port():
    access = Access.at("127.0.0.1", "127.0.0.1", 80)
    assert access.accepts("localhost") and access.accepts("localhost:80") and access.accepts("[::1]")
    assert not access.accepts("evil.example")
