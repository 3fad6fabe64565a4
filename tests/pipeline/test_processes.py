"""Processes that share some work: here threads would not do, as each needs a process group of its own."""

import os
import signal
from types import SimpleNamespace

import pytest
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from weclick.errors import ConfigError
from weclick.pipeline import processes
from weclick.pipeline.interrupt import Interrupted, SignalNote
from weclick.pipeline.processes import first_process_first, from_first_process, in_step, joined, own_share
from weclick.pipeline.settings import FitSettings


def results(count):
    yield from range(count)


def test_alone_a_process_does_all_and_waits_for_nobody():
    assert list(in_step(results(50), SignalNote())) == list(range(50))
    assert own_share() == (0, 1)
    assert from_first_process("name") == "name"
    with first_process_first():
        pass


def test_a_signal_stops_after_the_result_that_is_done():
    signals, done = SignalNote(), []
    with pytest.raises(Interrupted) as stopped:
        for result in in_step(results(50), signals):
            done.append(result)
            if result == 4:
                signals.note(signal.SIGTERM, None)
    assert done == list(range(5))
    assert stopped.value.signum == signal.SIGTERM


def test_a_process_too_many_is_refused(settings, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "2")
    with pytest.raises(ConfigError, match=r"process 2 .* the trainer has 1"), joined(settings()):
        pass


class Launcher(_SubprocessScriptLauncher):
    def __init__(self):
        self.killed = []

    def launch(self, function):
        function()

    def kill(self, signum):
        self.killed.append(signum)


@pytest.mark.parametrize(("rank", "waits"), [(0, []), (1, [processes.PATIENCE])])
def test_an_error_of_all_processes_is_the_first_ones_to_print(settings, monkeypatch, rank, waits):
    waited, launcher = [], Launcher()
    strategy = SimpleNamespace(launcher=launcher, setup_environment=lambda: None)
    trainer = SimpleNamespace(world_size=2, strategy=strategy)
    monkeypatch.setattr(FitSettings, "make_bare_trainer", lambda self: trainer)
    monkeypatch.setattr(processes, "sleep", waited.append)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    with pytest.raises(ConfigError, match="no"), joined(settings()):
        raise ConfigError("no")
    assert (waited, launcher.killed) == (waits, [signal.SIGTERM])


PROGRAM = """
import signal, sys
from datetime import timedelta
from torch import distributed
from weclick.pipeline.interrupt import Interrupted, SignalNote
from weclick.pipeline.processes import first_process_first, from_first_process, in_step, own_share

rank, file = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2, timeout=timedelta(seconds=60))

def work(count):
    yield from range(count)

print("share", *own_share(), from_first_process(f"name-{rank}"))
with first_process_first():
    print("turn", len(open(sys.argv[3]).read()))
    open(sys.argv[3], "a").write("x")
print("all", len(list(in_step(work([3, 100][rank]), SignalNote()))))
signals, done = SignalNote(), 0
try:
    for result in in_step(work(1000), signals):
        done += 1
        if rank == 1 and done == 20:
            signals.note(signal.SIGUSR1, None)
except Interrupted as error:
    print("stopped", done, error)
"""


@pytest.mark.slow
def test_two_processes_keep_in_step(forked, tmp_path):
    (tmp_path / "turns").touch()
    started = [
        forked("-c", PROGRAM, rank, tmp_path / "group", "turns", cwd=tmp_path, env={**os.environ, "RANK": str(rank)})
        for rank in range(2)
    ]
    try:
        printed = [process.communicate(timeout=120) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], printed
    first, second = (out.splitlines() for out, _ in printed)
    assert first == ["share 0 2 name-0", "turn 0", "all 3", "stopped 32 SIGUSR1"]  # at the next meeting
    assert second == ["share 1 2 name-0", "turn 1", "all 100", "stopped 20 SIGUSR1"]
