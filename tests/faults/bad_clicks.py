"""Click files of other tools, and click stores, that are wrong."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import TEXT_DAMAGE, Case, Spoil, change, change_json, put

FILES = {"csv": "clicks.csv", "cvat": "clicks.xml", "coco": "coco.json", "label-studio": "studio.json"}
LABELME = "labelme/frames/a/0.json"


def imported(
    name: str, spoil: Spoil, file: str, form: str, words: tuple[str, ...] = (), harmless: bool = False
) -> Case:
    """Return the case of an import into a new store."""
    command = (
        "clicks",
        "import",
        "street",
        "labelme" if form == "labelme" else file,
        "--store",
        "new.sqlite",
        "--format",
        form,
    )
    return Case(f"click files: {form}", name, command, spoil, words or (Path(file).name,), harmless)


def damaged() -> list[Case]:
    """Every file with every damage."""
    files = {**FILES, "labelme": LABELME}
    return [
        imported(name, change(file, damage), file, form)
        for form, file in files.items()
        for name, damage in TEXT_DAMAGE.items()
    ]


def replace(old: str, new: str) -> Callable[[bytes], bytes]:
    """Replace the first occurrence of a text, which must be there."""

    def edit(content: bytes) -> bytes:
        assert old.encode() in content, old
        return content.replace(old.encode(), new.encode(), 1)

    return edit


FIRST = '"a",0,99.0,31.0,"ground","simulation"'
CSV = {
    "x is NaN": ('"a",0,99.0', '"a",0,nan'),
    "x is infinite": ('"a",0,99.0', '"a",0,inf'),
    "x is negative": ('"a",0,99.0', '"a",0,-99.0'),
    "x is beyond the frame": ('"a",0,99.0', '"a",0,128.0'),
    "y is beyond the frame": ("99.0,31.0", "99.0,64.0"),
    "x is beyond all numbers": ('"a",0,99.0', '"a",0,1e999'),
    "x is text": ('"a",0,99.0', '"a",0,left'),
    "x is empty": ('"a",0,99.0', '"a",0,'),
    "x has an underscore": ('"a",0,99.0', '"a",0,9_9'),
    "x with a comma": ('"a",0,99.0', '"a",0,"99,0"'),
    "the number is a fraction": ('"a",0,', '"a",0.5,'),
    "the number is negative": ('"a",0,', '"a",-1,'),
    "the number is huge": ('"a",0,', '"a",99999999999999999999999,'),
    "an unknown frame": ('"a",0,', '"a",77,'),
    "an unknown video": ('"a",0,', '"c",0,'),
    "a path for a video": ('"a",0,', '"../a",0,'),
    "a class that is unknown": ('"ground"', '"bus"'),
    "a class in another case": ('"ground"', '"Ground"'),
    "an id for a class": ('"ground"', "0"),
    "no class": ('"ground"', ""),
    "a field too many": (FIRST, FIRST + ',"more"'),
    "a field too few": (FIRST, FIRST.rpartition(",")[0]),
    "a quote that is not closed": (FIRST, '"a,0'),
    "a column that is missing": ('"class",', ""),
    "a column twice": ('"class"', '"x"'),
    "no header": ('"video","number","x","y","class","annotator"\n', ""),
    "semicolons": ('"video","number","x","y","class","annotator"', '"video";"number";"x";"y";"class";"annotator"'),
}


def spoilt_csv() -> list[Case]:
    """One value or line of the CSV file changed."""
    cases = [imported(name, change("clicks.csv", replace(*pair)), "clicks.csv", "csv") for name, pair in CSV.items()]
    long = change("clicks.csv", replace('"simulation"', f'"{"x" * 300_000}"'))
    return [*cases, imported("a field of 300000 characters", long, "clicks.csv", "csv")]


POINT = '<points label="ground" source="manual" occluded="0" points="99.5,31.5" z_order="0" />'
ENTITIES = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CVAT = {
    "x is NaN": ("99.5,31.5", "nan,31.5"),
    "x is infinite": ("99.5,31.5", "inf,31.5"),
    "x is negative": ("99.5,31.5", "-9,31.5"),
    "x is beyond the frame": ("99.5,31.5", "129,31.5"),
    "x is text": ("99.5,31.5", "left,31.5"),
    "one coordinate": ("99.5,31.5", "99.5"),
    "three coordinates": ("99.5,31.5", "99.5,31.5,2"),
    "no points": ('points="99.5,31.5"', 'points=""'),
    "no attribute points": ('points="99.5,31.5" ', ""),
    "a class that is unknown": ('label="ground"', 'label="bus"'),
    "no class": ('<points label="ground"', "<points"),
    "a picture that is unknown": ("frames/a/0.png", "frames/a/77.png"),
    "a picture twice": ("frames/a/1.png", "frames/a/0.png"),
    "a picture of no name": ('name="frames/a/0.png" ', ""),
    "a picture of another size": ('width="128"', 'width="256"'),
    "a width that is text": ('width="128"', 'width="wide"'),
    "a width of 5000 digits": ('width="128"', f'width="{"9" * 5000}"'),
    "no height": ('height="64"', ""),
    "another root": ("<annotations>", "<html>"),
    "tracks": ("<annotations>", "<annotations><track/>"),
    "an open element": (POINT, POINT.replace(" />", ">")),
    "an unknown entity": ('label="ground"', 'label="&ground;"'),
    "billion laughs": ("<annotations>", f"{ENTITIES}]><annotations>&i;"),
    "a file of this machine": (
        "<annotations>",
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;',
    ),
    "elements nested 100000 times": ("<annotations>", "<annotations>" + "<image>" * 100_000),
}


def spoilt_cvat() -> list[Case]:
    """One part of the XML file changed, and archives as CVAT downloads them."""
    cases = [imported(name, change("clicks.xml", replace(*pair)), "clicks.xml", "cvat") for name, pair in CVAT.items()]
    archives = {
        "a zip archive": {"annotations.xml": b"<annotations/>"},
        "a zip archive that leads out": {"../../executed": b"x", "annotations.xml": b"<annotations/>"},
        "a zip bomb": {"annotations.xml": b" " * (1 << 28)},
    }
    for name, members in archives.items():
        cases += [
            imported(name, put("task.zip", zipped(members)), "task.zip", "cvat"),
            Case("click files: cvat", f"{name}, no format", ("clicks", "import", "street", "task.zip", "--store", "new.sqlite"),
                 put("task.zip", zipped(members)), ("task.zip",)),
        ]  # fmt: skip
    return cases


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a compressed archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def entry(*path: str | int, value: Any) -> Callable[[Any], Any]:
    """Return an edit that sets the value at a path in JSON, or removes it."""

    def edit(content: Any) -> Any:
        *ways, last = path or (None,)
        if last is None:
            return value
        place = content
        for way in ways:
            place = place[way]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
        return None

    return edit


GONE = object()
"""In the place of a value: remove it."""


def deep(levels: int) -> list[Any]:
    """Return a list in a list in a list."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


