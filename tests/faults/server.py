"""``weclick annotate`` in a process that is killed and started again, and strangers who keep its connections half open."""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

PORTS = range(20_000, 32_000)
"""Below those that systems give to clients: a client that tries a closed port of its own range can connect to itself."""

HALF_REQUESTS = (
    "",
    "GET /",
    "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
    "PUT /api/frames/0/lease HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer guessed\r\n"
    'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"client',
)


class Server:
    """``weclick annotate`` at an address that needs a token, for a ``with`` block; a restart keeps the port.

    Args:
        root: The data set.
        log: File for what it prints on stderr.
    """

    def __init__(self, root: Path, log: Path) -> None:
        self.root, self.log = root, log
        self.port = free_port()
        self.token = ""
        self.up = threading.Event()
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start it, wait until it prints its address, and note the token of this start."""
        self.process = self._launch()
        line = self.process.stdout.readline()
        if "?token=" not in line:
            raise AssertionError(f"weclick annotate printed {line!r} instead of its address:\n{self.log.read_text()}")
        self.token = line.split("?token=")[1].split()[0]
        self.up.set()

    def kill_starting(self, seconds: float) -> None:
        """Start it, and kill it after some seconds, whether it is ready or not."""
        self.process = self._launch()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill it; it gets no chance to finish anything."""
        self.up.clear()
        assert self.process.poll() is None, f"the server ended by itself:\n{self.log.read_text()}"
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def _launch(self) -> subprocess.Popen[str]:
        options = ["--host", "localhost", "--port", str(self.port), "--open", "false", "--preview", "false"]
        command = [sys.executable, "-m", "weclick", "annotate", str(self.root), *options]
        with self.log.open("a") as log:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)


def free_port() -> int:
    """Return a port that nobody uses."""
    for port in PORTS:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {PORTS.start} to {PORTS.stop} is free")


class Strangers(threading.Thread):
    """Connections without the token that send half a request, and are opened again when the server closes them.

    Args:
        port: The server's port.
        count: Connections to hold open.
    """

    TICK, AT_ONCE = 0.05, 20

    def __init__(self, port: int, count: int) -> None:
        super().__init__(daemon=True)
        self.port, self.due = port, deque(range(count))
        self.opened = self.most = 0
        self.ended = threading.Event()

    def __enter__(self) -> Strangers:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        """Open what is due, and note what the server closes, until the end of the ``with`` block."""
        with selectors.DefaultSelector() as selector:
            while not self.ended.wait(self.TICK):
                for number in [self.due.popleft() for _ in range(min(self.AT_ONCE, len(self.due)))]:
                    self._open(selector, number)
                self.most = max(self.most, len(selector.get_map()))
                for key, _ in selector.select(0):
                    self._receive(selector, key)
            for key in list(selector.get_map().values()):
                key.fileobj.close()

    def _open(self, selector: selectors.BaseSelector, number: int) -> None:
        try:
            client = socket.create_connection(("localhost", self.port), timeout=1)
            client.sendall(HALF_REQUESTS[number % len(HALF_REQUESTS)].format(port=self.port).encode())
        except OSError:  # the server is dead
            self.due.append(number)
            return
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ, number)
        self.opened += 1

    def _receive(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        try:
            if key.fileobj.recv(1 << 12):
                return
        except OSError:  # reset
            pass
        selector.unregister(key.fileobj)
        key.fileobj.close()
        self.due.append(key.data)
