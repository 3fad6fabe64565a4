"""Valid files with random changes: each is used, and what comes of it is valid, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .bad_checkpoints import FILM
from .bad_clicks import FILES, LABELME
from .bad_stores import STORE
from .cases import Case, change, put

Edit = tuple[str, float, float, bytes]
"""A kind of change, its place and length as shares of the file, and bytes to use."""


def mutated(content: bytes, edits: list[Edit]) -> bytes:
    """Apply changes one after the other."""
    for kind, place, length, new in edits:
        start = int(place * len(content))
        end = min(start + 1 + int(length * length * len(content) / 4), len(content))
        part = content[start:end]
        middle = {
            "flip": bytes(byte ^ 1 << (n + len(new)) % 8 for n, byte in enumerate(part)),
            "cut": b"",
            "twice": part * 2,
            "new": new,
            "insert": new + part,
            "zeros": bytes(len(part)),
        }[kind]
        content = content[:start] + middle + content[end:]
    return content


EDIT = st.tuples(
    st.sampled_from(["flip", "cut", "twice", "new", "insert", "zeros"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1),
    st.binary(max_size=8)
    | st.sampled_from([b"nan", b"-1", b"1e999", b"null", b"[", b'"', b"\n", b"9" * 30, "é".encode()]),
)
CHANGES = st.lists(EDIT, min_size=1, max_size=3)

PREDICT = ("predict", "--run", "done", "--source")
TARGETS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    **{
        form: (file, ("clicks", "import", "street", place, "--store", "new.sqlite", "--format", form),
               ("clicks", "export", "street", "out.csv", "--store", "new.sqlite"))
        for form, file, place in [*((form, file, file) for form, file in FILES.items()), ("labelme", LABELME, "labelme")]
    },
    "clicks.sqlite": (STORE, ("clicks", "check", "street"), ()),
    "config.yaml": ("runs/done/config.yaml", ("validate", "--run", "done"), ()),
    "classes.yaml": ("street/classes.yaml", ("data", "check", "street"), ()),
    "splits.yaml": ("street/splits.yaml", ("data", "check", "street"), ()),
    "image": ("street/frames/b/4.png", ("validate", "--run", "done"), ()),
    "mask": ("street/masks/b/4.png", ("validate", "--run", "done"), ()),
    "film": ("film.mp4", (*PREDICT, "film.mp4"), ()),
    "checkpoint": ("runs/done/student/last.ckpt", ("predict", "--run", "done", *FILM), ()),
    "config.json": ("published/config.json", ("predict", "--ckpt_path", "published", *FILM), ()),
    "safetensors": ("published/model.safetensors", ("predict", "--ckpt_path", "published", *FILM), ()),
    "ONNX": ("published/student.onnx", ("predict", "--ckpt_path", "published/student.onnx", *FILM), ()),
    "OpenVINO": ("published/student-openvino.xml", ("predict", "--ckpt_path", "published/student-openvino.xml", *FILM), ()),
    "done.json": ("runs/done/student/done.json", ("fit", "--resume", "done"), ()),
    "manifest.json": ("runs/done/memory/manifest.json", ("fit", "--resume", "done"), ()),
}  # fmt: skip
"""A valid file of each kind, the command that reads it, and one that reads what that has made."""


def random_cases(
    run: Callable[[Case], object], examples: int, number: int = 0, kinds: Collection[str] = TARGETS
) -> None:
    """Run ``examples`` cases of random changes of each kind of file, and a quarter as many of random bytes."""
    for kind in kinds:
        file, command, then = TARGETS[kind]

        def attempt(strategy: st.SearchStrategy[object], count: int, kind: str = kind, file: str = file,
                    command: tuple[str, ...] = command, then: tuple[str, ...] = then) -> None:  # fmt: skip
            @seed(number)
            @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(strategy)
            def one(changes: bytes | list[Edit]) -> None:
                spoil = (
                    put(file, changes) if isinstance(changes, bytes) else change(file, partial(mutated, edits=changes))
                )
                run(Case(f"random: {kind}", repr(changes), command, spoil, (), True, True, then=then))

            one()

        attempt(CHANGES, examples)
        if examples >= 4:
            attempt(st.binary(max_size=300), examples // 4)
