"""Bind the port, run the server, and stop it cleanly on a signal."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import webbrowser
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from weclick.annotate.connections import BACKLOG, LimitedConnection
from weclick.errors import ConfigError

if TYPE_CHECKING:  # it takes time, for which help does not wait
    from starlette.types import ASGIApp


def bind(host: str, port: int) -> socket.socket:
    """Bind and listen on a port; 0 takes any free one.

    Raises:
        ConfigError: The port is in use or not allowed, or the address does not belong to this machine.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port must be from 0 to 65535, found {port}")
    try:
        family, kind, protocol, _, socket_address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host}: no such address ({error}); use an address of this machine") from None
    # The protocol must be given: asyncio sets TCP_NODELAY only on sockets whose protocol is TCP, and without it
    # responses are delayed by 40 ms.
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(socket_address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"port {port} of {host} cannot be used: {error.strerror}; choose another --port, or 0 for any free one"
        ) from None
    return listening


def serve(app: ASGIApp, listening: socket.socket, url: str, *, open_browser: bool) -> None:
    """Serve until SIGINT or SIGTERM, then exit with 130 or 143.

    Raises:
        SystemExit: Always.
    """
    if open_browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=LimitedConnection,
        backlog=BACKLOG,
        ws="none",
        log_config=None,
        log_level="critical",  # the application logs errors itself, in one line
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    # uvicorn closes everything and then raises the signal again. The handlers are set here because a process started in
    # the background ignores SIGINT.
    handlers = {signal.SIGTERM: _exit, signal.SIGINT: signal.default_int_handler}
    previous = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # the normal way to stop the server, so without a message
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)


def _exit(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


def _has_screen() -> bool:
    # without a display, webbrowser would start a text browser in this terminal
    return sys.platform in ("darwin", "win32") or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
