"""Ports, addresses, and a server that is killed."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from weclick.annotate.serve import bind
from weclick.errors import ConfigError

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "annotate.py"


def test_port_0_is_any_free_one():
    with bind("127.0.0.1", 0) as one, bind("127.0.0.1", 0) as other:
        assert 0 < one.getsockname()[1] != other.getsockname()[1]


def test_answers_are_sent_at_once():
    """asyncio turns the waiting for fuller packets off for sockets it knows to be TCP only."""
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
def test_a_port_that_cannot_be_had_is_one_clear_line(host, port, words):
    with bind("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match=words):
        bind(host, taken.getsockname()[1] if port is None else port)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed():
    """Promise 4, in short; `benchmarks/annotate.py crash` is the long version."""
    command = [sys.executable, str(BENCHMARK), "crash", "--clicks", "300", "--kills", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("300 acknowledged clicks, 3 kills") and "0 lost, 0 doubled" in done.stdout
