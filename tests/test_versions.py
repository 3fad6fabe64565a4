"""The files that state versions agree: constraints.txt and requirements.lock."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pinned(file):
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def test_the_lock_holds_the_tested_versions():
    tested, locked = pinned("constraints.txt"), pinned("requirements.lock")
    assert locked == {name: tested[name] for name in locked}


def test_every_locked_file_is_known_by_its_hash():
    text = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))


@pytest.mark.parametrize("extra", [None, "video", "cityscapes", "export", "tensorboard", "ray"])
def test_all_that_weclick_needs_is_tested_and_locked(extra):
    needed = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    locked = pinned("requirements.lock")
    for one in map(Requirement, needed):
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), one
