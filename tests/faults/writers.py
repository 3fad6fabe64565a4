"""Everything that weclick writes: for each kind of file a function that writes it into a folder, in two versions."""

import cv2
import numpy as np
import torch

from weclick.classes import ClassSet
from weclick.clicks import Click, ClickStore, Pictures
from weclick.clicks.exchange import FORMATS
from weclick.clicks.labels import export_labels
from weclick.clicks.records import AcceptedLabel
from weclick.clicks.sqlite import copy_store
from weclick.conventions import FrameKey
from weclick.data.checksums import write_checksums
from weclick.data.decode import decode_video
from weclick.data.label_maps import LabelMaps
from weclick.files import write_bytes, write_text
from weclick.inference.card import Card
from weclick.inference.checkpoint import write_weights
from weclick.inference.results import _write_image
from weclick.inference.writer import VideoWriter
from weclick.memory.item import MemoryItem
from weclick.memory.store import MemoryStore
from weclick.metrics import Evaluation, scores_from_confusion
from weclick.modules.skips import keep_batch
from weclick.pipeline import export
from weclick.pipeline.checkpoint_io import WholeCheckpointIO
from weclick.pipeline.run import Run
from weclick.reporting.benchmark import BenchmarkTable
from weclick.reporting.metrics_file import MetricsFile
from weclick.reporting.pictures import write_picture
from weclick.reporting.plots import plot_curves
from weclick.reporting.report import Provenance, Report, write_report, write_tables
from weclick.reporting.samples import Sample
from weclick.synthetic import write_synthetic

CLASSES = ClassSet.from_list([{"name": "road"}, {"name": "car", "thing": True}])
FRAMES = [FrameKey("drive", number) for number in range(3)]
SIZE = (240, 320)


class Sources:
    """What the writers read, in a folder of its own: a video, pictures, clicks, accepted labels, an ONNX graph."""

    def __init__(self, folder):
        self.video, self.clicks = folder / "drive.webm", folder / "clicks.sqlite"
        with VideoWriter(self.video, 10) as video:
            for number in range(8):
                video.write(noise(number, *SIZE, 3))
        images = {key: folder / "frames" / key.video / f"{key.number}.png" for key in FRAMES}
        for key, image in images.items():
            image.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(image), noise(key.number, *SIZE, 3))
        self.pictures = Pictures(folder, images)
        with ClickStore.create(self.clicks, CLASSES) as store:
            add_clicks(store, 0)
            label = AcceptedLabel(noise(0, *SIZE) % 2, noise(1, *SIZE))
            for key in FRAMES:
                store.accept(key, label)


def noise(version, *shape):
    """Return bytes that do not compress."""
    return np.random.default_rng(version).integers(0, 256, shape, np.uint8)


def add_clicks(store, version):
    for key in FRAMES:
        clicks = [Click(float(x), float(y), version) for x in range(20) for y in range(20)]
        store.replace(key, clicks, size=SIZE)


def graph(version):
    import onnx

    weights = onnx.numpy_helper.from_array(noise(version, 60_000).astype(np.float32), "weights")
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [60_000]) for name in ("in", "out")]
    node = onnx.helper.make_node("Add", ["in", "weights"], ["out"])
    body = onnx.helper.make_graph([node], "sum", values[:1], values[1:], [weights])
    return onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def exported(folder, version, name):
    model = graph(version) if name.endswith(".onnx") else export.to_openvino(graph(version))
    export._write(model, Card(CLASSES, SIZE), folder / name, export.Evidence([], [], False, None, 0.0), 1.0)


def memory(folder, version):
    store = MemoryStore(folder, {"flow": "dis"})
    store.write(FRAMES[0], MemoryItem(*(noise(version, count, 40, 40) for count in (2, 2, 1))))


def manifest(folder, version):
    MemoryStore(folder, {"frames": ["x" * 9000]})


def metrics(folder, version):
    rows = MetricsFile(folder)
    for step in range(300 * version, 300 * version + 1):
        rows.log_metrics({f"train/loss_{name}": step / 7 for name in range(500)}, step)


def evaluation(version):
    return Evaluation(scores_from_confusion(np.array([[3 + version, 0], [1, 4]])))


def report(folder, version):
    samples = [Sample("drive:1", noise(version, *SIZE, 3), {"truth": noise(version, *SIZE) % 2})]
    facts = {
        "run": "r",
        "stage": "student",
        "arm": "full",
        "split": "val",
        "frames": 1,
        "checkpoint": "c",
        "reason": "",
    }
    provenance = Provenance(**facts, seed=0, clicks=None, parameters=1, date="", versions={})
    write_report(folder, Report(evaluation(version), provenance, CLASSES, "x: " + "y" * 5000, samples, []))


