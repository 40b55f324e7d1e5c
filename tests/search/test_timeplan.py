from __future__ import annotations

from dataclasses import replace

import pytest

from search import timeplan
from search.configuration import configurations
from search.timeplan import FinalPlan
from search.trial import Stop
from tests.search.records import completed, settings

FULL = FinalPlan(3, 2, True)


def configuration(name, epochs=10, seconds=None, best=None, **training):
    """A configuration with `epochs` epochs of one second each and half a second of building."""
    scores = [0.5] * epochs
    if best is not None:
        scores[best - 1] = 0.9
    return configurations([completed(name, scores, settings=settings(**training))])[0]


def test_a_training_takes_its_epochs_and_its_building_with_a_margin():
    short = configuration("a", epochs=10)
    assert timeplan.training_seconds(short, 4) == pytest.approx(1.25 * (0.5 + 4))
    assert timeplan.training_seconds(short) == pytest.approx(1.25 * (0.5 + 27))


def test_early_stopping_makes_it_shorter_where_it_was_seen_to_end():
    rule = {"monitor": "val_accuracy", "patience": 2, "min_delta": 0.0, "mode": "max"}
    stopped = configuration("a", epochs=8, best=5, early_stopping=rule)
    assert timeplan.training_seconds(stopped) == pytest.approx(1.25 * (0.5 + 16))
    growing = configuration("a", epochs=8, best=8, early_stopping=rule)
    assert timeplan.training_seconds(growing) == pytest.approx(1.25 * (0.5 + 27))


@pytest.mark.parametrize("stop", [Stop.EARLY_STOPPING, Stop.TARGET])
def test_what_has_ended_early_is_expected_to_end_there_again_or_a_little_later(stop):
    """Also where the best score came later than the metric that early stopping looked at said."""
    rule = {"monitor": "val_loss", "patience": 3, "min_delta": 0.0, "mode": "min"}
    ended = replace(configuration("a", epochs=8, best=8, early_stopping=rule), stopped=stop)
    assert timeplan.training_seconds(ended) == pytest.approx(1.25 * (0.5 + 10))
    late = replace(configuration("a", epochs=25, best=25, early_stopping=rule), stopped=stop)
    assert timeplan.training_seconds(late) == pytest.approx(1.25 * (0.5 + 27))


def test_a_configuration_without_epochs_takes_no_time():
    (never,) = configurations([completed("a", [])])
    assert timeplan.training_seconds(never) == 0


def test_retraining_is_shared_by_the_slots_but_no_training_is_split():
    best = [configuration(name) for name in "abc"]
    one = timeplan.training_seconds(best[0])
    assert timeplan.final_seconds(FULL, best, 1) == pytest.approx(7 * one)
    assert timeplan.final_seconds(FULL, best, 2) == pytest.approx(4 * one)
    assert timeplan.final_seconds(FULL, best, 100) == pytest.approx(2 * one)
    assert timeplan.final_seconds(FULL, best[:1], 1) == pytest.approx(3 * one)
    assert timeplan.final_seconds(FULL, [], 1) == 0


def test_without_a_limit_everything_is_done():
    assert timeplan.choose(FULL, [configuration("a")], 1, None) == FULL


def test_less_time_means_fewer_candidates_then_one_seed_then_no_retraining_then_no_training():
    best = [configuration(name) for name in "abc"]
    one = timeplan.training_seconds(best[0])
    chosen = [timeplan.choose(FULL, best, 1, trainings * one + 0.01) for trainings in (7, 6, 5, 4, 3, 2, 1, 0.5)]
    assert chosen == [
        FULL, FinalPlan(2, 2, True), FinalPlan(2, 2, True), FinalPlan(2, 1, True), FinalPlan(2, 1, True),
        FinalPlan(1, 1, True), FinalPlan(1, 0, True), FinalPlan(1, 0, False),
    ]  # fmt: skip
    assert timeplan.choose(FULL, best, 1, -5.0) == FinalPlan(1, 0, False)


def test_a_plan_never_promises_more_than_there_is_time_for():
    best = [configuration(name, epochs) for name, epochs in (("a", 3), ("b", 20), ("c", 9))]
    for seconds in range(0, 400, 7):
        plan = timeplan.choose(FULL, best, 2, float(seconds))
        assert timeplan.final_seconds(plan, best, 2) <= seconds
        assert plan.candidates <= FULL.candidates
        assert plan.seeds <= FULL.seeds


def end(ranked, until=1000.0, slots=1):
    return timeplan.search_end(started=0.0, end=until, after=45.0, full=FULL, ranked=ranked, slots=slots)


def test_the_search_leaves_time_for_what_comes_after_it():
    best = [configuration(name) for name in "abc"]
    needed = timeplan.final_seconds(FULL, best, 1)
    assert end(best) == pytest.approx(955 - 1.05 * needed)
    # A search that ends two seconds late, as searches do, still leaves time for all of it.
    assert timeplan.choose(FULL, best, 1, 955 - (end(best) + 2)) == FULL
    assert end(best, slots=2) > end(best, slots=1)


def test_before_anything_is_measured_a_share_is_kept():
    assert end([]) == pytest.approx(955 * 0.65)


def test_the_search_itself_keeps_half_of_a_short_time():
    best = [configuration(name) for name in "abc"]
    assert end(best, until=145.0) == pytest.approx(50.0)


def test_a_budget_shorter_than_what_follows_leaves_no_search():
    assert end([configuration("a")], until=30.0) == 0.0
    assert end([], until=30.0) == 0.0
