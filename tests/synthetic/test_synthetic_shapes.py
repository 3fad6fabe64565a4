import numpy as np

from weclick.synthetic.shapes import RESOLUTION, bank, shape


def test_number_0_is_the_full_rectangle():
    assert shape("full") == 0
    assert (bank()[1][0] == 1).all()


def test_left_side_of_a_car_mirrors_its_right_side():
    bitmaps = bank()[1]
    assert (bitmaps[shape("sedan_left")] == bitmaps[shape("sedan_right")][:, ::-1]).all()


def test_shapes_have_holes_and_parts():
    names, bitmaps = bank()
    for name in ("sedan_right", "person_0", "tree_0", "sign_disc", "hedge_0"):
        share = (bitmaps[names[name]] > 0).mean()
        assert 0.2 < share < 0.98, name
    assert set(np.unique(bitmaps[names["person_0"]])) >= {0, 1, 2, 3, 4, 5}


def test_parts_fit_the_tables():
    bitmaps = bank()[1]
    assert bitmaps.shape[1:] == (RESOLUTION, RESOLUTION)
    assert bitmaps.max() < 8
