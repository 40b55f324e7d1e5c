from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

import spaces
from search.budget import Budget
from search.loop.observer import Observer
from search.phases.retraining import RetrainingSource, retrained
from search.phases.sources import winner_trial
from search.record import environment
from search.record.configuration import configurations
from search.record.prices import Price
from search.record.trial import Stop, TrialKind, TrialState
from search.times import afterwards, estimates, planning
from search.times.estimates import UNKNOWN_PACE, Pace
from search.times.horizon import Horizon
from search.times.planning import Done, FinalPlan
from tests.search.records import completed, epoch, outcome, settings
from tests.search.simulation import SimulatedClock, space

FULL = FinalPlan(3, 2, True)


def configuration(name, epochs=10, seconds=None, best=None, **training):
    """A configuration with `epochs` epochs of one second each and half a second of building."""
    scores = [0.5] * epochs
    if best is not None:
        scores[best - 1] = 0.9
    return configurations([completed(name, scores, settings=settings(**training))])[0]


def evidence(**training):
    """A configuration of another run."""
    return configurations([completed("old-a", [0.5], kind=TrialKind.EVIDENCE, settings=settings(**training))])[0]


def test_a_training_takes_its_epochs_and_its_building():
    short = configuration("a", epochs=10)
    assert estimates.first_epoch_seconds(short) == pytest.approx(0.5 + 1)
    assert estimates.training_seconds(short, 4) == pytest.approx(0.5 + 4)
    assert estimates.training_seconds(short) == pytest.approx(0.5 + 27)


def test_early_stopping_makes_it_shorter_where_it_was_seen_to_end():
    rule = {"monitor": "val_accuracy", "patience": 2, "min_delta": 0.0, "mode": "max"}
    stopped = configuration("a", epochs=8, best=5, early_stopping=rule)
    assert estimates.training_seconds(stopped) == pytest.approx(0.5 + 16)
    growing = configuration("a", epochs=8, best=8, early_stopping=rule)
    assert estimates.training_seconds(growing) == pytest.approx(0.5 + 27)


@pytest.mark.parametrize("stop", [Stop.EARLY_STOPPING, Stop.TARGET])
def test_what_has_ended_early_is_expected_to_end_there_again_or_a_little_later(stop):
    """Also where the best score came later than the metric that early stopping looked at said."""
    rule = {"monitor": "val_loss", "patience": 3, "min_delta": 0.0, "mode": "min"}
    ended = replace(configuration("a", epochs=8, best=8, early_stopping=rule), stopped=stop)
    assert estimates.training_seconds(ended) == pytest.approx(0.5 + 10)
    late = replace(configuration("a", epochs=25, best=25, early_stopping=rule), stopped=stop)
    assert estimates.training_seconds(late) == pytest.approx(0.5 + 27)


def test_a_configuration_without_epochs_takes_no_time():
    (never,) = configurations([completed("a", [])])
    assert estimates.training_seconds(never) == 0


def test_retraining_is_shared_by_the_slots_but_no_training_is_split():
    best = [configuration(name) for name in "abc"]
    one = estimates.training_seconds(best[0])
    # Before anything is known of the pace a quarter more for the candidates, and for the winner twice its time.
    assert planning.final_seconds(FULL, best, 1) == pytest.approx((6 * 1.25 + 2) * one)
    assert planning.final_seconds(FULL, best, 2) == pytest.approx((3 * 1.25 + 2) * one)
    assert planning.final_seconds(FULL, best, 100) == pytest.approx((1.25 + 2) * one)
    assert planning.final_seconds(FULL, best[:1], 1) == pytest.approx((2 * 1.25 + 2) * one)
    assert planning.final_seconds(FULL, [], 1) == 0