WRONG = (None, 3, "text", [], {}, [3], deep(500))
"""Values of another type."""
COORDINATES = (float("nan"), float("inf"), -99.0, 1e300, 10**400, "left", None, True, [1])

JSON: dict[
    str, tuple[str, tuple[tuple[str | int, ...], ...], tuple[tuple[tuple[str | int, ...], tuple[Any, ...]], ...]]
] = {
    "coco": (
        "coco.json",
        (("images",), ("annotations",), ("categories",), ("annotations", 0, "keypoints"), ("images", 0)),
        (
            (("annotations", 0, "keypoints", 0), COORDINATES),
            (("annotations", 0, "keypoints"), ([1, 2], [1, 2, 2, 3])),
            (("annotations", 0, "image_id"), (77, None, [1], GONE)),
            (("annotations", 0, "category_id"), (77, None, {}, GONE)),
            (("categories", 0, "name"), ("bus", 3, None, GONE)),
            (("categories", 0, "id"), (2, None, 1.5)),
            (("images", 0, "file_name"), ("77.png", "../../etc/passwd", 3, GONE, "a/" * 5000 + "x")),
            (("images", 0, "width"), (256, "128", GONE)),
            (("images", 0, "id"), (2, [1], GONE)),
            (("images", 1, "file_name"), ("frames/a/0.png",)),
        ),
    ),
    "label-studio": (
        "studio.json",
        ((0,), (0, "data"), (0, "annotations"), (0, "annotations", 0), (0, "annotations", 0, "result", 0, "value")),
        (
            ((0, "annotations", 0, "result", 0, "value", "x"), COORDINATES),
            (
                (0, "annotations", 0, "result", 0, "value", "keypointlabels"),
                (["bus"], [], "ground", [3], ["ground", "car"]),
            ),
            ((0, "annotations", 0, "result", 0, "original_width"), (256, "128")),
            ((0, "data", "image"), ("77.png", 3, None, GONE, "/data/local-files/?d=../../x.png", "http://host/x.png")),
            ((1, "data", "image"), ("/data/local-files/?d=frames/a/0.png",)),
            ((0, "annotations", 0, "result", 0, "image_rotation"), (90, "x")),
        ),
    ),
    "labelme": (
        LABELME,
        (("shapes",), ("shapes", 0), ("shapes", 0, "points"), ("shapes", 0, "points", 0)),
        (
            (("shapes", 0, "points", 0, 0), COORDINATES),
            (("shapes", 0, "points"), ([[1, 2], [3, 4]], [[1]])),
            (("shapes", 0, "label"), ("bus", 3, None, GONE)),
            (("imagePath",), ("77.png", "../../../../../etc/passwd", 3, None, GONE, "1.png")),
            (("imageWidth",), (256, "128", GONE)),
        ),
    ),
}
"""For each format its file, what gets values of another type, and what gets which values."""


def spoilt_json() -> list[Case]:
    """One value of a JSON file changed."""
    cases = []
    for form, (file, types, values) in JSON.items():
        pairs = [(path, value) for path in types for value in WRONG] + [
            (path, value) for path, own in values for value in own
        ]
        for path, value in pairs:
            shown = "gone" if value is GONE else repr(value)[:30]
            # whether a value that is missing or empty matters is the format's own rule
            harmless = value in (None, [], {}, GONE, "text", 3) or path[-1] in ("points", "keypoints", "keypointlabels")
            spoil, words = change_json(file, entry(*path, value=value)), ("labelme",) if form == "labelme" else ()
            cases.append(imported(f"{'.'.join(map(str, path))}: {shown}", spoil, file, form, words, harmless))
        cases.append(imported("nothing", put(file, "null"), file, form, harmless=form == "labelme"))
    return cases


CASES = (*damaged(), *spoilt_csv(), *spoilt_cvat(), *spoilt_json())
