"""Whole nights in simulated time: late, slow, cut short, killed and resumed, to the last page of the report."""

from __future__ import annotations

import contextlib
import errno
import random
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import spaces
from results.errors import not_written
from search import api
from search.errors import RunError, SearchFailed
from search.files import layout
from search.files.rundir import Run
from search.files.store import RunReader, RunStore
from search.loop.observer import Observer
from search.night.crew import Measured
from search.night.workforce import Workforce
from search.phases.final import FinalPhase
from search.phases.sources import BaseSource
from search.phases.together import Together
from search.phases.winner import FinalModels, final_weights
from search.record import environment
from search.record.configuration import configurations
from search.record.trial import ENDED_EARLY, Failure, FailureReason, Stop, TrialKind, TrialState
from search.times import estimates
from spaces import CodeError
from spaces.families import family_of
from spaces.outside.references import take_anew
from tests.search.records import CHECKPOINT, completed, outcome, settings
from tests.search.simulation import Killed, share, table
from tests.whole_nights import Crew, NightWorld, WholeNight, night_space

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it


@pytest.fixture(autouse=True)
def _no_tensorboard(monkeypatch):
    """Its files are written by TensorFlow in real time, and nothing here reads them."""
    monkeypatch.setattr("search.night.session.TensorBoardWriter", lambda *_: Observer())


@pytest.fixture(autouse=True)
def _simulated(monkeypatch):
    """Checkpoints of simulated trainings are no files, and whoever else uses this machine is not in their world."""
    monkeypatch.setattr("search.files.checkpoint.intact", lambda *_: True)
    monkeypatch.setattr("search.record.environment.others", lambda _: 0.0)


@pytest.fixture(autouse=True, scope="module")
def _digits_once():
    """The data are real, and the same for all nights."""
    data = spaces.load_data(night_space())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spaces, "load_data", lambda *_: data)
        yield


def used(night, budget, morning_clock_started):
    return (night.clock.now() - morning_clock_started) / budget


def random_world(rng):
    """Epochs from half to twice as long as in the search, everything after training as well, and noise in each."""
    later = rng.choice([0.5, 0.7, 1.0, 1.4, 2.0])
    return NightWorld(
        failing=0.1, seconds=rng.choice([1.5, 2.0, 3.0, 4.0]), later=later, evaluation=rng.uniform(0.2, 1.5),
        formats=(rng.uniform(0.3, 1.0), 1.0, rng.uniform(1.0, 3.0)), page=rng.uniform(1.5, 3.0),
    )  # fmt: skip


FORTY = [("5m", 0.92, 24), ("15m", 0.92, 12), ("1h", 0.96, 4)]


@pytest.mark.parametrize(
    ("budget", "least", "nights"),
    [("5m", 0.92, 8), ("1h", 0.96, 2), *(pytest.param(*one, marks=pytest.mark.night) for one in FORTY)],
)
def test_the_hour_is_kept_and_the_time_before_it_used(tmp_path, budget, least, nights):
    seconds = {"5m": 300, "15m": 900, "1h": 3600}[budget]
    rng, shares = random.Random(budget), []
    for number in range(nights):
        world = random_world(rng)
        world.seconds *= seconds / 300
        night = WholeNight(tmp_path / str(number), night_space(), world, slots=rng.choice([1, 1, 2, 3]))
        began = night.clock.now()
        morning = night.go(budget)
        shares.append(used(night, seconds, began))
        assert (morning.reason, morning.problems) == ("done", ()), world
        assert shares[-1] <= 1.0, world
        assert night.winner().outcome.whole, world
        assert "after the promised time" not in morning.headline
    assert min(shares) >= least, shares


# Freeze-thaw thinks over each of hundreds of trials.
@pytest.mark.parametrize(
    ("algorithm", "seconds"), [("hyperband", 2.0), pytest.param("freeze-thaw", 8.0, marks=pytest.mark.night)]
)
def test_a_multi_fidelity_search_fills_the_time_too(tmp_path, algorithm, seconds):
    shares = []
    for number, slots in enumerate((1, 3)):
        night = WholeNight(
            tmp_path / str(number),
            night_space(algorithm, epochs={"min": 1, "max": 4}),
            NightWorld(seconds=seconds),
            slots=slots,
        )
        began = night.clock.now()
        morning = night.go("15m")
        shares.append(used(night, 900, began))
        assert (morning.reason, morning.problems) == ("done", ())
        assert night.meta("search_ended") == "deadline"
    assert 0.92 <= min(shares) <= max(shares) <= 1.0, shares


def test_a_machine_that_gets_slower_costs_candidates_and_not_the_winner(tmp_path):
    """With all of retraining under one deadline the winner had one epoch of twenty left."""
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=2.0, later=1.6))
    night.go("5m")
    winner = night.winner()
    assert (winner.kind, winner.outcome.whole) == (TrialKind.WINNER, True)
    assert len(winner.outcome.epochs) == winner.epochs_to
    assert any("retraining is reduced" in message for message in night.messages)


def test_half_trained_seeds_neither_choose_the_winner_nor_shorten_it(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=4.0, later=2.0), slots=2)
    night.go("4m")
    cut = [t for t in night.trials(TrialKind.CANDIDATE) if t.outcome.stopped is Stop.DEADLINE]
    whole = [t for t in night.trials(TrialKind.CANDIDATE) if t.outcome.whole]
    winner = night.winner()
    if whole:
        assert winner.configuration in {t.configuration for t in whole}
    lengths = [t.outcome.best_epoch for t in whole if t.configuration == winner.configuration]
    if lengths and winner.kind is TrialKind.WINNER:
        assert winner.epochs_to == max(1, round(sum(lengths) / len(lengths)))
    assert all(t.id != winner.id for t in cut)


def test_half_trained_seeds_choose_no_threshold():
    def again(number, stopped):
        ended = outcome([0.5], stopped=stopped, best=CHECKPOINT)
        return completed(f"candidate-a-{number}", [], kind=TrialKind.CANDIDATE, configuration="a", outcome=ended)

    cut, whole = again(1, Stop.DEADLINE), again(2, Stop.LENGTH)
    store = SimpleNamespace(trials=lambda *_: [cut, whole], directory=None)
    models = FinalModels(night_space(), store, None, None, Observer(), None)
    winner = completed("winner-a", [0.5], kind=TrialKind.WINNER, configuration="a")
    assert models.judges(winner, []) == [(whole, CHECKPOINT)]


@pytest.mark.parametrize(("schedule", "epochs"), [("constant", None), ("cosine", 5)])
def test_only_a_rate_that_falls_comes_to_its_end_over_fewer_epochs(schedule, epochs):
    """Part of a training at one rate had counted as the whole of a shorter one."""
    store = SimpleNamespace(meta=lambda _, default: default, trials=lambda _: [cut], add_event=lambda *_: None)
    now = SimpleNamespace(now=lambda: 0.0)
    budget = SimpleNamespace(training_left=3.5, clock=now)
    models = FinalModels(night_space(), store, None, SimpleNamespace(budget=budget), Observer(), None)
    ended = outcome([0.5, 0.6], stopped=Stop.DEADLINE, state=replace(CHECKPOINT, epoch=2))
    made = settings(schedule=schedule, epochs=20)
    cut = completed(
        "winner-a", [], kind=TrialKind.WINNER, configuration="a", outcome=ended, settings=made, epochs_to=20
    )
    (chosen,) = configurations([completed("a", [0.5], settings=made)])
    found = models._shortened(cut, chosen)
    assert (None if found is None else found.epochs_to) == epochs
    budget.training_left = 100.0
    assert models._shortened(cut, chosen).epochs_to == 20