def test_what_is_done_already_costs_nothing():
    best = [configuration(name) for name in "abc"]
    one = estimates.training_seconds(best[0])
    done = Done({"a": 2, "b": 1})
    assert planning.final_seconds(FULL, best, 1, done=done) == pytest.approx((3 * 1.25 + 2) * one)
    over = dict.fromkeys("abc", math.inf)
    assert planning.final_seconds(FULL, best, 1, done=Done({"a": 2, "b": 2, "c": 5}, over)) == 0
    assert planning.choose(FULL, best, 1, (3 * 1.25 + 2) * one + 0.01, done=done) == FULL


def test_a_machine_that_turned_out_slower_is_planned_with():
    best = [configuration(name) for name in "abc"]
    one = estimates.training_seconds(best[0])
    slower = Pace(1.6, epochs=10)
    assert planning.final_seconds(FULL, best, 1, pace=slower) == pytest.approx(1.6 * (6 * 1.1 + 1.25) * one)


def test_the_pace_is_that_of_the_trainings_after_the_search():
    searched = configuration("a", epochs=10)
    again = completed("a", [0.5] * 4, kind=TrialKind.CANDIDATE)
    epochs = tuple(replace(epoch, seconds=1.6) for epoch in again.outcome.epochs)
    slow = replace(again, outcome=replace(again.outcome, epochs=epochs))
    assert estimates.pace([slow], {"a": searched}) == Pace(pytest.approx(1.6), 4)
    assert estimates.pace([], {"a": searched}) == Pace()
    assert estimates.pace([again], {}) == Pace()


def test_an_epoch_of_a_final_training_says_nothing_of_the_pace_of_folds():
    """It was taken for a whole fold, and the machine for twice as fast as it was."""
    searched = configuration("a", epochs=5, folds=5, fold_epochs=20)
    final = completed("winner-a", [0.5] * 8, kind=TrialKind.WINNER, configuration="a", settings=searched.settings)
    short = tuple(replace(epoch, seconds=0.05) for epoch in final.outcome.epochs)
    final = replace(final, outcome=replace(final.outcome, epochs=short))
    assert estimates.pace([final], {"a": searched}) == Pace()
    again = completed("candidate-a-1", [0.5] * 5, kind=TrialKind.CANDIDATE, configuration="a")
    assert estimates.pace([again, final], {"a": searched}) == Pace(1.0, 5)


def test_a_final_training_that_is_under_way_keeps_its_rest_and_that_of_another_configuration_its_whole_time():
    best, again = [configuration(name) for name in "ab"], winner_trial(space("random"), configuration("a"), 27, 0.0)
    one = estimates.training_seconds(best[0])
    under_way = retrained([replace(again, outcome=outcome([0.5] * 20, seconds=20.0))])
    over = retrained([replace(again, state=TrialState.COMPLETED, outcome=outcome([0.5] * 27))])
    alone = FinalPlan(1, 0, True)
    assert planning.final_seconds(alone, best, 1, done=under_way) == pytest.approx(2 * one - 20.0)
    assert planning.final_seconds(alone, best, 1, done=over) == 0
    # What was found since may lead by now.
    assert planning.final_seconds(alone, best[::-1], 1, done=over) == pytest.approx(2 * one)


def retraining(workers=1):
    """The candidates of a thousand seconds, for so many workers and one training more at hand."""
    spec = spaces.load(space("random"), ["final.candidates=2", "final.seeds=2"])
    clock, rows = SimulatedClock(), [0] * 100
    horizon = Horizon(Budget.given(1000.0, clock=clock), spec, SimpleNamespace(train=rows, validation=rows, test=None))
    horizon.follow(SimpleNamespace(workers=workers), 1)
    best = [configuration(name) for name in "ab"]
    store = SimpleNamespace(trials=lambda *_: [])
    return RetrainingSource(spec, store, horizon, Observer(), best), horizon, clock, best


