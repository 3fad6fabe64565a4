"""Checkpoints that are wrong."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .bad_clicks import GONE, entry
from .cases import DAMAGE, Case, Spoil, flipped, put
from .project import FIT

LAST = "runs/done/student/last.ckpt"
FILM = ("--source", "film.mp4", "--max_frames", "2")


class Runs:
    """Pickled, a command that leaves a file."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Return what unpickling calls."""
        return os.system, ("touch executed",)


def edited(*path: str | int, value: Any) -> Spoil:
    """Write own.ckpt: the student's checkpoint with one value changed or removed; a function makes the new of the old."""

    def spoil(folder: Path) -> None:
        checkpoint = torch.load(folder / LAST, weights_only=True)
        if callable(value):
            place = checkpoint
            for way in path[:-1]:
                place = place[way]
            place[path[-1]] = value(place[path[-1]])
        else:
            checkpoint = entry(*path, value=value)(checkpoint) or checkpoint
        torch.save(checkpoint, folder / "own.ckpt")

    return spoil


def each(edit: Callable[[torch.Tensor], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return an edit of the first weight of a network."""

    def first(weights: dict[str, Any]) -> dict[str, Any]:
        name = next(name for name, tensor in weights.items() if tensor.ndim == 4)
        return {**weights, name: edit(weights[name])}

    return first


def with_infinity(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor whose last value is infinite."""
    return torch.cat([tensor.flatten()[:-1], torch.tensor([float("inf")])]).view(tensor.shape)


OPTIONS = ("hyper_parameters", "options", "network")
STATE = ("state_dict",)
CHECKPOINTS: dict[str, Spoil] = {
    "no weights": edited("state_dict", value=GONE),
    "no hyperparameters": edited("hyper_parameters", value=GONE),
    "no stage": edited("weclick_stage", value=GONE),
    "an unknown stage": edited("weclick_stage", value="pupil"),
    "a stage that is a list": edited("weclick_stage", value=["student"]),
    "the stage teacher": edited("weclick_stage", value="teacher"),
    "a list": edited(value=[1, 2]),
    "a tensor": edited(value=torch.zeros(3)),
    "weights that are a list": edited("state_dict", value=[1]),
    "weights that are empty": edited("state_dict", value={}),
    "weights of numbers": edited("state_dict", value={"network.a": 3}),
    "weights of text": edited(*STATE, value=each(lambda tensor: "text")),
    "hyperparameters that are a list": edited("hyper_parameters", value=[1]),
    "weights that are NaN": edited(*STATE, value=each(lambda tensor: tensor * float("nan"))),
    "one infinite weight": edited(*STATE, value=each(with_infinity)),
    "a weight of another shape": edited(*STATE, value=each(lambda tensor: tensor[..., :1])),
    "a weight of whole numbers": edited(*STATE, value=each(lambda tensor: tensor[:1].long())),
    "a weight of complex numbers": edited(*STATE, value=each(lambda tensor: tensor[:1].to(torch.complex64))),
    "a sparse weight": edited(*STATE, value=each(lambda tensor: tensor.to_sparse())),
    "a weight without values": edited(*STATE, value=each(lambda tensor: tensor.to("meta"))),
    "a weight of one value, repeated": edited(*STATE, value=each(lambda tensor: torch.zeros(1).expand(tensor.shape))),
    "a weight of a terabyte": edited(*STATE, value=each(lambda tensor: torch.zeros(1).expand(1 << 38))),
    "a weight less": edited(*STATE, value=lambda weights: dict(list(weights.items())[1:])),
    "a weight more": edited(*STATE, value=lambda weights: {**weights, "network.more": torch.zeros(1)}),
    "names without their beginning": edited(
        *STATE, value=lambda w: {name.removeprefix("network."): t for name, t in w.items()}
    ),
    "names that are numbers": edited(*STATE, value=lambda weights: dict(enumerate(weights.values()))),
    "no classes": edited("hyper_parameters", "classes", value=GONE),
    "classes that are empty": edited("hyper_parameters", "classes", value=[]),
    "a class more": edited(
        "hyper_parameters", "classes", value=lambda c: [*c, {"name": "bus", "color": [1, 2, 3], "thing": True}]
    ),
    "a class twice": edited("hyper_parameters", "classes", value=lambda c: [c[0], c[0]]),
    "classes that are text": edited("hyper_parameters", "classes", value="ab"),
    "classes without colours": edited("hyper_parameters", "classes", 0, "color", value=None),
    "a class of an escape sequence": edited("hyper_parameters", "classes", 0, "name", value="\x1b[2J\n"),
    "no size": edited("hyper_parameters", "size", value=GONE),
    "a size of 0": edited("hyper_parameters", "size", value=[0, 0]),
    "a size of a million": edited("hyper_parameters", "size", value=[1_000_000, 1_000_000]),
    "a size of text": edited("hyper_parameters", "size", value=["a", "b"]),
    "a size of NaN": edited("hyper_parameters", "size", value=[float("nan"), 1.0]),
    "a size of one number": edited("hyper_parameters", "size", value=64),
    "no options": edited("hyper_parameters", "options", value=GONE),
    "options that are text": edited("hyper_parameters", "options", value="options"),
    "no network": edited(*OPTIONS, value=GONE),
    "an unknown option": edited(*OPTIONS, "paint", value=1),
    "an unknown network": edited(*OPTIONS, "name", value="unet17"),
    "code for a network": edited(
        *OPTIONS, "name", value={"class_path": "os.system", "init_args": {"command": "touch executed"}}
    ),
    "a module that is not loaded": edited(*OPTIONS, "name", value={"class_path": "antigravity.fly"}),
    "a network of Popen": edited(
        *OPTIONS, "name", value={"class_path": "subprocess.Popen", "init_args": {"args": "touch executed"}}
    ),
    "an unknown encoder": edited(*OPTIONS, "encoder", value="resnet9"),
    "an encoder of a hub": edited(*OPTIONS, "encoder", value="tu-hf-hub:someone/something"),
    "an encoder of a hub of timm": edited(*OPTIONS, "encoder", value="hf-hub:someone/something"),
    "an encoder of a folder": edited(*OPTIONS, "encoder", value="local-dir:/etc"),
    "another encoder": edited(*OPTIONS, "encoder", value="tf_efficientnet_lite0"),
    "a width of a billion": edited(*OPTIONS, "width", value=10**9),
    "a width of 2^70": edited(*OPTIONS, "width", value=2**70),
    "a width of 0": edited(*OPTIONS, "width", value=0),
    "a width of text": edited(*OPTIONS, "width", value="wide"),
    "strides of 3": edited(*OPTIONS, "strides", value=[3, 9]),
    "strides that are empty": edited(*OPTIONS, "strides", value=[]),
    "a class of its own": edited("weclick_class", value="os.system"),
    "a class that is not loaded": edited("weclick_class", value="mine.Student"),
}
"""A checkpoint's content, changed."""

MAY_RUN = {"a class of its own", "a class that is not loaded", "a class of an escape sequence", "weights of whole numbers",
           "a class that is a number"}  # fmt: skip


def zipped(**members: bytes) -> bytes:
    """Return an archive that is not compressed, as torch writes it; __ in a name stands for a slash, _dot_ for a dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return content.getvalue()


def bomb() -> bytes:
    """Return an archive of zeros that are compressed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1 << 28))
    return content.getvalue()


