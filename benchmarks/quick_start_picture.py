"""Draw the picture of docs/quick-start.md: rendered frames, what a student predicts on them, and their masks.

weclick data synthetic demo/data --size '[160,320]'
weclick fit --config demo.yaml --arm weclick --name demo-weclick
python benchmarks/quick_start_picture.py demo-weclick demo/data docs/quick-start.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import weclick
from weclick.clicks import ClickStore
from weclick.conventions import IGNORE_INDEX
from weclick.data.layouts import open_layout
from weclick.data.masks import load_masks, simulate_split
from weclick.images import read_image
from weclick.inference.drawing import draw_clicks, overlay, sheet

FRAMES, ENLARGED = (1, 64), 2


def main(run: str, data: Path, out: Path) -> None:
    """Write the picture of two frames of the val split to ``out``."""
    layout, model = open_layout("auto", data), weclick.load(run)
    with TemporaryDirectory() as folder:
        simulate_split(layout, "val", Path(folder) / "val.sqlite", rule="center", min_area=100, seed=0)
        with ClickStore(Path(folder) / "val.sqlite", layout.classes, readonly=True) as store:
            clicks = store.all_clicks()
    labelled = [frame for frame in layout.frames("val") if frame.label]
    rows, seen = [], set[int]()
    for frame in (labelled[index] for index in FRAMES):
        image, (mask, _) = read_image(frame.image), load_masks(layout, frame)
        large = np.asarray(image).repeat(ENLARGED, 0).repeat(ENLARGED, 1)
        points = [(x * ENLARGED, y * ENLARGED, class_id) for x, y, class_id in clicks[frame.key]]
        labels = {"what the student predicts": model.predict(image).labels, "true mask": mask}
        maps = {title: ids.repeat(ENLARGED, 0).repeat(ENLARGED, 1) for title, ids in labels.items()}
        overlays = {title: overlay(large, ids, layout.classes, 0.7) for title, ids in maps.items()}
        rows.append({"frame, with clicks": draw_clicks(large, points, layout.classes), **overlays})
        seen |= set(np.unique(np.stack(list(labels.values()))).tolist()) - {IGNORE_INDEX}
    picture = Image.fromarray(sheet(rows, [layout.classes[class_id] for class_id in sorted(seen)]))
    picture.quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