def test_a_candidate_that_waits_leaves_the_winner_its_time_also_where_that_becomes_known_late(monkeypatch):
    monkeypatch.setattr(environment, "others", lambda _: 0.0)
    source, horizon, clock, best = retraining()
    first, waiting = (source.next(2) for _ in range(2))
    jobs = [source.job(trial) for trial in (first, waiting)]
    until = jobs[1].deadline.left(clock)
    with monkeypatch.context() as busy:
        busy.setattr(environment, "others", lambda _: 100.0)
        source.next(2)
    assert jobs[1].deadline.left(clock) == until, "nothing was learnt of the final training"
    clock.pass_time(27 * 3.0)
    slower = tuple(epoch(number, 3.0) for number in range(1, 28))
    source.done(first, replace(outcome([0.5] * 27), epochs=slower, seconds=27 * 3.0))
    source.next(2)
    kept = planning.winner_seconds(FULL, best, Pace(3.0, 27))
    assert kept > 1.4 * planning.winner_seconds(FULL, best)
    assert jobs[1].deadline.left(clock) == pytest.approx(horizon.budget.training_left - kept)
    assert jobs[1].deadline.left(clock) < until - 27 * 3.0 - 20


def test_a_candidate_that_waits_has_all_of_its_time_before_it():
    source, _, clock, best = retraining(workers=2)
    trials = [source.next(3) for _ in range(3)]
    for trial in trials:
        source.job(trial)
    one = 1.25 * estimates.training_seconds(best[0])
    clock.pass_time(20.0)
    assert source._busy(UNKNOWN_PACE) == pytest.approx(2 * (one - 20.0) + one)
    assert source._wait(UNKNOWN_PACE) == pytest.approx(one - 20.0)
    source.done(trials[0], outcome([0.5] * 27))
    clock.pass_time(5.0)
    assert source._busy(UNKNOWN_PACE) == pytest.approx(2 * one - 25.0 - 5.0)
    assert source._wait(UNKNOWN_PACE) == pytest.approx(one - 25.0)


def test_without_a_limit_everything_is_done():
    assert planning.choose(FULL, [configuration("a")], 1, None) == FULL


def test_less_time_means_fewer_candidates_then_one_seed_then_no_retraining_then_no_training():
    best = [configuration(name) for name in "abc"]
    one = estimates.training_seconds(best[0])
    trainings = (9.5, 9.4, 7.0, 6.9, 4.5, 4.4, 3.25, 3.2, 2.0, 1.9)
    assert [planning.choose(FULL, best, 1, count * one + 0.01) for count in trainings] == [
        FULL, FinalPlan(2, 2, True), FinalPlan(2, 2, True), FinalPlan(2, 1, True), FinalPlan(2, 1, True),
        FinalPlan(1, 1, True), FinalPlan(1, 1, True), FinalPlan(1, 0, True), FinalPlan(1, 0, True),
        FinalPlan(1, 0, False),
    ]  # fmt: skip
    assert planning.choose(FULL, best, 1, -5.0) == FinalPlan(1, 0, False)


def test_a_plan_never_promises_more_than_there_is_time_for():
    best = [configuration(name, epochs) for name, epochs in (("a", 3), ("b", 20), ("c", 9))]
    for seconds in range(0, 400, 7):
        plan = planning.choose(FULL, best, 2, float(seconds))
        assert planning.final_seconds(plan, best, 2) <= seconds
        assert plan.candidates <= FULL.candidates
        assert plan.seeds <= FULL.seeds


def kept(ranked, usable=955.0, slots=1, **facts):
    return planning.kept_for_final(FULL, ranked, slots, usable, **facts)


def test_the_search_leaves_time_for_what_comes_after_it():
    best = [configuration(name) for name in "abc"]
    needed = planning.final_seconds(FULL, best, 1)
    assert kept(best) == pytest.approx(1.05 * needed)
    # A search that ends two seconds late, as searches do, still leaves time for all of it.
    assert planning.choose(FULL, best, 1, kept(best) - 2) == FULL
    assert kept(best, slots=2) < kept(best, slots=1)


def test_before_anything_is_measured_a_share_is_kept():
    assert kept([]) == pytest.approx(955 * 0.35)


