"""Leases of frames."""

import pytest

from weclick.annotate.leases import LEASE_SECONDS, Leases
from weclick.errors import ConflictError


@pytest.fixture
def leases(clock):
    return Leases(clock)


def test_a_frame_is_leased_to_one_client_who_can_renew(leases):
    leases.take("f", "one", "ann")
    leases.take("f", "one", "ann")
    with pytest.raises(ConflictError, match="ann is working on this frame"):
        leases.take("f", "two", "bob")
    assert leases.holder("f", "two") == leases.holder("f", None) == "ann"
    assert leases.holder("f", "one") is None


def test_a_lease_expires_unless_it_is_renewed(leases, clock):
    leases.take("f", "one", "ann")
    clock.now = LEASE_SECONDS - 1
    leases.take("f", "one", "ann")
    clock.now = 2 * LEASE_SECONDS - 2
    assert leases.holder("f", "two") == "ann"
    clock.now = 2 * LEASE_SECONDS - 1
    assert leases.holder("f", "two") is None
    leases.take("f", "two", "bob")
    assert leases.holder("f", "one") == "bob"


def test_a_client_has_one_lease(leases):
    leases.take("f", "one", "ann")
    leases.take("g", "one", "ann")
    assert leases.holder("f", "two") is None and leases.holder("g", "two") == "ann"


def test_only_its_client_can_release_a_lease(leases):
    leases.take("f", "one", "ann")
    leases.release("f", "two")
    leases.release("g", "one")
    assert leases.holder("f", "two") == "ann"
    leases.release("f", "one")
    leases.release("f", "one")
    assert leases.holder("f", "two") is None


def test_a_refused_client_keeps_its_lease(leases):
    leases.take("f", "one", "ann")
    leases.take("g", "two", "bob")
    with pytest.raises(ConflictError):
        leases.take("f", "two", "bob")
    assert leases.holder("g", "one") == "bob"


def test_an_expired_lease_does_not_end_a_later_one(leases, clock):
    leases.take("f", "one", "ann")
    clock.now = LEASE_SECONDS
    leases.take("f", "two", "bob")
    leases.take("g", "one", "ann")  # would release "f", which is now leased to bob
    assert leases.holder("f", "one") == "bob"


def test_a_client_without_a_name_is_called_somebody(leases):
    leases.take("f", "one", "")
    assert leases.holder("f", "two") == "somebody"
