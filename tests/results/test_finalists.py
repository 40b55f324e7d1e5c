"""Which retrained configurations can be told from the winner."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from results.ranked.finalists import SMALLEST, TIED, WINNER, finalists, winning_configuration
from search.record.trial import Outcome, Stop, Trial, TrialKind, TrialState


def trial(trial_id: str, configuration: str, kind: TrialKind, score: float | None, parameters: int = 100) -> Trial:
    outcome = Outcome(score=score, best_epoch=1, stopped=Stop.LENGTH, parameters=parameters)
    return Trial(trial_id, configuration, kind, "", {}, {}, 0, 0, 1, None, TrialState.COMPLETED, outcome, 0.0, 1.0)


def field(*scores: Sequence[float], search: float = 0.95, parameters: Sequence[int] = (300, 200, 100)) -> list[Trial]:
    made = [trial(f"{i:04d}", f"{i:04d}", TrialKind.SEARCH, search, parameters[i]) for i in range(len(scores))]
    for i, group in enumerate(scores):
        made += [trial(f"c{i}-{k}", f"{i:04d}", TrialKind.CANDIDATE, s) for k, s in enumerate(group)]
    return made


def test_close_means_are_tied_and_far_ones_are_not() -> None:
    found = finalists(field([0.95, 0.952], [0.949, 0.951], [0.90, 0.902]), "max", winner="0000")
    assert [f.configuration for f in found] == ["0000", "0001", "0002"]
    assert [f.verdict for f in found] == [WINNER, SMALLEST, None]
    assert [f.tied for f in found] == [None, True, False]


def test_a_training_that_time_cut_short_counts_in_no_mean_and_no_test() -> None:
    trials = field([0.95, 0.952], [0.949, 0.951, 0.20])
    assert trials[-1].outcome is not None
    trials[-1] = replace(trials[-1], outcome=replace(trials[-1].outcome, stopped=Stop.DEADLINE))
    found = finalists(trials, "max", winner="0000")
    assert [f.scores for f in found] == [(0.95, 0.952), (0.949, 0.951)]
    assert [f.tied for f in found] == [None, True]


def test_a_smaller_winner_leaves_nobody_marked_smallest() -> None:
    found = finalists(field([0.95, 0.952], [0.949, 0.951], parameters=(50, 60)), "max", winner="0000")
    assert [f.verdict for f in found] == [WINNER, TIED]


def test_minimised_objectives_turn_around() -> None:
    found = finalists(field([0.30, 0.31], [0.10, 0.11], [0.105, 0.115]), "min", winner="0001")
    assert [f.configuration for f in found] == ["0001", "0002", "0000"]
    assert [f.tied for f in found] == [None, True, False]
    assert found[0].optimism("min") == pytest.approx(0.105 - 0.95)


def test_one_seed_each_cannot_say() -> None:
    found = finalists(field([0.95], [0.5]), "max", winner="0000")
    assert [f.tied for f in found] == [None, None]
    assert found[0].spread is None
    assert found[0].interval is None


def test_nothing_is_called_winner_before_the_run_says_so() -> None:
    trials = field([0.95, 0.951], [0.9, 0.901])
    assert [f.verdict for f in finalists(trials, "max")] == [None, None]
    close = field([0.95, 0.952], [0.949, 0.951])
    assert [(f.tied, f.verdict) for f in finalists(close, "max")] == [(None, None), (True, None)]
    # The recorded winner stands first even where another mean is better: a deadline may have chosen earlier.
    found = finalists(trials, "max", winner="0001")
    assert [(f.configuration, f.verdict) for f in found] == [("0001", WINNER), ("0000", TIED)]


def test_failed_candidates_do_not_count() -> None:
    trials = field([0.95, 0.951], [0.9, 0.901])
    trials.append(trial("c0-9", "0000", TrialKind.CANDIDATE, None))
    trials.append(trial("c1-9", "0001", TrialKind.CANDIDATE, float("nan")))
    assert [f.seeds for f in finalists(trials, "max")] == [2, 2]
    assert finalists([], "max") == []


def test_optimism_is_search_minus_retrained() -> None:
    found = finalists(field([0.90, 0.92], search=0.95), "max")
    assert found[0].optimism("max") == pytest.approx(0.04)


def test_equal_scores_without_noise() -> None:
    found = finalists(field([0.9, 0.9], [0.9, 0.9], [0.8, 0.8]), "max", winner="0001")
    assert [(f.configuration, f.tied) for f in found] == [("0001", None), ("0000", True), ("0002", None)], (
        "a spread of 0 is no measure"
    )


def test_false_alarm_rate_and_power() -> None:
    """With equal true means a false "worse" is rare; with four sigma between them a miss is rare.

    Level 5 % over both comparisons: choosing the best of three first raises the rate, so 10 % bounds 400 draws
    (sigma of the count is 6 at 5 %).
    """
    rng = random.Random(1)

    def draw(means: Sequence[float]) -> list[bool | None]:
        groups = [[rng.gauss(m, 0.01) for _ in range(4)] for m in means]
        return [f.tied for f in finalists(field(*groups), "max")][1:]

    false = sum(False in draw([0.9, 0.9, 0.9]) for _ in range(400))
    missed = sum(True in draw([0.9, 0.85, 0.85]) for _ in range(400))
    assert false < 40 + 3 * 6
    assert missed < 40


def test_winning_configuration() -> None:
    trials = [trial("winner-0003", "0003", TrialKind.WINNER, 0.9)]
    assert winning_configuration(trials, "winner-0003") == "0003"
    assert winning_configuration(trials, None) is None
    assert winning_configuration(trials, "gone") is None