@pytest.mark.parametrize(("kind", "trained"), [(TrialKind.SEARCH, ["a"]), (TrialKind.CANDIDATE, ["begun", "a"])])
def test_a_lost_model_is_trained_again_without_what_the_search_has_begun(monkeypatch, kind, trained):
    """Its end would be told to no oracle, which would wait for it for ever."""
    monkeypatch.setattr("search.files.checkpoint.intact", lambda *_: False)
    begun = completed("begun", [], kind=kind, state=TrialState.RUNNING)
    lost = completed("a", [], kind=kind, outcome=outcome([0.5], best=CHECKPOINT))
    store = SimpleNamespace(
        directory=None, trials=lambda *_: [begun, lost], trial=lambda _: lost, add_event=lambda *_: None,
        meta=lambda _, default: default,
    )  # fmt: skip
    given: list[str] = []
    runner = SimpleNamespace(run=lambda _, left: given.extend(one.id for one in left))
    horizon = SimpleNamespace(budget=SimpleNamespace(clock=SimpleNamespace(now=lambda: 0.0)))
    assert FinalModels(night_space(), store, runner, horizon, Observer(), None).with_weights(lost) is None
    assert given == trained


@dataclass
class Even(NightWorld):
    """All epochs take the same time."""

    def epoch_seconds(self, values):
        return self.seconds


def test_an_epoch_that_takes_most_of_the_time_still_gives_a_model(tmp_path):
    """A third of the time was kept for the final training of a model that there was not."""
    night = WholeNight(tmp_path / "run", night_space(baselines=[]), Even(seconds=220.0))
    assert night.go("5m").reason == "done"
    winner = night.winner()
    assert (winner.kind, len(winner.outcome.epochs)) == (TrialKind.SEARCH, 1)
    assert night.clock.now() <= night.meta("until")


def test_a_night_that_goes_on_longer_makes_its_model_of_the_best_that_it_finds(tmp_path):
    """The final training that somebody had stopped took the time of the new one, and went before it."""
    changes = {"final.candidates": 1, "final.seeds": 0, "baselines": []}
    night = WholeNight(tmp_path / "run", night_space(epochs=6, **changes), Steady(seconds=8.0))
    night.hook = lambda step: night.stop() if step == "epoch" and night.trials(TrialKind.WINNER) else None
    assert night.go("5m").reason == "interrupted"
    (begun,) = night.trials(TrialKind.WINNER)
    assert begun.outcome.epochs
    night.hook = lambda _: None
    began = night.clock.now()
    assert night.go("12m").reason == "done"
    winner = night.winner()
    assert (winner.kind, winner.outcome.whole) == (TrialKind.WINNER, True)
    assert winner.configuration > begun.configuration
    assert 0.92 <= used(night, 720, began) <= 1.0
    (ended,) = (t for t in night.trials(TrialKind.WINNER) if t.id == begun.id)
    assert (ended.state, ended.outcome.stopped) == (TrialState.COMPLETED, Stop.DEADLINE)
    assert ended.outcome.epochs == begun.outcome.epochs


@pytest.mark.parametrize(("changes", "gives_way"), [({}, True), ({"training.schedule": "cosine"}, False)])
def test_what_is_found_in_the_time_that_the_final_training_left_wins_where_nothing_was_retrained(
    tmp_path, changes, gives_way
):
    """The table was led by what nobody had trained to its end, and a much poorer model was exported."""
    spec = night_space(epochs=6, **{"baselines": [], "final.seeds": 0, **changes})
    night = WholeNight(tmp_path / "run", spec, Steady(seconds=8.0, winner=0.1))
    began = night.clock.now()
    assert night.go("5m").reason == "done"
    finals = night.trials(TrialKind.WINNER)
    scored = [t for t in night.trials(TrialKind.SEARCH) if t.outcome.epochs]
    assert scored[-1].started > finals[0].finished, "the search went on"
    assert (len(finals) > 1) is gives_way
    assert (night.winner().kind, night.winner().id, night.winner().outcome.whole) == (
        TrialKind.WINNER,
        finals[-1].id,
        True,
    )
    assert 0.92 <= used(night, 300, began) <= 1.0


def test_what_is_left_is_searched_in_also_where_no_first_epoch_fits_before_another_final_training():
    ends = []
    phase = SimpleNamespace(
        _store=SimpleNamespace(ensemble=list, running=lambda *_: [], winner=lambda: None),
        _models=SimpleNamespace(gives_way=lambda *_: True),
        _runner=SimpleNamespace(stopping=False),
        _best=list,
        _last_end=lambda may_win: SimpleNamespace(before_it=may_win, leaves_room=may_win),
        _use_up=lambda end: ends.append(end.before_it) or len(ends) == 2,
    )
    FinalPhase._search_on(phase)
    assert ends == [True, False, False]


def test_a_winner_that_was_not_measured_yet_gives_way_to_what_more_time_finds(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(baselines=[]), Steady(seconds=6.0))
    killed_at(night, "evaluation", 1)
    with pytest.raises(Killed):
        night.go("5m")
    first = night.winner()
    night.hook = lambda _: None
    began = night.clock.now()
    assert night.go("12m").reason == "done"
    assert night.winner().outcome.whole
    assert night.winner().configuration > first.configuration
    assert 0.92 <= used(night, 720, began) <= 1.0


def test_a_winner_that_is_lost_is_made_again_and_nothing_else_is_looked_for(tmp_path, monkeypatch):
    """The test part was looked at for it: a search could find nothing that still counts."""
    night = WholeNight(tmp_path / "run", night_space(), Steady(seconds=2.0))
    night.go("5m")
    before = night.trials(TrialKind.SEARCH, TrialKind.CANDIDATE)
    lost = [False]
    monkeypatch.setattr("search.files.checkpoint.intact", lambda *_: lost.pop() if lost else True)
    assert night.go("20m").reason == "done"
    assert not lost
    assert night.trials(TrialKind.SEARCH, TrialKind.CANDIDATE) == before


def test_a_run_that_is_done_says_so_and_what_lets_it_go_on(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 2}), NightWorld())
    assert night.go().reason == "done"
    left = night.run / layout.DATA
    left.mkdir()
    before, told = night.trials(), len(night.messages)
    assert night.go("5m").reason == "done"
    assert night.trials() == before
    (said,) = night.messages[told:]
    assert "nothing is left to do" in said
    # The command that was said again may have had this option, as many trials as then.
    assert f"resume {night.run} --max-trials N" in said
    assert not left.exists()


