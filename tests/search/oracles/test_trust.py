"""When short trainings are believed."""

from dataclasses import replace

import numpy as np

from search.oracles import oracle
from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.trust import inconspicuous, least_favoured, stable_length, telling_length

LONGEST = 16


def curve(scores, stopped=False):
    numbered = dict(enumerate(scores, start=1))
    stage = Stage.ENDED if stopped or len(scores) == LONGEST else Stage.PAUSED
    return Curve(np.zeros(1), stage=stage, epochs=len(scores), scores=numbered, stopped=stopped)


def rising(first, last):
    return curve(np.linspace(first, last, LONGEST).tolist())


def test_short_trainings_are_believed_until_something_speaks_against_them():
    assert telling_length([], 1, LONGEST) == 1
    assert telling_length([rising(0.3, 0.6)], 1, LONGEST) == 1
    assert telling_length([rising(0.3, 0.6), rising(0.2, 0.5)], 1, LONGEST) == 1


def test_what_finished_the_other_way_round_speaks_against_them():
    # A somewhat longer training, after which they would have been in order, is not believed either.
    assert telling_length([rising(0.3, 0.4), rising(0.25, 0.9)], 1, LONGEST) == LONGEST
    late = [0.1] * 9 + [0.9] * 7
    assert telling_length([rising(0.3, 0.5), curve(late)], 1, LONGEST) == LONGEST


def test_favourites_that_ended_almost_alike_do_not():
    favourites = [rising(0.30, 0.6001), rising(0.29, 0.6002), rising(0.28, 0.6003)]
    assert telling_length(favourites, 1, LONGEST) == 1
    apart = [rising(0.30, 0.61), rising(0.29, 0.62), rising(0.28, 0.63)]
    assert telling_length(apart, 1, LONGEST) > 1
    assert telling_length([*apart, rising(0.2, 0.4)], 1, LONGEST) == 1


