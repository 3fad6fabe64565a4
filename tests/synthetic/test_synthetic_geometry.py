import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weclick.synthetic.geometry import CameraPath, Label, Surface, SurfaceTable, pixel_boxes

SIZE = (101, 201)
STILL = CameraPath(
    speed=5.0,
    lane=0.0,
    height=1.5,
    focal=0.5,
    horizon=0.5,
    amplitudes=(0.0,) * 5,
    periods=(1.0,) * 5,
    phases=(0.0,) * 5,
)
SKY = Surface((0, 0, 1), (1, 0, 0), (0, 1, 0), (Label.SKY,), ((0, 0, 0, 0),))


def quad(origin, **more):
    return Surface(origin, (2.0, 0, 0), (0, 1.0, 0), (Label.CAR,), ((0, 0, 0, 0),), **more)


def project(path, time, surface, u, v):
    matrix = SurfaceTable([SKY, surface]).to_pixels(path.at(time, SIZE), time)[1]
    x, y, depth = matrix @ (u, v, 1.0)
    return x / depth, y / depth, depth


def test_point_ahead_at_camera_height_lies_on_the_horizon():
    x, y, depth = project(STILL, 0.0, quad((-1.0, 1.5, 10.0)), 0.5, 0.0)
    assert (x, y, depth) == pytest.approx((100.0, 50.5, 10.0))


def test_projection_by_hand():
    # focal 0.5 * 201 px; 1 m right of the axis and 0.5 m below it, 10 m away
    x, y, _ = project(STILL, 0.0, quad((-1.0, 1.0, 10.0)), 1.0, 0.0)
    assert (x, y) == pytest.approx((100 + 10.05, 50.5 + 5.025))


def test_driving_shortens_the_distance_to_static_surfaces_only():
    assert project(STILL, 1.0, quad((0, 0, 10.0)), 0, 0)[2] == pytest.approx(5.0)
    assert project(STILL, 1.0, quad((0, 0, 10.0), velocity=(0, 0, 5.0)), 0, 0)[2] == pytest.approx(10.0)


def test_drive_starts_at_zero():
    swinging = CameraPath(9.0, 0.0, 1.5, 0.9, 0.4, (1.0,) * 5, (2.0,) * 5, (1.1,) * 5)
    assert swinging.travelled(0.0) == 0.0


def test_one_sided_surface_is_hidden_from_behind():
    toward, away = (
        quad((0, 0, 10), one_sided=True),
        Surface((2, 0, 10), (-2, 0, 0), (0, 1, 0), (Label.CAR,), ((0, 0, 0, 0),), one_sided=True),
    )
    assert SurfaceTable([SKY, toward, away]).faces(STILL.at(0.0, SIZE), 0.0).tolist()[1:] == [True, False]


def test_sky_does_not_move_when_the_camera_only_drives():
    table = SurfaceTable([SKY])
    before, after = (table.to_pixels(STILL.at(time, SIZE), time)[0] for time in (0.0, 3.0))
    assert np.array_equal(before, after)


def test_box_of_a_surface_behind_the_camera_is_empty():
    matrices = SurfaceTable([SKY, quad((0, 0, -5.0))]).to_pixels(STILL.at(0.0, SIZE), 0.0)
    x0, y0, x1, y1 = pixel_boxes(matrices, SIZE)[1]
    assert x0 >= x1 or y0 >= y1


def test_box_of_a_wall_that_passes_the_camera_reaches_the_border():
    wall = Surface((2.0, 0, -5.0), (0, 0, 50.0), (0, 3.0, 0), (Label.BUILDING,), ((0, 0, 0, 0),))
    x0, _, x1, _ = pixel_boxes(SurfaceTable([SKY, wall]).to_pixels(STILL.at(0.0, SIZE), 0.0), SIZE)[1]
    assert x1 == SIZE[1]
    assert 100 < x0 < 110  # its far end: 2 m aside, 45 m away


@given(x=st.floats(-8, 8), y=st.floats(0, 3), z=st.floats(2, 60), u=st.floats(0, 1), v=st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_box_holds_every_point_that_is_in_the_image(x, y, z, u, v):
    surface = quad((x, y, z))
    px, py, _ = project(STILL, 0.0, surface, u, v)
    x0, y0, x1, y1 = pixel_boxes(SurfaceTable([SKY, surface]).to_pixels(STILL.at(0.0, SIZE), 0.0), SIZE)[1]
    if 0 <= px <= SIZE[1] - 1 and 0 <= py <= SIZE[0] - 1:
        assert x0 - 1 <= px <= x1 and y0 - 1 <= py <= y1
