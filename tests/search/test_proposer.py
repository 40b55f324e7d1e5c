"""Between the loop and an oracle: what is taken back, what is kept, and what the oracle is told of time."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import spaces
from search.oracles import SECONDS_METRIC, oracle
from search.oracles.surrogate.curves import Stage
from search.oracles.surrogate.success import success_of
from search.oracles.surrogate.trust import finished
from search.phases.proposer import Proposal, Proposer, _within, for_spec
from search.record.trial import FailureReason, Stop
from tests.search import small
from tests.search.oracles.conftest import score
from tests.search.oracles.conftest import space as oracle_space
from tests.search.records import failed, outcome, trial
from tests.search.simulation import World, space

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it


WORLD = World()


def made(algorithm, warnings, **options):
    """The proposer of a space of dense networks."""
    return for_spec(space(algorithm, max_trials=60), on_warning=warnings.append, **options)


def begun(asker):
    """Asks, as the loop does: what the oracle knows is committed with the trial."""
    proposal = asker.ask()
    assert isinstance(proposal, Proposal)
    asker.state()
    return proposal


def train(asker, proposal, score=WORLD.accuracy):
    epochs = range(proposal.epochs_from + 1, (proposal.epochs_to or 3) + 1)
    scores = [score(proposal.values, epoch) for epoch in epochs]
    asker.tell(proposal.trial_id, outcome(scores, proposal.epochs_from + 1))
    asker.state()


@pytest.mark.parametrize(
    ("algorithm", "trials"), [("hyperband", 40), ("freeze-thaw", 24), ("bayesian", 10), ("random", 5), ("grid", 5)]
)
def test_a_withdrawn_trial_leaves_nothing_behind(algorithm, trials):
    warnings = []
    asker = made(algorithm, warnings)
    continued = 0
    for _ in range(trials):
        kept = asker.continuable()
        first = asker.ask()
        asker.withdraw(first.trial_id)
        assert asker.continuable() == kept
        again = begun(asker)
        assert again == first
        continued += again.parent is not None
        train(asker, again)
    assert continued or algorithm not in ("hyperband", "freeze-thaw")
    assert not warnings


def test_the_first_of_all_trials_may_be_withdrawn():
    warnings = []
    asker = made("hyperband", warnings)
    asker.withdraw(asker.ask().trial_id)
    for _ in range(30):
        train(asker, begun(asker))
    assert not warnings


def test_a_probe_that_was_withdrawn_is_none(loop_space):
    searched = oracle("freeze-thaw", hyperparameters=loop_space, objective="val_accuracy", max_epochs=27)
    asker = Proposer(searched)
    while not (proposal := asker.ask()).note.startswith("probe"):
        asker.state()
        train(asker, proposal, score)
    assert proposal.trial_id in searched.get_state()["probes"]
    asker.withdraw(proposal.trial_id)
    assert proposal.trial_id not in searched.get_state()["probes"]


def test_what_an_oracle_tells_of_itself_may_be_lists_of_its_own(loop_space):
    from search.oracles.random_search import RandomOracle

    class Remembering(RandomOracle):
        proposed = ()

        def populate_space(self, trial_id):
            self.proposed = self.proposed or []
            self.proposed.append(trial_id)
            return super().populate_space(trial_id)

        def memory(self):
            return {"proposed": self.proposed}

        def take_up(self, memory):
            self.proposed = memory["proposed"]

    searched = Remembering(hyperparameters=loop_space, objective="val_accuracy")
    asker = Proposer(searched)
    first = begun(asker)
    for _ in range(2):
        asker.withdraw(asker.ask().trial_id)
        assert searched.proposed == [first.trial_id]


@pytest.mark.parametrize("log", [None, {"best": 1}])
def test_a_log_that_is_no_list_is_told(monkeypatch, log):
    warnings = []
    asker = made("random", warnings)
    monkeypatch.setattr(type(asker._oracle), "memory", lambda oracle: {"log": log})
    assert asker.state() is None
    train(asker, begun(asker))
    (said,) = warnings
    assert f"asked for its state (TypeError: under log it has {type(log).__name__}, no list)" in said


def test_where_the_oracle_fails_what_it_last_wanted_is_kept(monkeypatch):
    warnings = []
    asker = made("hyperband", warnings)
    for _ in range(3):
        train(asker, begun(asker))
    wanted = asker.continuable()
    assert wanted

    def broken(oracle):
        raise KeyError("0007")

    monkeypatch.setattr(type(asker._oracle), "continuable", broken)
    assert asker.continuable() == wanted
    assert len(warnings) == 1


def seconds_told(asker, proposal):
    """Epochs of a trial of which the oracle knows how long they took."""
    metrics = asker._oracle.trials[proposal.trial_id].metrics
    history = metrics.get_history(SECONDS_METRIC) if metrics.exists(SECONDS_METRIC) else []
    return [one.step for one in history]


def test_the_first_epoch_which_may_be_compiled_says_nothing_of_the_price():
    asker = made("random", [], timed=True)
    first, second = begun(asker), begun(asker)
    asker.tell(first.trial_id, outcome([0.5, 0.6, 0.7]))
    asker.tell(second.trial_id, outcome([0.5]))
    assert seconds_told(asker, first) == [2, 3]
    assert seconds_told(asker, second) == []
    untimed = made("random", [])
    third = begun(untimed)
    untimed.tell(third.trial_id, outcome([0.5, 0.6]))
    assert seconds_told(untimed, third) == []


def test_where_later_epochs_are_dearer_every_epoch_tells_its_price(loop_space):
    searched = oracle("random", hyperparameters=loop_space, objective="val_accuracy", max_epochs=9)
    asker = Proposer(searched, timed=True, becomes_dearer=True)
    first = begun(asker)
    asker.tell(first.trial_id, outcome([0.5]))
    assert seconds_told(asker, first) == [1]


def test_evidence_tells_its_price_without_its_first_epoch(loop_space):
    searched = oracle("freeze-thaw", hyperparameters=loop_space, objective="val_accuracy", max_epochs=9)
    asker = Proposer(searched, timed=True)
    asker.learn({"layers": 1}, outcome([0.5]).epochs)
    asker.learn({"layers": 2}, outcome([0.5, 0.6]).epochs)
    assert [one["seconds"] for one in searched.get_state()["evidence"]] == [None, 1.0]


@pytest.fixture
def loop_space(tensorflow):
    return oracle_space()


def restored(asker, proposals, oracle):
    """A proposer that takes up where `asker` is, after these proposals."""
    again = Proposer(oracle)
    stored = [trial(p.trial_id, values=p.values, oracle=asker.record(p.trial_id)) for p in proposals]
    again.restore(stored, asker.state())
    return again


def test_a_training_cut_short_by_the_deadline_is_neither_finished_nor_failed():
    def made_oracle():
        return oracle(
            "freeze-thaw", hyperparameters=oracle_space(), objective="val_accuracy", min_epochs=3, max_epochs=27
        )

    asker = Proposer(made_oracle())
    whole, cut, unbegun = (begun(asker) for _ in range(3))
    asker.tell(whole.trial_id, outcome([0.3, 0.4, 0.5]))
    asker.tell(cut.trial_id, outcome([0.6, 0.7], stopped=Stop.DEADLINE))
    asker.tell(unbegun.trial_id, outcome([], stopped=Stop.DEADLINE))
    for known in (asker, restored(asker, (whole, cut, unbegun), made_oracle())):
        paused, ended = known._oracle._curves()
        assert (paused.stage, paused.trial_id) == (Stage.PAUSED, whole.trial_id)
        assert (ended.stage, ended.epochs, ended.scores) == (Stage.ENDED, 2, {1: 0.6, 2: 0.7})
        assert not ended.stopped
        assert not finished(ended, 27)
        assert known.continuable() == {whole.trial_id}
        # Where nothing has failed every configuration succeeds.
        space = known._oracle.space
        codes = space.draw(np.random.default_rng(0).random((5, len(space))))
        assert not success_of(known._oracle._curves(), space).log(space.features(codes)).any()


def test_a_continued_training_without_an_epoch_before_the_deadline_is_where_it_was(loop_space):
    searched = oracle("freeze-thaw", hyperparameters=loop_space, objective="val_accuracy", min_epochs=3, max_epochs=27)
    asker = Proposer(searched)
    while not (proposal := begun(asker)).parent:
        train(asker, proposal, score)
    before = next(c for c in searched._curves() if c.trial_id == proposal.trial_id).scores
    best = max(before, key=before.get)
    asker.tell(proposal.trial_id, outcome([], score=before[best], best_epoch=best, stopped=Stop.DEADLINE))
    curve = next(c for c in searched._curves() if c.trial_id == proposal.trial_id)
    assert (curve.stage, curve.epochs, curve.stopped) == (Stage.ENDED, proposal.epochs_from, False)
    assert curve.scores == before
    assert asker.record(proposal.trial_id)["values"]["tuner/epochs"] == proposal.epochs_from


@pytest.mark.parametrize(
    ("reasons", "counted"),
    [
        ([FailureReason.NAN], 1),
        ([FailureReason.OUT_OF_MEMORY], 1),
        ([FailureReason.CRASHED, FailureReason.CRASHED, FailureReason.HUNG], 0),
        ([FailureReason.DATA, FailureReason.ERROR, FailureReason.INVALID], 1),
        # The third says that the values have something to do with it.
        ([FailureReason.CRASHED] * 3, 3),
    ],
)
def test_a_failure_that_need_not_lie_in_the_values_counts_when_several_had_it(reasons, counted):
    def made_oracle():
        return oracle("freeze-thaw", hyperparameters=oracle_space(), objective="val_accuracy", max_epochs=27)

    asker = Proposer(made_oracle())
    proposals = [begun(asker)]
    train(asker, proposals[0], score)
    for reason in reasons:
        proposals.append(begun(asker))
        asker.tell(proposals[-1].trial_id, failed(reason))
    for known in (asker, restored(asker, proposals, made_oracle())):
        stages = [curve.stage for curve in known._oracle._curves()]
        assert stages == [Stage.PAUSED, *[Stage.FAILED] * counted]


def test_a_continued_training_that_crashed_keeps_its_scores(loop_space):
    searched = oracle("freeze-thaw", hyperparameters=loop_space, objective="val_accuracy", min_epochs=3, max_epochs=27)
    asker = Proposer(searched)
    while not (proposal := begun(asker)).parent:
        train(asker, proposal, score)
    asker.tell(proposal.trial_id, failed(FailureReason.CRASHED))
    curve = next(c for c in searched._curves() if c.trial_id == proposal.trial_id)
    assert (curve.stage, curve.stopped) == (Stage.ENDED, False)
    assert max(curve.scores) == curve.epochs == proposal.epochs_from


def test_a_bayesian_search_learns_nothing_from_trainings_that_were_cut_short():
    asker = made("bayesian", [])
    for _ in range(8):
        train(asker, begun(asker))
    told = []
    for proposal in [begun(asker), begun(asker)]:
        told.append(proposal)
        scores = [] if len(told) == 1 else [0.99]
        asker.tell(proposal.trial_id, outcome(scores, stopped=Stop.DEADLINE))
    assert asker._oracle.cut_short == {proposal.trial_id for proposal in told}
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        nothing = SimpleNamespace(proposals=list)
        patch.setattr("search.oracles.bayesian.FullLength", lambda *arguments, **_: shown.append(arguments) or nothing)
        assert asker._oracle._propose() is None
    ((_, codes, scores),) = shown
    assert len(codes) == len(scores) == 8


@pytest.mark.parametrize(("data", "latest"), [({"validation": {"folds": 4}}, 0.6), ({}, 0.9)])
def test_a_lucky_first_fold_is_not_what_a_configuration_is_worth(data, latest):
    asker = for_spec(small.spec(data=data, search={"algorithm": "freeze-thaw"}))
    asker.tell(begun(asker).trial_id, outcome([0.9, 0.6], score=latest))
    asker.learn({"learning_rate": 0.01}, outcome([0.9, 0.6]).epochs)
    searched = asker._oracle
    curves = [*searched._curves(), *searched._history.evidence(searched.space, searched.last_counts)]
    assert [curve.latest for curve in curves] == [latest, latest]


def test_the_parameters_of_a_configuration_are_counted_once(monkeypatch):
    counted = []
    monkeypatch.setattr(spaces, "count_parameters", lambda settings, info: counted.append(settings) or len(counted))
    within = _within(small.spec(), None, 1)
    first, second = small.VALUES.values()
    assert [within(values) for values in (first, second, dict(first), second)] == [True, False, True, False]
    assert len(counted) == 2


@pytest.mark.parametrize("fine_tune", [None, [0.0, 0.25]])
def test_an_oracle_knows_whether_epochs_become_dearer(fine_tune):
    assert made("freeze-thaw", [])._oracle.becomes_dearer is False
    model = {"family": "pretrained", "backbone": "efficientnet-b0", **({"fine_tune": fine_tune} if fine_tune else {})}
    spec = spaces.load({
        "name": "x",
        "data": {"source": "digits"},
        "model": model,
        "training": {"learning_rate": {"min": 1e-4, "max": 1e-1, "log": True}, "epochs": {"min": 1, "max": 9}},
        "search": {"algorithm": "freeze-thaw", "objective": "val_accuracy"},
    })  # fmt: skip
    assert for_spec(spec)._oracle.becomes_dearer is bool(fine_tune)
    assert bool(for_spec(spec, timed=True)._oracle.tried_first) is bool(fine_tune)
    # Each fold is trained to its end: its dear epochs are in the first of them as in the others.
    folds = for_spec(spaces.load(spec, ["data.validation={folds: 3}"]), timed=True)._oracle
    assert (folds.becomes_dearer, folds.tried_first) == (False, 0)
