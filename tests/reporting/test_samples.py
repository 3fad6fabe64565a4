"""A frame with its layers and clicks is drawn so that a person can read it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weclick.classes import ClassSet
from weclick.reporting.samples import Sample, classes_in, disc_centres, ids, picture, sheet_of

CLASSES = ClassSet.from_list([{"name": "road", "color": [200, 0, 0]}, {"name": "car", "color": [0, 0, 200]}])


def sample(size=(32, 64), **layers):
    return Sample.of("a:1", torch.zeros(3, *size), {name: torch.full(size, c) for name, c in layers.items()})


@pytest.mark.parametrize(
    ("size", "shown"), [((32, 64), (160, 320)), ((200, 400), (200, 400)), ((1024, 2048), (320, 640))]
)
def test_any_frame_is_shown_320_to_640_pixels_wide_with_its_layers(size, shown):
    made = Sample.of("", torch.zeros(3, *size), {"truth": torch.ones(7, 9).long()}, [(size[1] - 1.0, 0.0, 1)])
    assert made.image.shape == (*shown, 3)
    assert made.layers["truth"].shape == shown
    assert (made.layers["truth"] == 1).all()
    ((x, y, _),) = made.clicks
    assert x == pytest.approx(shown[1] - 0.5 - shown[1] / size[1] / 2)
    assert y == pytest.approx(shown[0] / size[0] / 2 - 0.5)


def test_a_layer_that_labels_nothing_gets_no_panel():
    assert list(sample(truth=0, memory=255, prediction=1).panels(CLASSES)) == ["frame", "truth", "prediction"]


def test_a_sheet_has_one_column_per_panel_and_names_only_what_it_shows():
    one, two = sample(prediction=0), sample(memory=0, prediction=0)
    assert classes_in([one, two]) == [0]
    sheet = sheet_of([one, two], CLASSES)
    assert sheet.shape[1] == 3 * 320 + 2 * 6
    road = (130, 0, 0)  # its colour over a black frame
    assert (sheet[-160:] == road).all(-1)[:, 326:646].all(), "memory of the second"
    assert not (sheet[-320:-170] == road).all(-1)[:, 326:646].any(), "the first has none"
    assert (sheet[:28] == (200, 0, 0)).all(-1).any(), "road in the legend"
    assert not (sheet[:28] == (0, 0, 200)).all(-1).any(), "but no car"


def test_discs_are_found_by_class_also_where_they_touch():
    labels = torch.full((20, 30), 255)
    labels[2:5, 2:5], labels[2:5, 5:8], labels[10:13, 20:23] = 0, 1, 1
    assert disc_centres(labels) == [(3.0, 3.0, 0), (6.0, 3.0, 1), (21.0, 11.0, 1)]
    assert disc_centres(torch.full((4, 4), 255)) == []


def test_pictures_and_ids_by_hand():
    assert picture(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1)).tolist() == [[[0, 128, 255]]]
    assert ids(torch.tensor([[0, 255]])).tolist() == [[0, 255]]
    assert ids(torch.tensor([[0, 255]])).dtype == np.uint8


def test_a_wrong_click_is_on_a_cross_and_a_right_one_is_not():
    truth = torch.full((32, 64), 255)
    truth[16, 16], truth[16, 48] = 0, 1
    made = Sample.of_clicks("a:1", torch.zeros(3, 64, 128), truth, torch.zeros(32, 64).long())
    assert made.name == "a:1: 1 of 2 clicks right" and made.miou is None and list(made.layers) == ["prediction"]
    (left, _, _), (right, y, _) = made.clicks
    assert (left, y) == pytest.approx((16.5 * 5 - 0.5, 16.5 * 5 - 0.5))
    assert made.wrong == [(right, y)]
    drawn, same = made.frame(CLASSES), replace(made, wrong=()).frame(CLASSES)
    changed = (drawn != same).any((0, 2)).nonzero()[0]
    assert changed.min() > left + 20 and changed.min() < right < changed.max()
