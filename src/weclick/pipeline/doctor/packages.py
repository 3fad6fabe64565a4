"""Python and the installed packages, by their metadata: nothing is imported, so broken packages are found too."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from weclick.pipeline.doctor.finding import Finding

_RIVALS: Final = {
    "albumentationsx": "albumentations",
    "opencv-python": "opencv-python-headless",
    "opencv-contrib-python": "opencv-python-headless",
    "opencv-contrib-python-headless": "opencv-python-headless",
}
"""Packages that install into the same folder as one that weclick needs: the last one installed replaces the other's files."""

_EXTRAS: Final = {"video": "H.264 video", "export": "exported models"}
"""Extras that a user may want, and what for."""


def examine_python() -> Iterator[Finding]:
    """Compare Python with what weclick needs."""
    wanted, found = SpecifierSet(metadata("weclick")["Requires-Python"]), platform.python_version()
    if wanted.contains(found, prereleases=True):
        yield Finding("ok", "Python", found)
    else:
        yield Finding("problem", "Python", f"{found}, weclick needs {wanted}", "install weclick into another Python")


def examine_packages() -> Iterator[Finding]:
    """Compare the installed packages with those that weclick and torchvision need."""
    needed = _requirements("weclick", "")
    found = [_refusal(one) for one in needed]
    # a torchvision of another release than torch fails when it is imported
    found += [_refusal(one, "torchvision ") for one in _requirements("torchvision", "") if one.name == "torch"]
    found += [_rivalry(other, ours) for other, ours in _RIVALS.items()]
    wrong = [finding for finding in found if finding is not None]
    yield from wrong
    if not wrong:
        main = ", ".join(f"{name} {installed(name)}" for name in ("torch", "torchvision", "lightning"))
        yield Finding("ok", "packages", f"all {len(needed)} in versions that fit: {main}")


def examine_extras() -> Iterator[Finding]:
    """Compare the installed packages of extras with what weclick needs; they may be missing."""
    for extra, purpose in _EXTRAS.items():
        needed = _requirements("weclick", extra)
        missing = [one.name for one in needed if installed(one.name) is None]
        wrong = [finding for one in needed if one.name not in missing and (finding := _refusal(one)) is not None]
        yield from wrong
        if missing:
            hint = f"needed for {purpose} only: pip install 'weclick[{extra}]'"
            yield Finding("ok", f"extra {extra}", f"not installed: {', '.join(missing)} ({hint})")
        elif not wrong:
            yield Finding("ok", f"extra {extra}", ", ".join(f"{one.name} {installed(one.name)}" for one in needed))


def installed(name: str) -> str | None:
    """Return the version of an installed package, None if there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _requirements(package: str, extra: str) -> list[Requirement]:
    """Return what a package needs with an extra and not without it; with the extra "" what it always needs."""
    needed = [Requirement(text) for text in (requires(package) if installed(package) else None) or ()]
    return [
        one
        for one in needed
        if (one.marker is None or one.marker.evaluate({"extra": extra}))
        and not (extra and (one.marker is None or one.marker.evaluate({"extra": ""})))
    ]


def _refusal(needed: Requirement, by: str = "weclick ") -> Finding | None:
    found = installed(needed.name)
    if found is not None and needed.specifier.contains(found, prereleases=True):
        return None
    exact = f"{needed.name}{needed.specifier}"
    return Finding(
        "problem", needed.name, f"{found or 'not installed'}, {by}needs {exact}", f"run: pip install '{exact}'"
    )


def _rivalry(other: str, ours: str) -> Finding | None:
    if installed(other) is None:
        return None
    remedy = f"run: pip uninstall {other} and then: pip install --force-reinstall --no-deps {ours}=={installed(ours)}"
    return Finding("problem", other, f"{installed(other)} is installed over {ours}, which weclick needs", remedy)
