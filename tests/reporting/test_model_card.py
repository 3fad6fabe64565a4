"""The model card: what it states, and that names from strangers stay names."""

from dataclasses import replace

import pytest
import yaml

from weclick.classes import ClassSet
from weclick.reporting.model_card import ClickFacts, ModelCard, write_model_card

CARD = ModelCard(
    name="first",
    classes=ClassSet.from_list([{"name": "no"}, {"name": "Straße: <b>`x`</b> | y"}]),
    licence="other",
    network="light tf_efficientnet_lite0",
    imagenet=True,
    outside=None,
    size=(64, 128),
    parameters=2_500_000,
    arm="beyond",
    data="street",
    frames=None,
    clicks=ClickFacts(clicks=40, frames=5, labels=3, simulated=False, seconds=600.0),
    test=None,
    checkpoint="last.ckpt",
    exported={"student.onnx": "99.990% of pixels as in PyTorch"},
    version="1.2.3",
)


@pytest.fixture
def written(tmp_path):
    """Write a card with changes, and return its front matter and its text."""

    def write(**changes):
        write_model_card(tmp_path / "README.md", replace(CARD, **changes))
        _, header, text = (tmp_path / "README.md").read_text(encoding="utf-8").split("---\n", 2)
        return yaml.safe_load(header), text

    return write


def test_names_from_strangers_stay_names(written):
    header, text = written()
    assert header["classes"] == ["no", "Straße: <b>`x`</b> | y"]
    assert r"| `Straße: <b>'x'</b> \| y` |" in text
    _, text = written(name="a`\n# b", data="<script>")
    assert "# `a'?# b`\n" in text
    assert "`<script>`" in text


def test_clicks_of_people_are_stated_with_the_time_if_it_was_measured(written):
    _, text = written()
    for words in ("40 on 5 frames, made by people", "Accepted labels: 3", "a person", "about 10 minutes", "ImageNet"):
        assert words in text
    _, text = written(clicks=replace(CARD.clicks, seconds=None, labels=0))
    assert "Time spent" not in text
    assert "Accepted" not in text


def test_a_network_trained_from_masks_says_so(written):
    _, text = written(clicks=None, frames=12, imagenet=False)
    assert "from masks" in text
    assert "12 training frames" in text
    for words in ("Clicks:", "Nobody drew borders", "ImageNet"):
        assert words not in text


def test_a_network_from_outside_names_its_class(written):
    assert "`mine.Net`, which is not part of weclick" in written(outside="mine.Net")[1]
    assert "not part of weclick" not in written()[1]


def test_results_from_held_out_clicks_are_stated_as_such_and_without_an_iou(written):
    names = CARD.classes.names
    test = {
        **{"measured_with": "clicks", "miou": None, "accuracy": 0.75, "iou": dict.fromkeys(names)},
        **{"class_accuracy": {names[0]: 0.5, names[1]: None}, "temporal_consistency": None, "speed": None},
        "clicks": {"count": 12, "interval": [0.4, 0.9]},
        "evaluated": {"checkpoint": "student/last.ckpt", "split": "train", "frames": 3, "date": "2026-01-01"},
    }
    _, text = written(test=test)
    for words in (
        "12 clicks that were held out from training, on 3 frames",
        "right clicks: 75.00 %",
        "40.00 to 90.00 %",
    ):
        assert words in text
    assert "right clicks %" in text and "50.0" in text
    assert "IoU %" not in text and "mIoU" not in text
