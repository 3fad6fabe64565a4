"""The preview of a frame."""

import numpy as np
import pytest

from weclick.conventions import IGNORE_INDEX
from weclick.probe.linear import LinearProbe
from weclick.probe.preview import Preview, grid_size


@pytest.fixture
def preview(frozen):
    """Make a preview of an image, and an untrained probe for it."""

    def make(image, classes=3):
        features = frozen(image)
        return Preview(image, features), LinearProbe.untrained(classes, features.channels)

    return make


def confident(probe, class_id, by=8.0):
    """Return a probe that predicts one class everywhere."""
    parameters = probe.parameters.copy()
    parameters[class_id, -1] = by
    return LinearProbe(parameters)


def test_the_grid_has_cells_of_4_pixels_and_at_most_320_on_a_side():
    assert grid_size((64, 96)) == (16, 24)
    assert grid_size((360, 480)) == (90, 120)
    assert grid_size((1024, 2048)) == (160, 320)
    assert grid_size((2048, 1024)) == (320, 160)
    assert grid_size((63, 97)) == (16, 24)
    assert grid_size((1, 3)) == (1, 1)


@pytest.mark.parametrize("source", [(64, 96), (63, 97), (10, 7), (1, 1)])
@pytest.mark.parametrize("clicks", [[], [(0.0, 0.0, 2)]])
def test_a_preview_has_ids_of_the_frames_size_and_confidence_of_the_grids(preview, source, clicks):
    image = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    view, probe = preview(image)
    found = view.update(probe, clicks)
    assert found.ids.shape == source and found.ids.dtype == np.uint8
    assert found.confidence.shape == grid_size(source) and found.confidence.dtype == np.uint8
    assert found.ids.max() < 3


def test_the_confidence_is_the_probability_of_the_class_of_255(preview, mosaic):
    view, probe = preview(mosaic)
    assert (view.update(probe, []).confidence == 85).all()
    assert (view.update(confident(probe, 1, by=20.0), []).confidence == 255).all()


@pytest.mark.parametrize("seed", range(4))
def test_at_a_click_in_the_middle_of_a_cell_the_preview_has_its_class(preview, mosaic, seed):
    rng = np.random.default_rng(seed)
    view, probe = preview(mosaic)
    cells = rng.choice(16 * 24, 12, replace=False)
    clicks = [(4 * (cell % 24) + 1.5, 4 * (cell // 24) + 1.5, int(rng.integers(3))) for cell in cells]
    for count in (1, 5, 12):
        found = view.update(confident(probe, 0, by=2.0), clicks[:count])
        for (x, y, class_id), cell in zip(clicks[:count], cells[:count], strict=True):
            assert found.ids[int(y) : int(y) + 2, int(x) : int(x) + 2].tolist() == [[class_id] * 2] * 2
            assert found.confidence[cell // 24, cell % 24] >= 250


def test_one_click_on_each_surface_segments_both(preview, halves):
    view, probe = preview(halves, classes=2)
    found = view.update(probe, [(20.0, 30.0, 1), (70.0, 30.0, 0)])
    assert (found.ids == np.repeat([1, 0], 48)).mean() > 0.97


def test_a_click_corrects_the_preview_around_it(preview, halves):
    view, probe = preview(halves, classes=2)
    probe = confident(probe, 1, by=1.0)
    assert (view.update(probe, [(20.0, 30.0, 1)]).ids == 1).all()
    found = view.update(probe, [(20.0, 30.0, 1), (70.0, 30.0, 0)])
    assert (found.ids[:, 52:] == 0).mean() > 0.9
    assert (found.ids[:, :44] == 1).mean() > 0.9


@pytest.mark.parametrize("by", [1.0, 20.0])
def test_an_absent_class_never_appears_even_where_it_was_shown_before(preview, mosaic, by):
    view, probe = preview(mosaic)
    probe = confident(probe, 1, by)
    assert (view.update(probe, []).ids == 1).all()
    assert not (view.update(probe, [], absent=[1]).ids == 1).any()
    assert set(np.unique(view.update(probe, [(9.0, 9.0, 0)], absent=(1,)).ids)) <= {0, 2}
    assert (view.update(probe, [(9.0, 9.0, 0)], absent=[1, 2]).ids == 0).all()


def test_a_preview_does_not_depend_on_what_was_shown_before(preview, mosaic):
    clicks = [(20.0, 30.0, 1), (70.0, 30.0, 0), (50.0, 8.0, 2)]
    (view, probe), (fresh, _) = preview(mosaic), preview(mosaic)
    for count in range(4):
        last = view.update(probe, clicks[:count])
    first = fresh.update(probe, clicks)
    assert np.abs(last.confidence.astype(int) - first.confidence).max() <= 5
    assert (last.ids == first.ids).mean() > 0.99


def test_a_single_class_is_everywhere(preview):
    view, probe = preview(np.full((64, 96, 3), 90, np.uint8), classes=1)
    assert (view.update(probe, [(3.0, 4.0, 0)]).ids == 0).all()


@pytest.mark.parametrize("column", range(38, 46))
def test_a_click_on_a_thin_thing_shows_whatever_its_place_in_a_cell(preview, column):
    image = np.full((64, 96, 3), 90, np.uint8)
    image[:, column] = (255, 0, 0)
    view, probe = preview(image, classes=2)
    assert view.update(confident(probe, 0), [(float(column), 31.0, 1)]).ids[31, column] == 1


@pytest.mark.parametrize("classes", [129, 255])
def test_as_many_classes_as_a_data_set_may_have(preview, classes):
    view, probe = preview(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8), classes=classes)
    assert (view.update(confident(probe, classes - 1), []).ids == classes - 1).all()


def test_a_click_on_unknown_makes_its_region_unknown_and_teaches_no_class(preview):
    image = np.full((64, 96, 3), 120, np.uint8)
    image[:, 48:] = (200, 30, 30)
    view, probe = preview(image)
    known, unknown = (22.0, 30.0, 1), (70.0, 30.0, IGNORE_INDEX)
    found = view.update(probe, [known, unknown])
    assert (found.ids[:, :44] == 1).mean() > 0.95
    assert found.ids[30, 70] == IGNORE_INDEX and (found.ids[:, 52:] == IGNORE_INDEX).mean() > 0.5
    again = view.update(probe, [known])  # taken back
    assert IGNORE_INDEX not in again.ids
