import numpy as np
import pytest

from weclick.classes import ClassSet
from weclick.errors import ConfigError, ShapeError
from weclick.inference.drawing import BesideOriginal, Painter, colorize, draw_clicks, lay_over, legend, overlay, sheet

RED, GREEN = (200, 10, 20), (10, 180, 30)
CLASSES = ClassSet.from_list([{"name": "one", "color": list(RED)}, {"name": "two", "color": list(GREEN)}])


def grey(height=40, width=60, value=100):
    return np.full((height, width, 3), value, np.uint8)


def test_colorize_uses_class_colours_and_black_for_ignored():
    found = colorize(np.array([[0, 1, 255]], np.int64), CLASSES)
    assert found.dtype == np.uint8
    assert found.tolist() == [[list(RED), list(GREEN), [0, 0, 0]]]


def test_colorize_wants_one_frame():
    with pytest.raises(ShapeError, match=r"\(1, 2, 3\)"):
        colorize(np.zeros((1, 2, 3), int), CLASSES)


def test_overlay_blends_and_leaves_ignored_pixels():
    image = grey(1, 2)
    found = overlay(image, np.array([[0, 255]]), CLASSES, alpha=0.5)
    assert found[0, 0].tolist() == [150, 55, 60]
    assert found[0, 1].tolist() == [100, 100, 100]
    assert (image == 100).all()


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, (100, 100, 100)), (1.0, RED)])
def test_overlay_extremes(alpha, expected):
    assert tuple(overlay(grey(1, 1), np.zeros((1, 1), int), CLASSES, alpha)[0, 0]) == expected


def test_overlay_wants_equal_sizes():
    with pytest.raises(ShapeError, match="resize"):
        overlay(grey(4, 4), np.zeros((2, 2), int), CLASSES)


def test_click_is_a_ringed_disc_in_its_colour():
    image = grey()
    found = draw_clicks(image, [(30, 20, 1)], CLASSES)
    assert tuple(found[20, 30]) == GREEN
    assert found[20, 30 + 5].min() > 200, "light ring"
    assert found[20, 30 + 8].max() < 80, "dark rim"
    assert (found[20, 30 + 10] == 100).all()
    assert (image == 100).all(), "the picture given is not drawn on"


def test_clicks_on_the_border_and_none_at_all():
    assert tuple(draw_clicks(grey(), [(0, 0, 0)], CLASSES)[0, 0]) == RED
    assert (draw_clicks(grey(), [], CLASSES) == grey()).all()


def test_click_lies_at_its_fractional_place():
    left, right = (draw_clicks(grey(), [(x, 20, 0)], CLASSES).astype(int) for x in (30.0, 30.5))
    assert (left != right).any()
    mirrored = draw_clicks(grey(40, 61), [(30, 20, 0)], CLASSES)
    np.testing.assert_allclose(mirrored.astype(int), mirrored[:, ::-1], atol=6)


def test_read_only_and_flipped_pictures_can_be_drawn_on():
    image = grey()[:, ::-1]
    image.flags.writeable = False
    assert draw_clicks(image, [(30, 20, 0)], CLASSES).shape == image.shape


def test_overlay_of_a_frame_without_and_with_only_ignored_pixels():
    image, ignored = grey(2, 3), np.full((2, 3), 255, np.uint8)
    assert (overlay(image, ignored, CLASSES) == image).all()
    assert (overlay(image, np.zeros((2, 3), np.uint8), CLASSES) == [150, 55, 60]).all()


@pytest.mark.parametrize("count", [1, 2, 11, 19, 60])
@pytest.mark.parametrize("size", [(8, 8), (64, 96), (540, 960), (1024, 2048), (2160, 3840), (40, 2000), (2000, 40)])
def test_the_legend_is_small(count, size):
    names = ClassSet.from_list([{"name": f"class {index}"} for index in range(count)])
    height, width = legend(names.classes, size).shape[:2]
    assert 1 <= height <= size[0] * 2 / 3 and 1 <= width <= size[1] / 2


def test_the_legend_names_the_classes_given_in_their_colours():
    both, one = legend(CLASSES.classes, (540, 960)), legend(CLASSES.classes[:1], (540, 960))
    assert (both == RED).all(-1).any() and (both == GREEN).all(-1).any()
    assert not (one == GREEN).all(-1).any()
    assert one.shape[0] < both.shape[0]
    assert (both[:, 20:].min(-1) > 200).any(), "light text beside the swatches"
    assert legend(ClassSet.from_list([{"name": "a long name"}]).classes, (540, 960)).shape[1] > one.shape[1]


