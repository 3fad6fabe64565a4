"""Exported models do what their network does, say what they are, and are refused when they are not whole."""

import ast
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from weclick.classes import ClassSet
from weclick.errors import CheckpointError, ConfigError, DataError, ExportError, ShapeError
from weclick.inference.card import Card
from weclick.inference.convert import quantise, to_onnx, to_openvino, write_model
from weclick.inference.exported import ExportedNetwork, numbered_classes
from weclick.inference.formats import FORMATS
from weclick.inference.opening import open_model
from weclick.inference.rules import labels_at
from weclick.inference.toolkits import missing, toolkit
from weclick.inference.torch_model import TorchModel
from weclick.inference.verify import agreement, miou, noise_images
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions

pytestmark = pytest.mark.engines

SOURCE = Path(importlib.util.find_spec("weclick").origin).parent
CLASSES = ClassSet.from_list([{"name": "Straße", "color": [1, 2, 3]}, {"name": "car", "thing": True}, {"name": "sky"}])
LOGITS, LABELS = ((64, 96), False), ((90, 120), True)


@cache
def network():
    """A light network that has seen pictures, and whose classes are about equally frequent."""
    torch.manual_seed(0)
    made = make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none", width=8), len(CLASSES))
    images = torch.from_numpy(np.stack(noise_images((64, 96), 8, seed=1))).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        for _ in range(10):
            made.train()(images)
        logits = made.eval()(images)
        spread, center = logits.std((0, 2, 3)), logits.mean((0, 2, 3))
        made.body.classifier.weight /= spread[:, None, None, None]
        made.body.classifier.bias.sub_(center).div_(spread)
    return made


def in_torch(size):
    return TorchModel(network(), CLASSES, "student", size, device="cpu")


@cache
def graph(size, labels):
    return to_onnx(network(), size, labels=labels)


def card(size, labels, name="onnx", **fields):
    output = "labels" if labels else "logits"
    return Card(CLASSES, size, output, name, FORMATS[name].precision, **fields)


def written(folder, size, labels, name="onnx"):
    model = graph(size, labels)
    if name != "onnx":
        model = to_openvino(model)
    if name == "openvino-int8":
        model = quantise(model, noise_images(size, 4, seed=9))
    path = folder / FORMATS[name].file
    write_model(model, card(size, labels, name, miou=0.5, parameters=7, run="läufe"), path)
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """One file of every format, of a size the network need not pad for, and of one it must."""
    folder = tmp_path_factory.mktemp("Modelle ß")
    return {
        (name, kind): written(folder / str(kind[1]), *kind, name)
        for kind in (LOGITS, LABELS)
        for name in FORMATS
        if (folder / str(kind[1])).mkdir(exist_ok=True) is None
    }


@pytest.mark.parametrize("kind", [LOGITS, LABELS], ids=["logits", "padded labels"])
@pytest.mark.parametrize(
    ("name", "least"), [("onnx", 0.999), ("openvino", 0.999), ("openvino-bf16", 0.95), ("openvino-int8", 0.85)]
)
def test_every_format_labels_like_pytorch(files, name, least, kind):
    exported = open_model(files[name, kind])
    images = noise_images(kind[0], 3, seed=5)
    reference = [in_torch(kind[0]).labels(image) for image in images]
    assert len(np.unique(reference)) == len(CLASSES)
    assert agreement(exported, images, reference) >= least


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_says_what_it_is(files, name):
    for size, labels in (LOGITS, LABELS):
        expected = card(size, labels, name, miou=0.5, parameters=7, run="läufe")
        assert ExportedNetwork.open(files[name, (size, labels)]).card == expected


def test_weights_of_bf16_files_take_half_the_space(files):
    full, half = (files[name, LOGITS].with_suffix(".bin").stat().st_size for name in ("openvino", "openvino-bf16"))
    assert half < 0.6 * full


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_the_network_can_be_replaced_by_its_export(files, name):
    exported = open_model(files[name, LOGITS])
    images = torch.from_numpy(np.stack(noise_images((64, 96), 2))).permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(exported.logits(images), in_torch((64, 96)).logits(images), rtol=1e-3, atol=1e-3)
    assert (exported.parameters, exported.stage, exported.size) == (7, "student", (64, 96))