def test_a_search_that_time_has_ended_goes_on_to_the_number_of_trials_that_it_began_with(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(baselines=[], **{"search.max_trials": 20}), Steady(seconds=6.0))
    assert night.go("5m").reason == "done"
    assert night.meta("search_ended") == "deadline"
    assert len(night.trials(TrialKind.SEARCH)) < 20
    night.clock.pass_time(300.0)
    night.max_trials = 20
    assert night.go().reason == "done"
    assert len(night.trials(TrialKind.SEARCH)) == 20
    told = len(night.messages)
    assert night.go().reason == "done"
    assert "nothing is left to do" in night.messages[told]


def test_callbacks_that_cannot_be_used_any_more_are_told_before_they_cost_a_trial(tmp_path):
    file = tmp_path / "follow.py"
    file.write_text("def callbacks():\n    return []\n", encoding="utf-8")
    spec = night_space(**{"search.max_trials": 6, "training.callbacks": f"{file}:callbacks"})
    night = WholeNight(tmp_path / "run", spec, NightWorld())
    killed_at(night, "end", 3)
    with pytest.raises(Killed):
        night.go()
    night.hook, before = lambda _: None, night.trials()
    file.write_text("def callbacks():\n    return [Diary()]\n", encoding="utf-8")
    take_anew()
    with pytest.raises(CodeError, match=r"follow\.py:callbacks, line 2: NameError: name 'Diary'"):
        night.go()
    assert night.trials() == before
    file.write_text("def callbacks():\n    return []\n\n", encoding="utf-8")
    take_anew()
    assert night.go().reason == "done"
    file.unlink()
    take_anew()
    # Nothing is left to train with them.
    assert night.go().reason == "done"


def test_the_report_of_a_failure_is_over_when_the_run_goes_on(tmp_path):
    always = Failure(FailureReason.CRASHED, "its process ended twice")
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 12}), NightWorld(always=always))
    with pytest.raises(SearchFailed):
        night.go()
    assert night.meta("morning") == "report"
    seen = []
    night.world, night.hook = NightWorld(), lambda step: seen.append(night.meta("morning"))
    assert night.go().reason == "done"
    assert seen[0] is None
    assert night.meta("morning") is None


def test_more_trials_are_asked_for_again_where_that_was_cut_off(tmp_path, monkeypatch):
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 2}), NightWorld())
    assert night.go().reason == "done"
    night.spec = night_space(**{"search.max_trials": 4})
    put = RunStore.put_meta

    def cut_off(store, **facts):
        if facts.get("phase") == "search":
            raise Killed
        put(store, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "put_meta", cut_off)
        with pytest.raises(Killed):
            night.go()
    assert night.go().reason == "done"
    assert len(night.trials(TrialKind.SEARCH)) == 4


@dataclass
class FailingAtFirst(Even):
    """Seven configurations fail in their first epochs, whatever they are."""

    asked: int = 0

    def failure(self, values):
        self.asked += 1
        return Failure(FailureReason.NAN, "loss became nan in epoch 1") if self.asked <= 7 else None


def test_what_begins_late_may_take_that_time_too_while_nothing_has_a_score(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(epochs=4, baselines=[]), FailingAtFirst(seconds=30.0))
    assert night.go("5m").reason == "done"
    assert night.winner().outcome.epochs
    assert night.clock.now() <= night.meta("until")


def test_where_no_epoch_fits_the_time_is_named_as_the_reason(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(baselines=[]), Even(seconds=400.0))
    with pytest.raises(SearchFailed, match="the time was up before any training had an epoch"):
        night.go("5m")


def test_a_night_that_was_too_short_for_an_epoch_goes_on_when_it_gets_more_time(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(baselines=[]), Even(seconds=400.0))
    with pytest.raises(SearchFailed, match="a longer time"):
        night.go("5m")
    assert night.meta("phase") == "search"
    began = night.clock.now()
    assert night.go("2h").reason == "done"
    assert night.winner().outcome.epochs
    assert 0.92 <= used(night, 7200, began) <= 1.0


def test_a_final_training_with_a_schedule_goes_to_the_end_of_its_rate(tmp_path):
    """The best of the search may have been paused long before; its model is annealed all the same."""
    spec = night_space(**{"training.schedule": "one-cycle", "final.candidates": 1, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, NightWorld(seconds=2.0))
    night.go("5m")
    winner = night.winner()
    assert (winner.kind, winner.epochs_to, winner.outcome.whole) == (TrialKind.WINNER, spec.max_epochs, True)


def test_a_schedule_is_shortened_where_there_is_no_time_for_all_of_it(tmp_path):
    changes = {
        "training.schedule": "one-cycle",
        "final.candidates": 1,
        "final.seeds": 0,
        "epochs": {"min": 1, "max": 20},
        "baselines": [],
    }
    spec = night_space("freeze-thaw", **changes)
    night = WholeNight(tmp_path / "run", spec, NightWorld(seconds=12.0))
    began = night.clock.now()
    night.go("5m")
    winner = night.winner()
    assert (winner.kind, winner.outcome.whole) == (TrialKind.WINNER, True)
    assert spec.max_epochs / 3 <= winner.epochs_to == len(winner.outcome.epochs) < spec.max_epochs
    assert any(f"has {winner.epochs_to} epochs instead of 20" in warning for warning in night.warnings())
    assert used(night, 300, began) <= 1.0
    job = BaseSource(spec, night.clock, lambda: None).job(winner)
    assert (job.settings["training"]["epochs"], winner.settings["training"]["epochs"]) == (winner.epochs_to, 20)


def test_a_final_training_that_is_cut_short_gives_way_to_the_best_checkpoint(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=3.0, winner=30.0))
    morning = night.go("5m")
    winner = night.winner()
    assert winner.kind is TrialKind.CANDIDATE
    assert winner.outcome.whole
    assert winner.outcome.best is not None
    of_it = [t for t in night.trials(TrialKind.CANDIDATE) if t.configuration == winner.configuration]
    assert winner.outcome.score == max(t.outcome.score for t in of_it)
    assert any(f"{winner.id} stands in for it" in warning for warning in night.warnings())
    assert morning.reason == "done"
    assert night.clock.now() < night.meta("until")


@dataclass
class Steady(NightWorld):
    """All epochs take as long, and each configuration is better than those that were tried before it."""

    seen: list[dict[str, Any]] = field(default_factory=list)

    def epoch_seconds(self, values):
        return self.seconds

    def accuracy(self, values, epoch):
        if values not in self.seen:
            self.seen.append(dict(values))
        return round(0.2 + 0.01 * self.seen.index(values) + 0.001 * epoch, 4)


@dataclass
class SlowStart(Steady):
    """The first epoch of all waits for compilers, or for a busy machine."""

    asked: int = 0

    def epoch_seconds(self, values):
        # Once for when it ends, once for how long it took.
        self.asked += 1
        return 40.0 if self.asked <= 2 else self.seconds


