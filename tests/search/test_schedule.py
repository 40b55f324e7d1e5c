"""What a search will train, and how much of it waits."""

from __future__ import annotations

import pytest

import spaces
from search.phases import schedule
from tests.search.simulation import space


def test_only_a_time_lets_freeze_thaw_go_on_for_ever():
    spec = space("freeze-thaw", max_trials=None)
    assert schedule.planned(spec).epochs == pytest.approx(10 * spec.max_epochs, rel=0.1)
    assert schedule.trial_limit(spec, timed=False) == schedule.planned(spec).trials
    assert schedule.planned(spec, timed=True) == schedule.Planned(None, None)
    assert schedule.trial_limit(spec, timed=True) is None
    assert schedule.trial_limit(space("freeze-thaw", max_trials=7), timed=True) == 7


def test_other_algorithms_plan_the_same_with_and_without_a_time():
    for algorithm in ("random", "grid", "bayesian"):
        spec = space(algorithm, max_trials=None)
        assert schedule.planned(spec) == schedule.planned(spec, timed=True)
        assert schedule.trial_limit(spec, timed=False) is None


def test_a_grid_over_ranges_without_a_step_has_an_end():
    changes = (
        "model={family: mlp, layers: 1, units: {min: 16, max: 512, log: true}}",
        "training.optimizer=adam",
        "training.learning_rate={min: 1e-4, max: 1e-1, log: true}",
    )
    spec = spaces.load(space("grid", max_trials=None, epochs=3), changes)
    assert spaces.size(spec) is None
    # Ten points of each, see `search.oracles.grid_search`.
    assert schedule.planned(spec) == schedule.Planned(100, 300)


def test_time_can_be_reckoned_however_many_configurations_there_are():
    changes = ("model={family: mlp, layers: {min: 1, max: 100}, units: {min: 1, max: 1000000}}", "baselines=[]")
    spec = spaces.load(space("random", max_trials=None), changes)
    assert spaces.size(spec) > 10**600
    assert schedule.planned(spec).epochs * 0.5 < 1e18


def test_hyperband_begins_anew_until_its_time_is_up():
    spec = space("hyperband", max_trials=None)
    assert schedule.planned(spec).trials is not None
    assert schedule.planned(spec, timed=True) == schedule.Planned(None, None)
    assert schedule.planned(space("hyperband", max_trials=7), timed=True).trials == 7


def test_as_many_wait_as_a_rung_has_or_as_are_kept():
    assert schedule.most_waiting(space("hyperband", max_trials=None)) == 9
    assert schedule.most_waiting(space("freeze-thaw", max_trials=12)) == 12
    assert schedule.most_waiting(space("freeze-thaw", max_trials=1000)) == 40
    assert schedule.most_waiting(space("freeze-thaw", max_trials=None)) == 40
    assert schedule.most_waiting(space("random", max_trials=12)) == 0


@pytest.mark.parametrize("algorithm", ["hyperband", "freeze-thaw"])
def test_the_only_trial_has_the_full_length(algorithm):
    alone = space(algorithm, max_trials=1)
    assert [(g.count, g.epochs_from, g.epochs_to) for g in schedule.groups(alone)] == [(1, 0, 9)]
    two = space(algorithm, max_trials=2)
    assert schedule.groups(two)[0].epochs_to == 1
