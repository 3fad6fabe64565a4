from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from weclick.errors import ConfigError
from weclick.pipeline.benchmark import train
from weclick.pipeline.benchmark.student import Candidate, benchmark_student, gflops, replace_alternatives
from weclick.pipeline.benchmark.train import make_modes

pytestmark = pytest.mark.engines


def test_operations_by_hand():
    network = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    assert gflops(network, (8, 10)) == 2 * 3 * 5 * 9 * 80 / 1e9


def test_a_trained_network_takes_the_place_of_its_alternative():
    usual = [Candidate(name, None) for name in ("light a", "pspnet b")]
    trained = [Candidate("pspnet b", None, run="run 1", miou=0.5)]
    assert [(c.name, c.run) for c in replace_alternatives(usual, trained)] == [("pspnet b", "run 1"), ("light a", None)]


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-mixed", torch.bfloat16), (None, torch.float32)])
def test_training_is_timed_in_its_precision(settings, tmp_path, precision, dtype):
    mode = make_modes(settings(trainer={"precision": precision}), tmp_path)["plain supervision"]
    seen = []
    mode.module.network.register_forward_hook(lambda network, images, logits: seen.append(logits.dtype))
    mode.step()
    assert seen == [dtype]


def test_training_is_timed_with_the_auxiliary_head_of_the_student(settings, tmp_path):
    network = {"name": "pspnet", "encoder": "resnet18", "weights": "none"}
    modes = make_modes(settings(student={"network": network, "auxiliary": 0.4}), tmp_path)
    ran = []
    for name, mode in modes.items():
        mode.module.auxiliary.register_forward_hook(lambda *_, name=name: ran.append(name))
        mode.step()
    assert ran == list(modes)


def test_on_a_gpu_a_block_is_timed_to_its_end(monkeypatch):
    done = []
    monkeypatch.setattr("torch.cuda.synchronize", lambda device: done.append("wait"))
    monkeypatch.setattr(train, "perf_counter", lambda: done.append("clock") or float(len(done)))
    modes = {"a": SimpleNamespace(step=lambda: done.append("step") or 2)}
    train._rates(modes, torch.device("cuda"), ahead=1, rounds=1, steps=2, progress=None)
    assert done == ["step", "wait", "clock", "step", "step", "wait", "clock"]


def test_every_network_is_timed_in_every_format():
    candidate = Candidate.untrained("light", "tf_efficientnet_lite0", 3, (64, 96))
    table = benchmark_student([candidate], (64, 96), rounds=1)
    rows = table.rows
    assert table.device.type == "cpu"
    assert {row["network"] for row in rows} == {"light tf_efficientnet_lite0"}
    variants = {(row["runtime"], row["precision"]) for row in rows}
    assert variants >= {("torch", "fp32"), ("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "int8")}
    assert all(row["FPS"] > 0 and row["GFLOPs"] > 0 for row in rows)
    assert all(row["mIoU"] is None and row["file (MB)"] is None for row in rows)  # there is neither run nor file


def test_exports_of_another_size_are_refused(tmp_path, monkeypatch):
    from weclick.inference.card import Card
    from weclick.inference.convert import to_onnx, write_model
    from weclick.inference.exported import numbered_classes

    candidate = Candidate.untrained("light", "tf_efficientnet_lite0", 3, (64, 96))
    path = tmp_path / "student.onnx"
    write_model(to_onnx(candidate.model.network, (64, 96)), Card(numbered_classes(3), (64, 96)), path)
    with pytest.raises(ConfigError, match=r"student\.onnx takes .*64.*96.*runs at.*64.*64"):
        benchmark_student([replace(candidate, exports=[path])], (64, 64), rounds=1)