CODE = pickle.dumps({"weclick_stage": Runs(), "state_dict": {}, "hyper_parameters": {}}, 2)
FILES: dict[str, bytes] = {
    "a pickle that runs a command": CODE,
    "a pickle of protocol 5 that runs a command": pickle.dumps(Runs(), 5),
    "an archive with such a pickle": zipped(
        archive__data_dot_pkl=CODE, archive__version=b"3\n", archive__byteorder=b"little"
    ),
    "an archive with such a pickle of constants": zipped(
        archive__constants_dot_pkl=CODE, archive__data_dot_pkl=b"N.", archive__version=b"3\n"
    ),
    "an archive of other files": zipped(readme=b"text"),
    "an archive of nothing": zipped(),
    "an archive that leads out": zipped(**{"_dot__dot___dot__dot___executed": b"x"}),
    "a compressed archive of 256 MB": bomb(),
    "a pickle of a number": pickle.dumps(3),
    "a pickle of an endless list": b"\x80\x02]" + b"(" * 100_000,
    "a pickle of a string of 2^60 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60),
    "HTML": b"<!doctype html><title>404 Not Found</title>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500),
}
"""Files that are no checkpoints."""


def checkpoints() -> list[Case]:
    """Checkpoints, read by the commands that predict, measure, export and train from a teacher."""
    cases = []
    commands = {
        "predict": ("predict", "--ckpt_path", "own.ckpt", *FILM),
        "test": ("test", "--run", "done", "--ckpt_path", "own.ckpt"),
        "export": ("export", "--run", "done", "--ckpt_path", "own.ckpt", "--formats", "onnx", "--out", "new"),
        "fit": (*FIT, "--teacher_checkpoint", "own.ckpt"),
    }
    for number, (name, spoil) in enumerate(CHECKPOINTS.items()):
        for part in ("predict", ("test", "export", "fit")[number % 3]):
            harmless = name in MAY_RUN or (name == "the stage teacher" and part in ("fit", "predict"))
            cases.append(Case("checkpoints", f"{name}: {part}", commands[part], spoil, ("own.ckpt",), harmless))
    for name, content in FILES.items():
        for part in ("predict", "fit"):
            cases.append(
                Case("checkpoints", f"{name}: {part}", commands[part], put("own.ckpt", content), ("own.ckpt",))
            )
    for name, damage in {**DAMAGE, "flipped bits": flipped}.items():
        spoil = put_damaged(LAST, "own.ckpt", damage)
        cases += [
            Case("checkpoints", f"{name}: {part}", command, spoil, ("own.ckpt",)) for part, command in commands.items()
        ]
    copied = put_damaged("runs/done/student/weights.safetensors", "own.ckpt", bytes)
    cases.append(Case("checkpoints", "safetensors", commands["predict"], copied, ("own.ckpt",)))
    return cases


def put_damaged(source: str, name: str, damage: Callable[[bytes], bytes]) -> Spoil:
    """Write a damaged copy of a file."""
    return lambda folder: put(name, damage((folder / source).read_bytes()))(folder)


CASES = checkpoints()
