"""Access control: every request is checked before any other code handles it."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weclick.annotate.connections import trust

LOCAL: Final = "127.0.0.1"
"""Default address. It needs no token, as other machines cannot reach it."""

MAX_BODY: Final = 1 << 20
"""Largest body of a request, in bytes."""

BODY_SECONDS: Final = 30.0
"""Time within which a body must arrive; uvicorn itself has no limit."""

_MAX_DISCARDED: Final = 16 << 20
"""Bytes of a too long body that are read and discarded; otherwise most clients would not read the error response."""
_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self'; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, Safari hides the page's own origin when it saves
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """Accepted hosts and the token of a server.

    Args:
        names: Accepted host names and addresses, lower case.
        port: Accepted port.
        token: Required for every request for data; None if no token is needed.
        any_address: Accept every IP address, for a server on all interfaces. This is safe: DNS rebinding needs a host
            name.
    """

    names: frozenset[str]
    port: int
    token: str | None = None
    any_address: bool = False

    @classmethod
    def at(cls, host: str, bound: str, port: int) -> Access:
        """Return the access for a server address; any other than ``LOCAL`` requires a token.

        Args:
            host: The requested address or name.
            bound: The IP address that the server is bound to.
            port: The port of the server.
        """
        all_interfaces = ipaddress.ip_address(bound).is_unspecified
        names = {LOCAL, "localhost", "::1", host.lower(), *([socket.gethostname().lower()] if all_interfaces else [])}
        token = None if host == LOCAL else secrets.token_urlsafe()
        return cls(frozenset(names), port, token, all_interfaces)

    def accepts(self, host: str) -> bool:
        """Return whether requests with this Host header are accepted."""
        # browsers omit the port if it is 80
        bare = self.port == 80 and not host.endswith(":80")
        name, _, port = (f"{host}:80" if bare else host).lower().rpartition(":")
        if name.startswith("[") and name.endswith("]"):
            name = name[1:-1]
        return port == str(self.port) and (name in self.names or (self.any_address and _is_ip(name)))


def address(host: str, port: int) -> str:
    """Return host and port in the notation of URLs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(bound: str) -> bool:
    """Return whether an IP address can only be reached from this machine."""
    return ipaddress.ip_address(bound).is_loopback


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Refusal(Exception):
    """A request is refused with this status and reason; ``close`` also closes the connection."""

    def __init__(self, status: int, detail: str, *, close: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {"Connection": "close"} if close else {}


class Guard:
    """ASGI middleware that refuses foreign requests and adds security headers to all responses.

    It checks the Host (against DNS rebinding), the Origin (against requests from other sites), the token, and the type
    and length of bodies. The page itself contains no data and needs no token: a browser does not send a
    ``SameSite=strict`` cookie when the user comes from a link, such as in a mail.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and pass it to the application."""
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
            await self._handle(scope, receive, send_guarded)
        except Refusal as refusal:
            await problem(refusal.status, str(refusal), refusal.headers)(scope, receive, send_guarded)
        except Exception as error:
            _log.error("unexpected %s: %s", type(error).__name__, error)
            _log.debug("at", exc_info=True)
            if not started:
                text = f"unexpected {type(error).__name__}; see the terminal of the server"
                await problem(500, text)(scope, receive, send_guarded)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.accepts(hosts[0]):
            raise Refusal(400, "unknown host; open the address that weclick printed")
        self._check_origin(scope["method"], headers)
        login = self._login(scope) if self._access.token else None
        if login is not None:
            await login(scope, receive, send)
            return
        if scope["path"].startswith("/api") and self._access.token is not None:
            self._check_token(headers)
            trust(scope)
        if scope["method"] not in _SAFE_METHODS:
            receive = await _checked_body(headers, receive)
        await self._app(scope, receive, send)

    def _check_origin(self, method: str, headers: Headers) -> None:
        origins = headers.getlist("origin")
        for scheme, _, host in (origin.partition("//") for origin in origins):
            if scheme != "http:" or not self._access.accepts(host):
                raise Refusal(403, "the request comes from a page of another origin")
        # browsers send Sec-Fetch-Site, other programs such as curl send neither header
        if not origins and method not in _SAFE_METHODS and "sec-fetch-site" in headers:
            raise Refusal(403, "the browser sent no Origin header")

    def _login(self, scope: Scope) -> Response | None:
        """Exchange the token in the printed URL for a cookie, and remove it from the address bar by a redirect."""
        token = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("token")
        if scope["path"] != "/" or token is None:
            return None
        self._compare(token[-1])
        response = RedirectResponse("/", 303)
        response.set_cookie(self._cookie, token[-1], path="/", httponly=True, samesite="strict")
        return response

    def _check_token(self, headers: Headers) -> None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        cookies = {name: value for name, _, value in pairs}
        self._compare(token.strip() if kind.lower() == "bearer" else cookies.get(self._cookie, ""))

    def _compare(self, token: str) -> None:
        # compare_digest takes the same time for every token, so that it cannot be guessed digit by digit
        if not hmac.compare_digest(token.encode("utf-8", "replace"), (self._access.token or "").encode()):
            raise Refusal(401, "token missing or wrong; open the whole address that weclick printed")

    @property
    def _cookie(self) -> str:
        # cookies are shared by all ports of a host: two servers must not overwrite each other's
        return f"weclick-{self._access.port}"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an error response."""
    return JSONResponse({"detail": detail}, status, headers)


async def _checked_body(headers: Headers, receive: Receive) -> Receive:
    """Read and check the body of a request, and return a ``receive`` that delivers it to the application."""
    # An HTML form on another site could send a request without an Origin check of the browser, but never JSON.
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send JSON (Content-Type: application/json)")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _read_body(receive)
    except TimeoutError:
        raise Refusal(408, f"a body must arrive within {BODY_SECONDS:g} seconds; send it again", close=True) from None
    messages: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(messages, None) or await receive()

    return replay


async def _read_body(receive: Receive) -> bytes:
    body, count, more = bytearray(), 0, True
    while more and count <= _MAX_DISCARDED:
        message = await receive()
        chunk = message.get("body", b"")
        count += len(chunk)
        if count <= MAX_BODY:
            body += chunk
        more = message.get("more_body", False)
    if count > MAX_BODY:
        raise Refusal(413, f"a body may have at most {MAX_BODY} bytes")
    return bytes(body)
