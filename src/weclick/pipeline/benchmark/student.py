"""Latency of the student and of the usual alternatives, in PyTorch and in every format they export to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from weclick.conventions import Size
from weclick.errors import ConfigError
from weclick.inference.card import Card
from weclick.inference.convert import quantise, to_onnx, to_openvino
from weclick.inference.exported import ExportedNetwork, numbered_classes
from weclick.inference.formats import FORMATS
from weclick.inference.model import ExportedModel
from weclick.inference.opening import open_model
from weclick.inference.speed import Timing, interleaved, on_frame
from weclick.inference.toolkits import missing
from weclick.inference.torch_model import TorchModel
from weclick.models.factory import make_network
from weclick.models.options import NetworkOptions
from weclick.pipeline.run import Run
from weclick.reporting.benchmark import BenchmarkTable, Cell

ALTERNATIVES: Final = (
    ("light", "tf_efficientnet_lite0"),
    ("pspnet", "resnet18"),
    ("pspnet_shallow", "resnet18"),
    ("pspnet", "mobilenetv2_100"),
    ("segformer", "mit_b0"),
    ("lraspp", "mobilenet_v3_large"),
)
"""Network and encoder of the networks that are always timed; the first is ours."""

CALIBRATION: Final = 4
"""Random images that int8 is calibrated on where only speed is wanted."""


@dataclass
class Candidate:
    """A network to time.

    Args:
        name: Network and encoder.
        model: The network, on the CPU in fp32.
        run: Name of the run it was trained in, if any.
        miou: mIoU of its run's ``test``, in PyTorch; None where there is no run or no evaluation.
        exports: Files its run was exported to.
    """

    name: str
    model: TorchModel
    run: str | None = None
    miou: float | None = None
    exports: Sequence[Path] = field(default_factory=tuple)

    @classmethod
    def untrained(cls, network: str, encoder: str, classes: int, size: Size) -> Candidate:
        """Return a network with random weights: its speed does not depend on training."""
        made = make_network(NetworkOptions(network, encoder, weights="none"), classes)
        named = numbered_classes(classes)
        return cls(f"{network} {encoder}", TorchModel(made, named, "student", size, device="cpu", precision="fp32"))


@dataclass(frozen=True)
class Variant:
    """A candidate on one runtime in one precision: the function to time, and its row without the times."""

    run: Callable[[], object]
    facts: dict[str, Cell]


def benchmark_student(
    candidates: Sequence[Candidate],
    size: Size,
    *,
    rounds: int = 20,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkTable:
    """Time single frames through every candidate in every format, in turns, on the CPU.

    Exported files of a run are timed as they are; of other candidates the same formats are made in memory.

    Args:
        candidates: Networks to time.
        size: (H, W) of the frames.
        rounds: Measurements of each.
        progress: Called with (rounds done, rounds in all).
    """
    variants = {f"{number}": variant for number, variant in enumerate(_variants(candidates, size))}
    timings = interleaved({name: v.run for name, v in variants.items()}, rounds=rounds, progress=progress)
    rows = [_row(variant, timings[name]) for name, variant in variants.items()]
    facts: dict[str, Cell] = {"frame": f"{size[1]}x{size[0]}", "frames at a time": 1, "rounds": rounds}
    return BenchmarkTable("student", torch.device("cpu"), facts, rows, ("network", "runtime", "precision"), "FPS")


def of_run(run: Run) -> Candidate:
    """Return a run's student with its scores and exported files."""
    model = open_model(run.checkpoint("student", "last"), stage="student", device="cpu", precision="fp32")
    assert isinstance(model, TorchModel)
    metrics = run.folder / "test" / "metrics.json"
    miou = json.loads(metrics.read_text(encoding="utf-8"))["miou"] if metrics.exists() else None
    exports = [run.folder / "export" / made.file for made in FORMATS.values()]
    return Candidate(model.name, model, run.name, miou, [path for path in exports if path.exists()])


def replace_alternatives(candidates: list[Candidate], trained: list[Candidate]) -> list[Candidate]:
    """Return the trained candidates, and the alternatives of other networks."""
    names = {candidate.name for candidate in trained}
    return [*trained, *(c for c in candidates if c.name not in names)]


def _variants(candidates: Sequence[Candidate], size: Size) -> Iterator[Variant]:
    has_bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    for candidate in candidates:
        model = candidate.model
        facts: dict[str, Cell] = {
            "network": f"{candidate.name} ({candidate.run})" if candidate.run else candidate.name,
            "parameters (M)": model.parameters / 1e6,
            "GFLOPs": gflops(model.network, size),
        }
        in_torch = {**facts, "runtime": "torch"}
        yield Variant(on_frame(model, size), {**in_torch, "precision": "fp32", "mIoU": candidate.miou})
        if has_bf16:
            half = TorchModel(model.network, model.classes, model.stage, size, device="cpu", precision="bf16")
            yield Variant(on_frame(half, size), {**in_torch, "precision": "bf16", "mIoU": None})
        for other, megabytes in exported(candidate, size):
            made = {"runtime": other.card.format.split("-")[0], "precision": other.precision}
            yield Variant(on_frame(other, size), {**facts, **made, "file (MB)": megabytes, "mIoU": other.card.miou})


def exported(candidate: Candidate, size: Size) -> Iterator[tuple[ExportedModel, float | None]]:
    """Yield a candidate's exported models with the megabytes of their files, None for those made in memory.

    Raises:
        ConfigError: An exported file of the run is of another size.
    """
    for path in candidate.exports:
        model = ExportedModel(ExportedNetwork.open(path))
        if model.size != size:
            raise ConfigError(f"{path} takes {model.size}, the benchmark runs at {size}; give --size, or export again")
        yield model, sum(p.stat().st_size for p in {path, path.with_suffix(".bin")} if p.exists()) / 1e6
    if not candidate.exports:
        for network in _made_in_memory(candidate.model, size):
            yield ExportedModel(network), None


def _made_in_memory(model: TorchModel, size: Size) -> Iterator[ExportedNetwork]:
    formats = [made for made in FORMATS.values() if not missing(made.packages)]
    if not formats:
        return
    onnx = to_onnx(model.network, size)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(CALIBRATION)]
    for made in formats:
        card = Card(model.classes, size, format=made.name, precision=made.precision)
        if made.name == "onnx":
            yield ExportedNetwork.from_onnx(onnx, card)
        else:
            graph = to_openvino(onnx)
            yield ExportedNetwork.from_openvino(quantise(graph, images) if made.precision == "int8" else graph, card)


def gflops(network: nn.Module, size: Size) -> float:
    """Count the floating-point operations of one frame, in billions; a multiplication and an addition are two."""
    device = next(network.parameters()).device
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, *size, device=device))
    return float(counter.get_total_flops()) / 1e9


def _row(variant: Variant, timing: Timing) -> dict[str, Cell]:
    facts = variant.facts
    miou = facts["mIoU"]
    return {
        "network": facts["network"],
        "runtime": facts["runtime"],
        "precision": facts["precision"],
        "FPS": 1 / timing.median,
        "ms": 1000 * timing.median,
        "ms, quartiles": f"{1000 * timing.low:.1f}-{1000 * timing.high:.1f}",
        "parameters (M)": facts["parameters (M)"],
        "GFLOPs": facts["GFLOPs"],
        "file (MB)": facts.get("file (MB)"),
        "mIoU": 100 * miou if isinstance(miou, float) else None,
    }
