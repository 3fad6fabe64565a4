"""Who works on which frame."""

import pytest

from weclick.annotate.leases import SECONDS, Leases
from weclick.errors import ConflictError


@pytest.fixture
def leases(clock):
    return Leases(clock)


def test_a_frame_is_leased_to_one_client_who_can_go_on(leases):
    leases.take("f", "one", "ann")
    leases.take("f", "one", "ann")
    with pytest.raises(ConflictError, match="ann is working on this frame"):
        leases.take("f", "two", "bob")
    assert leases.holder("f", "two") == leases.holder("f", None) == "ann"
    assert leases.holder("f", "one") is None


def test_a_lease_ends_by_itself_unless_it_is_renewed(leases, clock):
    leases.take("f", "one", "ann")
    clock.now = SECONDS - 1
    leases.take("f", "one", "ann")
    clock.now = 2 * SECONDS - 2
    assert leases.holder("f", "two") == "ann"
    clock.now = 2 * SECONDS - 1
    assert leases.holder("f", "two") is None
    leases.take("f", "two", "bob")
    assert leases.holder("f", "one") == "bob"


def test_a_client_has_one_lease(leases):
    leases.take("f", "one", "ann")
    leases.take("g", "one", "ann")
    assert leases.holder("f", "two") is None and leases.holder("g", "two") == "ann"


def test_only_who_has_a_lease_ends_it(leases):
    leases.take("f", "one", "ann")
    leases.release("f", "two")
    leases.release("g", "one")
    assert leases.holder("f", "two") == "ann"
    leases.release("f", "one")
    leases.release("f", "one")
    assert leases.holder("f", "two") is None


def test_a_refused_client_keeps_what_it_has(leases):
    leases.take("f", "one", "ann")
    leases.take("g", "two", "bob")
    with pytest.raises(ConflictError):
        leases.take("f", "two", "bob")
    assert leases.holder("g", "one") == "bob"


def test_a_lease_that_ended_does_not_end_a_later_one(leases, clock):
    leases.take("f", "one", "ann")
    clock.now = SECONDS
    leases.take("f", "two", "bob")
    leases.take("g", "one", "ann")  # releases what it had, which is bob's now
    assert leases.holder("f", "one") == "bob"


def test_somebody_without_a_name_is_somebody(leases):
    leases.take("f", "one", "")
    assert leases.holder("f", "two") == "somebody"