def test_a_first_epoch_that_was_slow_alone_does_not_make_its_configuration_win(tmp_path):
    """The best that was found in the second half of the night was 0.9861, and a model of 0.8357 was exported."""
    spec = night_space(epochs=18, **{"baselines": [], "final.train_on_validation": True, "search.algorithm": "random"})
    night = WholeNight(tmp_path / "run", spec, SlowStart(seconds=0.1))
    began = night.clock.now()
    assert night.go("2m").reason == "done"
    searched, finals = night.trials(TrialKind.SEARCH), night.trials(TrialKind.WINNER)
    assert (finals[0].configuration, len(searched[0].outcome.epochs)) == (searched[0].configuration, 1)
    best = max(searched, key=lambda trial: trial.outcome.score or 0.0)
    assert night.winner().configuration == best.configuration != searched[0].configuration
    # What only the first training waits for keeps no later one from beginning.
    assert 0.92 <= used(night, 120, began) <= 1.0


def is_kept(trial):
    return final_weights(trial) is not None


@pytest.mark.parametrize(
    ("budget", "seconds", "epochs", "slots", "later"),
    [
        (300, 6.0, 20, 1, 1.0), (300, 10.0, 20, 1, 1.0), (300, 13.0, 20, 1, 1.0), (900, 40.0, 15, 1, 1.0),
        (900, 31.0, 20, 2, 1.0), (900, 10.0, 10, 1, 3.0),
    ],
)  # fmt: skip
def test_a_training_that_is_long_against_the_budget_leaves_none_of_it_unused(
    tmp_path, budget, seconds, epochs, slots, later
):
    """One takes 40 to 90 % of it. A final training for which there was no time kept its time all the same."""
    spec = night_space(epochs=epochs, baselines=[])
    night = WholeNight(tmp_path / "run", spec, Steady(seconds=seconds, later=later), slots=slots)
    began = night.clock.now()
    morning = night.go(budget)
    assert (morning.reason, morning.problems) == ("done", ())
    assert 0.92 <= used(night, budget, began) <= 1.0
    winner = night.winner()
    assert is_kept(winner)
    if winner.kind is TrialKind.SEARCH:
        # What was found in the time of the final training could still win.
        assert winner.outcome.score == max(t.outcome.score for t in night.trials(TrialKind.SEARCH) if t.outcome.epochs)


@pytest.mark.parametrize("step", ["epoch", "end"])
def test_such_a_night_that_is_killed_at_any_step_keeps_its_hour_and_a_model(tmp_path, step):
    spec = night_space(epochs=20, baselines=[])
    whole = WholeNight(tmp_path / "whole", spec, Steady(seconds=13.0))
    whole.go(300)
    for number in range(1, whole.steps.count(step) + 1, 3):
        night = WholeNight(tmp_path / f"{number}", spec, Steady(seconds=13.0))
        killed_at(night, step, number)
        began = night.clock.now()
        with contextlib.suppress(Killed):
            night.go(300)
        night.hook = lambda _: None
        morning = night.go()
        assert (morning.reason, morning.problems) == ("done", ()), number
        assert 0.92 <= used(night, 300, began) <= 1.0, number
        assert all(t.state is not TrialState.RUNNING for t in night.trials()), number
        assert is_kept(night.winner()), number


def test_models_that_win_together_leave_no_time_unused_and_stay(tmp_path):
    """The final training that they make needless had its time kept; what is found in it may be better than each."""
    changes = {"final.ensemble": 3, "final.candidates": 1, "final.seeds": 0, "keep_checkpoints.best": 3}
    found = Together("accuracy", 0.9, 0.85, 2.0)
    night = WholeNight(
        tmp_path / "run", night_space(epochs=5, baselines=[], **changes), Steady(seconds=6.0), together=found
    )
    began = night.clock.now()
    assert night.go(300).reason == "done"
    assert 0.92 <= used(night, 300, began) <= 1.0
    members = [t for t in night.trials() if t.id in night.meta("ensemble")["trials"]]
    assert [t.kind for t in members] == [TrialKind.SEARCH] * 3
    assert all(is_kept(t) for t in members)
    best = max(t.outcome.score for t in night.trials(TrialKind.SEARCH) if t.outcome.epochs)
    assert best > max(t.outcome.score for t in members)


def test_a_search_that_goes_on_leaves_the_model_that_stands_in_for_the_final_training(tmp_path):
    changes = {"final.candidates": 1, "final.seeds": 0, "baselines": []}
    world = Steady(seconds=3.0, winner=30.0)
    night = WholeNight(tmp_path / "run", night_space(epochs=8, **changes), world)
    began = night.clock.now()
    assert night.go(300).reason == "done"
    winner = night.winner()
    assert (winner.kind, is_kept(winner)) == (TrialKind.SEARCH, True)
    assert any(f"{winner.id} stands in for it" in warning for warning in night.warnings())
    assert 0.92 <= used(night, 300, began) <= 1.0


def test_checkpoints_of_candidates_go_once_the_winner_is_there(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld())
    night.go("5m")
    assert night.winner().kind is TrialKind.WINNER
    assert all(t.outcome.best is None for t in night.trials(TrialKind.CANDIDATE))


def test_time_that_retraining_did_not_need_goes_back_into_the_search(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=2.0, later=0.3))
    began = night.clock.now()
    night.go("10m")
    kinds = [t.kind for t in night.trials()]
    first_candidate = kinds.index(TrialKind.CANDIDATE)
    assert TrialKind.SEARCH in kinds[first_candidate:]
    assert "info: there is time left: the search goes on" in night.messages
    assert used(night, 600, began) >= 0.92


def test_a_search_that_is_not_worth_another_hour_says_so_also_where_it_is_asked_for_more(tmp_path):
    said = "info: the search ends: another hour is expected to bring less than 1000.0 (stop_when_gain_below)"
    limits = {"search.max_trials": 40, "search.stop_when_gain_below": 1000}
    night = WholeNight(tmp_path / "run", night_space("bayesian", baselines=[], **limits), NightWorld())
    assert night.go().reason == "done"
    assert (night.meta("search_ended"), night.messages.count(said)) == ("gain", 1)
    night.max_trials = 60
    night.go()
    assert (len(night.trials(TrialKind.SEARCH)) < 40, night.messages.count(said)) == (True, 2)


def test_a_search_that_ends_by_itself_is_not_filled_up(tmp_path):
    spec = night_space(**{"search.max_trials": 5})
    night = WholeNight(tmp_path / "run", spec, NightWorld())
    began = night.clock.now()
    night.go("1h")
    assert used(night, 3600, began) < 0.1
    assert night.meta("search_ended") == "max_trials"
    assert len(night.trials(TrialKind.CANDIDATE)) <= 2 * (3 + 1)


def test_no_trial_is_begun_that_cannot_end_an_epoch(tmp_path):
    for number in range(6):
        night = WholeNight(tmp_path / str(number), night_space(), NightWorld(seconds=5.0 + number))
        night.go("5m")
        for trial in night.trials():
            assert trial.outcome.epochs or trial.outcome.failure or _lasts(trial) > 5.0


def _lasts(trial):
    """What only its own epochs could have told: it is longer than the usual one."""
    return 5.0 * (0.5 + share("seconds", dict(trial.values)))


def test_the_clock_set_back_does_not_make_a_budget_longer(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=1.0))
    passed = night.clock.monotonic()
    turned = []

    def set_back(step):
        if not turned and night.clock.monotonic() - passed > 60:
            turned.append(night.clock.set(-3600))

    night.hook = set_back
    night.go("5m")
    assert turned
    assert 0.92 * 300 <= night.clock.monotonic() - passed <= 300


