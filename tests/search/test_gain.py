"""What another hour is expected to bring: which estimates count."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

import spaces
from search.files.store import RunStore
from search.oracles.surrogate.outlook import Outlook
from search.phases.gain import HourlyGain
from search.phases.proposer import Proposal
from search.phases.sources import SearchSource
from tests.search import simulation
from tests.search.records import failed, outcome

LITTLE, MUCH = (0.001,), (0.5,)


def made_for(max_epochs, multi_fidelity=True):
    """An estimate that is to bring 0.01, its `proposer` and what is `noted`."""
    noted = {}
    spec = SimpleNamespace(
        search=SimpleNamespace(stop_when_gain_below=0.01),
        algorithm=SimpleNamespace(multi_fidelity=multi_fidelity),
        max_epochs=max_epochs,
    )
    proposer = SimpleNamespace(outlook=None)
    made = HourlyGain(spec, proposer, SimpleNamespace(put_meta=noted.update))
    return SimpleNamespace(made=made, proposer=proposer, noted=noted)


@pytest.fixture
def gain():
    """An estimate of one training an hour."""
    found = made_for(max_epochs=3)
    found.made.take(outcome([0.5, 0.6, 0.7], seconds=3600.0))
    return found


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


def test_a_trial_that_is_a_whole_training_is_one_however_early_it_stops():
    whole, pieces = made_for(60, multi_fidelity=False), made_for(60)
    for gain in (whole, pieces):
        for _ in range(3):
            gain.made.take(outcome([0.5, 0.6], seconds=1200.0))
        estimate(gain, (0.1, 0.2, 0.3))
    assert whole.noted["hourly_gain"] == pytest.approx(0.3)
    assert pieces.noted["hourly_gain"] == pytest.approx(0.01), "a thirtieth of a training each, a tenth of one an hour"


def test_failures_take_their_time_and_are_no_trainings(gain):
    gain.made.take(replace(failed(), seconds=3600.0))
    estimate(gain, (0.5,))
    assert gain.noted["hourly_gain"] == pytest.approx(0.25), "one training in two hours"


def test_failures_alone_are_no_estimate():
    gain = made_for(3)
    gain.made.take(failed())
    for _ in range(4):
        estimate(gain, LITTLE)
    assert not gain.noted
    assert not gain.made.too_little


def test_what_only_waits_for_a_worker_is_none_that_trains(tmp_path):
    spec = spaces.load(simulation.space("freeze-thaw"), ["baselines=[]"])
    (values,) = spaces.sample(spec, 0, 1)
    asked = SimpleNamespace(
        ask=lambda: Proposal("0", values, 0, 3, None, ""), beat=lambda _: None, failed=False, record=lambda _: None
    )
    told = []
    with RunStore.create(tmp_path / "run", {}) as store:
        source = SearchSource(spec, asked, store, simulation.SimulatedClock(), lambda: None, None, lambda: 2)
        source._gain = SimpleNamespace(settled=False, too_little=False, estimate=told.append)
        source.next(3)
    assert told == [2]
