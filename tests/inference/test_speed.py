import pytest

from weclick.inference.speed import Timing, interleaved, measure_speed
from weclick.inference.torch_model import TorchModel


def test_work_is_done_in_turns_twice_each():
    order = []
    work = {name: lambda name=name: order.append(name) for name in "ab"}
    told = []
    timings = interleaved(work, rounds=2, warmup=1, progress=lambda *step: told.append(step))
    assert "".join(order) == "aabb" * 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert timings.keys() == {"a", "b"}


def test_timing_is_median_and_quartiles():
    assert Timing.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Timing(3.0, 2.0, 4.0)
    assert Timing.of([7.0]) == Timing(7.0, 7.0, 7.0)


def test_warm_up_rounds_do_not_count(monkeypatch):
    clock = iter([0.0, 100.0, 100.0, 101.0, 101.0, 103.0])  # begin and end of each timed run
    monkeypatch.setattr("weclick.inference.speed.perf_counter", lambda: next(clock))
    assert interleaved({"a": lambda: None}, rounds=2, warmup=1)["a"] == Timing(1.5, 1.25, 1.75)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_models_speed_states_what_it_was_measured_at(model, precision):
    made = TorchModel(model.network, model.classes, "student", model.size, device="cpu", precision=precision)
    speed = measure_speed(made, (8, 12))
    assert (speed.size, speed.precision) == ((8, 12), precision)
    assert speed.fps * speed.ms == pytest.approx(1000)
    assert "1 threads" in speed.device
