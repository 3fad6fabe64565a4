"""A small data set, and request bodies of the page."""

import cv2
import numpy as np
import yaml

SIZE = (24, 40)
HERE = "http://127.0.0.1:8765"
ANN, BOB = "client-of-ann", "client-of-bob"


def make_root(root, videos, classes=("ground", "<script>alert(1)</script>")):
    """Write a "folder" data set: training videos with the given numbers of frames, and one video for validation."""
    for video, count in {**videos, "unseen": 1}.items():
        (root / "frames" / video).mkdir(parents=True)
        for number in range(count):
            rng = np.random.default_rng(number)
            suffix = "jpg" if number % 2 else "png"
            cv2.imwrite(str(root / "frames" / video / f"{number}.{suffix}"), rng.integers(0, 255, (*SIZE, 3), np.uint8))
    (root / "classes.yaml").write_text(yaml.safe_dump(list(classes)), encoding="utf-8")
    (root / "splits.yaml").write_text(yaml.safe_dump({"train": list(videos), "val": ["unseen"]}), encoding="utf-8")
    return root


def click(x=1.0, y=2.0, class_id=0, seconds=None):
    return {"x": x, "y": y, "class_id": class_id, "seconds": seconds}


def body(clicks=(), *, version=0, status="todo", seconds=0.0, client=ANN, annotator="ann"):
    """Return the body of a PUT request for a frame."""
    return {
        "client": client,
        "annotator": annotator,
        "version": version,
        "status": status,
        "seconds": seconds,
        "clicks": list(clicks),
    }