def test_labels_come_back_from_the_logits_of_a_model_that_gives_labels(files):
    exported = open_model(files["onnx", LABELS])
    image = noise_images((90, 120), 1)[0]
    logits = exported.logits(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    assert logits.shape == (1, len(CLASSES), 90, 120)
    np.testing.assert_array_equal(labels_at(logits, (90, 120), (90, 120))[0].numpy(), exported.run(image)[0])
    np.testing.assert_array_equal(exported.labels(image), exported.run(image)[0])


def test_the_input_is_pixels_and_the_output_is_named(files):
    for kind, name, dtype in ((LOGITS, "logits", TensorProto.FLOAT), (LABELS, "labels", TensorProto.UINT8)):
        model = onnx.load(files["onnx", kind])
        (image,), (output,) = model.graph.input, model.graph.output
        shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
        assert (image.name, shape) == ("image", [1, *kind[0], 3])
        assert image.type.tensor_type.elem_type == TensorProto.UINT8
        assert (output.name, output.type.tensor_type.elem_type) == (name, dtype)


def test_files_hold_no_path_of_the_machine_they_were_made_on(files):
    for path in {file.parent for file in files.values()}:
        for file in path.iterdir():
            assert str(SOURCE).encode() not in file.read_bytes(), file


def test_a_model_in_memory_can_be_run_without_a_card_in_it():
    size, labels = LOGITS
    image = noise_images(size, 1)[0]
    bare = Card(numbered_classes(len(CLASSES)), size)
    for made in (
        ExportedNetwork.from_onnx(graph(size, labels), bare),
        ExportedNetwork.from_openvino(to_openvino(graph(size, labels)), bare),
    ):
        assert made.run(image).shape == (1, len(CLASSES), 16, 24)
        assert made.precision == "fp32"


def test_precision_is_what_the_processor_has(files, monkeypatch):
    ov = toolkit("openvino")
    capabilities = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    expected = "bf16" if "BF16" in capabilities else "fp32"
    assert ExportedNetwork.open(files["openvino-bf16", LOGITS]).precision == expected


# Refusals


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_another_size_is_refused_with_both_sizes(files, name):
    exported = ExportedNetwork.open(files[name, LOGITS])
    for image in (np.zeros((64, 97, 3), np.uint8), np.zeros((64, 96, 3), np.float32), np.zeros((96, 64, 3), np.uint8)):
        with pytest.raises(ShapeError, match=r"64 x 96.*--size"):
            exported.run(image)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".bin"])
def test_damaged_files_are_refused_by_name(files, tmp_path, suffix, damage):
    name = "onnx" if suffix == ".onnx" else "openvino"
    original = files[name, LOGITS]
    for part in (original, original.with_suffix(".bin")):
        if part.exists():
            (tmp_path / part.name).write_bytes(part.read_bytes())
    path = tmp_path / original.name
    broken = path.with_suffix(suffix)
    data = broken.read_bytes()
    broken.write_bytes({"cut": data[: len(data) // 2], "text": b"no model"}.get(damage, b""))
    if damage == "missing":
        broken.unlink()
    with pytest.raises(CheckpointError, match=path.stem) as caught:
        ExportedNetwork.open(path)
    assert "\n" not in str(caught.value)


def foreign(path, **properties):
    value = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 64, 96, 3])
    out = helper.make_tensor_value_info("out", TensorProto.UINT8, [1, 64, 96, 3])
    nodes = [helper.make_node("Identity", ["image"], ["out"])]
    model = helper.make_model(helper.make_graph(nodes, "other", [value], [out]), ir_version=10)
    model.opset_import[0].version = 18
    helper.set_model_props(model, properties)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "weclick export"),
        ({"weclick": "{}"}, "cannot read"),
        ({"weclick": "[1]"}, "cannot read"),
        ({"weclick": Card(CLASSES, (64, 96)).to_json()}, "states that it takes 64 x 96"),
        ({"weclick": Card(CLASSES, (64, 96), precision="fp4").to_json()}, "fp4"),
    ],
    ids=["no card", "empty card", "no mapping", "another model's card", "unknown precision"],
)
def test_models_of_others_are_refused(tmp_path, properties, words):
    with pytest.raises(CheckpointError, match=words) as caught:
        ExportedNetwork.open(foreign(tmp_path / "other.onnx", **properties))
    assert "other.onnx" in str(caught.value)


