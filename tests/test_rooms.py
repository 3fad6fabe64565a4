"""Who may import whom: DESIGN's rooms, read from the source."""

import ast
import importlib.util
from pathlib import Path

import pytest

SOURCE = Path(importlib.util.find_spec("weclick").origin).parent
# Highest first; a module imports from its own room and from rooms below it.
ROOMS = [
    {"cli"},
    {"pipeline", "annotate"},
    {"reporting"},
    {"modules"},
    {"data"},
    {"memory", "clicks"},
    {"inference"},
    {"losses", "probe"},
    {"flow", "models", "metrics", "synthetic"},
    {
        "bounded_yaml",
        "classes",
        "conventions",
        "disk",
        "errors",
        "extensions",
        "files",
        "images",
        "jobs",
        "listing",
        "machine",
        "options",
        "png",
        "ragged",
        "signals",
        "video",
    },
]
# The package's front door hands out names lazily, and __main__ starts the command line.
DOORS = {"weclick", "weclick.__main__"}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(modules())


def imported(name):
    """Full names a module imports anywhere, of modules rather than of what is in them where they are ours."""
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


IMPORTS = {name: set(imported(name)) for name in MODULES}


def room(name):
    return name.split(".")[1]


def level(name):
    return next(index for index, names in enumerate(ROOMS) if room(name) in names)


def reaches(name, seen=None):
    """Everything a module of ours imports, directly or through others of ours."""
    seen = set() if seen is None else seen
    for other in IMPORTS.get(name, set()) - seen:
        seen.add(other)
        reaches(other, seen)
    return seen


def test_every_module_is_in_a_room():
    known = set().union(*ROOMS)
    assert {room(name) for name in MODULES if name not in DOORS} <= known


@pytest.mark.parametrize("name", sorted(MODULES.keys() - DOORS))
def test_imports_go_down_only(name):
    ours = {other for other in IMPORTS[name] if other in MODULES}
    ours -= DOORS  # only for where the package lies: test_nothing_comes_through_the_front_door
    upward = {other for other in ours if level(other) < level(name)}
    sideways = {other for other in ours if level(other) == level(name) and room(other) != room(name)}
    if level(name) == len(ROOMS) - 1:
        sideways = set()  # foundation modules build on one another; the test for circles covers them
    assert not upward | sideways


def test_nothing_comes_through_the_front_door():
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.module == "weclick"), name


def test_there_are_no_circles():
    for name in MODULES.keys() - DOORS:
        # a package's __init__ gathers its own modules, which may import their siblings but not the package
        assert name not in reaches(name), f"{name} imports itself in a circle"


def test_albumentations_is_imported_in_one_module_only():
    users = {name for name, others in IMPORTS.items() if any(o.split(".")[0] == "albumentations" for o in others)}
    assert users == {"weclick.data.draws"}


@pytest.mark.parametrize("pure", ["losses", "metrics", "flow", "memory", "models"])
def test_tensor_code_knows_nothing_of_lightning_or_trackers(pure):
    for name in MODULES:
        if name not in DOORS and room(name) == pure:
            packages = {other.split(".")[0] for other in reaches(name)}
            assert not packages & {"lightning", "wandb", "pytorch_lightning"}, name


@pytest.mark.parametrize("pure", ["losses", "metrics", "flow", "memory"])
def test_tensor_code_writes_no_files(pure):
    for name in MODULES:
        if name not in DOORS and room(name) == pure and name not in ("weclick.memory", "weclick.memory.store"):
            assert "weclick.files" not in reaches(name), name


def test_a_trained_network_runs_without_data_sets_memory_or_training():
    for name in MODULES:
        if name not in DOORS and room(name) == "inference":
            rooms = {room(other) for other in reaches(name) if other in MODULES and other not in DOORS}
            assert not rooms & {"cli", "pipeline", "modules", "reporting", "data", "memory", "flow"}, name


def test_the_public_names_are_those_of_the_front_door():
    import weclick

    assert weclick.__all__ == sorted(weclick.__all__)
    for name in weclick.__all__:
        assert getattr(weclick, name).__name__ == name
    with pytest.raises(AttributeError, match="nonsense"):
        _ = weclick.nonsense
