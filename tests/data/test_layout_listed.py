import os

import pytest

from weclick.data.layouts import LAYOUTS, open_layout

FILES = {
    "cityscapes": [
        "leftImg8bit/train/bonn/bonn_000000_000001_leftImg8bit.png",
        "leftImg8bit_sequence/train/bonn/bonn_000000_000000_leftImg8bit.png",
        "gtFine/train/bonn/bonn_000000_000001_gtFine_labelIds.png",
    ],
    "camvid": ["train/a_000001.png", "trainannot/a_000001.png", "frames/a/000000.png"],
    "folder": ["frames/a/0.png", "masks/a/0.png"],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_opened_data_set_is_not_listed_again(tmp_path, monkeypatch, name):
    for file in FILES[name]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "classes.yaml").write_text("[road]", encoding="utf-8")
    layout = open_layout("auto", tmp_path)
    for lister in ("scandir", "listdir"):
        monkeypatch.setattr(os, lister, lambda folder: pytest.fail(f"{folder} is listed again"))
    assert (layout.name, layout.splits()) == (name, ("train",))
    assert layout.frames("train") is layout.frames("train")
    assert [frame.label for frame in layout.frames("train") if frame.label] == [
        tmp_path / file for file in FILES[name] if "annot" in file or "gtFine" in file or "masks" in file
    ]
