"""Ports and addresses."""

import socket

import pytest

from weclick.annotate.serve import bind
from weclick.errors import ConfigError


def test_port_0_takes_any_free_port():
    with bind("127.0.0.1", 0) as one, bind("127.0.0.1", 0) as other:
        assert 0 < one.getsockname()[1] != other.getsockname()[1]


def test_responses_are_sent_without_delay():
    """asyncio sets TCP_NODELAY only on sockets whose protocol is TCP."""
    with bind("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", None, "--port"),
        ("127.0.0.1", -1, "from 0 to 65535"),
        ("127.0.0.1", 65536, "from 0 to 65535"),
        ("203.0.113.7", 0, "203.0.113.7"),
        ("no such host", 0, "--host no such host"),
        ("a" * 300, 0, "--host"),
    ],
)
def test_a_port_that_cannot_be_used_is_refused_in_one_line(host, port, words):
    with bind("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match=words):
        bind(host, taken.getsockname()[1] if port is None else port)
