"""How many workers pay off, by what is left to train."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import spaces
from search.budget import Budget
from search.executors import ALL, Each, sizing
from search.night import crew
from search.night.crew import Crew, seconds_left
from search.night.session import Options, Session
from search.record import environment
from search.record.trial import TrialKind
from tests.search import small
from tests.search.records import completed, outcome, trial
from tests.search.simulation import space


def past(count):
    return [trial(str(i), outcome=outcome([0.5])) for i in range(count)]


def without_retraining(algorithm, **changes):
    return spaces.load(space(algorithm, **changes), ["final.seeds=0"])


def test_without_a_time_the_plan_says_what_is_left():
    spec = without_retraining("random", max_trials=10, epochs=1)
    # Each had an epoch of 1 s, of which 0.8 s are training.
    assert seconds_left(spec, past(4), None) == pytest.approx(6 * 0.2 + 6 * 0.8)
    assert seconds_left(spec, [], None) is None
    assert seconds_left(spec, past(10), None) == 0


def test_freeze_thaw_goes_on_until_the_time_is_up_however_many_trials_there_were():
    spec = without_retraining("freeze-thaw", max_trials=None)
    assert seconds_left(spec, past(200), None) == 0
    assert seconds_left(spec, past(200), 5000.0) == 5000.0


def test_where_both_a_plan_and_a_time_end_the_search_the_earlier_counts():
    spec = without_retraining("random", max_trials=10, epochs=1)
    assert seconds_left(spec, past(4), 5000.0) == pytest.approx(6.0)
    assert seconds_left(spec, past(4), 5.0) == 5.0


@pytest.mark.parametrize(("left", "workers"), [(None, 0), (4000.0, 4), (20.0, 0)])
def test_a_timed_search_that_goes_on_gets_workers_if_enough_time_is_left(monkeypatch, tmp_path, left, workers):
    monkeypatch.setattr(environment, "gpus", list)
    monkeypatch.setattr(sizing, "automatic", lambda *_: 4)
    monkeypatch.setattr(crew.workforce, "is_short", lambda *_, **__: pytest.fail("it has begun"))
    spec = without_retraining("freeze-thaw", max_trials=None)
    made = Crew(tmp_path, spec, None, 1, Budget.given(left), print)
    assert made.unmeasured(past(200)) == workers


def test_check_and_run_agree_that_a_pretrained_network_is_trained_in_one_process_without_a_card(monkeypatch, tmp_path):
    monkeypatch.setattr(sizing, "automatic", lambda *_: 4)
    spec = spaces.load("photos-pretrained")
    monkeypatch.setattr(environment, "gpus", lambda: ["0"])
    assert crew.most_workers(spec, ALL) == 4
    assert crew.most_workers(spec, Each(gpus=0.0)) == 1
    monkeypatch.setattr(environment, "gpus", list)
    assert crew.most_workers(spec, ALL) == 1
    assert Crew(tmp_path, spec, None, 1, Budget.given("8h"), print).unmeasured(past(9)) == 0


def test_what_is_left_of_retraining_counts_too():
    # Three candidates and a baseline, with two seeds each, at full length.
    spec = space("random", max_trials=10, epochs=1)
    again = [completed(f"candidate-{i}-1", [0.5], kind=TrialKind.CANDIDATE) for i in range(3)]
    under_way = trial("candidate-0-2", TrialKind.CANDIDATE)
    winner = trial("winner-0", TrialKind.WINNER)
    assert seconds_left(spec, past(10), None) == pytest.approx(8)
    assert seconds_left(spec, [*past(10), *again, under_way], None) == pytest.approx(5)
    assert seconds_left(spec, [*past(6), *again], None) == pytest.approx(4 + 5)
    assert seconds_left(spec, [*past(10), *again, under_way, winner], None) == 0


@pytest.mark.parametrize("left", [None, 36000.0])
def test_a_run_that_goes_on_in_retraining_has_as_many_workers_as_before(monkeypatch, tmp_path, left):
    monkeypatch.setattr(environment, "gpus", list)
    monkeypatch.setattr(sizing, "automatic", lambda *_: 4)
    monkeypatch.setattr(crew.workforce, "is_short", lambda *_, **__: False)
    spec = space("random", max_trials=10)
    made = Crew(tmp_path, spec, None, 1, Budget.given(left), print)
    searched = [trial(str(i), outcome=outcome([0.5] * 6, seconds=3600.0)) for i in range(10)]
    under_way = trial("candidate-0-1", TrialKind.CANDIDATE)
    assert made.unmeasured([]) == made.unmeasured([*searched, under_way]) == 4
    assert made.unmeasured([*searched, trial("winner-0", TrialKind.WINNER)]) == 0


def test_only_where_there_is_a_choice_workers_race(monkeypatch, tmp_path):
    spec = space("random")
    monkeypatch.setattr(environment, "cores", lambda: 4)
    monkeypatch.setattr(crew.workforce, "representative", lambda *_: "settings")
    made = []

    def crew_of(gpus, each=ALL):
        monkeypatch.setattr(environment, "gpus", lambda: gpus)
        return Crew(tmp_path, spec, None, 1, Budget(), print, make_executor=made.append, each=each)

    assert crew_of([]).may_choose
    assert crew_of(["0", "1", "2"], Each(gpus=0.0)).may_choose
    on_cards = crew_of(["0", "1", "2"])
    assert not on_cards.may_choose
    assert on_cards.measured().reason == "training in 3 worker processes with 1 thread each"
    assert len(made) == 1


def test_what_trains_one_at_a_time_whatever_it_is_asked_for_is_no_faster_alone(monkeypatch, tmp_path):
    class OneByOne:
        slots = workers = 1

        def pace(self, settings, seconds):
            return 100.0

        def shutdown(self):
            pass

    monkeypatch.setattr(environment, "cores", lambda: 4)
    monkeypatch.setattr(environment, "gpus", list)
    monkeypatch.setattr(sizing, "automatic", lambda *_: 4)
    monkeypatch.setattr(crew.workforce, "representative", lambda *_: SimpleNamespace(to_json=dict))
    made = Crew(tmp_path, space("random"), None, 1, Budget(), print, make_executor=lambda place: OneByOne())
    found = made.measured()
    assert (found.alone, found.factor) == (None, 1.0)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_asks_for_an_end_does_not_wait_until_workers_are_chosen(tmp_path, when):
    session = Session(tmp_path, small.spec(), Options())

    class Choosing:
        def unmeasured(self, past):
            if when == "before":
                session._stop()
            return 2

        @property
        def may_choose(self):
            assert when == "meanwhile"
            session._stop()

        def measured(self):
            pytest.fail("it takes minutes")

    store = SimpleNamespace(meta=lambda key, default=None: {"phase": "search"}.get(key), each_trial=lambda *_: iter(()))
    with pytest.raises(KeyboardInterrupt):
        session._executor(Choosing(), store, None, None)
    assert session._stopping


def test_what_another_run_has_trained_and_what_baselines_are_is_none_of_the_plan():
    spec = without_retraining("random", max_trials=10, epochs=1)
    taken_over = [completed(f"old-{i}", [0.5], kind=TrialKind.EVIDENCE) for i in range(10)]
    baseline = completed("baseline-linear", [0.5], kind=TrialKind.BASELINE)
    assert seconds_left(spec, [*taken_over, baseline], None) == pytest.approx(10)