def test_what_baselines_take_says_nothing_of_a_final_training():
    """The end of the search jumped to later when the first baseline had a score, and back with the first trial."""
    linear = replace(configuration("linear", epochs=4, schedule="cosine"), baseline=True)
    alone = FinalPlan(1, 0, True)
    assert planning.winner_seconds(alone, [linear]) < 955 * 0.35 / 2
    assert planning.kept_for_final(alone, [linear], 1, 955.0) == pytest.approx(955 * 0.35)
    assert planning.kept_for_final(FULL, [linear], 1, 955.0) == pytest.approx(955 * 0.35)
    found = configuration("a", schedule="cosine")
    needed = planning.winner_seconds(alone, [found])
    assert planning.kept_for_final(alone, [linear, found], 1, 955.0) == pytest.approx(1.05 * needed)


def test_a_first_epoch_may_take_what_is_kept_for_a_final_training_that_nothing_has_yet():
    alone, linear = FinalPlan(1, 0, True), replace(configuration("linear", epochs=4), baseline=True)

    def grace(*ranked):
        full = FinalPlan(min(alone.candidates, len(ranked)), alone.seeds, True)
        return planning.first_epoch_grace(full, ranked, 1, planning.kept_for_final(full, ranked, 1, 955.0))

    assert grace() == pytest.approx(955 * 0.35)
    # The final training of a baseline there can be.
    assert grace(linear) == pytest.approx(955 * 0.35 - 1.05 * planning.winner_seconds(alone, [linear]))
    assert grace(linear, configuration("a")) == 0


@pytest.mark.parametrize("stop", [None, Stop.EARLY_STOPPING])
@pytest.mark.parametrize("plan", [FinalPlan(1, 0, True), FinalPlan(1, 2, True)])
def test_time_is_kept_for_the_whole_schedule_wherever_early_stopping_ended_the_search(plan, stop):
    rule = {"monitor": "val_accuracy", "patience": 2, "min_delta": 0.0, "mode": "max"}
    ended = replace(configuration("a", epochs=5, best=2, schedule="cosine", early_stopping=rule), stopped=stop)
    assert estimates.training_seconds(ended) < 0.5 + 27
    kept = planning.winner_seconds(plan, [ended])
    assert kept == pytest.approx(1.15 * (0.5 + 27))
    assert estimates.annealed_epochs(ended, kept, Pace()) == 27
    # At a constant rate it is as long as the search was.
    constant = replace(ended, settings=settings(early_stopping=rule))
    assert planning.winner_seconds(plan, [constant]) == pytest.approx(2 * estimates.training_seconds(ended))


def test_the_search_itself_keeps_half_of_a_short_time():
    best = [configuration(name) for name in "abc"]
    assert kept(best, usable=100.0) == pytest.approx(50.0)


def test_a_search_that_goes_on_after_retraining_leaves_time_for_a_newcomer():
    best = [configuration(name) for name in "abc"]
    one = estimates.training_seconds(best[0])
    pace, done = Pace(0.5, 60), Done({"a": 2, "b": 2, "c": 2})
    assert kept(best, pace=pace, done=done) == pytest.approx(1.05 * 0.5 * (2 * 1.1 + 1.25) * one)
    # Of two newcomers among the best, both are trained again.
    new = [configuration(name) for name in "xya"]
    assert kept(new, pace=pace, done=done) == pytest.approx(1.05 * 0.5 * (4 * 1.1 + 1.25) * one)


def test_evaluation_reads_the_test_part_once_and_a_model_of_the_users_twice():
    one = configuration("a")
    validation = one.epochs[0].seconds - one.epochs[0].train_seconds
    assert afterwards.evaluation_seconds(one, 1000, 5000) == pytest.approx(1 + 5 * validation)
    assert afterwards.evaluation_seconds(one, 1000, 0) == 0
    told = afterwards.evaluation_seconds(one, 1000, 5000, alone=0.5, both_ways=True)
    assert told == pytest.approx(2 * (1 + 0.5 * 5 * validation))
    slow = replace(one, trials=[replace(t, outcome=replace(t.outcome, build_seconds=7.0)) for t in one.trials])
    assert afterwards.evaluation_seconds(slow, 1000, 5000) == pytest.approx(7 + 5 * validation)
    of_users = replace(one, settings={**one.settings, "family": "python:module:build"})
    assert afterwards.evaluation_seconds(of_users, 1000, 5000) == pytest.approx(1 + 2 * 5 * validation)


