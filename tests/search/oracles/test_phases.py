"""Freeze-thaw where the first epochs of a training cost a hundredth of the later ones, as with a frozen network."""

import math

import keras_tuner
import numpy as np
import pytest

from search.oracles import SECONDS_METRIC, oracle
from search.oracles._space import Space
from search.oracles.surrogate.cost import EpochSeconds, cost_of, dear_epochs, has_phases, spent_seconds
from search.oracles.surrogate.curves import Curve, Stage
from spaces.values.dimensions import Range
from spaces.values.space import Hyperparameter

FROZEN, LONGEST = 3, 9


def seconds(values, epoch):
    return 10.0 if values["fine_tune"] and epoch > FROZEN else 0.1


def score(values, epoch):
    head = 0.9 - 0.1 * abs(math.log10(values["rate"]) + 2.5) + 0.002 * min(epoch, FROZEN)
    return head + (0.01 * (epoch - FROZEN) if values["fine_tune"] and epoch > FROZEN else 0.0)


def search(trials, tried_first=0, becomes_dearer=True, seconds=seconds, fails=()):
    """Values, from and to which epoch, and seconds of the trials of a search, of which those of some numbers fail."""
    space = keras_tuner.HyperParameters()
    space.Choice("fine_tune", [0.0, 0.25])
    space.Float("rate", 1e-4, 1e-1, sampling="log")
    space.Int("units", 8, 64)
    searched = oracle(
        "freeze-thaw", hyperparameters=space, objective="val_accuracy", min_epochs=FROZEN, max_epochs=LONGEST, seed=1
    )
    searched.tried_first = tried_first
    searched.becomes_dearer = becomes_dearer
    done = []
    for number in range(trials):
        trial = searched.create_trial("worker")
        values = trial.hyperparameters.values
        start, end = values["tuner/initial_epoch"], values["tuner/epochs"]
        for epoch in range(start + 1, end + 1) if number not in fails else ():
            metrics = {"val_accuracy": score(values, epoch), SECONDS_METRIC: seconds(values, epoch)}
            searched.update_trial(trial.trial_id, metrics, step=epoch)
        trial.status = "FAILED" if number in fails else "COMPLETED"
        searched.end_trial(trial)
        spent = sum(seconds(values, epoch) for epoch in range(start + 1, end + 1))
        done.append((values, start, end, spent, trial.message or ""))
    return done


def test_cheap_first_phases_are_tried_by_the_hundred_and_the_best_are_finished():
    done = search(120)
    heads = [one for one in done if one[1] == 0 and one[2] == FROZEN]
    finished = [one for one in done if one[2] == LONGEST and one[0]["fine_tune"]]
    assert len(heads) >= 90
    assert 1 <= len(finished) <= 12
    assert max(score(values, end) for values, _, end, *_ in finished) > 0.94


def test_finishing_keeps_to_nine_tenths_of_the_time_after_the_first():
    done = search(60)
    spent = finishing = 0.0
    first = True
    for _, _, _, seconds_, message in done:
        spent += seconds_
        if message.startswith("finishing"):
            finishing += seconds_
            if seconds_ > 10 and not first:
                assert finishing <= 0.91 * spent
            first = first and seconds_ <= 10


def test_one_of_the_most_promising_is_trained_to_the_end_for_every_ten_new_ones():
    done = search(120)
    begun, waits = 0, []
    for _, start, end, *_ in done:
        if start and end == LONGEST:
            waits.append(begun)
            begun = 0
        begun += not start
    dear = [one for one in done if one[1] and one[2] == LONGEST and one[0]["fine_tune"]]
    assert len(dear) >= 5
    assert max(waits[2:]) <= 11


def test_so_many_as_asked_for_are_tried_before_one_is_trained_on():
    done = search(40, tried_first=30)
    assert all(start == 0 and end == FROZEN for _, start, end, *_ in done[:30])
    assert any(start for _, start, *_ in done[30:])


def test_one_that_has_failed_ends_no_search_whose_epochs_become_dearer():
    done = search(16, fails=(3,))
    assert len(done) == 16
    assert any(spent >= 10 for *_, spent, _ in done[:-1])


def test_the_price_of_an_epoch_is_learned_from_where_it_begins():
    rng = np.random.default_rng(0)
    features, groups = rng.random((40, 2)), np.arange(2)
    starts = np.where(np.arange(40) % 2, 5.0, 0.0)
    cost = EpochSeconds(features, np.where(starts > 0, 10.0, 0.1), groups, starts)
    new = rng.random((50, 2))
    assert np.abs(cost.log_seconds(new) - math.log(0.1)).max() < 0.5
    assert np.abs(cost.log_seconds(new, 5.0) - math.log(10.0)).max() < 0.5


def test_many_of_an_earlier_night_leave_a_place_for_what_epochs_take_in_this_one():
    space = Space([Hyperparameter("x", Range(0.0, 1.0, False))])
    elsewhere = [Curve(np.array([x]), Stage.KNOWN, epochs=1, seconds=1.0) for x in np.linspace(0, 0.5, 250)]
    own = [Curve(np.array([x]), epochs=1, seconds=9.0, timed=[(0, 9.0)]) for x in np.linspace(0.9, 1, 8)]
    cheap, dear = cost_of([*own, *elsewhere], space, phases=False).log_seconds(np.array([[0.2], [0.95]]))
    assert dear > cheap + 1


def test_what_was_spent_is_reckoned_trial_by_trial():
    plain = Curve(np.zeros(1), epochs=9, timed=[(0, 1.0), (3, 1.5)])
    phased = Curve(np.zeros(1), epochs=7, timed=[(0, 0.1), (5, 10.0)])
    assert spent_seconds(plain) == 3 * 1.0 + 6 * 1.5
    assert spent_seconds(phased, since=5) == 20.0
    assert dear_epochs([plain, phased]) == int((3 + 9 + 0.5 + 20) / 10)


def test_what_nobody_has_timed_was_spent_on_nothing():
    phased = Curve(np.zeros(1), epochs=7, timed=[(0, 0.1), (5, 10.0)])
    failed, running = Curve(np.zeros(1), Stage.FAILED), Curve(np.zeros(1), Stage.RUNNING, epochs=3)
    assert dear_epochs([failed, phased, running]) == dear_epochs([phased])


def test_one_configuration_shows_phases_only_where_they_may_be():
    plain = Curve(np.zeros(1), epochs=9, timed=[(0, 1.0), (3, 1.5)])
    phased = Curve(np.zeros(1), epochs=7, timed=[(0, 0.1), (5, 10.0)])
    assert not has_phases([plain], expected=True)
    assert has_phases([plain, phased], expected=True)
    assert not has_phases([plain, phased, phased])
    assert has_phases([plain, phased, phased, phased])
    assert not has_phases([phased] * 9, expected=False)


@pytest.mark.parametrize("becomes_dearer", [False, None])
def test_after_a_single_compilation_first_trainings_still_grow(becomes_dearer):
    compiled = {}

    def seconds(values, epoch):
        # Of the first configuration that is trained on.
        return 2.2 if epoch > FROZEN and compiled.setdefault("rate", values["rate"]) == values["rate"] else 0.04

    done = search(45, becomes_dearer=becomes_dearer, seconds=seconds)
    assert compiled
    assert max(end for _, start, end, *_ in done if not start) > FROZEN