def test_many_classes_share_columns():
    many = ClassSet.from_list([{"name": f"c{index}"} for index in range(40)]).classes
    assert legend(many, (540, 960)).shape[1] > legend(many[:5], (540, 960)).shape[1]


def test_what_is_laid_over_a_picture_lets_it_shine_through_and_stays_in_its_corner():
    picture = grey()
    lay_over(picture, np.full((10, 20, 3), 200, np.uint8), strength=0.75)
    assert (picture[:10, :20] == 175).all()
    assert (picture[10:] == 100).all() and (picture[:, 20:] == 100).all()


def test_a_sheet_puts_titled_pictures_in_rows_below_one_legend():
    found = sheet([{"a": grey(40, 60, 10), "b": grey(40, 60, 200)}, {"b": grey(40, 60, 50)}], CLASSES.classes)
    assert found.shape[1] == 60 + 6 + 60
    assert (found[-86:-46, :60] == 10).all() and (found[-86:-46, 66:] == 200).all()
    assert (found[-40:, :60] == 255).all(), "no picture of this title"
    assert (found[-40:, 66:] == 50).all()
    assert (found[-114:-86, :60] < 120).all(-1).any(), "the title is there"
    assert (found[:-114] == RED).all(-1).any(), "and the legend"


def test_a_legend_takes_more_lines_where_the_sheet_is_narrow():
    many = ClassSet.from_list([{"name": f"class {index}"} for index in range(12)]).classes
    picture = {"a": grey(40, 320)}
    assert len(sheet([picture], many)) > len(sheet([picture], many[:2]))


NAMED = ClassSet.from_list([{"name": "road", "color": [200, 10, 20]}, {"name": "car"}, {"name": "sky"}])


def test_the_picture_keeps_its_size_and_shows_colours_everywhere_but_in_the_legends_corner():
    image, ids = grey(270, 480), np.zeros((270, 480), np.uint8)
    drawn = Painter(NAMED, 0.5)(image, ids)
    assert drawn.shape == image.shape
    assert (image == 100).all()
    assert (drawn[30:] == [150, 55, 60]).all() and (drawn[:, 100:] == [150, 55, 60]).all()
    assert (drawn[:14, :40] != [150, 55, 60]).any()


def test_the_legend_can_be_left_out():
    drawn = Painter(NAMED, 0.5, legends=False)(grey(270, 480), np.zeros((270, 480), np.uint8))
    assert (drawn == [150, 55, 60]).all()


def test_the_legend_holds_the_classes_seen_so_far_and_is_drawn_anew_for_a_new_one(monkeypatch):
    named = []

    def legend(entries, size):
        named.append(([entry.name for entry in entries], size))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("weclick.inference.drawing.legend", legend)
    painter = Painter(NAMED, 0.5)
    ignored, road, speck = (
        np.full((270, 480), 255, np.uint8),
        np.zeros((270, 480), np.uint8),
        np.zeros((270, 480), np.uint8),
    )
    speck[0, :4] = 1
    sky = np.full((270, 480), 2, np.uint8)
    for ids in (ignored, road, road, speck, sky, road):
        painter(grey(270, 480), ids)
    painter(grey(100, 200), road[:100, :200])
    assert named == [(["road"], (270, 480)), (["road", "sky"], (270, 480)), (["road", "sky"], (100, 200))]


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(alpha):
    with pytest.raises(ConfigError, match="alpha must be 0 to 1"):
        Painter(NAMED, alpha)


@pytest.mark.parametrize(("size", "half"), [((41, 61), (40, 60)), ((1080, 1920), (360, 640))])
def test_the_original_lies_to_the_left_in_whole_pixels(size, half):
    image, labels = grey(*size), np.zeros(size, np.uint8)
    drawn = BesideOriginal(Painter(CLASSES, 1.0, legends=False))(image, labels)
    assert drawn.shape == (half[0], 2 * half[1], 3)
    assert (drawn[:, : half[1]] == 100).all()
    assert (drawn[:, half[1] :] == CLASSES[0].color).all()
