"""Running the server: a port, a line that says where, a clean end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import webbrowser
from types import FrameType

import uvicorn
from fastapi import FastAPI

from weclick.errors import ConfigError


def bind(host: str, port: int) -> socket.socket:
    """Take a port, 0 for any free one, before anything that takes long.

    Raises:
        ConfigError: The port is taken or not allowed, or the address is not this machine's.
    """
    if not 0 <= port < 2**16:
        raise ConfigError(f"--port must be from 0 to 65535, found {port}")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host}: no such address ({error}); name one of this machine's") from None
    # only where it knows the socket to be TCP does asyncio not hold answers back for 40 ms: name the protocol
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(place)
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise ConfigError(
            f"port {port} of {host} cannot be used: {error.strerror}; choose another --port, or 0 for any free one"
        ) from None
    return taken


def serve(app: FastAPI, listening: socket.socket, url: str, *, open_browser: bool) -> None:
    """Serve until SIGINT or SIGTERM; both end in the exit status they stand for."""
    if open_browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        log_config=None,
        log_level="critical",  # what goes wrong is logged by the application, in one line
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    # the server raises its signal again when everything is closed; started in the background, SIGINT would be ignored then
    ends = {signal.SIGTERM: _terminated, signal.SIGINT: signal.default_int_handler}
    before = {signum: signal.signal(signum, handler) for signum, handler in ends.items()}
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # how it is meant to be ended: nothing needs to be said
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _terminated(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)


def _has_screen() -> bool:
    """Tell whether a browser has a window to open; without one, a text browser would take the terminal."""
    return sys.platform in ("darwin", "win32") or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))