def test_an_epoch_that_compiles_does_not_lengthen_the_evaluation():
    one = configuration("a")
    first = replace(one.epochs[0], seconds=one.epochs[0].seconds + 60)
    slower = replace(one, epochs=(first, *one.epochs[1:]))
    assert afterwards.evaluation_seconds(slower, 1000, 5000) == afterwards.evaluation_seconds(one, 1000, 5000)


def test_a_row_is_answered_in_no_more_than_half_the_time_that_it_is_trained_in():
    """A first epoch compiles its validation: of few rows that had kept most of a short night unused."""
    (one,) = configurations([completed("a", [], outcome=outcome([], epochs=(epoch(1, seconds=20.0),)))])
    one = replace(one, epochs=(replace(one.epochs[0], train_seconds=10.0),))
    assert afterwards.evaluation_seconds(one, 100, 1000, 5000) == pytest.approx(1 + 1000 * 0.5 * 10 / 5000)
    assert afterwards.evaluation_seconds(one, 100, 1000, 50) == pytest.approx(1 + 10 * 10)


def test_a_fold_is_validated_after_each_of_its_epochs():
    """All of them together had been taken for one pass, and kept a large part of a night unused."""
    fold = replace(epoch(1, seconds=20.0, fold_epochs=10.0), train_seconds=10.0)
    (one,) = configurations([completed("a", [], outcome=outcome([], epochs=(fold, replace(fold, number=2))))])
    assert afterwards.evaluation_seconds(one, 1000, 5000) == pytest.approx(1 + 5 * 1.0)


def test_a_machine_that_waits_for_others_is_slow():
    assert afterwards.slowness(6.0, 5.9) == pytest.approx(1.017, abs=0.001)
    assert afterwards.slowness(15.0, 5.0) == 3.0
    assert afterwards.slowness(500.0, 5.0) == 4.0
    assert afterwards.slowness(4.0, 6.0) == 1.0, "many threads at work"
    assert afterwards.slowness(0.0, 0.0) == 1.0


class Delayed(SimulatedClock):
    """The process has a third of the time for itself."""

    def processor(self):
        return super().processor() / 3


@pytest.mark.parametrize(("others", "busy"), [(0.0, 1.0), (6.0, 2.0)])
def test_a_slow_start_counts_until_epochs_are_measured(monkeypatch, others, busy):
    monkeypatch.setattr(environment, "others", lambda _: others)
    monkeypatch.setattr(environment, "bound_cores", lambda: 4)
    clock = Delayed()
    budget = Budget.given(3600.0, clock=clock)
    clock.pass_time(10.0)
    rows = [0] * 100
    horizon = Horizon(budget, space("random"), SimpleNamespace(train=rows, validation=rows, test=None))
    kept = {}
    for epochs in (0, 2, 20):
        horizon.measure([configuration("a", epochs=epochs)] if epochs else [], estimates.UNKNOWN_PACE)
        kept[epochs] = budget.reserve
    slow, quick = (afterwards.seconds_after(3600.0, slowness) for slowness in (3.0, busy))
    assert kept == pytest.approx({0: slow, 2: slow, 20: quick})
    # What trains more slowly than the search did counts at any time.
    horizon.measure([configuration("a", epochs=20)], Pace(3.5, 4))
    assert budget.reserve == pytest.approx(afterwards.seconds_after(3600.0, 3.5))