def test_an_hour_holds_on_a_clock_that_is_set(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=1.0))
    until = night.clock.now() + 1200
    turned = []

    def set_forward(step):
        if not turned and night.clock.now() > until - 1000:
            turned.append(night.clock.set(+600))

    night.hook = set_forward
    night.go(until=until)
    assert turned
    assert until - 0.1 * 1200 < night.clock.now() <= until


def test_export_and_report_shorten_themselves(tmp_path):
    world = NightWorld(seconds=1.0, formats=(2.0, 30.0, 30.0), page=2.0, pictures=60)
    night = WholeNight(tmp_path / "run", night_space(), world)
    said = []
    morning = night.go("5m", say=said.append)
    assert night.left_out == ("format-1", "format-2")
    assert any("left out for want of time: format-1,format-2" in line for line in said)
    assert 0 < night.pictures < 60
    assert (morning.reason, morning.problems) == ("done", ())
    assert night.clock.now() <= night.meta("until")


def test_a_promise_that_cannot_be_kept_is_said_at_once_and_in_the_headline(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(seconds=0.5, page=9.0))
    first = []
    night.hook = lambda _: first or first.append(list(night.messages))
    morning = night.go("8s")
    assert any("time is short" in message or "cannot be kept" in message for message in first[0])
    assert "after the promised time" in morning.headline


def broken(*_, **__):
    raise RuntimeError("the converter fell over")


def full_disk(*_, **__):
    raise not_written("a file", OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize("fault", [broken, full_disk])
@pytest.mark.parametrize("step", ["_export", "_report"])
def test_a_fault_after_the_search_leaves_the_rest_of_the_morning(tmp_path, fault, step):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld())
    setattr(night, step, fault)
    called = tmp_path / "called"
    morning = night.go("5m", on_finish=f'echo "$NIGHTSHIFT_EXIT $NIGHTSHIFT_REPORT" > {called}')
    assert morning.reason == "failed"
    assert len(morning.problems) == 1
    assert ("unexpected RuntimeError" in morning.problems[0]) == (fault is broken)
    assert (morning.page is not None) == (step == "_export")
    assert called.read_text().split()[0] == "failed"
    assert night.meta("phase") == "done"
    assert morning.problems[0] in night.warnings()


def test_the_log_ends_with_what_follows_the_search(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld())
    night.go("5m")
    lines = [line[20:] for line in (tmp_path / "run" / "log.txt").read_text().splitlines()]
    phases = [line.removeprefix("phase ").split(",")[0] for line in lines if line.startswith("phase ")]
    assert list(dict.fromkeys(phases)) == ["search", "retraining", "final training", "evaluation", "export", "report"]
    assert lines[-1] == "done"
    assert night.meta("morning") is None


def test_what_was_measured_stays_what_is_exported(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 2}), NightWorld())
    assert night.go().reason == "done"
    night.spec = night_space(**{"search.max_trials": 2, "final.tta": "flip"})
    with pytest.raises(RunError, match=r"holds a run of a different space; final\.tta: none -> flip"):
        night.go()
    assert Run(night.run).spec.final.tta == "none"


def test_what_is_refused_leaves_a_run_as_it_was(tmp_path, monkeypatch):
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 2}), NightWorld())
    assert night.go().reason == "done"
    with RunStore(night.run) as store:
        store.put_meta(sources={"model.py": "as it was"})
    facts = ("phase", "exit", "sessions", "work", "sources")
    before = [night.meta(fact) for fact in facts]
    left = night.run / layout.ROWS
    left.mkdir()
    monkeypatch.setattr("search.night.session.changed_sources", lambda *_: ("model.py",))
    night.spec = night_space(**{"search.max_trials": 2, "training.batch_size": 16})
    with pytest.raises(RunError, match=r"holds a run of a different space; training\.batch_size: 32 -> 16"):
        night.go()
    assert [night.meta(fact) for fact in facts] == before
    assert not left.exists()


def test_rows_that_the_models_cannot_take_are_not_left_behind(tmp_path, monkeypatch):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld())
    data = spaces.load_data(night.spec)

    def load(spec, begun, folder):
        folder.mkdir(parents=True)
        return data

    def refuse(*_):
        raise spaces.DataError("too small")

    monkeypatch.setattr(spaces, "load_data", load)
    monkeypatch.setattr(type(family_of(night.spec.model)), "require", refuse)
    with pytest.raises(spaces.DataError, match="too small"):
        night.go()
    assert not night.run.exists()


def test_a_final_training_goes_on_with_the_rows_that_it_began_with(tmp_path):
    spec = night_space(**{"search.max_trials": 2})
    night = WholeNight(tmp_path / "run", spec, NightWorld())
    night.hook = lambda step: night.stop() if step == "epoch" and night.trials(TrialKind.WINNER) else None
    assert night.go().reason == "interrupted"
    night.hook = lambda _: None
    night.spec = night_space(**{"search.max_trials": 2, "final.train_on_validation": "false"})
    with pytest.raises(RunError, match=r"different space; final\.train_on_validation: True -> False"):
        night.go()
    assert night.meta("exit") == "interrupted"
    night.spec = spec
    assert night.go().reason == "done"


def test_a_threshold_is_that_of_the_model_that_it_was_chosen_for(tmp_path, monkeypatch):
    night = WholeNight(tmp_path / "run", night_space(baselines=[], **{"search.max_trials": 2}), NightWorld())
    assert night.go().reason == "done"
    winner = night.winner()
    lost = final_weights(winner).file
    with RunStore(night.run) as store:
        store.put_meta(threshold={"value": 0.3})
    monkeypatch.setattr("search.files.checkpoint.intact", lambda _, one: one.file != lost)
    assert night.go().reason == "done"
    assert night.winner().id != winner.id
    assert night.meta("threshold") is None


def test_the_rows_that_exported_models_are_verified_on_are_there_before_anything_is_trained(tmp_path):
    """Whoever exports while the search goes on has no others: numbers of words, or bytes, cannot be drawn at random."""
    night = WholeNight(tmp_path / "run", night_space(**{"search.max_trials": 2}), NightWorld())
    there = []
    night.hook = lambda _: there.append((night.run / layout.TEST_ROWS).is_file())
    night.go()
    assert there
    assert all(there)


def test_a_model_that_cannot_be_measured_costs_its_test_score_alone(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld())

    def fall_over(step):
        if step == "evaluation":
            raise MemoryError("no more")

    night.hook = fall_over
    morning = night.go("5m")
    assert (morning.reason, morning.page is not None) == ("done", True)
    assert any("could not be measured" in warning and "MemoryError" in warning for warning in night.warnings())


def test_a_search_without_any_score_still_reports_and_calls(tmp_path):
    world = NightWorld(always=Failure(FailureReason.ERROR, "no luck today"))
    night = WholeNight(tmp_path / "run", night_space(), world)
    called = tmp_path / "called"
    with pytest.raises(SearchFailed):
        night.go("5m", on_finish=f"echo $NIGHTSHIFT_EXIT > {called}")
    assert called.read_text() == "failed\n"
    assert (tmp_path / "run" / "report" / "index.html").is_file()


