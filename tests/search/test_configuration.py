from __future__ import annotations

import dataclasses
import itertools

import pytest

from search.record.configuration import configurations, meant, ranked
from search.record.trial import Checkpoint, FailureReason, Stop, TrialKind, TrialState
from tests.search.records import completed, failed, outcome, trial


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("07", "07"), ("7", "07"), ("0007", "07"), ("0", "00"), ("000", "00"), ("old-07", "old-07"), ("17", "17"),
        ("article", "article"), ("8", None), ("", None), ("7.0", None), ("-7", None), ("\u0667", None),
        ("9" * 5000, None),
    ],
)  # fmt: skip
def test_an_id_is_known_by_its_number(name, found):
    assert meant(name, iter(("00", "07", "17", "old-07", "article"))) == found


def test_promotions_fold_into_one_configuration():
    first = completed("3", [0.2, 0.3, 0.4], parameters=77)
    second = completed("5", [0.5, 0.6], first=4, configuration="3", parent="3", epochs_from=3, epochs_to=5)
    (found,) = configurations([first, second])
    assert (found.id, found.name, found.baseline) == ("3", "3", False)
    assert [t.id for t in found.trials] == ["3", "5"]
    assert [e.number for e in found.epochs] == [1, 2, 3, 4, 5]
    assert (found.score, found.best_epoch, found.seconds) == (0.6, 5, 5.0)
    assert (found.state, found.stopped, found.parameters) == (TrialState.COMPLETED, Stop.LENGTH, 77)


def test_the_last_scored_trial_speaks_for_the_whole_curve():
    """A promotion without a better epoch reports the earlier epoch's score, and its checkpoint."""
    best = Checkpoint("trials/3/best.npz", 1, "00", 2)
    first = completed("3", [0.2, 0.9])
    later = outcome([0.5], 3, score=0.9, best_epoch=2, best=best)
    second = trial("4", configuration="3", parent="3", epochs_from=2, state=TrialState.COMPLETED, outcome=later)
    (found,) = configurations([first, second])
    assert (found.score, found.best_epoch, found.best) == (0.9, 2, best)


def test_an_unfinished_promotion_is_running_with_the_score_so_far():
    (found,) = configurations([completed("0", [0.2]), trial("1", configuration="0", parent="0", epochs_from=1)])
    assert (found.state, found.score, len(found.epochs)) == (TrialState.RUNNING, 0.2, 1)


def test_a_promotion_that_failed_makes_a_failed_configuration_that_keeps_its_score():
    second = trial("1", configuration="0", parent="0", state=TrialState.FAILED, outcome=failed(FailureReason.CRASHED))
    (found,) = configurations([completed("0", [0.2]), second])
    assert (found.state, found.failure.reason, found.score) == (TrialState.FAILED, FailureReason.CRASHED, 0.2)


def test_final_trainings_are_no_configurations_and_baselines_have_names():
    trials = [
        completed("baseline-a", [0.1], kind=TrialKind.BASELINE, name="a"),
        completed("0", [0.2]),
        completed("candidate-0-1", [0.9], kind=TrialKind.CANDIDATE, configuration="0"),
        completed("winner-0", [0.9], kind=TrialKind.WINNER, configuration="0"),
    ]
    found = configurations(trials)
    assert [(c.id, c.name, c.baseline) for c in found] == [("baseline-a", "a", True), ("0", "0", False)]


def test_configurations_come_in_the_order_of_their_first_trials():
    trials = [completed("2", [0.1]), completed("0", [0.2]), completed("5", [0.3], first=2, configuration="2")]
    assert [c.id for c in configurations(trials)] == ["2", "0"]


def folded(*trials):
    return configurations(trials)


@pytest.mark.parametrize(("direction", "order"), [("max", ["b", "a", "c"]), ("min", ["a", "b", "c"])])
def test_ranking_follows_the_direction_and_puts_those_without_a_score_last(direction, order):
    none = trial("c", state=TrialState.FAILED, outcome=failed())
    found = folded(none, completed("a", [0.2]), completed("b", [0.4]))
    assert [c.id for c in ranked(found, direction)] == order


def test_equal_scores_go_by_fewer_parameters_then_by_age():
    trials = [
        completed("old", [0.5], parameters=20),
        completed("young", [0.5], parameters=20),
        completed("small", [0.5], parameters=10),
        completed("unknown", [0.5], parameters=None),
    ]
    for order in itertools.permutations(trials):
        names = [c.id for c in ranked(folded(*order), "max")]
        assert names[0] == "small"
        assert names[-1] == "unknown"
        assert names[1:3] == [t.id for t in order if t.id in ("old", "young")]


def test_a_score_of_zero_is_a_score():
    found = folded(trial("none", state=TrialState.FAILED, outcome=failed()), completed("zero", [0.0]))
    assert [c.id for c in ranked(found, "max")] == ["zero", "none"]
    assert [c.id for c in ranked(found, "min")] == ["zero", "none"]


def test_what_the_oracle_proposed_too_late_to_train_is_no_configuration():
    late = [trial("1", state=TrialState.COMPLETED, outcome=outcome([], stopped=Stop.DEADLINE))]
    later = trial("2", configuration="0", parent="0", epochs_from=1, state=TrialState.COMPLETED)
    later = dataclasses.replace(later, outcome=outcome([], stopped=Stop.DEADLINE))
    found = configurations([completed("0", [0.2]), *late, later, trial("3")])
    assert [c.id for c in found] == ["0", "3"]
    assert (found[0].score, found[1].state) == (0.2, TrialState.RUNNING)
    failure = trial("4", state=TrialState.FAILED, outcome=failed(FailureReason.NAN))
    baseline = dataclasses.replace(late[0], kind=TrialKind.BASELINE, name="linear")
    assert len(configurations([failure, baseline])) == 2