def test_time_is_kept_to_measure_the_winner_also_when_it_no_longer_leads(monkeypatch):
    """A search that went on had kept what its last leaders take, of which none was to be measured any more."""
    monkeypatch.setattr(environment, "others", lambda _: 0.0)
    budget, rows = Budget.given(36000.0, clock=SimulatedClock()), [0] * 100
    horizon = Horizon(budget, space("random"), SimpleNamespace(train=rows, validation=rows, test=rows))
    (large,) = configurations([completed("a", [0.5] * 10, outcome=outcome([], epochs=(epoch(1, seconds=900.0),)))])
    small, kept = [configuration(name) for name in "bcd"], {}
    for winner in (large, None):
        horizon.settle(winner)
        for ranked in ([large, *small], small):
            horizon.measure(ranked, Pace(1.0, 10))
            kept[winner is large, len(ranked)] = budget.reserve
    assert kept[True, 3] == pytest.approx(kept[True, 4]) == kept[False, 4]
    assert kept[False, 3] < kept[True, 3] - 30


def test_what_this_process_measures_takes_what_it_takes_with_its_own_threads():
    rows = [0] * 100
    horizon = Horizon(Budget(), space("random"), SimpleNamespace(train=rows, validation=rows, test=rows))
    (one,) = configurations([completed("a", [], outcome=outcome([], epochs=(epoch(1, seconds=900.0),)))])
    horizon.alone = 0.25
    wide = horizon.measuring_seconds([one])
    horizon.measuring = 0.25
    assert horizon.measuring_seconds([one]) == pytest.approx(1 + 0.25 * (wide - 1))


def test_a_crowded_machine_is_slow_too():
    assert environment.crowded(0.0, 2) == 1.0
    assert environment.crowded(5.0, 2) == 3.5
    assert environment.crowded(50.0, 2) == 4.0
    # Where cores are free nobody waits.
    assert environment.crowded(8.0, 16) == 1.0


def test_a_promise_that_cannot_be_kept_is_known_at_once():
    assert afterwards.doubt(100.0, 14.0, 1.0) is None
    assert "they will leave out what there is no time for" in afterwards.doubt(20.0, 14.0, 1.0)
    assert "cannot be kept" in afterwards.doubt(3.0, 14.0, 1.0)
    assert "cannot be kept" in afterwards.doubt(15.0, 60.0, 4.0)


def test_a_final_training_with_a_schedule_has_all_its_epochs_or_as_many_as_fit():
    whole = configuration("a", schedule="one-cycle")
    known = Pace(2.0, epochs=10)
    assert estimates.annealed_epochs(whole, None, known) == 27
    # Half a second of building and a second for each epoch, at 2.1 times the pace of the search.
    assert estimates.annealed_epochs(whole, 2.1 * 27.5 + 0.01, known) == 27
    assert estimates.annealed_epochs(whole, 2.1 * 20.5 + 0.01, known) == 20
    assert estimates.annealed_epochs(whole, 2.1 * 9.5 + 0.01, known) == 9
    assert estimates.annealed_epochs(whole, 2.1 * 9.5 - 0.01, known) is None


def test_a_training_that_has_the_machine_to_itself_is_expected_to_be_as_much_faster():
    whole, plain = configuration("a", schedule="one-cycle"), configuration("b")
    plan = FinalPlan(1, 0, True)
    together, alone = Pace(1.0, epochs=10), Pace(1.0, epochs=10, alone=0.6)
    for one in (whole, plain):
        beside = planning.winner_seconds(plan, [one], together)
        assert planning.winner_seconds(plan, [one], alone) == pytest.approx(0.6 * beside)
    assert estimates.annealed_epochs(whole, 0.63 * 20.5 + 0.01, alone) == 20
    # Seeds are trained beside each other.
    seeds = FinalPlan(1, 2, False)
    assert planning.final_seconds(seeds, [plain], 2, pace=alone) == planning.final_seconds(
        seeds, [plain], 2, pace=together
    )


