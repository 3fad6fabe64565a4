"""Published folders and exported models that are wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from .bad_checkpoints import CODE, FILM, put_damaged
from .bad_clicks import GONE, entry
from .cases import DAMAGE, TEXT_DAMAGE, Case, Spoil, all_of, as_folder, change, change_json, flipped, put, remove

CONFIG = "published/config.json"
USE = ("predict", "--ckpt_path", "published", *FILM)


def summed(*spoils: Spoil) -> Spoil:
    """Spoil files, and write their new checksums, as somebody would who means it."""

    def spoil(folder: Path) -> None:
        all_of(*spoils)(folder)
        config = json.loads((folder / CONFIG).read_text())
        for name in config["sha256"]:
            if (folder / "published" / name).is_file():
                config["sha256"][name] = sha256((folder / "published" / name).read_bytes()).hexdigest()
        (folder / CONFIG).write_text(json.dumps(config))

    return spoil


def header(**tensors: Any) -> bytes:
    """Return a safetensors file whose header states these tensors."""
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


NETWORK = ("hyper_parameters", "options", "network")
SETTINGS: tuple[tuple[tuple[str | int, ...], tuple[Any, ...]], ...] = (
    ((), ([], {}, 3, "text")),
    (("sha256",), (GONE, [], {}, 3, None)),
    (("sha256", "model.safetensors"), (GONE, 3, "0" * 64, None)),
    (("weclick_stage",), (GONE, "pupil", 3, ["student"])),
    (("hyper_parameters",), (GONE, [], {}, 3, None)),
    (("hyper_parameters", "classes"), (GONE, [], [3], "ab", [{"name": "a"}, {"name": "a"}], None)),
    (("hyper_parameters", "size"), (GONE, [0, 0], [64], ["a", "b"], [10**6, 10**6], [float("nan"), 1], None)),
    (NETWORK, (GONE, [], 3, None)),
    ((*NETWORK, "name"), ("unet17", {"class_path": "os.system", "init_args": {"command": "touch executed"}}, 3, None)),
    ((*NETWORK, "encoder"), ("resnet9", "hf-hub:a/b", "tu-hf-hub:a/b", 3, None)),
    ((*NETWORK, "width"), (0, -1, 10**9, "wide", None, 2**70)),
    ((*NETWORK, "paint"), (1,)),
)
WEIGHTS: dict[str, bytes] = {
    "a header of 2^62 bytes": struct.pack("<Q", 1 << 62) + b"{}",
    "a header of no JSON": struct.pack("<Q", 5) + b"{{{{{",
    "a header of nothing": header(),
    "a tensor beyond the end": header(a={"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}),
    "a tensor of negative size": header(a={"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}) + bytes(4),
    "a tensor of an unknown type": header(a={"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}) + bytes(4),
    "a tensor of another network": header(a={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}) + bytes(4),
    "a pickle that runs a command": CODE,
}


def published() -> list[Case]:
    """Published folders with one file changed; with and without new checksums."""
    cases, names = [], ("config.json", "model.safetensors")
    for name in names:
        damages = TEXT_DAMAGE if name.endswith(".json") else {**DAMAGE, "flipped bits": flipped}
        for kind, damage in damages.items():
            harmless = kind in ("Latin-1", "UTF-16")
            cases.append(
                Case(
                    "published folders", f"{name}: {kind}", USE, change(f"published/{name}", damage), (name,), harmless
                )
            )
        cases.append(Case("published folders", f"{name} missing", USE, remove(f"published/{name}"), (name,)))
        cases.append(Case("published folders", f"{name} a folder", USE, as_folder(f"published/{name}"), ("published",)))
    for path, values in SETTINGS:
        for value in values:
            shown = f"{'.'.join(map(str, path))}: {'gone' if value is GONE else repr(value)[:40]}"
            cases.append(
                Case("published folders", shown, USE, change_json(CONFIG, entry(*path, value=value)), ("published",))
            )
    model = "published/model.safetensors"
    weights = {name: put(model, content) for name, content in WEIGHTS.items()}
    weights |= {f"weights {name}, with a new sum": change(model, damage) for name, damage in DAMAGE.items()}
    weights["weights that are NaN, with a new sum"] = change(model, lambda content: content[:-400] + b"\xff" * 400)
    cases += [Case("published folders", name, USE, summed(spoil), ("published",)) for name, spoil in weights.items()]
    again = ("package", "done", "--out", "published")
    cases.append(
        Case(
            "published folders", "changed since", again, put("published/notes.txt", "mine"), ("published", "notes.txt")
        )
    )
    return cases


def onnx_changed(edit: Callable[[Any], object]) -> Spoil:
    """Write own.onnx: the exported model, changed."""

    def spoil(folder: Path) -> None:
        import onnx

        model = onnx.load(folder / "published/student.onnx")
        edit(model)
        (folder / "own.onnx").write_bytes(model.SerializeToString())

    return spoil


def card(edit: Callable[[Any], Any]) -> Spoil:
    """Change the description in an exported model."""

    def both(model: Any) -> None:
        (place,) = [prop for prop in model.metadata_props if prop.key == "weclick"]
        value = json.loads(place.value)
        edited = edit(value)
        place.value = json.dumps(value if edited is None else edited)

    return onnx_changed(both)


def outside(model: Any) -> None:
    """Let the first weights lie in a file of this machine."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="../../../../../etc/passwd")


