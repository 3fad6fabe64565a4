"""Who may ask, and what: checked before anything else sees a request."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL: Final = "127.0.0.1"
"""Where to serve unless told otherwise: without a token, as no other machine reaches it."""

LIMIT: Final = 1 << 20
"""Bytes a request's body may have."""

SECONDS: Final = 30.0
"""How long a body may take to arrive."""

_PATIENCE: Final = 16 << 20  # of a longer body so much is read and dropped, so that the refusal reaches the sender
_READS: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all, Safari hides the page's own origin when it saves
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """Under which names the server may be asked, and with which token.

    Args:
        names: Host names and addresses that are answered, lower case.
        port: The only port that is answered.
        token: To be shown with every request for data; None asks for none.
        any_address: Every IP address is answered: for a server on all interfaces. A hostile site can let names of its own
            lead here, but no address.
    """

    names: frozenset[str]
    port: int
    token: str | None = None
    any_address: bool = False

    @classmethod
    def at(cls, host: str, bound: str, port: int) -> Access:
        """Return what a server answers to; anywhere but at ``LOCAL``, it asks for a token.

        Args:
            host: The address or name it was asked to serve at.
            bound: The IP address that was taken for it.
            port: The port it has.
        """
        everywhere = ipaddress.ip_address(bound).is_unspecified
        names = {LOCAL, "localhost", "::1", host.lower(), *([socket.gethostname().lower()] if everywhere else [])}
        token = None if host == LOCAL else secrets.token_urlsafe()
        return cls(frozenset(names), port, token, everywhere)

    def answers(self, host: str) -> bool:
        """Tell whether requests to this Host are answered."""
        bare = self.port == 80 and not host.endswith(":80")
        name, _, port = (f"{host}:80" if bare else host).lower().rpartition(":")
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        return port == str(self.port) and (name in self.names or (self.any_address and _is_ip(name)))


def address(host: str, port: int) -> str:
    """Return host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(bound: str) -> bool:
    """Tell whether only this machine reaches an IP address."""
    return ipaddress.ip_address(bound).is_loopback


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Refusal(Exception):
    """A request that is not answered: status, and why; ``close`` hangs up on who sent it."""

    def __init__(self, status: int, detail: str, *, close: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {"Connection": "close"} if close else {}


class Guard:
    """ASGI middleware: refuses what is not the page's own or its user's doing, and adds the headers that keep it so.

    Checked are Host (against DNS rebinding), Origin (against other sites), the token, and of what changes something that it
    is JSON and not too long. The page itself, which holds no data, needs no token: a browser would not send the strict
    cookie when a link in a mail led there.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._answer(scope, receive, send_guarded)
        except Refusal as refusal:
            await problem(refusal.status, str(refusal), refusal.headers)(scope, receive, send_guarded)
        except Exception as error:
            _log.error("unexpected %s: %s", type(error).__name__, error)
            _log.debug("at", exc_info=True)
            if not started:
                text = f"unexpected {type(error).__name__}; the server's terminal says more"
                await problem(500, text)(scope, receive, send_guarded)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers.getlist("host"))
        self._check_origin(scope["method"], headers)
        login = self._login(scope) if self._access.token else None
        if login is not None:
            await login(scope, receive, send)
            return
        if scope["path"].startswith("/api"):
            self._check_token(headers)
        if scope["method"] not in _READS:
            receive = await _body(headers, receive)
        await self._app(scope, receive, send)

    def _check_host(self, hosts: list[str]) -> None:
        if len(hosts) != 1 or not self._access.answers(hosts[0]):
            raise Refusal(400, "not asked under this server's name; open the address that weclick annotate printed")

    def _check_origin(self, method: str, headers: Headers) -> None:
        origins = headers.getlist("origin")
        if not all(scheme == "http://" and self._access.answers(host) for scheme, host in map(_split, origins)):
            raise Refusal(403, "asked by a page of another origin, which this server does not answer")
        if not origins and method not in _READS and "sec-fetch-site" in headers:
            raise Refusal(403, "a browser asked without saying for which page")

    def _login(self, scope: Scope) -> Response | None:
        """Return the answer to a visit of the printed URL: a cookie in place of the token, which leaves the address bar."""
        token = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("token")
        if scope["path"] != "/" or token is None:
            return None
        self._compare(token[-1])
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, token[-1], path="/", httponly=True, samesite="strict")
        return answer

    def _check_token(self, headers: Headers) -> None:
        if self._access.token is None:
            return
        kind, _, token = headers.get("authorization", "").partition(" ")
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        shown = (
            token.strip() if kind.lower() == "bearer" else {name: value for name, _, value in cookies}.get(self._cookie)
        )
        self._compare(shown or "")

    def _compare(self, shown: str) -> None:
        if not hmac.compare_digest(shown.encode("utf-8", "replace"), (self._access.token or "").encode()):
            raise Refusal(401, "token missing or wrong; open the whole address that weclick annotate printed")

    @property
    def _cookie(self) -> str:
        # cookies do not tell ports apart: two servers on one machine must not overwrite each other's
        return f"weclick-{self._access.port}"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused."""
    return JSONResponse({"detail": detail}, status, headers)


def _split(origin: str) -> tuple[str, str]:
    scheme, slashes, host = origin.partition("//")
    return scheme + slashes, host


async def _body(headers: Headers, receive: Receive) -> Receive:
    """Read a body that changes something, refuse what must not be in one, and return it as if it were still to be read."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send JSON (Content-Type: application/json)")
    try:
        async with asyncio.timeout(SECONDS):
            return _again(await _received(receive), receive)
    except TimeoutError:
        raise Refusal(408, f"a body must arrive within {SECONDS:g} seconds; send it again", close=True) from None


async def _received(receive: Receive) -> bytes:
    body, count, more = bytearray(), 0, True
    while more and count <= _PATIENCE:
        message = await receive()
        chunk = message.get("body", b"")
        count += len(chunk)
        if count <= LIMIT:
            body += chunk
        more = message.get("more_body", False)
    if count > LIMIT:
        raise Refusal(413, f"a body may have {LIMIT} bytes")
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        for message in waiting:
            return message
        return await receive()

    return replay
