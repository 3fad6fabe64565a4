"""A server that forks processes which need no fresh interpreter: all that a training imports takes 7 s of a processor.

It is run as a script. A forked process has its own folder, variables, arguments and pipes, and ends as every Python program ends.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

PRELOADED = (
    *("weclick.cli.fit_run", "weclick.cli.fit", "weclick.cli.evaluate", "weclick.cli.predict", "weclick.cli.data"),
    *("weclick.cli.clicks", "weclick.reporting.plots", "matplotlib.pyplot", "albumentations"),
)
NUMBER = struct.Struct("i")


class Forked:
    """A forked process, with what tests use of :class:`subprocess.Popen`.

    ``command`` is what follows the interpreter: ``-m MODULE``, ``-c PROGRAM`` or a file, and arguments.
    """

    def __init__(self, address, command, *, cwd, env):
        self.args, self.returncode = command, None
        request = json.dumps({"command": command, "cwd": str(cwd), "env": dict(env)}).encode()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        self.stdout, self.stderr, ends = os.fdopen(out), os.fdopen(err), (out_end, err_end)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(address)
        socket.send_fds(self._connection, [NUMBER.pack(len(request))], ends)
        self._connection.sendall(request)
        for end in ends:
            os.close(end)
        self.pid = receive(self._connection)

    def wait(self, timeout=None):
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = receive(self._connection)
            self._connection.close()
        return self.returncode

    def poll(self):
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self, timeout=None):
        with ThreadPoolExecutor(2) as pool:
            texts = [pool.submit(read, stream) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            return tuple(text.result() for text in texts)

    def send_signal(self, signum):
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def read(stream):
    """Return what is left in a stream, and close it."""
    if stream.closed:
        return ""
    with stream:
        return stream.read()


def receive(connection):
    return NUMBER.unpack(connection.recv(NUMBER.size, socket.MSG_WAITALL))[0]


def serve(listener):
    """Fork a process for each request until the standard input is closed; return only in forked ones, with the request."""
    supervisors = set()
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if (pid := os.fork()) == 0:
            listener.close()
            return supervised(connection)
        connection.close()
        supervisors = {one for one in {*supervisors, pid} if os.waitpid(one, os.WNOHANG)[0] == 0}


def supervised(connection):
    """Fork once more: one process returns the request, the other tells its id and exit status, as only a parent may ask."""
    length, ends, _, _ = socket.recv_fds(connection, NUMBER.size, 2)
    request = connection.recv(NUMBER.unpack(length)[0], socket.MSG_WAITALL)
    if (pid := os.fork()) == 0:
        connection.close()
        for number, end in zip((0, 1, 2), (os.open(os.devnull, os.O_RDONLY), *ends), strict=True):
            os.dup2(end, number)
            os.close(end)
        return json.loads(request)
    for number in (0, 1, 2, *ends):
        os.close(number)
    connection.sendall(NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    try:
        connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
    except BrokenPipeError:
        pass  # nobody asks
    os._exit(0)


def execute(request):
    """Do what ``python COMMAND`` does."""
    from lightning.fabric.utilities.rank_zero import _get_rank, rank_zero_only

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[:0] = [
        path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in sys.path
    ]
    sys.stdout.reconfigure(line_buffering=True)
    rank_zero_only.rank = _get_rank() or 0  # found at import
    kind, *arguments = request["command"]
    sys.argv = request["command"]
    if kind == "-m":
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = [kind, *arguments[1:]]
        exec(arguments[0], {"__name__": "__main__"})
    else:
        runpy.run_path(kind, run_name="__main__")


def main(address):
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        request = serve(listener)
    execute(request)


if __name__ == "__main__":
    main(sys.argv[1])
