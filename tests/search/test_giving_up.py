"""Failures that say that the cause is not in the configurations."""

from __future__ import annotations

import contextlib

import pytest

import spaces
from search.errors import NotReported, SearchFailed
from search.loop.giving_up import Failures, how_failed
from search.record.trial import Failure, FailureReason, Outcome, TrialKind, TrialState
from spaces import Objective
from tests.search.records import epoch
from tests.search.simulation import Night, SimulatedExecutor, World, space


def reason_to_stop(failed, scored):
    found = Failures()
    if scored:
        found.add(Outcome(score=0.5))
    for failure in failed:
        found.add(Outcome(failure=failure))
    return found.reason_to_stop


def failures(count, reason=FailureReason.ERROR, text="step {}"):
    return [Failure(reason, text.format(number)) for number in range(count)]


def mixed(count):
    return [Failure([FailureReason.ERROR, FailureReason.CRASHED][i % 2], f"{i}") for i in range(count)]


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason is not FailureReason.OVERSIZED])
def test_ten_at_first_are_enough_whatever_the_numbers_in_their_messages(reason):
    assert reason_to_stop(failures(9, reason), scored=False) is None
    expected = f"the first 10 configurations all failed for the same reason ({reason}), the last: step 9"
    assert reason_to_stop(failures(10, reason), scored=False) == expected
    assert reason_to_stop(failures(10, reason, "no"), scored=False) == (
        f"the first 10 configurations all failed in the same way ({reason}): no"
    )


def test_how_failures_are_told():
    assert how_failed(failures(1)) == "(error): step 0"
    assert how_failed(failures(2, text="no")) == "in the same way (error): no"
    assert how_failed(failures(2)) == "for the same reason (error), the last: step 1"
    assert how_failed(mixed(3)) == "for several reasons, the last (error): 2"


def test_oversized_configurations_are_not_counted():
    many = failures(100, FailureReason.OVERSIZED, "{} parameters")
    assert reason_to_stop(many, scored=False) is None
    assert reason_to_stop(many + failures(9), scored=False) is None
    assert "first 10" in reason_to_stop(failures(5) + many + failures(5), scored=False)
    assert "first 10" in reason_to_stop(failures(10, FailureReason.OVERSIZED, "90 parameters"), scored=False)


def test_with_a_score_it_takes_twenty_that_do_not_come_from_the_values():
    assert reason_to_stop(failures(19), scored=True) is None
    assert reason_to_stop(failures(20, text="disk"), scored=True) == (
        "the last 20 configurations all failed in the same way (error): disk"
    )
    for reason in (FailureReason.NAN, FailureReason.INVALID):
        assert reason_to_stop(failures(39, reason), scored=True) is None


@pytest.mark.parametrize("scored", [True, False])
def test_forty_are_too_many_whatever_their_reasons(scored):
    assert reason_to_stop(mixed(39), scored) is None
    assert "last 40 configurations all failed, the last (crashed): 39" in reason_to_stop(mixed(40), scored)


def test_nothing_failed():
    assert reason_to_stop([], scored=False) is None


def test_what_ended_before_a_score_does_not_count_in_whatever_order_it_is_told():
    found = Failures()
    for ended in (5.0, 1.0, 9.0, 2.0):
        found.add(Outcome(failure=Failure(FailureReason.OVERSIZED, f"{10 if ended > 4 else 20} parameters")), ended)
    found.add(Outcome(score=0.5), 4.0)
    assert found.reason_to_stop is None
    for failure in failures(18, FailureReason.OVERSIZED, "10 parameters"):
        found.add(Outcome(failure=failure))
    assert found.reason_to_stop is None, "what lies in the values is no reason once there is a score"
    for failure in failures(20, FailureReason.OVERSIZED, "10 parameters"):
        found.add(Outcome(failure=failure))
    assert found.reason_to_stop == ("the last 40 configurations all failed, the last (oversized): 10 parameters")


class Watched(Failure):
    """Counts how often anybody looks at one."""

    looks = 0

    def __getattribute__(self, name):
        Watched.looks += name in ("reason", "message")
        return super().__getattribute__(name)


@pytest.mark.parametrize("reason", [FailureReason.OVERSIZED, FailureReason.ERROR])
def test_the_thousandth_failure_costs_what_the_tenth_costs(reason):
    found, asked = Failures(), []
    for number in range(1_000):
        found.add(Outcome(failure=Watched(reason, f"{number} parameters")))
        Watched.looks = 0
        asked.append(found.reason_to_stop)
        assert Watched.looks < 100
    assert (asked[-1] is None) == (reason is FailureReason.OVERSIZED)


class Numbered(World):
    """Everything fails, each time in other words, from the given trial on."""

    def __init__(self, after=0):
        super().__init__()
        self.left = after
        self.count = 0

    def failure(self, values):
        if self.left:
            self.left -= 1
            return None
        self.count += 1
        return Failure(FailureReason.CRASHED, f"its process {self.count} ended")


def test_failures_are_counted_over_resumes(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=5), Numbered())
    night.go()
    assert len(night.trials()) == 6, "and the baseline"
    night.spec = space("random")
    with pytest.raises(SearchFailed, match="the first 10 configurations all failed"):
        night.go()
    assert len(night.trials()) == 10
    with pytest.raises(SearchFailed, match="the first 11 configurations"):
        night.go()
    assert len(night.trials()) == 11, "each further attempt finds out with one trial"


def test_late_failures_end_the_search_with_what_it_has(tmp_path):
    night = Night(tmp_path / "run", space("random"), Numbered(after=6))
    night.go()
    assert night.ended == "failures"
    states = [trial.state for trial in night.trials()]
    assert (states.count(TrialState.COMPLETED), states.count(TrialState.FAILED)) == (6, 20)


@pytest.mark.parametrize(
    ("order", "scored", "slots"), [("free", 0, 3), ("fixed", 0, 1), ("fixed", 0, 3), ("fixed", 2, 3)]
)
def test_a_search_that_failures_have_ended_goes_on_once_their_cause_is_gone(tmp_path, order, scored, slots):
    spec = spaces.load(space("random", max_trials=45), (f"search.order={order}",))
    night = Night(tmp_path / "run", spec, Numbered(after=scored), slots=slots, waiting=slots // 2)
    with contextlib.nullcontext() if scored else pytest.raises(SearchFailed):
        night.go()
    before = len(night.trials())
    assert before < 45
    night.world = World()
    night.go()
    assert night.ended == "max_trials"
    failed = sum(trial.state is TrialState.FAILED for trial in night.trials())
    assert (len(night.trials()), failed <= before) == (46, True)


class Renamed(SimulatedExecutor):
    """Trainings report everything but what decides."""

    def _outcome(self, running, stopped):
        failure = Failure(FailureReason.ERROR, "not reported")
        return Outcome(epochs=(epoch(1, accuracy=0.5),), failure=failure)


def test_an_objective_that_nothing_reports_ends_the_search_after_one_trial(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.search.simulation.SimulatedExecutor", Renamed)
    spec = space("random")
    night = Night(tmp_path / "run", spec)
    monkeypatch.setattr(type(spec), "objective", property(lambda _: Objective("val_typo", "max")))
    with pytest.raises(NotReported, match="objective val_typo is not reported; reported are loss, val_accuracy, acc"):
        night.go()
    assert len(night.trials()) == 1
    assert night.trials(TrialKind.BASELINE)[0].state is TrialState.FAILED