def killed_at(night, step, number):
    """Kills the sitting at a step; whether it came so far."""
    left = [number]

    def kill(reached):
        left[0] -= reached == step
        if left[0] == 0:
            raise Killed

    night.hook = kill
    return left


@pytest.mark.parametrize("budget", [None, "5m"])
def test_a_night_that_is_killed_at_any_step_ends_as_if_it_had_not_been(tmp_path, budget):
    """Without a promised hour everything is the same; with one it is kept, and everything is there."""
    changes = {} if budget else {"search.max_trials": 6}
    spec = night_space(**changes)
    world = NightWorld(seconds=4.0)
    whole = WholeNight(tmp_path / "whole", spec, world)
    whole.go(budget)
    counts = {step: whole.steps.count(step) for step in set(whole.steps)}
    rng = random.Random(4)
    moments = [("evaluation", 1), ("evaluation", counts["evaluation"])]
    moments += [("epoch", rng.randint(1, counts["epoch"])) for _ in range(4)] + [("epoch", counts["epoch"])]
    moments += [("end", rng.randint(1, counts["end"])) for _ in range(2)] + [("end", counts["end"])]
    for index, (step, number) in enumerate(moments):
        night = WholeNight(tmp_path / f"{index}", spec, world)
        left = killed_at(night, step, number)
        if budget is None:
            with pytest.raises(Killed):
                night.go(budget)
        else:
            with contextlib.suppress(Killed):
                night.go(budget)
        night.hook = lambda _: None
        morning = night.go()
        assert morning.reason == "done", (step, number)
        assert all(t.state is not TrialState.RUNNING for t in night.trials()), (step, number)
        if budget is None:
            assert left[0] == 0
            assert table(night.trials()) == table(whole.trials()), (step, number)
            assert night.winner().id == whole.winner().id
            assert night.winner().epochs_to == whole.winner().epochs_to
        else:
            assert night.clock.now() <= night.meta("until")
            assert night.winner().outcome.whole


@pytest.mark.parametrize("step", ["epoch", "end"])
def test_a_night_that_is_stopped_on_request_goes_on_where_it_was(tmp_path, step):
    spec = night_space(**{"search.max_trials": 6})
    whole = WholeNight(tmp_path / "whole", spec, NightWorld())
    whole.go()
    for number in range(3, whole.steps.count(step), 7):
        night = WholeNight(tmp_path / f"{number}", spec, NightWorld())
        left = [number]

        def stop(reached, left=left, night=night):
            left[0] -= reached == step
            if left[0] == 0:
                night.stop()

        night.hook = stop
        assert night.go().reason == "interrupted"
        night.hook = lambda _: None
        assert night.go().reason == "done"
        assert table(night.trials()) == table(whole.trials())
        assert night.winner().id == whole.winner().id


def test_whole_means_neither_cut_nor_failed(tmp_path):
    night = WholeNight(tmp_path / "run", night_space(), NightWorld(failing=0.3))
    night.go("5m")
    for trial in night.trials():
        outcome = trial.outcome
        assert outcome.whole == (outcome.failure is None and outcome.stopped in {Stop.LENGTH, *ENDED_EARLY})


class Asked(Crew):
    """Remembers how many workers it was asked for."""

    counts: ClassVar[list[int]] = []

    def workers(self, count):
        self.counts.append(count)
        return super().workers(count)


