"""Plans of the algorithms without a schedule of their own."""

import pytest

from spaces.sections.algorithms import ALGORITHMS, PlannedTrials


@pytest.mark.parametrize("name", ["random", "grid", "bayesian"])
@pytest.mark.parametrize(("limit", "size", "count"), [(10, None, 10), (10, 4, 4), (None, 4, 4), (None, None, None)])
def test_the_smaller_limit_counts(name, limit, size, count):
    plan = ALGORITHMS[name].plan(min_epochs=1, max_epochs=9, max_trials=limit, configurations=size)
    assert plan == [PlannedTrials(count, 0, 9)]


def test_freeze_thaw_is_planned_by_what_new_configurations_get():
    plan = ALGORITHMS["freeze-thaw"].plan(min_epochs=1, max_epochs=52, max_trials=100, configurations=None)
    assert sum(group.count for group in plan) == 100
    lengths = [group.epochs_to for group in plan]
    assert lengths == sorted(set(lengths))
    assert (lengths[0], lengths[-1]) == (3, 52)
    # about 40 full trainings, as the searches in benchmarks/oracles.py take
    assert sum(group.count * group.epochs_to for group in plan) == pytest.approx(40 * 52, rel=0.1)


@pytest.mark.parametrize("hyperparameters", [0, 50])
def test_any_number_of_trials_is_planned_at_once(hyperparameters):
    limits = {"min_epochs": 1, "max_epochs": 52, "configurations": None, "hyperparameters": hyperparameters}
    some, many = (ALGORITHMS["freeze-thaw"].plan(max_trials=most, **limits) for most in (2000, 10**12))
    assert many[:-1] == some[:-1]
    assert sum(group.count for group in many) == 10**12


def test_over_many_hyperparameters_freeze_thaw_plans_more_and_shorter_trainings():
    limits = {"min_epochs": 1, "max_epochs": 52, "max_trials": None, "configurations": None}
    trials = [
        sum(group.count for group in ALGORITHMS["freeze-thaw"].plan(hyperparameters=count, **limits))
        for count in (0, 7, 20, 50)
    ]
    assert trials[0] == trials[1] == trials[2] < trials[3]


@pytest.mark.parametrize(("shortest", "longest"), [(1, 9), (3, 27), (5, 5), (1, 1)])
def test_left_to_itself_freeze_thaw_plans_for_ten_full_trainings(shortest, longest):
    limits = {"min_epochs": shortest, "max_epochs": longest, "configurations": None}
    plan = ALGORITHMS["freeze-thaw"].plan(max_trials=None, **limits)
    epochs = sum(group.count * group.epochs_to for group in plan)
    assert 10 * longest <= epochs < 11 * longest
    assert ALGORITHMS["freeze-thaw"].plan(max_trials=sum(group.count for group in plan), **limits) == plan
