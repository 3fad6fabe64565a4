import math

import pytest

from weclick.metrics.interval import share_interval


def test_wilsons_interval_by_hand():
    z, share, total = 1.959964, 0.9, 10
    centre = (share + z**2 / 20) / (1 + z**2 / total)
    wide = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    assert share_interval(9, 10) == pytest.approx((centre - wide, centre + wide), abs=1e-6)


def test_of_nothing_nothing_is_known():
    assert all(map(math.isnan, share_interval(0, 0)))


def test_more_clicks_make_it_narrower():
    spans = [high - low for low, high in (share_interval(n // 2, n) for n in (2, 10, 1000))]
    assert spans == sorted(spans, reverse=True)