def test_a_search_in_fixed_order_that_began_in_one_process_goes_on_elsewhere_with_one_worker(tmp_path):
    Asked.counts = []
    spec = night_space(**{"search.order": "fixed", "search.max_trials": 2, "final.candidates": 1, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, crew=Asked, workers=0)
    night.hook = lambda step: night.stop() if step == "epoch" else None
    assert night.go().reason == "interrupted"
    night.hook, night.workers, night.elsewhere = lambda _: None, None, True
    assert night.go().reason == "done"
    assert Asked.counts == [0, 1]


class TwoPayOff(Asked):
    """Two workers pay off here."""

    def unmeasured(self, past):
        return 2


def test_a_run_from_a_larger_machine_has_no_more_workers_than_pay_off_here(tmp_path):
    Asked.counts = []
    spec = night_space(**{"search.max_trials": 2, "final.candidates": 1, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, workers=1)
    night.hook = lambda step: night.stop() if step == "epoch" else None
    assert night.go().reason == "interrupted"
    with RunStore(night.run) as store:
        store.put_meta(workers=64)
    night.hook, night.workers, night.crew = lambda _: None, None, TwoPayOff
    assert night.go().reason == "done"
    assert Asked.counts == [2]


class TwoCores(Crew):
    """Two workers with a thread each, which together are faster; a single one is not as fast as both cores for it."""

    lent: ClassVar[list[int]] = []
    factor: ClassVar[float] = 0.6

    def unmeasured(self, past):
        return 2

    def measured(self):
        return Measured(self.workers(2), Workforce(2, 1), "two are faster", Workforce(1, 2), self.factor)

    def alone(self, threads):
        self.lent.append(threads)
        return faster_alone(self.workers(1), self.factor)


def test_a_stop_while_workers_are_measured_does_not_wait_for_their_end(tmp_path):
    class Measuring(TwoCores):
        def measured(self):
            night.stop()
            pytest.fail("still measuring")

    night = two_cores(tmp_path / "run", **{"search.max_trials": 2})
    night.crew = Measuring
    assert night.go().reason == "interrupted"
    assert night.trials() == []
    night.crew = TwoCores
    assert night.go().reason == "done"


def faster_alone(executor, factor):
    pace = executor._seconds
    executor._seconds = lambda job, number: factor * pace(job, number)
    executor.slots = executor.workers = 1
    return executor


def two_cores(path, seconds=12.0, **changes):
    spec = night_space("random", epochs={"min": 20, "max": 20}, **{"final.candidates": 1, "final.seeds": 0, **changes})
    TwoCores.lent = []
    return WholeNight(path, spec, NightWorld(seconds=seconds), slots=2, crew=TwoCores, workers=None)


def searched(night, winner):
    return next(t for t in night.trials(TrialKind.SEARCH) if t.configuration == winner.configuration)


def test_the_final_training_has_all_cores_where_the_search_had_one_each(tmp_path):
    night = two_cores(tmp_path / "run")
    morning = night.go("1h")
    assert (morning.reason, TwoCores.lent) == ("done", [2])
    winner = night.winner()
    assert winner.outcome.whole
    assert (winner.kind, night.meta("trained_alone")) == (TrialKind.WINNER, [winner.id])
    assert winner.outcome.epochs[0].seconds == pytest.approx(0.6 * searched(night, winner).outcome.epochs[0].seconds)
    assert "info: one training with 2 threads" in night.messages


def test_a_fork_finds_out_which_workers_are_faster_as_every_new_run_does(tmp_path):
    changes = {"search.max_trials": 2, "final.candidates": 1, "final.seeds": 0}
    old = WholeNight(tmp_path / "old", night_space(**changes))
    assert old.go().reason == "done"
    night = two_cores(tmp_path / "new", seconds=1.0, **changes)
    night.fork = Run(old.run)
    assert night.go().reason == "done"
    assert "info: two are faster" in night.messages


def test_a_final_training_of_seconds_stays_where_the_others_were(tmp_path):
    night = two_cores(tmp_path / "run", seconds=1.0)
    assert night.go("5m").reason == "done"
    assert TwoCores.lent == []
    assert night.winner().outcome.epochs[0].seconds == searched(night, night.winner()).outcome.epochs[0].seconds


def test_a_final_training_goes_on_with_as_many_threads_as_it_began_with(tmp_path):
    night = two_cores(tmp_path / "run")
    night.hook = lambda step: night.stop() if step == "epoch" and night.meta("trained_alone") else None
    assert night.go("1h").reason == "interrupted"
    night.hook = lambda _: None
    assert night.go().reason == "done"
    assert TwoCores.lent == [2, 2]
    assert [t.id for t in night.trials(TrialKind.WINNER)] == night.meta("trained_alone")


class OnCards(TwoCores):
    """What trains follows from the cards, of which there are three; nothing was found to be faster."""

    counts: ClassVar[list[int]] = []
    may_choose = False

    def unmeasured(self, past):
        return 3

    def workers(self, count):
        self.counts.append(count)
        return super().workers(count)


@pytest.mark.parametrize(("began", "gpus", "goes_on"), [(TwoCores, [], 2), (TwoCores, ["0"] * 3, 3), (OnCards, [], 3)])
def test_a_run_goes_on_with_the_workers_that_were_fastest_or_those_that_there_are_cards_for(
    tmp_path, monkeypatch, began, gpus, goes_on
):
    night = two_cores(tmp_path / "run")
    night.crew = began
    night.hook = lambda step: night.stop() if step == "epoch" else None
    assert night.go("1h").reason == "interrupted"
    monkeypatch.setattr(environment, "gpus", lambda: gpus)
    OnCards.counts, night.crew = [], OnCards
    assert night.go().reason == "interrupted"
    assert OnCards.counts == [goes_on]


def test_what_time_has_cut_short_is_the_winner_where_it_is_better_than_the_search(tmp_path):
    """The machine is slower than it was, which nobody could know."""
    night = two_cores(tmp_path / "run", **{"final.train_on_validation": "false"})
    night.world.winner = 8.0
    assert night.go("1h").reason == "done"
    winner = night.winner()
    (final,) = night.trials(TrialKind.WINNER)
    assert final.outcome.stopped is Stop.DEADLINE
    best = max(t.outcome.score for t in night.trials(TrialKind.SEARCH) if t.configuration == final.configuration)
    assert winner.id == (final.id if final.outcome.score > best else final.configuration)
    assert any("did not get to its end" in message for message in night.messages)


@pytest.mark.parametrize("slower", [1.6, 2.5])
def test_a_final_training_that_becomes_slower_ends_sooner_with_its_rate_at_its_end(tmp_path, slower):
    """The machine is slower than it was, which nobody could know."""
    night = two_cores(tmp_path / "run", **{"training.schedule": "one-cycle"})
    night.world.winner = slower
    began = night.clock.now()
    assert night.go("1h").reason == "done"
    cut, *_, final = night.trials(TrialKind.WINNER)
    assert night.winner().id == final.id
    assert (cut.outcome.stopped, final.outcome.stopped) == (Stop.DEADLINE, Stop.LENGTH)
    assert (final.epochs_from, final.outcome.epochs[0].number) == (cut.outcome.state.epoch, cut.outcome.state.epoch + 1)
    assert final.epochs_to < cut.epochs_to == night.spec.max_epochs
    job = BaseSource(night.spec, night.clock, lambda: None).job(final)
    assert job.settings["training"]["epochs"] == final.epochs_to
    assert f"the final training ends after {final.epochs_to} epochs instead of" in "".join(night.warnings())
    assert 0.9 < used(night, 3600, began) <= 1.0
    assert TwoCores.lent == [2], "one process goes on"


def test_one_that_is_killed_in_between_goes_on_too(tmp_path):
    whole = two_cores(tmp_path / "whole", **{"training.schedule": "one-cycle"})
    whole.world.winner = 1.6
    whole.go("1h")
    epochs = whole.steps.count("epoch")
    for number in (epochs - 8, epochs - 3, epochs):
        night = two_cores(tmp_path / f"{number}", **{"training.schedule": "one-cycle"})
        night.world.winner = 1.6
        killed_at(night, "epoch", number)
        with pytest.raises(Killed):
            night.go("1h")
        night.hook = lambda _: None
        assert night.go().reason == "done"
        assert night.winner().kind is TrialKind.WINNER
        assert night.winner().outcome.whole
        assert night.clock.now() <= night.meta("until")


@dataclass
class Annealing(NightWorld):
    """What counts comes at the end of a training, when the rate goes down; a baseline is there at once."""

    top: float = 0.9

    def accuracy(self, values, epoch):
        if not values["layers"]:
            return 0.7
        return self.top if epoch >= 8 else 0.5 + 0.001 * share("early", dict(values))


@pytest.mark.parametrize(("top", "wins"), [(0.9, True), (0.6, False)])
def test_a_baseline_leads_only_until_the_best_of_the_search_is_trained_to_its_end(tmp_path, top, wins):
    changes = {"training.schedule": "cosine", "final.train_on_validation": "false", "final.candidates": 1}
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **{**changes, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, Annealing(seconds=15.0, top=top))
    morning = night.go("8m")
    assert morning.reason == "done"
    # Too little time for the search to bring anything to its end.
    assert max(t.outcome.score for t in night.trials(TrialKind.SEARCH)) < 0.7
    (final,) = night.trials(TrialKind.WINNER)
    assert final.outcome.whole
    assert not final.configuration.startswith("baseline")
    # Seven tenths of the time, though a baseline leads that is trained in a minute.
    assert sum(epoch.seconds for epoch in final.outcome.epochs) > 0.45 * 480
    assert night.winner().id == (final.id if wins else "baseline-linear")
    assert wins != any("linear stays ahead of it" in message for message in night.messages)


@pytest.mark.parametrize(("slower", "wins"), [(1.5, True), (5.0, False)])
def test_where_its_final_training_does_not_get_far_the_baseline_stays(tmp_path, slower, wins):
    """The machine is slower than it was, which nobody could know."""
    changes = {"training.schedule": "cosine", "final.train_on_validation": "false", "final.candidates": 1}
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **{**changes, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, Annealing(seconds=15.0, later=slower))
    assert night.go("8m").reason == "done"
    (final, *_) = night.trials(TrialKind.WINNER)
    assert final.outcome.stopped is Stop.DEADLINE
    assert (night.winner().configuration != "baseline-linear") == wins
    assert any("linear stays ahead of it" in message for message in night.messages) != wins


def test_what_has_no_time_for_a_final_training_is_not_said_to_have_begun_one(tmp_path, monkeypatch):
    changes = {"training.schedule": "cosine", "final.train_on_validation": "false", "final.candidates": 1}
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **{**changes, "final.seeds": 0})
    night = WholeNight(tmp_path / "run", spec, Annealing(seconds=15.0, top=0.6))
    monkeypatch.setattr(estimates, "annealed_epochs", lambda *_: None)
    assert night.go("8m").reason == "done"
    assert night.winner().configuration == "baseline-linear"
    warnings = night.warnings()
    assert any("has no final training: linear stays ahead of it" in warning for warning in warnings)
    assert not any("did not get" in warning or "no model is left" in warning for warning in warnings)


def test_the_best_of_the_search_is_trained_again_beside_the_baselines_that_lead(tmp_path):
    changes = {"training.schedule": "cosine", "final.train_on_validation": "false", "final.candidates": 1}
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **{**changes, "final.seeds": 1})
    night = WholeNight(tmp_path / "run", spec, Annealing(seconds=5.0))
    assert night.go("15m").reason == "done"
    again = {t.configuration for t in night.trials(TrialKind.CANDIDATE)}
    assert any(not name.startswith("baseline") for name in again)
    assert not night.winner().configuration.startswith("baseline")


