from __future__ import annotations

from dataclasses import replace

import pytest

import spaces
from search.loop.observer import Observer
from search.loop.runner import Runner
from search.record.prices import Prices
from search.record.standing import Standing
from search.record.trial import Epoch, Failure, FailureReason, Outcome, Stop, TrialKind, TrialState
from search.times import afterwards, estimates, planning
from search.times.estimates import Pace
from tests.search.records import completed

SPEC = spaces.load("photos-pretrained", ["training.epochs={min: 3, max: 9}"])
VALUES = {"dense_layers": 0, "dropout": 0.2, "learning_rate": 0.003}


def trial(name, frozen=3, tuned=0, begin=0, besides=0.0, fine_tune=0.25, **changes):
    """A training with epochs of 0.1 s while frozen and of 10 s after that, built in 2 s."""
    settings = spaces.configure(SPEC, {**VALUES, "fine_tune": fine_tune}).to_json()
    settings["model"].update(changes)
    made = completed(name, [0.5] * (frozen + tuned), settings=settings)
    seconds = [0.1] * frozen + [10.0] * tuned
    epochs = tuple(
        Epoch(begin + number, epoch.metrics, s, 0.8 * s)
        for number, (epoch, s) in enumerate(zip(made.outcome.epochs, seconds, strict=True), 1)
    )
    took = 2.0 + besides + sum(seconds)
    outcome = replace(made.outcome, epochs=epochs, build_seconds=2.0, once_seconds=besides, seconds=took)
    return replace(made, epochs_from=begin, outcome=outcome)


def price(of, *trials):
    prices = Prices()
    for one in trials:
        prices.take(one)
    return prices.of(of.settings)


def test_the_rows_pass_the_network_once_for_the_first_head():
    first = trial("a", besides=60.0, fine_tune=0.0)
    found = price(trial("b"), first, trial("b"))
    assert (found.frozen, found.features, found.build) == (3, pytest.approx(60.0), 2.0)
    assert found.once == found.features


def test_a_first_head_that_will_be_fine_tuned_makes_what_that_needs_on_the_way():
    first = trial("a", besides=60.0)
    assert price(first, first, trial("b")).once == 0.0
    other = trial("c")
    other.settings["model"]["fine_tune"] = 0.5
    assert price(other, first).once == pytest.approx(60.0)


def test_the_dear_epochs_of_one_are_those_of_all_that_train_as_much():
    first = trial("a", besides=60.0, fine_tune=0.0)
    tuned = trial("a2", frozen=0, tuned=6, begin=3, besides=50.0)
    found = price(tuned, first, tuned)
    assert (found.epoch, found.once, found.features) == (10.0, 0.0, pytest.approx(60.0))
    assert price(trial("c", fine_tune=0.0), first, tuned).frozen == 9


def test_copies_that_change_at_random_pass_it_as_often():
    changed = trial("a", besides=240.0, augmentation_flip="horizontal", augmentation_copies=4)
    found = price(changed, changed)
    assert (found.features, found.once) == (pytest.approx(60.0), 0.0)
    # Every epoch of the second phase computes the whole network, and trains a quarter of it.
    assert found.epoch == pytest.approx(60.0 * (0.75 + 3 * 0.25))


def test_what_a_training_did_once_before_it_was_interrupted_still_counts():
    whole = trial("a", besides=60.0, fine_tune=0.0)
    had = replace(whole.outcome, epochs=whole.outcome.epochs[:2], stopped=Stop.INTERRUPTED, frozen=900)
    cut = replace(whole, state=TrialState.RUNNING, outcome=had)
    # It was given up before its model was built again.
    late = Outcome(stopped=Stop.DEADLINE, score=0.5, best_epoch=1)
    joined = Runner(None, None, None, Observer())._joined(cut, late)
    assert (joined.once_seconds, joined.parameters, joined.frozen) == (60.0, 1000, 900)
    assert price(trial("b"), replace(whole, outcome=joined)).features == pytest.approx(60.0)


def test_a_training_that_failed_may_have_made_the_features():
    first, later = trial("a", besides=60.0, fine_tune=0.0), trial("b", besides=0.01, fine_tune=0.0)
    failed = replace(first.outcome, score=None, failure=Failure(FailureReason.NAN, "loss became nan in epoch 4"))
    made = replace(first, state=TrialState.FAILED, outcome=failed)
    assert price(trial("c"), made, later).features == pytest.approx(60.0)
    never = replace(made, outcome=Outcome(failure=failed.failure))
    assert price(trial("c"), never) is None


