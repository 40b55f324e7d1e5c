"""A search algorithm that raises, at whatever it is asked: the night goes on."""

from __future__ import annotations

import random
from functools import partial

import pytest

from search.record.trial import TrialKind
from tests.search.listening import Listener
from tests.search.simulation import Killed, Night, World, all_ended, at_moment, die, space
from tests.search.test_simulated_nights import ALGORITHMS, QUICK_FIRST, killed_at_random

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it


def few(algorithm, trials):
    """So many trials, fewer where each proposal fits a Gaussian process."""
    return min(trials, 14) if algorithm in ("bayesian", "freeze-thaw") else trials


def oracle_class(algorithm):
    from search.oracles import oracle
    from tests.search.oracles.conftest import space as small_space

    return type(oracle(algorithm, hyperparameters=small_space(), objective="val_accuracy", max_epochs=9))


class Faults:
    """Lets methods of an oracle raise, or answer something else."""

    def __init__(self, monkeypatch, algorithm):
        self._monkeypatch, self._class = monkeypatch, oracle_class(algorithm)
        self.count = 0

    def raising(self, method, error, every=1, after=False):
        real = getattr(self._class, method)

        def broken(oracle, *arguments, **options):
            self.count += 1
            due = self.count % every == 0
            if due and not after:
                raise error
            answer = real(oracle, *arguments, **options)
            if due:
                raise error
            return answer

        self._monkeypatch.setattr(self._class, method, broken)

    def answering(self, method, change):
        real = getattr(self._class, method)
        self._monkeypatch.setattr(self._class, method, lambda oracle, *a, **o: change(real(oracle, *a, **o)))


@pytest.fixture
def make_faults(monkeypatch):
    return partial(Faults, monkeypatch)


def night(folder, algorithm, trials=24, **options):
    return Night(folder / "run", space(algorithm, max_trials=few(algorithm, trials)), World(failing=0.1), **options)