@dataclass
class Shorter(NightWorld):
    """What comes at the end of a training is there after few epochs."""

    def accuracy(self, values, epoch):
        return 0.75 if values["layers"] else 0.7


def test_what_a_shorter_schedule_came_to_leads_only_until_the_best_of_the_search_is_trained_to_its_end(tmp_path):
    changes = {"training.schedule": "cosine", "final.train_on_validation": "false", "final.candidates": 1}
    changes["final.seeds"] = 0
    earlier = {"epochs": {"min": 1, "max": 5}, "search.max_trials": 6}
    old = WholeNight(tmp_path / "old", night_space("freeze-thaw", **earlier, **changes), Shorter(seconds=15.0))
    assert old.go().reason == "done"
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **changes)
    night = WholeNight(tmp_path / "new", spec, Annealing(seconds=15.0), fork=Run(old.run))
    assert night.go("8m").reason == "done"
    assert max(t.outcome.score for t in night.trials(TrialKind.EVIDENCE)) == 0.75
    assert max(t.outcome.score for t in night.trials(TrialKind.SEARCH)) < 0.7
    winner = night.winner()
    assert (winner.kind, winner.outcome.score) == (TrialKind.WINNER, 0.9)
    assert not winner.configuration.startswith(("old-", "baseline-"))
    assert any("the search learns nothing from" in message for message in night.messages)


@dataclass
class Linear(NightWorld):
    """The baseline, which has no layers, is as good as it says."""

    linear: float = 0.99

    def accuracy(self, values, epoch):
        return self.linear if not values["layers"] else 0.5 + 0.3 * share("top", dict(values))


@pytest.mark.parametrize(
    ("linear", "certainty", "wins"), [(0.99, 1.0, "baseline"), (0.99, 2.0, "together"), (0.4, 1.0, "alone")]
)
def test_several_models_win_together_only_where_they_beat_what_would_win_alone(tmp_path, linear, certainty, wins):
    changes = {"final.ensemble": 3, "final.seeds": 1, "search.max_trials": 8}
    found = Together("accuracy", 0.8, 0.75, certainty)
    night = WholeNight(tmp_path / "run", night_space(**changes), Linear(linear=linear), together=found)
    assert night.go().reason == "done"
    ((members, alone),) = night.compared
    assert not any(member.startswith("baseline") for member in members)
    assert alone == ("baseline-linear" if linear > 0.9 else members[0])
    assert night.meta("ensemble")["rival"] == alone
    configurations = [t.configuration for t in night.trials() if t.id in night.meta("ensemble")["trials"]]
    assert sorted(configurations) == (sorted(members) if wins == "together" else [])
    assert night.winner().configuration == (members[0] if wins == "together" else alone)
    (said,) = [message for message in night.messages if "models together: " in message]
    assert ("the baseline linear alone 0.75" if linear > 0.9 else "the best of them alone 0.75") in said
    assert ("they answer together" if wins == "together" else "not measurably better") in said


@pytest.mark.parametrize("ensemble", [1, 3])
def test_what_won_together_is_forgotten_where_the_search_goes_on(tmp_path, ensemble):
    changes = {"final.ensemble": 3, "final.seeds": 1, "search.max_trials": 4}
    found = Together("accuracy", 0.8, 0.75, 2.0)
    night = WholeNight(tmp_path / "run", night_space(**changes), NightWorld(), together=found)
    assert night.go().reason == "done"
    first, *others = night.meta("ensemble")["trials"]
    assert len(others) == 2
    night.steps.clear()
    night.spec = night_space(**{**changes, "final.ensemble": ensemble, "search.max_trials": 5})
    assert night.go().reason == "done"
    assert (night.meta("ensemble") is None) == (ensemble == 1)
    assert night.steps.count("evaluation") == 1, "of the baseline everything is known"
    with RunReader(night.run) as reader:
        measured = {evaluation.trial for evaluation in reader.evaluations()}
    assert night.meta("winner") in measured
    assert (first in measured) == (first == night.meta("winner"))


@pytest.mark.parametrize("most", [3, 4])
def test_a_run_that_is_done_stays_as_it_is_where_it_is_asked_for_no_more_trials_than_it_has(tmp_path, most):
    """The models that had won together were measured on the test part once more."""
    changes = {"final.ensemble": 3, "final.seeds": 1}
    found = Together("accuracy", 0.8, 0.75, 2.0)
    spec = night_space(**changes, **{"search.max_trials": 4})
    night = WholeNight(tmp_path / "run", spec, NightWorld(), together=found)
    assert night.go().reason == "done"
    facts, trials = [night.meta(key) for key in ("winner", "ensemble")], night.trials()
    night.steps.clear()
    night.spec, night.max_trials = night_space(**changes, **{"search.max_trials": most}), most
    assert api._needed("auto", night.spec, night.run, most) is None, "no cluster for that"
    assert night.go().reason == "done"
    assert "evaluation" not in night.steps
    assert ([night.meta(key) for key in ("winner", "ensemble")], night.trials()) == (facts, trials)
    assert "nothing is left to do" in night.messages[-1]


@pytest.mark.parametrize(("schedule", "together"), [("cosine", False), ("constant", True)])
@pytest.mark.parametrize("baselines", [{}, {"baselines": []}], ids=["beside a baseline", "without one"])
def test_several_models_win_together_only_where_the_search_has_seen_the_end_of_the_rate(
    tmp_path, schedule, together, baselines
):
    """What would win alone is the final training, and what was paused before shows nothing of it."""
    changes = {"training.schedule": schedule, "final.candidates": 1, "final.seeds": 0, "final.ensemble": 3}
    spec = night_space("freeze-thaw", epochs={"min": 1, "max": 20}, **changes, **baselines)
    found = Together("accuracy", 0.8, 0.75, 2.0)
    night = WholeNight(tmp_path / "run", spec, Annealing(seconds=15.0), together=found)
    assert night.go("8m").reason == "done"
    assert bool(night.compared) == bool(night.meta("ensemble")) == together
    winner = night.winner()
    assert (winner.kind is TrialKind.WINNER) != together
    assert winner.outcome.whole or together
    assert together != any("no ensemble of 3: the learning rate" in message for message in night.messages)