CARDS: tuple[tuple[tuple[str | int, ...], tuple[Any, ...]], ...] = (
    ((), ([], 3, "text", {})),
    (("classes",), (GONE, [], [{"name": "a"}], [3], "ab", None)),
    (("size",), (GONE, [32, 32], [0, 0], ["a", "b"], 64, None, [10**6, 10**6])),
    (("output",), (GONE, "labels", "depth", 3, None)),
    (("precision",), ("int3", 3, None)),
    (("paint",), (1,)),
)


def exported() -> list[Case]:
    """Exported models, read by the commands that predict and measure."""
    predict, test = (
        ("predict", "--ckpt_path", "own.onnx", *FILM),
        ("test", "--run", "done", "--ckpt_path", "own.onnx"),
    )
    cases = []
    for name, damage in {**DAMAGE, "flipped bits": flipped}.items():
        spoil, harmless = put_damaged("published/student.onnx", "own.onnx", damage), name == "flipped bits"
        cases += [Case("exported models", f"ONNX {name}: {command[0]}", command, spoil, ("own.onnx",), harmless)
                  for command in (predict, test)]  # fmt: skip
        for suffix in (".xml", ".bin"):
            vino = all_of(*(put_damaged(f"published/student-openvino{end}", f"own{end}", damage if end == suffix else bytes)
                            for end in (".xml", ".bin")))  # fmt: skip
            command, soft = (
                ("predict", "--ckpt_path", "own.xml", *FILM),
                suffix == ".bin" and name in ("zeros", "noise", "flipped bits"),
            )
            cases.append(
                Case("exported models", f"OpenVINO {suffix} {name}", command, vino, ("own",), soft or harmless)
            )
    edits: dict[str, Spoil] = {
        "no description": onnx_changed(lambda model: model.ClearField("metadata_props")),
        "a description that is no JSON": onnx_changed(lambda model: setattr(model.metadata_props[0], "value", "{")),
        "no outputs": onnx_changed(lambda model: model.graph.ClearField("output")),
        "no inputs": onnx_changed(lambda model: model.graph.ClearField("input")),
        "an unknown operator": onnx_changed(lambda model: setattr(model.graph.node[0], "op_type", "Paint")),
        "an operator less": onnx_changed(lambda model: model.graph.node.pop()),
        "weights of another file": onnx_changed(outside),
        "a version from the future": onnx_changed(lambda model: setattr(model.opset_import[0], "version", 999)),
        "a .bin file that is missing": put_damaged("published/student-openvino.xml", "own.xml", bytes),
    }
    for path, values in CARDS:
        for value in values:
            edits[f"{'.'.join(path)}: {'gone' if value is GONE else repr(value)[:40]}"] = card(
                entry(*path, value=value)
            )
    for name, spoil in edits.items():
        command = ("predict", "--ckpt_path", "own.xml", *FILM) if ".bin" in name else predict
        cases.append(
            Case(
                "exported models",
                name,
                command,
                spoil,
                ("own",),
                name in ("paint: 1", "output: gone", "precision: 3", "precision: 'int3'", "precision: None"),
            )
        )
    return cases


CASES = (*published(), *exported())