def test_the_one_training_whose_rate_goes_to_its_end_gets_most_of_a_short_night():
    whole, plain = configuration("a", schedule="one-cycle"), configuration("b")
    alone = FinalPlan(1, 0, True)
    assert planning.kept_for_final(alone, [whole], 1, 20.0) == pytest.approx(0.7 * 20)
    assert planning.kept_for_final(alone, [plain], 1, 20.0) == pytest.approx(0.5 * 20)
    assert planning.kept_for_final(FULL, [whole], 1, 20.0) == pytest.approx(0.5 * 20)
    # In a long one it has what it needs.
    expected = 1.05 * 1.15 * estimates.training_seconds(whole)
    assert planning.kept_for_final(alone, [whole], 1, 900.0) == pytest.approx(expected)


def test_what_is_left_out_for_want_of_time_is_named_by_what_still_follows():
    whole, plain = configuration("a", schedule="one-cycle"), configuration("b")
    alone = FinalPlan(1, 0, True)
    assert planning.choose(alone, [whole], 1, 15.0) == FinalPlan(1, 0, True)
    assert planning.choose(alone, [whole], 1, 2.0) == FinalPlan(1, 0, False)
    assert planning.choose(alone, [plain], 1, 15.0) == FinalPlan(1, 0, False)


def test_the_best_of_the_search_itself_is_a_candidate_whatever_leads():
    first, second, third = (configuration(name, schedule="one-cycle") for name in "abc")
    baselines = [replace(configuration(name), baseline=True) for name in "xy"]
    plan = FinalPlan(1, 1, True)
    assert plan.retrained([*baselines, first, second]) == [baselines[0], first]
    assert plan.retrained([first, *baselines, second]) == [first]
    assert FinalPlan(2, 1, True, baselines=True).retrained([baselines[0], first, second, baselines[1], third]) == [
        baselines[0], first, baselines[1],
    ]  # fmt: skip
    assert plan.retrained(baselines) == baselines[:1]
    assert (planning.leading(baselines), planning.leading([*baselines, third])) == (None, third)
    shorter, as_long, constant = (evidence(**one) for one in (
        {"schedule": "cosine", "epochs": 12}, {"schedule": "cosine"}, {"epochs": 12},
    ))  # fmt: skip
    assert planning.leading([shorter, third]) is third
    assert planning.leading([shorter]) is shorter
    assert [planning.leading([one, third]) for one in (as_long, constant)] == [as_long, constant]
    assert FinalPlan(1, 1, True).retrained([shorter, first, second]) == [shorter, first]
    # Time is kept for it too.
    alone = FinalPlan(1, 0, True)
    assert planning.winner_seconds(alone, [baselines[0], first]) == planning.winner_seconds(alone, [baselines[0]])
    long = configuration("l", epochs=20, schedule="one-cycle")
    slow = replace(long, epochs=tuple(replace(epoch, seconds=9.0) for epoch in long.epochs))
    assert planning.winner_seconds(alone, [baselines[0], slow]) > planning.winner_seconds(alone, [baselines[0]])


def test_files_of_a_model_that_takes_long_to_build_take_longer():
    small = afterwards.seconds_after(300.0, 1.0)
    one = configuration("a")
    slow = replace(one, trials=tuple(replace(t, outcome=replace(t.outcome, build_seconds=2.75)) for t in one.trials))
    assert (afterwards.model_seconds(one), afterwards.model_seconds(slow)) == (0.0, 16.0)
    assert afterwards.seconds_after(300.0, 1.0, model=16.0) == pytest.approx(small + 16)
    # One that answers both ways round holds the network twice; for that a short night keeps a twentieth of its time.
    assert afterwards.seconds_after(300.0, 1.0, model=16.0, both_ways=True) == pytest.approx(small + 16 + 15)
    assert afterwards.seconds_after(300.0, 1.0, model=10.0, both_ways=True) == pytest.approx(small + 20)
    deep = replace(one, price=Price(frozen=3, epoch=25.0, once=0.0, features=40.0, build=1.25))
    assert afterwards.model_seconds(deep) == pytest.approx(30.0)
