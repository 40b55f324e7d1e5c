"""Plans of the algorithms without a schedule of their own."""

import pytest

from search.oracles import PlannedTrials, planned_trials


@pytest.mark.parametrize("name", ["random", "grid", "bayesian"])
@pytest.mark.parametrize(("limit", "size", "count"), [(10, None, 10), (10, 4, 4), (None, 4, 4), (None, None, None)])
def test_the_smaller_limit_counts(name, limit, size, count):
    plan = planned_trials(name, min_epochs=1, max_epochs=9, max_trials=limit, configurations=size)
    assert plan == [PlannedTrials(count, 0, 9)]


def test_freeze_thaw_has_no_schedule():
    plan = planned_trials("freeze-thaw", min_epochs=1, max_epochs=9, max_trials=50, configurations=4)
    assert plan == [PlannedTrials(50, 0, 9)]