def test_half_the_way_shows_it_while_few_are_finished():
    half = curve(np.linspace(0.0, 0.7, LONGEST // 2).tolist())
    assert telling_length([rising(0.3, 0.5), half], 1, LONGEST) == LONGEST
    convincing = [rising(0.3, 0.8), rising(0.28, 0.6), rising(0.25, 0.4)]
    assert telling_length([*convincing, half], 1, LONGEST) == 1


def test_many_of_an_earlier_night_leave_a_place_for_what_this_one_finishes():
    elsewhere = [replace(rising(0.3 + i / 1e6, 0.6 + i / 1e6), stage=Stage.KNOWN) for i in range(120)]
    assert telling_length(elsewhere, 1, LONGEST) == 1
    crossing = [rising(0.29, 0.4), rising(0.25, 0.9)]
    assert telling_length([*crossing, *elsewhere], 1, LONGEST) == LONGEST


def test_the_one_that_early_results_favoured_least_is_asked_whether_they_read_backwards():
    def paused(*scores):
        return [Curve(np.zeros(1), Stage.PAUSED, f"{i}", 1, {1: score}) for i, score in enumerate(scores)]

    first = paused(0.5, 0.44, 0.40, 0.46, 0.38, 0.42)
    assert least_favoured(first, 1, LONGEST) is first[4]
    # What has learned nothing at all is no answer.
    collapsed = paused(0.1)
    assert least_favoured([*first, *collapsed], 1, LONGEST) is first[4]
    asked = Curve(np.zeros(1), Stage.RUNNING, "asked", LONGEST, {1: 0.39})
    assert least_favoured([*first, asked], 1, LONGEST) is None
    assert least_favoured(first[:4], 1, LONGEST) is None
    assert least_favoured(paused(*[0.5] * 6), 1, LONGEST) is None


def test_of_means_over_folds_the_last_one_counts():
    lucky = Curve(np.zeros(1), Stage.PAUSED, epochs=3, scores={1: 0.9, 2: 0.7, 3: 0.6})
    assert (lucky.best_by(2), lucky.latest) == (0.9, 0.9)
    lucky.last_counts = True
    assert [lucky.best_by(folds) for folds in (0, 1, 2, 3, 5)] == [None, 0.9, 0.7, 0.6, 0.6]
    assert lucky.latest == 0.6
    assert lucky.until(2).latest == 0.7
    assert Curve(np.zeros(1), last_counts=True).latest == -np.inf


def test_a_length_that_saves_little_is_not_worth_its_doubt():
    assert telling_length([rising(0.3, 0.5), rising(0.2, 0.8)], 1, LONGEST) == LONGEST


def test_a_training_that_early_stopping_ended_counts_as_finished():
    assert telling_length([curve([0.4, 0.41], stopped=True), rising(0.2, 0.8)], 1, LONGEST) > 2


def test_a_length_after_which_most_score_the_same_tells_nothing():
    flat = [curve([0.1] * 2) for _ in range(6)]
    assert telling_length(flat[:4], 1, LONGEST) == 1
    assert telling_length(flat, 1, LONGEST) == 4
    assert telling_length([*flat, curve([0.1] * 4)], 1, LONGEST) == 4
    assert telling_length([*flat, curve([0.1] * 4), curve([0.1] * 4)], 1, LONGEST) == LONGEST
    apart = [curve([0.1, 0.1, 0.1 + index / 10, 0.2 + index / 10]) for index in range(6)]
    assert telling_length(apart, 1, LONGEST) == 4


def test_many_collapsed_trainings_beside_better_ones_do_not_end_the_trust():
    collapsed, learned = [curve([0.1] * 2) for _ in range(7)], [curve([0.5, 0.6]), curve([0.6, 0.7])]
    assert telling_length([*collapsed, *learned], 1, LONGEST) == 1
    # What most have is the best there is: the others are worse by some accident, and nobody has learned anything.
    worse = [curve([0.05, 0.05]), curve([0.02, 0.02])]
    assert telling_length([*collapsed, *worse], 1, LONGEST) == 4


def in_order_from(epoch, count):
    """Curves that are the wrong way round before an epoch, and in the order of their final scores from it on."""
    return [
        curve([0.1 - rank / 1000 if e < epoch else 0.2 + rank / 100 for e in range(1, LONGEST + 1)])
        for rank in range(count)
    ]


def test_a_length_that_ranks_the_better_half_as_in_the_end_is_long_enough():
    assert stable_length([], 1, LONGEST) == LONGEST
    assert stable_length(in_order_from(3, 20), 1, LONGEST) == 3
    assert stable_length(in_order_from(1, 20), 1, LONGEST) == 1
    # Too few are finished.
    assert stable_length(in_order_from(1, 10), 1, LONGEST) == LONGEST
    # What is poor in the end does not count, whenever it was seen.
    poor = [curve([0.15 - rank / 1000] * (LONGEST - 1) + [0.16 + rank / 1000]) for rank in range(20)]
    assert stable_length([*poor, *in_order_from(3, 20)], 1, LONGEST) == 3


def test_pairs_that_still_change_places_near_the_end_are_ranked_alike():
    def near(wobbling):
        before, after = [0.5 + rank / 1e4 for rank in range(6)], [0.9 - rank / 1e4 for rank in range(6)]
        late = before if wobbling else [0.8 - rank / 1e4 for rank in range(6)]
        noisy = [curve([early] * 8 + [then] + [end] * 7) for early, then, end in zip(before, late, after, strict=True)]
        return [*noisy, *in_order_from(1, 12)]

    assert stable_length(near(wobbling=True), 1, LONGEST) == 1
    assert stable_length(near(wobbling=False), 1, LONGEST) == 9


def test_inconspicuous_are_the_paused_ones_in_the_middle():
    curves = [curve([score, 1.0]) for score in (0.5, 0.1, 0.4, 0.3, 0.2)]
    curves[2].stage = Stage.FAILED
    assert inconspicuous(curves, 1) == [curves[3], curves[4]]
    assert inconspicuous(curves[:0], 1) == []


def test_a_search_in_which_curves_cross_goes_over_to_full_trainings():
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for index in range(3):
        space.Float(f"x{index}", 0.0, 1.0)
    searched = oracle("freeze-thaw", hyperparameters=space, objective="val_accuracy", max_epochs=LONGEST, seed=1)
    spent, starts, whole, best = 0, [], 0, 0.0
    while spent < 16 * LONGEST:
        trial = searched.create_trial("worker")
        values = trial.hyperparameters.values
        distance = sum((values[f"x{index}"] - 0.4) ** 2 for index in range(3))
        start, end = values["tuner/initial_epoch"], values["tuner/epochs"]
        for epoch in range(start + 1, end + 1):
            score = 0.2 + distance / 3 if epoch < LONGEST - 2 else 2 - distance
            searched.update_trial(trial.trial_id, {"val_accuracy": score}, step=epoch)
        trial.status = "COMPLETED"
        searched.end_trial(trial)
        spent += end - start
        best = max(best, 2 - distance) if end == LONGEST else best
        if spent > 9 * LONGEST:
            whole += end == LONGEST
            starts += [end] if not start else []
    # Short ones tell that they rank the wrong way round: with them begins what is trained to the end then.
    assert starts
    assert set(starts) <= {1, LONGEST}
    assert whole >= 5
    assert best > 1.99
