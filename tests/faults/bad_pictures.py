"""Images, masks and videos that are wrong."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .cases import DAMAGE, Case, Spoil, as_folder, change, flipped, put
from .project import FIT, SIZE, VIDEOS

CHECK, TEST = ("data", "check", "street"), ("test", "--run", "done")
PREDICT = ("predict", "--run", "done", "--source")
SIMULATE = ("clicks", "simulate", "street", "--out", "new.sqlite")
IMAGE, MASK = "street/frames/b/4.png", "street/masks/b/4.png"
TRAIN_MASK = "street/masks/a/4.png"


def encoded(array: np.ndarray, suffix: str = ".png", *options: int) -> bytes:
    """Return a picture as a file's bytes."""
    return bytes(cv2.imencode(suffix, array, options)[1].tobytes())


def png(
    width: int, height: int, depth: int, kind: int, *chunks: tuple[bytes, bytes], rows: bytes | None = None
) -> bytes:
    """Return a PNG of any header; by default its rows are zeros as far as 1 MB goes."""
    step = (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] + 7) // 8 + 1
    data = zlib.compress(bytes(min(step * height, 1 << 20)) if rows is None else rows, 9)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def jpeg_claiming(width: int, height: int) -> bytes:
    """Return a JPEG whose header states another size."""
    content = bytearray(encoded(np.zeros((*SIZE, 3), np.uint8), ".jpg"))
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


GREY = np.zeros(SIZE, np.uint8)
IMAGES: dict[str, tuple[bytes, bool]] = {
    "1x1": (encoded(np.zeros((1, 1, 3), np.uint8)), False),
    "another size": (encoded(np.zeros((32, 64, 3), np.uint8)), False),
    "16 bits": (encoded(np.zeros((*SIZE, 3), np.uint16)), False),
    "grey": (encoded(GREY), True),
    "with alpha": (encoded(np.zeros((*SIZE, 4), np.uint8)), True),
    "with a palette": (png(SIZE[1], SIZE[0], 8, 3, (b"PLTE", bytes(768))), True),
    "with a palette that is missing": (png(SIZE[1], SIZE[0], 8, 3), False),
    "a header of 100000x100000": (png(100_000, 100_000, 8, 2), False),
    "a header of 2^31": (png(2**31 - 1, 2**31 - 1, 8, 2), False),
    "a header of 30000x30000": (png(30_000, 30_000, 8, 2), False),
    "a header of no pixels": (png(0, 0, 8, 2), False),
    "a header of no kind": (png(SIZE[1], SIZE[0], 8, 2).replace(b"\x08\x02\0\0\0", b"\x08\x05\0\0\0", 1), False),
    "fewer rows than stated": (png(SIZE[1], SIZE[0], 8, 2, rows=bytes(999)), False),
    "data that is not compressed": (png(SIZE[1], SIZE[0], 8, 2).replace(b"\x78\xda", b"\0\0", 1), False),
    "a JPEG of 65000x65000": (jpeg_claiming(65_000, 65_000), False),
    "a JPEG cut in half": (encoded(np.zeros((*SIZE, 3), np.uint8), ".jpg")[:400], False),
    "a JPEG": (encoded(np.zeros((*SIZE, 3), np.uint8), ".jpg"), True),
    "a BMP of 100000x100000": (
        b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 100_000, 100_000, 1, 24, 0, 0, 1, 1, 0, 0),
        False,
    ),
    "a GIF": (b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + b"\0\0\0;", False),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' width='128' height='64'/>", False),
    "HTML": (b"<!doctype html><title>404 Not Found</title>", False),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n", False),
    "EXR": (b"v/1\x01\x02\0\0\0channels\0chlist\0", False),
    "text of a PPM of 100000x100000": (b"P6 100000 100000 255\n\0\0\0", False),
}
"""Contents of an image, and whether it may be used."""


def mask(edit: Callable[[np.ndarray], np.ndarray], suffix: str = ".png", *options: int) -> bytes:
    """Return a changed mask."""
    array = np.zeros(SIZE, np.uint8)
    array[16:48, 8:72] = 1
    return encoded(edit(array), suffix, *options)


MASKS: dict[str, tuple[bytes, bool]] = {
    "another size": (mask(lambda m: m[::2, ::2]), False),
    "turned": (mask(lambda m: m.T), False),
    "1x1": (mask(lambda m: m[:1, :1]), False),
    "an id beyond the classes": (mask(lambda m: m * 2), False),
    "an id of 254": (mask(lambda m: m * 254), False),
    "one pixel of an id of 7": (
        mask(lambda m: m + 6 * (np.arange(m.size).reshape(m.shape) == 77).astype(np.uint8)),
        False,
    ),
    "void alone": (mask(lambda m: m * 0 + 255), True),
    "one class alone": (mask(lambda m: m * 0), True),
    "16 bits": (mask(lambda m: m.astype(np.uint16)), False),
    "colours": (mask(lambda m: np.dstack([m * 0, m * 128, m * 0 + 128])), False),
    "colours that are grey": (mask(lambda m: np.dstack([m, m, m])), False),
    "colours with alpha": (mask(lambda m: np.dstack([m, m, m, m * 0 + 255])), False),
    "grey with alpha": (png(SIZE[1], SIZE[0], 8, 4), False),
    "a JPEG": (mask(lambda m: m * 1, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 40), False),
    "a JPEG of the best quality": (mask(lambda m: m * 1, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), False),
    "a WebP with losses": (mask(lambda m: m * 1, ".webp", cv2.IMWRITE_WEBP_QUALITY, 40), False),
    "1 bit": (png(SIZE[1], SIZE[0], 1, 0), True),
    "a palette": (png(SIZE[1], SIZE[0], 8, 3, (b"PLTE", bytes(range(6)))), True),
    "a palette that is missing": (png(SIZE[1], SIZE[0], 8, 3), True),
    "a header of 100000x100000": (png(100_000, 100_000, 8, 0), False),
    "a header of 30000x30000": (png(30_000, 30_000, 8, 0), False),
    "a TIFF of fractions": (encoded(np.zeros(SIZE, np.float32), ".tiff"), False),
    "a film": (b"\0\0\0\x1cftypmp42" + bytes(500), False),
}
"""Contents of a mask, and whether it may be used."""