def whole(found, trials=24):
    """All trials are there and ended, and nothing was tried twice."""
    searched = found.trials(TrialKind.SEARCH)
    assert len(searched) == few(found.spec.search.algorithm, trials)
    assert all_ended(found.trials())
    fresh = [repr(sorted(trial.values.items())) for trial in searched if trial.parent is None]
    assert len(set(fresh)) == len(fresh)
    return searched


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
@pytest.mark.parametrize(("slots", "after"), [(3, False), (1, True)])
def test_one_that_raises_when_asked_costs_a_random_proposal(tmp_path, make_faults, algorithm, slots, after):
    make_faults(algorithm).raising("create_trial", KeyError("bracket"), every=4, after=after)
    found = night(tmp_path, algorithm, slots=slots)
    found.go()
    searched = whole(found)
    random_ones = [t for t in searched if t.note == "at random: the search algorithm failed (KeyError: 'bracket')"]
    assert len(random_ones) in (len(searched) // 4, len(searched) // 4 + 1)
    if algorithm in ("hyperband", "freeze-thaw"):
        assert {trial.epochs_to for trial in random_ones} == {9}
    (said,) = found.warnings
    assert said.startswith("the search algorithm failed when it was asked for a trial (KeyError: 'bracket')")


@pytest.mark.parametrize("method", ["create_trial", "end_trial", "continuable", "memory"])
def test_one_that_wants_to_end_the_process_ends_nothing(tmp_path, make_faults, method):
    make_faults("hyperband").raising(method, SystemExit(3), every=4)
    found = night(tmp_path, "hyperband")
    found.go()
    whole(found)
    assert all("(SystemExit: 3)" in warning for warning in found.warnings)
    assert found.warnings


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_that_raises_at_every_question_leaves_a_random_search(tmp_path, make_faults, algorithm):
    make_faults(algorithm).raising("populate_space", ZeroDivisionError("unlucky"))
    found = night(tmp_path, algorithm)
    found.go()
    assert all(trial.note.startswith("at random: ") for trial in whole(found))
    assert len(found.warnings) == 1


def test_without_a_number_of_trials_a_random_search_is_as_long_as_the_plan(tmp_path, make_faults):
    from search.phases.schedule import planned

    make_faults("hyperband").raising("populate_space", ZeroDivisionError("unlucky"))
    found = night(tmp_path, "hyperband")
    found.spec = space("hyperband", max_trials=None)
    found.go()
    assert len(found.trials(TrialKind.SEARCH)) == planned(found.spec).trials


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
@pytest.mark.parametrize(("method", "after"), [("update_trial", True), ("score_trial", False), ("end_trial", True)])
def test_one_that_raises_when_told_goes_on(tmp_path, make_faults, algorithm, method, after):
    make_faults(algorithm).raising(method, ValueError("not\n\x1b[31ma number"), every=5, after=after)
    found = night(tmp_path, algorithm)
    found.go()
    whole(found)
    assert found.warnings == [
        "the search algorithm failed when it was told of a trial (ValueError: not [31ma number): it goes on without it"
    ]


def test_each_kind_of_error_is_told_once(tmp_path, make_faults):
    faults = make_faults("random")
    faults.raising("end_trial", ValueError("one"), every=2)
    faults.raising("populate_space", OSError("two"), every=3)
    found = night(tmp_path, "random")
    found.go()
    assert len(found.warnings) == 2


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
@pytest.mark.parametrize("order", ["free", "fixed"])
def test_one_whose_state_cannot_be_had_survives_kills(tmp_path, make_faults, algorithm, order):
    make_faults(algorithm).raising("memory", RuntimeError("no state"), every=3)
    found = night(tmp_path, algorithm, slots=2)
    found.spec = found.spec.model_copy(update={"search": found.spec.search.model_copy(update={"order": order})})
    assert killed_at_random(found, random.Random(1)) >= 1
    whole(found)
    assert any("asked for its state (RuntimeError: no state)" in text for text in found.warnings)


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
def test_one_that_does_not_take_its_state_back_goes_on_at_random(tmp_path, make_faults, algorithm):
    found = night(tmp_path, algorithm)
    with pytest.raises(Killed):
        found.go(at_moment(20, die))
    found.warnings.clear()
    before = len(found.trials(TrialKind.SEARCH))
    make_faults(algorithm).raising("recall", KeyError("brackets"))
    found.go()
    searched = whole(found)
    assert 0 < before < len(searched)
    notes = {trial.note for trial in searched[before:]}
    assert notes == {"at random: the search algorithm failed (what it knew is lost)"}
    assert len(found.warnings) == 1
    assert "given its state back (KeyError: 'brackets')" in found.warnings[0]


def test_a_state_that_is_no_plain_data_is_left_out(tmp_path, make_faults):
    make_faults("random").answering("memory", lambda state: {**state, "thing": object()})
    listener = Listener()
    found = night(tmp_path, "random", observer=listener)
    found.go()
    whole(found)
    assert len(listener.texts) == 1
    assert listener.texts[0].startswith("what the search algorithm keeps cannot be written (TypeError")


def test_a_proposal_that_is_no_configuration_of_the_space_is_replaced(tmp_path, make_faults):
    def changed(answer):
        return {**answer, "values": {**answer["values"], "layers": 17}} if answer.get("values") else answer

    make_faults("random").answering("populate_space", changed)
    found = night(tmp_path, "random")
    found.go()
    assert {trial.values["layers"] for trial in whole(found)} <= {1, 2, 3}
    assert "asked for a trial that can be trained" in found.warnings[0]


def test_one_that_cannot_say_what_it_goes_on_with_loses_no_configuration(tmp_path, make_faults):
    undisturbed = Night(tmp_path / "whole", space("hyperband", max_trials=24), World(failing=0.1))
    undisturbed.go()
    make_faults("hyperband").raising("continuable", ValueError("unlucky"))
    found = night(tmp_path, "hyperband")
    found.go()
    assert found.table() == undisturbed.table()


def test_a_stock_oracle_that_wants_a_folder_costs_its_proposals(tensorflow):
    import keras_tuner

    from search.phases.proposer import Proposer
    from tests.search.records import outcome

    warnings = []
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Int("units", 1, 3)
    stock = keras_tuner.oracles.RandomSearchOracle(
        objective="val_accuracy", max_trials=9, hyperparameters=hyperparameters, seed=1
    )
    asker = Proposer(stock, on_warning=warnings.append)
    asked = [asker.ask() for _ in range(3)]
    assert sorted(proposal.values["units"] for proposal in asked) == [1, 2, 3]
    assert [proposal.trial_id for proposal in asked] == ["0", "1", "2"]
    for proposal in asked:
        asker.tell(proposal.trial_id, outcome([0.5]))
    assert asker.state() is not None
    assert asker.continuable() == set()
    assert type(asker.ask()).__name__ == "Exhausted"
    assert all("failed when it was" in text for text in warnings)
    assert not stock.ongoing_trials