def test_a_missing_package_is_named(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"onnxruntime.*weclick\[export\]"):
        ExportedNetwork.open(files["onnx", LOGITS])
    monkeypatch.setattr("weclick.inference.toolkits.find_spec", lambda name: None if name == "nncf" else 1)
    assert missing(FORMATS["openvino-int8"].packages) == ["nncf"]


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        write_model(graph(*LOGITS), card(*LOGITS), tmp_path / "nowhere" / "student.onnx")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        write_model(to_openvino(graph(*LOGITS)), card(*LOGITS), tmp_path / "file" / "student.xml")


def test_quantising_needs_images():
    with pytest.raises(DataError, match="images"):
        quantise(to_openvino(graph(*LOGITS)), [])


# Comparing


class Broken:
    """Stands in for an exported model of a given output and labels."""

    classes = CLASSES

    def __init__(self, output, labels):
        self.run, self.finish = lambda image: output, lambda output, frame: labels


def test_values_that_are_no_numbers_or_classes_are_refused():
    image = [np.zeros((2, 2, 3), np.uint8)]
    labels = np.array([[0, 1], [2, 2]], np.uint8)
    assert agreement(Broken(np.zeros(3), labels), image, [labels[::-1]]) == 0.0
    assert agreement(Broken(np.zeros(3), labels), image, [np.array([[0, 1], [2, 0]])]) == 0.75
    with pytest.raises(ExportError, match="NaN"):
        agreement(Broken(np.array([np.nan]), labels), image, [labels])
    with pytest.raises(ExportError, match="class 3"):
        agreement(Broken(np.zeros(3), labels + 1), image, [labels])


def test_miou_is_counted_at_the_labels_size():
    image = np.zeros((4, 4, 3), np.uint8)
    label = np.array([[0, 0, 255, 255, 1, 1, 1, 1]] * 8, np.uint8)
    image[:, 2:] = 255
    bright = ClassSet.from_list([{"name": "dark"}, {"name": "bright"}])
    network = torch.nn.Conv2d(3, 2, 1, bias=False)
    network.weight.data = torch.tensor([-1.0, 1.0])[:, None, None, None].expand(2, 3, 1, 1) / 3
    network.bias = torch.nn.Parameter(torch.tensor([1.0, 0.0]))
    model = TorchModel(network, bright, "student", (4, 4), device="cpu")
    assert miou(model, [(image, label)]) == 1.0
    assert np.isnan(miou(model, [(image, np.full_like(label, 255))]))


def test_noise_is_the_same_every_time_and_varied():
    one, two = noise_images((90, 120), 2)
    assert one.shape == (90, 120, 3)
    assert one.dtype == np.uint8
    assert one.std() > 30
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, noise_images((90, 120), 1)[0])


# Promise 6


PRIVATE = ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf", "openvino_telemetry")


def test_packages_that_report_home_are_imported_through_one_door():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] in PRIVATE], path


REPORTER = """
import sys
from pathlib import Path
from weclick.inference.convert import quantise
from weclick.inference.exported import ExportedNetwork
from weclick.inference.toolkits import toolkit
from weclick.inference.verify import noise_images
assert "pytest" not in sys.modules  # NNCF keeps quiet there of itself
for path in sys.argv[1:]:
    ExportedNetwork.open(Path(path)).run(noise_images((64, 96), 1)[0])
quantise(toolkit("openvino").Core().read_model(sys.argv[2]), noise_images((64, 96), 2))
"""


@pytest.mark.slow
def test_nothing_is_sent_anywhere(files, tmp_path):
    """All ways out lead to a socket of ours, and no identifier is left at home: without our door both happen."""
    calls = []

    def listen():
        while True:
            try:
                calls.append(server.accept()[0])
            except OSError:
                return

    quiet = (
        "CI",
        "GITHUB_ACTIONS",
        "TF_BUILD",
        "ORT_DISABLE_TELEMETRY",
        "ORT_RUNNING_UNIT_TESTS",
        "PYTEST_CURRENT_TEST",
    )
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        ways = ("http_proxy", "https_proxy", "all_proxy")
        environment |= {name: proxy for way in ways for name in (way, way.upper())} | {"no_proxy": "", "NO_PROXY": ""}
        environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", REPORTER, str(files["onnx", LOGITS]), str(files["openvino", LOGITS])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        server.shutdown(socket.SHUT_RDWR)
    assert done.returncode == 0, done.stderr
    assert not calls
    left = {path.name.lower() for path in tmp_path.rglob("*")}
    assert not {name for name in left if "device" in name or "cid" in name or name in ("intel", "microsoft", "stats")}