def pictures() -> list[Case]:
    """Images and masks, read by the commands that check, train, measure, simulate and predict."""
    cases = []
    for name, (content, harmless) in IMAGES.items():
        shape = name in ("1x1", "another size")
        cases.append(Case("images", f"{name}: check", CHECK, put(IMAGE, content), ("4.png",), harmless, report=True))
        cases.append(Case("images", f"{name}: test", TEST, put(IMAGE, content), ("4.png",), harmless))
        alone = (*PREDICT, "alone")
        cases.append(
            Case("images", f"{name}: predict", alone, put("alone/4.png", content), ("alone",), harmless or shape)
        )
    for name, (content, harmless) in MASKS.items():
        cases.append(Case("masks", f"{name}: check", CHECK, put(MASK, content), ("4.png",), harmless, report=True))
        cases.append(Case("masks", f"{name}: test", TEST, put(MASK, content), ("4.png",), harmless))
        cases.append(Case("masks", f"{name}: simulate", SIMULATE, put(TRAIN_MASK, content), ("4.png",), harmless))
    for name, damage in {**DAMAGE, "flipped bits": flipped}.items():
        for command in (CHECK, TEST, FIT):
            cases.append(
                Case("images", f"{name}: {command[0]}", command, change(IMAGE, damage), ("4.png",), report=True)
            )
            cases.append(Case("masks", f"{name}: {command[0]}", command, change(MASK, damage), ("4.png",), report=True))
    for kind, file in (("images", IMAGE), ("masks", MASK)):
        cases.append(Case(kind, "a folder", CHECK, as_folder(file), ("street",), True, report=True))
        cases.append(
            Case(kind, "a link that leads nowhere", CHECK, linked(file, "nowhere.png"), ("4.png",), True, report=True)
        )
        cases.append(Case(kind, "a link that leads out", CHECK, linked(file, "/etc/hostname"), ("4.png",), report=True))
    return cases


def linked(file: str, to: str) -> Spoil:
    """Put a link in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        (folder / file).symlink_to(to)

    return spoil


def wav() -> bytes:
    """Return a second of silence."""
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    return (
        b"RIFF"
        + struct.pack("<I", 8036)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", 8000)
        + bytes(8000)
    )


def no_frames(folder: Path) -> None:
    """Write a film without a frame."""
    (folder / "film.mp4").unlink()
    cv2.VideoWriter(str(folder / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (SIZE[1], SIZE[0])).release()


FILMS: dict[str, tuple[Spoil, bool]] = {
    **{name: (change("film.mp4", damage), name == "cut before the end") for name, damage in DAMAGE.items()},
    "flipped bits": (change("film.mp4", flipped), True),
    "no frame": (no_frames, False),
    "sound alone": (put("film.mp4", wav()), False),
    "an unknown codec": (change("film.mp4", lambda content: content.replace(b"mp4v", b"zz9z")), True),
    "a table of contents of zeros": (change("film.mp4", lambda content: content.replace(b"stts", b"xxxx")), True),
    "a picture": (put("film.mp4", encoded(np.zeros((*SIZE, 3), np.uint8))), True),
    "HTML": (put("film.mp4", b"<!doctype html><title>404 Not Found</title>"), False),
    "a playlist": (
        put("film.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"),
        False,
    ),
    "a list of files": (put("film.mp4", "ffconcat version 1.0\nfile /etc/passwd\n"), False),
    "subtitles": (put("film.mp4", "1\n00:00:00,000 --> 00:00:05,000\nhello\n"), False),
    "a session description": (
        put("film.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
        False,
    ),
    "a pointer of Git LFS": (
        put("film.mp4", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
        False,
    ),
    "a box of 2^63 bytes": (put("film.mp4", b"\0\0\0\x01ftyp" + b"\x7f" + b"\xff" * 7 + b"isom"), False),
}
"""What is wrong with a film, and whether some of it may be used."""


def films() -> list[Case]:
    """Films, read by the commands that predict, measure speed and make projects, and in a data set."""
    cases = []
    commands = {
        "predict": (*PREDICT, "film.mp4"),
        "init": ("init", "new", "--videos", "film.mp4", "--classes", "road,car"),
        "start": ("start", "film.mp4", "--open", "false", "--project", "new"),
        "speed": ("benchmark", "video", "--source", "film.mp4", "--run", "done", "--rounds", "1"),
    }
    for name, (spoil, harmless) in FILMS.items():
        for part, command in commands.items():
            if part in ("predict", "init") or not harmless:
                cases.append(Case("videos", f"{name}: {part}", command, spoil, ("film.mp4",), harmless))
        moved = ("data", "check", "street")
        cases.append(Case("videos", f"{name}: check", moved, into_data(spoil), ("film.mp4",), harmless, report=True))
    return cases


def into_data(spoil: Spoil) -> Spoil:
    """Spoil the film, and put it into the data set."""

    def both(folder: Path) -> None:
        spoil(folder)
        (folder / "street/videos").mkdir()
        (folder / "film.mp4").rename(folder / "street/videos/film.mp4")
        (folder / "street/splits.yaml").write_text(f"train: [{VIDEOS[0]}, film]\nval: [{VIDEOS[1]}]\n")

    return both


CASES = (*pictures(), *films())
