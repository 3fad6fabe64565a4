"""Clients that send half a request, or open more connections than there are files."""

import asyncio
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from weclick.annotate import connections
from weclick.annotate.connections import LimitedConnection
from weclick.annotate.security import Access, Guard
from weclick.annotate.serve import bind


@contextmanager
def served():
    """Serve a guarded application in a thread; yields a function that connects to it."""
    listening = bind("localhost", 0)
    host, port = listening.getsockname()[:2]
    guard = Guard(PlainTextResponse("here"), Access(frozenset({"localhost"}), port, "secret"))
    config = uvicorn.Config(guard, http=LimitedConnection, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listening]),))
    thread.start()

    def connect(text):
        client = socket.create_connection((host, port), timeout=10)
        client.sendall(text.encode())
        return client

    connect.request = f"GET /api HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer secret\r\n\r\n"
    try:
        yield connect
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def ask(connect, client=None):
    """Send a whole request, on a new connection by default; return the connection once it is answered."""
    if client is None:
        client = connect(connect.request)
    else:
        client.sendall(connect.request.encode())
    received = b""
    while not received.endswith(b"here"):
        received += client.recv(1 << 16)
    assert received.startswith(b"HTTP/1.1 200")
    return client


def rest(client):
    """Return what is received until the server closes the connection."""
    received = b""
    try:
        while more := client.recv(1 << 16):
            received += more
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("text", ["", "GET /", "GET /api HTTP/1.1\r\nHost: x\r\nX: 1"])
def test_half_a_request_is_not_waited_for(monkeypatch, text):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
    with served() as connect, closing(connect(text)) as client:
        assert rest(client) == b""


def test_half_of_a_second_request_is_not_waited_for(monkeypatch):
    with served() as connect, closing(ask(connect)) as client:
        monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
        client.sendall(b"GET /api HTTP/1.1\r\nX: ")
        assert rest(client) == b""


def test_strangers_lock_nobody_out(monkeypatch):
    monkeypatch.setattr(connections, "MAX_OPEN", 4)
    with ExitStack() as stack, served() as connect:
        known = stack.enter_context(ask(connect))
        strangers = [stack.enter_context(connect("GET / HTTP/1.1\r\nX: ")) for _ in range(8)]
        stack.enter_context(ask(connect))  # a newcomer with the token finds a place
        ask(connect, known)  # and the open connection of another was kept
        assert rest(strangers[0]) == b""  # the oldest stranger had to go