def tables(folder, version):
    many = ClassSet.from_list([{"name": f"class {number}"} for number in range(100)])
    found = Evaluation(scores_from_confusion(np.full((100, 100), 10 + version)))
    provenance = Provenance("r", "student", "full", "val", 1, "c", "", 0, None, 1, "", {})
    write_tables(folder, Report(found, provenance, many, "", [], []))


def benchmark(folder, version):
    rows = [{"network": f"n{number}", "FPS": 1.0 + number + version} for number in range(6)]
    BenchmarkTable("student", torch.device("cpu"), {}, rows, ("network",), "FPS").write(folder)


def video(folder, version, name):
    with VideoWriter(folder / name, 10) as writer:
        for number in range(12):
            writer.write(noise(100 * version + number, *SIZE, 3))


def clicks(folder, version):
    path = folder / "clicks.sqlite"
    with ClickStore(path, CLASSES) if path.exists() else ClickStore.create(path, CLASSES) as store:
        add_clicks(store, version)


def exchange(name, suffix):
    def write(folder, version, sources):
        with ClickStore(sources.clicks, CLASSES, readonly=True) as store:
            FORMATS[name].export(store, folder / f"clicks{suffix}", sources.pictures)

    return write


def labels(folder, version, sources):
    with ClickStore(sources.clicks, CLASSES, readonly=True) as store:
        export_labels(store, folder / "labels", sources.pictures, sure=0.5, show=lambda done, total: None)


def checksums(folder, version):
    for number in range(100):
        (folder / "files" / f"{number}.txt").parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / f"{number}.txt").touch()
    write_checksums(folder)


def run(folder, version):
    made = Run(folder) if folder.joinpath("config.yaml").exists() else Run.create(folder, "seed: 0\n")
    made.mark_done("memory", {"frames": ["x" * 9000 + str(version)]})


WRITERS = {
    "checkpoint": lambda folder, v: WholeCheckpointIO().save_checkpoint(
        {"weights": torch.from_numpy(noise(v, 60_000))}, folder / "last.ckpt"
    ),
    "safetensors": lambda folder, v: write_weights(folder / "weights.safetensors", torch.nn.Linear(100, 100)),
    "skipped batch": lambda folder, v: keep_batch(
        folder / "step.pt", {"frame": ["a:1"], "image": torch.rand(1, 3, 64, 64)}, "loss became nan"
    ),
    "config.yaml": lambda folder, v: write_text(folder / "config.yaml", f"seed: {v}\n" + "# ...\n" * 2000),
    "done.json": run,
    "metrics.csv": metrics,
    "sample sheet": lambda folder, v: write_picture(folder / "val_samples.png", noise(v, *SIZE, 3)),
    "curves": lambda folder, v: write_bytes(
        folder / "curves.png", plot_curves([{"epoch": 0.0, "train/loss": 1.0 + v}])
    ),
    "memory item": memory,
    "memory manifest": manifest,
    "grown labels": lambda folder, v: LabelMaps(folder).write(FRAMES[0], noise(v, *SIZE)),
    "label PNG": lambda folder, v: _write_image(folder, "labels/1.png", noise(v, *SIZE)),
    "overlay picture": lambda folder, v: _write_image(folder, "overlay/1.jpg", noise(v, *SIZE, 3)),
    "overlay.mp4": lambda folder, v: video(folder, v, "overlay.mp4"),
    "compare.webm": lambda folder, v: video(folder, v, "compare.webm"),
    "report.html": report,
    "tables": tables,
    "benchmark": benchmark,
    "ONNX": lambda folder, v: exported(folder, v, "student.onnx"),
    "OpenVINO": lambda folder, v: exported(folder, v, "student.xml"),
    "click store": clicks,
    "copied clicks": lambda folder, v, sources: copy_store(sources.clicks, folder / "clicks.sqlite", CLASSES),
    "accepted labels": labels,
    **{name: exchange(name, suffix) for name, suffix in (("csv", ".csv"), ("cvat", ".xml"), ("labelme", ""))},
    **{name: exchange(name, ".json") for name in ("label-studio", "coco")},
    "checksums": checksums,
    "decoded frames": lambda folder, v, sources: decode_video(sources.video, folder / "drive"),
    "synthetic": lambda folder, v: write_synthetic(folder / "s", train=1, val=0, frames=2, target=1, size=(64, 128)),
}
"""Functions of a folder, a version, 0 or 1, and perhaps :class:`Sources`."""

NEW = {"memory manifest", "labelme", "accepted labels", "decoded frames", "synthetic"}
"""What is never written over."""
