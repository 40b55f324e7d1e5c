"""What another hour is expected to bring: which estimates count."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from search.oracles.surrogate.outlook import Outlook
from search.phases.gain import HourlyGain
from tests.search.records import outcome

LITTLE, MUCH = (0.001,), (0.5,)


@pytest.fixture
def gain():
    """An estimate of one training an hour that is to bring 0.01, its `proposer` and what is `noted`."""
    noted = {}
    spec = SimpleNamespace(search=SimpleNamespace(stop_when_gain_below=0.01), max_epochs=3)
    proposer = SimpleNamespace(outlook=None)
    made = HourlyGain(spec, proposer, SimpleNamespace(put_meta=noted.update))
    made.take(outcome([0.5, 0.6, 0.7], seconds=3600.0))
    return SimpleNamespace(made=made, proposer=proposer, noted=noted)


def estimate(gain, gains):
    gain.proposer.outlook = Outlook(gains)
    gain.made.estimate(1)


def test_three_in_a_row_that_are_too_small_are_enough(gain):
    gain.made.estimate(1)
    for gains in (LITTLE, LITTLE, MUCH, LITTLE, LITTLE):
        estimate(gain, gains)
        assert not gain.made.too_little
    estimate(gain, LITTLE)
    assert gain.made.too_little
    assert gain.noted == {"hourly_gain": 0.001}


def test_a_proposal_that_did_not_look_ahead_is_no_estimate(gain):
    estimate(gain, LITTLE)
    for _ in range(5):
        gain.made.estimate(1)
    assert not gain.made.too_little
    estimate(gain, LITTLE)
    estimate(gain, LITTLE)
    assert gain.made.too_little


def test_what_is_learned_afterwards_can_change_it(gain):
    for _ in range(3):
        assert not gain.made.settled
        estimate(gain, LITTLE)
    assert gain.made.settled
    gain.made.learned()
    assert not gain.made.settled
    estimate(gain, LITTLE)
    assert gain.made.settled
    gain.made.learned()
    estimate(gain, MUCH)
    assert not gain.made.too_little
