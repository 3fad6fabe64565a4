"""From clicks through the page's API to a trained student: annotate, export, import, fit, test."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from weclick.annotate.api import create_app
from weclick.annotate.catalog import Catalog
from weclick.annotate.security import Access
from weclick.cli.main import run
from weclick.clicks import ClickStore
from weclick.data.layouts import open_layout
from weclick.data.masks import simulate_split
from weclick.synthetic import write_synthetic

from .helpers import HERE, body, click

pytestmark = pytest.mark.slow

SETTINGS = [
    *(
        "--config=folder.yaml",
        "--data.size=[64,128]",
        "--data.draws.crop=[64,96]",
        "--data.batch_size=4",
        "--data.workers=0",
    ),
    *("--data.clicks.radius=1", "--trainer.max_epochs=12", "--trainer.check_val_every_n_epoch=12"),
]


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Synthetic street video as a folder data set with masks for validation only, and the clicks on its targets."""
    made, root = (tmp_path_factory.mktemp("street") / name for name in ("synthetic", "mine"))
    write_synthetic(made, train=12, val=3, frames=4, target=3, size=(64, 128))
    layout = open_layout("cityscapes", made)
    videos = {split: sorted({frame.key.video for frame in layout.frames(split)}) for split in ("train", "val")}
    for split in videos:
        for frame in layout.frames(split):
            folder = root / "frames" / frame.key.video
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(frame.image, folder / f"{frame.key.number}{frame.image.suffix}")
    _write_masks(layout, root)
    (root / "classes.yaml").write_text(yaml.safe_dump(layout.classes.to_list()), encoding="utf-8")
    (root / "splits.yaml").write_text(yaml.safe_dump(videos), encoding="utf-8")
    truth = made / "truth.sqlite"
    simulate_split(layout, "train", truth, rule="center", min_area=20, seed=0)
    with ClickStore(truth, layout.classes) as store:
        return root, store.all_clicks(), truth


def _write_masks(layout, root):
    table = np.array(layout.label_ids())
    for frame in layout.frames("val"):
        if frame.label is not None:
            folder = root / "masks" / frame.key.video
            folder.mkdir(parents=True, exist_ok=True)
            ids = table[cv2.imread(str(frame.label), cv2.IMREAD_UNCHANGED)]
            cv2.imwrite(str(folder / f"{frame.key.number}.png"), ids.astype(np.uint8))


def click_like_a_person(root, truth):
    """Work through the frames in the order offered, and save after every click."""
    store, layout = root / "clicks.sqlite", open_layout("folder", root)
    ClickStore.create(store, layout.classes).close()
    app = create_app(Catalog(layout, store), Access(frozenset({"127.0.0.1"}), 8765))
    with TestClient(app, base_url=HERE) as page:
        frame = page.post("/api/next", json={"client": "a-person", "annotator": "ann", "after": None})
        while frame.status_code == 200:
            content = frame.json()
            _click_frame(page, content, truth.get((content["video"], content["number"]), []))
            frame = page.post("/api/next", json={"client": "a-person", "annotator": "ann", "after": content["id"]})


def _click_frame(page, frame, points):
    url, made, version = f"/api/frames/{frame['id']}", [], frame["version"]
    for point in points:
        made.append(click(point.x, point.y, point.class_id, 1.5))
        version = page.put(url, json=body(made, version=version, client="a-person")).json()["version"]
    status = "done" if points else "skipped"
    response = page.put(url, json=body(made, version=version, status=status, client="a-person"))
    assert response.status_code == 200


def trained(root, runs, name):
    """Fit and test on a data set; return the mIoU, and that of predicting the most frequent class everywhere."""
    options = [*SETTINGS, f"--data.root={root}", f"--runs={runs}", f"--name={name}"]
    assert run(["fit", *options]) == 0
    assert run(["test", f"--run={name}", f"--runs={runs}"]) == 0
    results = runs / name / "test"
    lines = list(csv.reader((results / "confusion.csv").read_text(encoding="utf-8").splitlines()))[1:]
    pixels = [sum(map(int, line[1:])) for line in lines]
    chance = max(pixels) / sum(pixels) / sum(count > 0 for count in pixels)
    return json.loads((results / "metrics.json").read_text(encoding="utf-8"))["miou"], chance


def test_clicks_from_the_page_are_those_from_a_file_and_train_a_student(street, tmp_path):
    root, truth, simulated = street
    by_page, by_file = tmp_path / "page", tmp_path / "file"
    for copy in (by_page, by_file):
        shutil.copytree(root, copy)
    click_like_a_person(by_page, truth)
    table = tmp_path / "clicks.csv"
    assert run(["clicks", "export", str(by_page), str(table)]) == 0
    assert run(["clicks", "import", str(by_file), str(table)]) == 0
    classes = open_layout("folder", by_page).classes
    stores = (by_page / "clicks.sqlite", by_file / "clicks.sqlite", simulated)
    assert len({fingerprint(store, classes) for store in stores}) == 1
    miou, chance = trained(by_page, tmp_path / "runs", "page")
    assert miou > 3 * chance


def fingerprint(path, classes):
    with ClickStore(path, classes, readonly=True) as store:
        return store.fingerprint()
