"""What `nightshift.testing` accepts and what it finds."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydantic import model_validator

from nightshift import testing
from search.clock import SystemClock
from search.executors import makes_elsewhere
from search.night.logfile import LogFile
from search.night.tensorboard import TensorBoardWriter
from search.oracles import oracle
from spaces import CodeError, DataInfo
from spaces.families import FAMILIES, Family
from spaces.families.mlp import MLP
from spaces.sections.algorithms import ALGORITHMS

ROWS = DataInfo("tabular", (4,), "float32", "classification", "integer", 3, ("a", "b", "c"))
SECTION = {"family": "mlp", "layers": {"min": 0, "max": 2}, "units": [4, 8]}


def test_our_own_families_and_algorithms_keep_to_it(tensorflow):
    testing.check_family(FAMILIES["mlp"], SECTION, ROWS)
    for name in ("random", "hyperband"):
        testing.check_oracle(ALGORITHMS[name])


def test_a_family_that_counts_wrong_is_found(tensorflow, monkeypatch):
    monkeypatch.setattr(type(MLP), "count_parameters", lambda *_: 1)
    with pytest.raises(AssertionError, match="mlp: 1 parameters counted"):
        testing.check_family(MLP, SECTION, ROWS)


def test_an_oracle_that_repeats_itself_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    repeated = {"status": "RUNNING", "values": {"units": 1, "optimizer": "sgd"}}
    monkeypatch.setattr(RandomOracle, "populate_space", lambda *_: repeated)
    with pytest.raises(AssertionError, match="random: proposed a configuration twice"):
        testing.check_oracle(ALGORITHMS["random"])


def _answers(status, values=None):
    return {"status": status, "values": values}


def test_an_oracle_that_proposes_nothing_or_waits_for_nothing_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    monkeypatch.setattr(RandomOracle, "populate_space", lambda *_: _answers("STOPPED"))
    with pytest.raises(AssertionError, match="random: stopped after 0 of 12 trials"):
        testing.check_oracle(ALGORITHMS["random"])
    monkeypatch.setattr(RandomOracle, "populate_space", lambda *_: _answers("IDLE"))
    with pytest.raises(AssertionError, match="random: waits for other trials although none is running"):
        testing.check_oracle(ALGORITHMS["random"])


def _instead(monkeypatch, answer):
    """Lets the random oracle answer what is made of itself and of its own answer."""
    from search.oracles.random_search import RandomOracle

    propose = RandomOracle.populate_space
    monkeypatch.setattr(RandomOracle, "populate_space", lambda self, trial_id: answer(self, propose(self, trial_id)))


def test_an_oracle_that_gives_up_at_a_failure_is_found(tensorflow, monkeypatch):
    def gives_up(oracle, found):
        return _answers("STOPPED") if any(t.status == "FAILED" for t in oracle.trials.values()) else found

    _instead(monkeypatch, gives_up)
    with pytest.raises(AssertionError, match="random: stopped after 2 of 12 trials, some of which failed"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_to_which_values_make_a_difference_that_are_not_active_is_found(tensorflow, monkeypatch):
    def everything(oracle, found):
        if "kind" in (found.get("values") or {}):
            found["values"] = {"kind": "wide", "bias": True, "units": 1 + len(oracle.trials)}
        return found

    _instead(monkeypatch, everything)
    with pytest.raises(AssertionError, match="random: proposed a configuration twice"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_that_can_be_asked_for_one_at_a_time_only_is_found(tensorflow, monkeypatch):
    _instead(monkeypatch, lambda oracle, found: _answers("IDLE") if oracle.ongoing_trials else found)
    with pytest.raises(AssertionError, match="random: stopped after 1 of 3 trials, asked for 3 at once"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_that_proposes_what_is_not_allowed_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    monkeypatch.setattr(RandomOracle, "only", lambda *_: None)
    with pytest.raises(AssertionError, match=r"random: proposed .*, which is not allowed"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_of_keras_tuner_alone_is_told(tensorflow, monkeypatch):
    import keras_tuner

    def plain(self, *, min_epochs, max_epochs, **arguments):
        return keras_tuner.oracles.RandomSearchOracle(**arguments | {"max_trials": 3})

    monkeypatch.setattr(type(ALGORITHMS["random"]), "oracle", plain)
    with pytest.raises(
        AssertionError, match=r"random: its oracle is RandomSearchOracle, no search\.oracles\.BaseOracle"
    ):
        testing.check_oracle(ALGORITHMS["random"])
    hp = keras_tuner.HyperParameters()
    with pytest.raises(CodeError, match=r"random: it gave RandomSearchOracle, no search\.oracles\.BaseOracle"):
        oracle("random", hyperparameters=hp, objective="val_loss", max_epochs=1)


def test_an_oracle_without_what_its_algorithm_declares_is_found(tensorflow, monkeypatch):
    kind = type(ALGORITHMS["random"])
    monkeypatch.setattr(kind, "takes_evidence", True)
    with pytest.raises(AssertionError, match="random: takes evidence, but its oracle has no add_evidence"):
        testing.check_oracle(ALGORITHMS["random"])
    monkeypatch.setattr(kind, "multi_fidelity", True)
    with pytest.raises(AssertionError, match="random: decides how long trainings are, and asked for epochs 0 to None"):
        testing.check_oracle(ALGORITHMS["random"])
    _instead(monkeypatch, lambda oracle, found: {**found, "values": {**found["values"], "tuner/epochs": 4}})
    with pytest.raises(AssertionError, match="asked for epochs 0 to 4; allowed: tuner/epochs of 1 to 3"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_whose_memory_a_run_cannot_keep_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    # What a run's store writes, and gives back in plain types.
    known = {"best": np.float32(0.5), "seen": {1, 2}, "log": [{"score": float("nan")}]}
    monkeypatch.setattr(RandomOracle, "memory", lambda oracle: known)
    testing.check_oracle(ALGORITHMS["random"])
    for memory, told in (
        ({"model": object()}, r"random: its memory is no plain data \(TypeError: "),
        ({"log": {"best": 1}}, "random: under log its memory has dict, no list"),
    ):
        monkeypatch.setattr(RandomOracle, "memory", lambda oracle, memory=memory: memory)
        with pytest.raises(AssertionError, match=told):
            testing.check_oracle(ALGORITHMS["random"])
    monkeypatch.setattr(RandomOracle, "memory", lambda oracle: {"log": list(oracle.trials)[-2:]})
    with pytest.raises(AssertionError, match="random: the log in its memory has not only grown"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_that_keeps_what_was_taken_back_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    class Counts(RandomOracle):
        asked = 0

        def populate_space(self, trial_id):
            self.asked += 1
            values = {"units": 1 + self.asked // 2, "optimizer": ["sgd", "adam"][self.asked % 2]}
            return _answers("RUNNING", values)

        def memory(self):
            return {"asked": self.asked}

        def take_up(self, memory):
            # Right for a fresh one alone.
            self.asked += memory["asked"]

    def made(self, *, min_epochs, max_epochs, **arguments):
        return Counts(**arguments)

    monkeypatch.setattr(type(ALGORITHMS["random"]), "oracle", made)
    with pytest.raises(AssertionError, match="random: what was proposed and taken back made later proposals others"):
        testing.check_oracle(ALGORITHMS["random"])


def test_an_oracle_that_goes_on_from_what_it_has_not_named_is_found(tensorflow, monkeypatch):
    from search.oracles.hyperband import HyperbandOracle

    monkeypatch.setattr(HyperbandOracle, "continuable", lambda oracle: set())
    with pytest.raises(AssertionError, match=r"hyperband: goes on from trial .*, which `continuable` did not name"):
        testing.check_oracle(ALGORITHMS["hyperband"])


def test_a_family_that_says_what_it_shares_and_is_no_list_of_layers_is_found(tensorflow, monkeypatch):
    class Whole(Family):
        name = "mlp"
        section = MLP.section
        stacks = MLP.stacks
        settings = MLP.settings

        def operations(self, model):
            return "all"

    monkeypatch.setitem(FAMILIES._found, "mlp", Whole())
    with pytest.raises(AssertionError, match="mlp: it has operations, but is no Layered family"):
        testing.check_family(FAMILIES["mlp"], {"family": "mlp", "layers": 1, "units": 8}, ROWS)


@pytest.mark.parametrize(
    ("method", "answer", "told"),
    [
        ("threads", 0, "mlp: one operation has 0 threads of 8 cores"),
        ("threads", 0.5, "mlp: 0.5 is no number of threads"),
        ("require", None, "mlp: require gave None, no list of sentences"),
        ("advice", "many layers", "mlp: advice gave 'many layers', no list of sentences"),
        ("files", {"model.keras": 3}, "mlp: 3 of its require, advice, files or sources is no text"),
        ("output", "scores", "mlp: its output is 'scores', not one of probabilities, logits"),
    ],
)
def test_a_family_that_says_what_no_run_can_take_is_found(tensorflow, monkeypatch, method, answer, told):
    monkeypatch.setattr(type(MLP), method, lambda *_: answer)
    with pytest.raises(AssertionError, match=re.escape(told)):
        testing.check_family(MLP, SECTION, ROWS)


def test_a_family_that_shares_and_gives_its_layers_no_names_is_found(tensorflow, monkeypatch):
    from keras import layers

    monkeypatch.setattr(type(MLP), "hidden_layers", lambda *_: [layers.Flatten(), layers.Dense(3)])
    with pytest.raises(AssertionError, match=r"mlp: it shares .* a layer that is flatten\w* in one model is flatten_"):
        testing.check_family(MLP, SECTION, ROWS)


def test_a_family_that_begins_frozen_and_is_no_pretrained_one_is_found(tensorflow, monkeypatch):
    class Frozen(type(MLP)):
        def begins_frozen(self, model):
            return True

    monkeypatch.setitem(FAMILIES._found, "mlp", Frozen())
    with pytest.raises(AssertionError, match="mlp: its trainings begin with a frozen backbone, but"):
        testing.check_family(FAMILIES["mlp"], {"family": "mlp", "layers": 1, "units": 8}, ROWS)


def test_a_family_whose_section_changes_when_it_is_read_is_found(tensorflow, monkeypatch):
    class Growing(MLP.section):
        @model_validator(mode="before")
        @classmethod
        def _grow(cls, raw):
            return {**raw, "layers": raw["layers"] + 1} if isinstance(raw, dict) else raw

    class Grown(type(MLP)):
        section = Growing

    monkeypatch.setitem(FAMILIES._found, "mlp", Grown())
    with pytest.raises(AssertionError, match="mlp: the section changes when it is read again"):
        testing.check_family(FAMILIES["mlp"], {"family": "mlp", "layers": 1, "units": 8}, ROWS)


def test_our_own_executors_and_that_of_the_example_keep_to_it(tensorflow, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples/extensions"))
    from one_by_one import OneByOne

    testing.check_executor(OneByOne)


def test_an_executor_elsewhere_of_which_its_function_does_not_say_so_is_found(tensorflow, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples/extensions"))
    from one_by_one import OneByOne

    class Away(OneByOne):
        def where(self):
            return {}

        def described(self):
            return "far away"

    with pytest.raises(AssertionError, match="has the methods of `Elsewhere`, and what makes it says not that"):
        testing.check_executor(lambda place: Away(place))
    assert makes_elsewhere(partial(Away, 3))


def test_an_executor_that_is_told_late_or_trains_otherwise_is_found(tensorflow, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples/extensions"))
    from one_by_one import OneByOne

    class Silent(OneByOne):
        def submit(self, job, on_epoch):
            return super().submit(job, lambda *_: None)

    with pytest.raises(AssertionError, match=r"epochs \[\] were told before the trial was done"):
        testing.check_executor(Silent)

    class Seedless(OneByOne):
        def submit(self, job, on_epoch):
            return super().submit(replace(job, seed=7), on_epoch)

    with pytest.raises(AssertionError, match="other epochs than in this process"):
        testing.check_executor(Seedless)

    class Paceless(OneByOne):
        def pace(self, settings, seconds):
            return None

    with pytest.raises(AssertionError, match="the pace is None, no number of rows a second"):
        testing.check_executor(Paceless)


def test_a_tracker_that_raises_or_touches_the_run_is_found(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples/extensions"))
    from longest import Follower

    testing.check_tracker(Follower)

    class Divides(Follower):
        def epoch(self, trial, epoch):
            self.last = 1 / (epoch.number - 2)

    with pytest.raises(AssertionError, match=r"sitting 1: .*Divides.epoch raised ZeroDivisionError"):
        testing.check_tracker(Divides)

    class Ends(Follower):
        def finished(self, trial, outcome):
            raise SystemExit(3)

    with pytest.raises(AssertionError, match=r"sitting 1: .*Ends.finished raised SystemExit: 3"):
        testing.check_tracker(Ends)

    class Expects(Follower):
        def outlook(self, ends, at_once):
            self.left = ends - 1

    with pytest.raises(AssertionError, match=r"sitting 1: .*Expects.outlook raised TypeError"):
        testing.check_tracker(Expects)

    class Validates(Follower):
        def epoch(self, trial, epoch):
            self.last = epoch.metrics["val_loss"]

    with pytest.raises(AssertionError, match=r"sitting 2: .*Validates.epoch raised KeyError: 'val_loss'"):
        testing.check_tracker(Validates)

    class Tidies(Follower):
        def close(self):
            self._file.with_name("space.yaml").write_text("")

    with pytest.raises(AssertionError, match=r"space\.yaml was changed"):
        testing.check_tracker(Tidies)


def test_our_own_views_of_a_run_keep_to_it():
    testing.check_tracker(lambda run: TensorBoardWriter(run, "val_accuracy", SystemClock()))
    testing.check_tracker(lambda run: LogFile(run, SystemClock()))