def in_folds(name, frozen=5, besides=0.0, **changes):
    """A cross-validation in five folds of `trial`."""
    made = trial(name, frozen=frozen, besides=besides, **changes)
    made.settings["training"].update(folds=5, fold_epochs=9, epochs=5)
    return made


def test_in_each_fold_all_rows_pass_the_network():
    first = in_folds("a", besides=300.0)
    found = price(in_folds("b"), first, in_folds("b", frozen=1))
    assert (found.frozen, found.features, found.build) == (5, pytest.approx(60.0), 2.0)
    changed = in_folds("a", besides=1200.0, augmentation_flip="horizontal", augmentation_copies=4)
    assert price(changed, changed).features == pytest.approx(60.0)
    failure = Failure(FailureReason.NAN, "loss became nan in epoch 4")
    failed = in_folds("a", frozen=1, besides=120.0)
    failed = replace(failed, state=TrialState.FAILED, outcome=replace(failed.outcome, score=None, failure=failure))
    assert price(in_folds("b"), failed).features == pytest.approx(60.0), "in its second fold"
    # Its epochs are those of one training.
    winner = replace(in_folds("w", frozen=9, besides=60.0), kind=TrialKind.WINNER)
    assert price(in_folds("b"), winner) is None
    assert price(in_folds("b"), first, winner) == found


def test_after_folds_the_rows_pass_the_network_for_the_final_training_and_the_test_part():
    (one,) = standing(in_folds("a", besides=300.0)).best(3)
    assert estimates.training_seconds(one) == pytest.approx(2.0 + 5 * 0.1)
    assert estimates.final_training_seconds(one) == pytest.approx(60.0 + 2.1 * 5 / 4)
    assert afterwards.evaluation_seconds(one, 100, 200, 900) == pytest.approx(2.0 + 2 * 60.0 * 200 / 1000)
    # What is kept of a night for retraining is what it was: no epoch is dearer than another.
    plan, pace = planning.FinalPlan(1, 3, True), Pace(1.0, epochs=10)
    assert planning.kept_for_final(plan, [one], 1, 100.0, pace=pace) == pytest.approx(50.0)


def test_what_is_validated_on_the_whole_network_says_what_the_test_part_takes():
    """Nothing is frozen, and the images change at random: no features are made."""
    made = trial("a", frozen=0, tuned=6, augmentation_flip="horizontal")
    made.settings["training"]["frozen_epochs"] = 0
    (one,) = standing(made).best(3)
    assert one.price.features == 0
    # A fifth of an epoch is validation.
    assert afterwards.evaluation_seconds(one, 900, 200, 100) == pytest.approx(2.0 + 2.0 / 900 * 200)


def test_what_trains_alike_from_the_first_epoch_on_has_no_price():
    scratch = trial("a", weights="none")
    assert price(scratch, scratch) is None
    assert price(trial("b")) is None


def standing(*trials):
    found = Standing("max", 3, {one.id: one for one in trials}.get)
    for one in trials:
        found.take(one)
    return found


def test_a_training_to_the_end_costs_what_fine_tuning_costs_also_of_one_that_saw_none():
    head, other = trial("h", besides=60.0, fine_tune=0.0), trial("a")
    one = next(c for c in standing(head, other).best(3) if c.id == "a")
    assert estimates.training_seconds(one, 3) == pytest.approx(2.0 + 0.3)
    assert estimates.training_seconds(one) == pytest.approx(2.0 + 0.3 + 60.0 + 6 * 0.75 * 60.0)
    known = standing(trial("a", besides=60.0), replace(trial("b", tuned=6), id="b", configuration="b"))
    for configuration in known.best(3):
        assert estimates.training_seconds(configuration) == pytest.approx(2.0 + 0.3 + 60.0)


def test_the_test_part_passes_the_whole_network():
    (one,) = standing(trial("a", besides=60.0)).best(3)
    assert afterwards.evaluation_seconds(one, 100, 200, 900) == pytest.approx(2.0 + 2 * 60.0 * 200 / 1000)


def test_a_final_training_has_at_least_half_of_its_fine_tuning():
    (one,) = standing(trial("a", tuned=6)).best(3)
    pace = Pace(1.0, epochs=10)
    assert estimates.annealed_epochs(one, 1.05 * (2.3 + 60) + 0.01, pace) == 9
    assert estimates.annealed_epochs(one, 1.05 * (2.3 + 30) + 0.01, pace) == 6
    assert estimates.annealed_epochs(one, 1.05 * (2.3 + 30) - 0.01, pace) is None
    # Without any, the frozen epochs are a training of their own.
    assert estimates.annealed_epochs(one, 5.0, pace, 3) == 3
