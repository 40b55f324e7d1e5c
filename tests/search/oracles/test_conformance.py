"""What every oracle must do, whatever its algorithm."""

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from search.oracles import oracle
from spaces.sections.algorithms import ALGORITHMS

ROOT = Path(__file__).parents[3]

RESUME = """
import json, sys
import keras_tuner
from keras_tuner.engine.trial import Trial
sys.path.insert(0, sys.argv[1])
from conftest import drive
from search.oracles import oracle
following = {}
for name, saved in json.load(sys.stdin).items():
    space = keras_tuner.HyperParameters.from_config(saved["space"])
    resumed = oracle(name, hyperparameters=space, **saved["arguments"])
    for state in saved["trials"]:
        trial = Trial.from_state(state)
        resumed.trials[trial.trial_id] = trial
    resumed.set_state(saved["state"])
    following[name] = drive(resumed, 6)
print(json.dumps(following))
"""


def arguments(**changes):
    return {"objective": "val_accuracy", "min_epochs": 3, "max_epochs": 27, "max_trials": 60, "seed": 0, **changes}


def make(name, space, **changes):
    return oracle(name, hyperparameters=space, **arguments(**changes))


def saved(name, searched):
    return {
        "space": searched.hyperparameters.get_config(),
        "arguments": arguments(),
        "trials": [trial.get_state() for trial in searched.trials.values()],
        "state": searched.get_state(),
    }


def configuration(values):
    return tuple(sorted((k, v) for k, v in values.items() if not k.startswith("tuner/")))


@pytest.fixture(scope="module")
def resumed(loop):
    """What each oracle proposed after 14 trials, and what its copy in a fresh process did."""
    here, states = {}, {}
    for name in ALGORITHMS.names():
        searched = make(name, loop.space())
        loop.drive(searched, 14)
        states[name] = saved(name, searched)
        here[name] = None
    text = json.dumps(states)
    for name in ALGORITHMS.names():
        # The states were taken before these proposals: they must not change with them.
        searched = make(name, loop.space())
        loop.drive(searched, 14)
        here[name] = loop.drive(searched, 6)
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RESUME, str(Path(__file__).parent)],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "17"},
        check=True,
        timeout=120,
    )
    return here, json.loads(child.stdout)


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_fresh_process_goes_on_with_the_same_proposals(name, resumed):
    here, there = resumed
    assert len(here[name]) == 6
    assert there[name] == here[name]


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_state_with_a_running_trial_is_restored(name, loop):
    searched = make(name, loop.space())
    loop.drive(searched, 10)
    running = loop.ask(searched, "one")
    copied = saved(name, searched)
    following = loop.ask(searched, "two").hyperparameters.values

    from keras_tuner.engine.trial import Trial

    again = make(name, loop.space())
    for state in json.loads(json.dumps(copied["trials"])):
        trial = Trial.from_state(state)
        again.trials[trial.trial_id] = trial
    again.set_state(json.loads(json.dumps(copied["state"])))
    assert loop.ask(again, "one").trial_id == running.trial_id
    assert loop.ask(again, "two").hyperparameters.values == following


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_trials_may_be_restored_in_any_order(name, loop):
    from keras_tuner.engine.trial import Trial

    searched = make(name, loop.space())
    loop.drive(searched, 14)
    copied = json.loads(json.dumps(saved(name, searched)))
    again = make(name, loop.space())
    for state in reversed(copied["trials"]):
        trial = Trial.from_state(state)
        again.trials[trial.trial_id] = trial
    again.set_state(copied["state"])
    assert list(again.trials) == list(searched.trials)
    assert loop.drive(again, 3) == loop.drive(searched, 3)


@pytest.mark.parametrize("name", [n for n in ALGORITHMS.names() if n != "grid"])
def test_the_seed_decides(name, loop):
    first, second, other = (loop.drive(make(name, loop.space(), seed=s), 12) for s in (0, 0, 1))
    assert first == second
    assert first != other


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_no_configuration_is_proposed_twice(name, loop):
    fresh = [v for v in loop.drive(make(name, loop.space()), 60) if not v.get("tuner/initial_epoch")]
    assert len(fresh) > 10
    assert len({configuration(v) for v in fresh}) == len(fresh)


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_only_active_values_are_proposed(name, loop):
    for values in loop.drive(make(name, loop.space()), 30):
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("units_2" in values) == (values["layers"] == 3)
        assert values["activation"] == "relu"
        assert 1e-4 <= values["learning_rate"] <= 1e-1
        assert {"tuner/epochs", "tuner/initial_epoch"} <= values.keys() or not ALGORITHMS[name].multi_fidelity


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_hyperparameters_in_several_scopes_may_have_one_name(name, loop):
    import keras_tuner

    def space():
        hp = keras_tuner.HyperParameters()
        hp.Choice("kind", ["dense", "convolutions"])
        with hp.conditional_scope("kind", ["dense"]):
            hp.Int("units", 1, 3)
        with hp.conditional_scope("kind", ["convolutions"]):
            hp.Int("units", 8, 9)
        return hp

    def proposed():
        searched = make(name, space(), min_epochs=1, max_epochs=1, max_trials=None)
        return [(values["kind"], values.get("units")) for values in loop.drive(searched, 20, loop.flat)]

    first = proposed()
    assert first == proposed()
    # With one length Hyperband has one bracket, of one configuration.
    assert name == "hyperband" or sorted(first) == [("convolutions", n) for n in (8, 9)] + [
        ("dense", n) for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("name", ["hyperband", "freeze-thaw"])
def test_what_goes_on_is_the_same_configuration_in_a_space_that_has_grown(name, loop):
    searched = make(name, loop.small_space(), max_trials=None)
    while not (trial := loop.ask(searched)).hyperparameters.values["tuner/initial_epoch"]:
        loop.tell(searched, trial, 0.5)
        searched.hyperparameters.Int(f"late_{len(searched.trials)}", 1, 1)
    values = trial.hyperparameters.values
    parent = searched.trials[values["tuner/trial_id"]]
    assert configuration(values) == configuration(parent.hyperparameters.values)


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_finite_space_is_used_up_and_the_search_stops(name, loop):
    searched = make(name, loop.small_space(), max_trials=1000)
    proposals = loop.drive(searched, 1000, scorer=loop.flat)
    assert len({configuration(v) for v in proposals}) == 11
    assert loop.ask(searched).status == "STOPPED"


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_what_is_not_allowed_is_never_proposed(name, loop):
    searched = make(name, loop.space())
    searched.only(lambda values: values["layers"] == 1 and values["optimizer"] == "sgd")
    proposals = loop.drive(searched, 16)
    assert len(proposals) == 16
    assert {(values["layers"], values["optimizer"]) for values in proposals} == {(1, "sgd")}


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_finite_space_is_used_up_as_far_as_it_is_allowed(name, loop):
    searched = make(name, loop.small_space(), max_trials=1000)
    searched.only(lambda values: values["kind"] == "wide")
    proposals = loop.drive(searched, 1000, scorer=loop.flat)
    assert len({configuration(v) for v in proposals}) == 2
    assert loop.ask(searched).status == "STOPPED"


@pytest.mark.parametrize("name", ["random", "hyperband"])
def test_where_little_is_allowed_nothing_else_is_proposed(name, loop):
    searched = make(name, loop.space())
    # One configuration in 27.
    searched.only(lambda values: values["layers"] == 3 and values["units_0"] + values["units_1"] < 288)
    fresh = [values for values in loop.drive(searched, 60) if not values.get("tuner/initial_epoch")]
    assert len(fresh) > 20
    assert all(values["layers"] == 3 and values["units_0"] + values["units_1"] < 288 for values in fresh)


def test_a_grid_passes_over_a_long_stretch_that_is_not_allowed(loop):
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.Int("layers", 1, 3)
    hp.Int("units", 1, 2000)
    searched = make("grid", hp, max_trials=None)
    searched.only(lambda values: values["layers"] != 2 and values["units"] <= 2)
    proposals = loop.drive(searched, 100, scorer=loop.flat)
    assert [(values["layers"], values["units"]) for values in proposals] == [(1, 1), (1, 2), (3, 1), (3, 2)]
    assert loop.ask(searched).status == "STOPPED"


def test_a_grid_whose_hyperparameters_come_in_another_order_leaves_nothing_out(loop):
    import keras_tuner

    def grid(*order):
        hp = keras_tuner.HyperParameters()
        for name in order:
            hp.Int(name, 1, 3)
        return make("grid", hp, max_trials=None)

    before = grid("layers", "width")
    proposed = loop.drive(before, 4, scorer=loop.flat)
    for order in (("layers", "width"), ("width", "layers")):
        after = grid(*order)
        after.trials.update(before.trials)
        after.recall(json.loads(json.dumps(before.memory())))
        rest = loop.drive(after, 20, scorer=loop.flat)
        assert len({configuration(values) for values in proposed + rest}) == len(proposed + rest) == 9


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_where_nothing_is_allowed_training_says_so(name, loop):
    for space in (loop.small_space(), loop.space()):
        searched = make(name, space)
        searched.only(lambda values: False)
        assert loop.ask(searched).status == "RUNNING"


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_max_trials_stops_the_search(name, loop):
    searched = make(name, loop.space(), max_trials=7)
    assert len(loop.drive(searched, 100)) == 7
    assert loop.ask(searched).status == "STOPPED"


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_space_without_choices_is_tried_once(name):
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.Fixed("units", 3)
    searched = make(name, hp, max_epochs=3)
    trial = searched.create_trial("worker")
    assert trial.hyperparameters.values["units"] == 3
    searched.update_trial(trial.trial_id, {"val_accuracy": 0.5})
    trial.status = "COMPLETED"
    searched.end_trial(trial)
    assert searched.create_trial("worker").status == "STOPPED"


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_failures_never_raise_and_are_not_built_upon(name, loop, capfd):
    searched = make(name, loop.space(), max_trials=30)
    failed = set()

    def scorer(values, epochs):
        if len(searched.trials) % 3:
            failed.add(configuration(values))
            return None
        return loop.score(values, epochs)

    proposals = loop.drive(searched, 30, scorer)
    assert len(proposals) == 30
    assert {t.status for t in searched.trials.values()} == {"COMPLETED", "FAILED"}
    promoted = [v for v in proposals if v.get("tuner/initial_epoch")]
    for index, values in enumerate(proposals):
        if values in promoted:
            origin = searched.trials[values["tuner/trial_id"]]
            assert origin.status == "COMPLETED", index
    assert len(loop.drive(make(name, loop.space(), max_trials=20), 20, lambda v, e: None)) == 20
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_trial_without_a_finite_score_has_failed(name, loop):
    searched = make(name, loop.space())
    loop.drive(searched, 9)
    trial = loop.ask(searched)
    searched.update_trial(trial.trial_id, {"val_accuracy": math.nan})
    trial.status = "COMPLETED"
    searched.end_trial(trial)
    silent = loop.ask(searched)
    silent.status = "COMPLETED"
    searched.end_trial(silent)
    assert [searched.trials[t.trial_id].status for t in (trial, silent)] == ["FAILED", "FAILED"]
    json.dumps([t.get_state() for t in searched.trials.values()], allow_nan=True)
    assert len(loop.drive(searched, 5)) == 5


def test_the_best_finite_value_of_a_curve_is_its_score(loop):
    searched = make("random", loop.space())
    trial = loop.ask(searched)
    for epoch, value in enumerate([0.4, 0.7, math.nan, 0.6]):
        searched.update_trial(trial.trial_id, {"val_accuracy": value}, step=epoch)
    trial.status = "COMPLETED"
    searched.end_trial(trial)
    assert (trial.score, trial.best_step) == (0.7, 1)


def test_what_is_reported_of_a_trial_is_what_keras_tuner_would_note_down(loop):
    import keras_tuner

    searched, stock = make("random", loop.space()), make("random", loop.space())
    for step, value in ((0, 0.4), (2, math.nan), (1, 0.6), (1, 0.7)):
        told = {"val_accuracy": value, "val_loss": 1 - value, "of_my_own": 3}
        trial = searched.update_trial(loop.ask(searched).trial_id, told, step=step)
        keras_tuner.Oracle.update_trial(stock, loop.ask(stock).trial_id, told, step=step)
    assert str(trial.metrics.get_config()) == str(loop.ask(stock).metrics.get_config())
    with pytest.raises(ValueError, match="Objective value missing"):
        searched.update_trial(trial.trial_id, {"val_loss": 0.3})


def test_a_long_training_takes_no_longer_to_report_step_by_step_than_short_ones(loop, monkeypatch):
    from keras_tuner.src.engine.metrics_tracking import MetricHistory

    searched = make("random", loop.space())
    trial = loop.ask(searched)
    monkeypatch.setattr(MetricHistory, "get_best_value", None)
    for step in range(2000):
        searched.update_trial(trial.trial_id, {"val_accuracy": step / 2000}, step=step)
    trial.status = "COMPLETED"
    searched.end_trial(trial)
    assert trial.best_step == 1999


def test_a_wrong_report_keeps_no_other_thread_waiting(loop):
    searched = make("random", loop.space())
    trial = loop.ask(searched)
    for metrics in ({"val_loss": 0.3}, {"val_accuracy": "high"}):
        with pytest.raises(ValueError, match=r"Objective value missing|could not convert"):
            searched.update_trial(trial.trial_id, metrics)
    other = threading.Thread(target=loop.ask, args=(searched, "other"), daemon=True)
    other.start()
    other.join(timeout=10)
    assert not other.is_alive()


@pytest.mark.parametrize("wrong", [None, "9999", SimpleNamespace(trial_id="9999", status="RUNNING")])
def test_nor_does_the_end_of_what_is_no_trial(wrong, loop):
    searched = make("random", loop.space())
    loop.ask(searched)
    with pytest.raises((KeyError, TypeError), match=r"9999|takes a trial or its id"):
        searched.end_trial(wrong)
    other = threading.Thread(target=loop.ask, args=(searched, "other"), daemon=True)
    other.start()
    other.join(timeout=10)
    assert not other.is_alive()


def test_a_loop_may_count_with_numbers_of_numpy(loop):
    searched = make("random", loop.space())
    trial = loop.ask(searched)
    for step in np.arange(3):
        searched.update_trial(trial.trial_id, {"val_accuracy": np.float32(0.5)}, step=step)
    searched.update_trial(trial.trial_id, {"val_accuracy": 0.25}, step=np.float32(2.5))
    state = json.loads(json.dumps(trial.get_state()))
    assert [o["step"] for o in state["metrics"]["metrics"]["val_accuracy"]["observations"]] == [0, 1, 2, 2.5]


def test_of_several_objectives_the_sum_is_the_score(loop):
    import keras_tuner

    both = [keras_tuner.Objective("val_loss", "min"), keras_tuner.Objective("val_accuracy", "max")]
    searched = make("random", loop.space(), objective=both)
    trial = loop.ask(searched)
    searched.update_trial(trial.trial_id, {"val_loss": 0.75, "val_accuracy": 0.5})
    trial.status = "COMPLETED"
    searched.end_trial(trial)
    assert (searched.trials[trial.trial_id].status, trial.score) == ("COMPLETED", 0.25)


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_best_trials_are_completed_ones(name, loop):
    searched = make(name, loop.space())
    loop.drive(searched, 3)
    loop.ask(searched)
    best = searched.get_best_trials(10)
    assert len(best) == 3
    assert [t.score for t in best] == sorted((t.score for t in best), reverse=True)


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_loss_is_minimised(name, loop):
    import keras_tuner

    objective = keras_tuner.Objective("val_accuracy", direction="min")
    searched = make(name, loop.space(), objective=objective, max_trials=40)
    loop.drive(searched, 40, lambda v, e: -loop.score(v, e))
    mirrored = make(name, loop.space(), max_trials=40)
    loop.drive(mirrored, 40)
    assert searched.get_best_trials()[0].score == -mirrored.get_best_trials()[0].score


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_nothing_is_written_to_disk(name, loop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loop.drive(make(name, loop.space()), 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_several_workers_get_different_configurations(name, loop):
    searched = make(name, loop.space())
    loop.drive(searched, 12)
    trials = [loop.ask(searched, f"worker-{n}") for n in range(4)]
    assert len({configuration(t.hyperparameters.values) for t in trials}) == 4


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_works_in_a_stock_tuner(name, loop, tmp_path):
    import keras_tuner

    class Simulated(keras_tuner.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return loop.score(trial.hyperparameters.values, 3)

    searched = make(name, loop.space(), max_trials=5)
    tuner = Simulated(oracle=searched, hypermodel=lambda hp: None, directory=tmp_path, project_name="night")
    tuner.search(verbose=0)
    assert len(searched.trials) == 5
    assert (tmp_path / "night" / "oracle.json").is_file()
    again = make(name, loop.space(), max_trials=5)
    Simulated(oracle=again, hypermodel=lambda hp: None, directory=tmp_path, project_name="night")
    assert again.trials.keys() == searched.trials.keys()


@pytest.mark.parametrize("first", ["fails", "succeeds"])
def test_in_a_stock_tuner_a_model_that_never_trains_ends_the_search_with_its_message(loop, tmp_path, first):
    import keras_tuner

    class Broken(keras_tuner.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            if first == "succeeds" and trial.trial_id.strip("0") == "":
                return 0.5
            raise ValueError("no such layer")

    searched = make("random", loop.space(), max_trials=6)
    tuner = Broken(oracle=searched, hypermodel=lambda hp: None, directory=tmp_path, project_name="night")
    if first == "succeeds":
        tuner.search(verbose=0)
        assert len(searched.trials) == 6
    else:
        with pytest.raises(RuntimeError, match="no such layer"):
            tuner.search(verbose=0)
        assert len(searched.trials) == 3


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_trial_may_be_ended_by_its_id_as_in_earlier_versions_of_keras_tuner(name, loop):
    searched, older = make(name, loop.space()), make(name, loop.space())
    expected = loop.drive(searched, 12)
    proposed = []
    for number in range(12):
        trial = loop.ask(older)
        proposed.append(dict(trial.hyperparameters.values))
        score = loop.score(trial.hyperparameters.values, proposed[-1].get("tuner/epochs", 27))
        older.update_trial(trial.trial_id, {"val_accuracy": score}, step=0)
        if number % 2:
            older.end_trial(trial.trial_id, "COMPLETED")
        else:
            older.end_trial(trial_id=trial.trial_id, status="COMPLETED")
    assert proposed == expected
    assert not older.ongoing_trials
    failed = loop.ask(older)
    older.end_trial(failed.trial_id, "INVALID")
    assert older.trials[failed.trial_id].status == "FAILED"


def test_a_trial_that_says_nothing_of_its_end_has_the_status_that_is_given(loop):
    searched = make("random", loop.space())
    ended = []
    for status in ((), ("FAILED",), ("COMPLETED",)):
        trial = loop.ask(searched)
        searched.update_trial(trial.trial_id, {"val_accuracy": 0.5})
        searched.end_trial(trial, *status)
        ended.append((searched.trials[trial.trial_id].status, trial.score))
    assert ended == [("COMPLETED", 0.5), ("FAILED", None), ("COMPLETED", 0.5)]


@pytest.mark.parametrize("status", ["RUNNING", "STOPPED", "completed", None])
def test_a_status_with_which_no_trial_ends_is_refused(status, loop):
    searched = make("random", loop.space())
    trial = loop.ask(searched)
    with pytest.raises(ValueError, match=f"COMPLETED, FAILED, INVALID; received {status!r}"):
        searched.end_trial(trial, status)
    assert (trial.status, len(searched.ongoing_trials)) == ("RUNNING", 1)


def test_the_tuner_of_the_documentation_goes_on_from_where_a_trial_paused(tmp_path):
    """It is as one training; a stock tuner would begin anew."""
    import re

    import keras
    import keras_tuner
    import numpy as np

    page = (ROOT / "docs/howto/python.md").read_text()
    (block,) = re.findall(r"```python\n(import keras\n\nclass Continuing.*?)```", page, flags=re.DOTALL)
    defined = {"keras_tuner": keras_tuner}
    exec(block, defined)

    def build(hp):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "mse")
        return model

    hp = keras_tuner.HyperParameters()
    build(hp)
    rows = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    labels = rows.sum(axis=1)
    # Three of one epoch, and the best of them to three.
    searched = make("hyperband", hp, objective="val_loss", min_epochs=1, max_epochs=3, max_trials=4)
    tuner = defined["Continuing"](searched, build, directory=tmp_path, project_name="night")
    tuner.search(rows, labels, validation_data=(rows, labels), batch_size=8, shuffle=False, verbose=0)
    asked = [(t.hyperparameters.values["tuner/initial_epoch"], t.hyperparameters.values["tuner/epochs"])
             for t in searched.trials.values()]  # fmt: skip
    assert asked == [(0, 1)] * 3 + [(1, 3)]
    *_, last = searched.trials.values()
    continued = keras.models.load_model(tuner.file(last.trial_id))
    whole = build(last.hyperparameters)
    whole.fit(rows, labels, epochs=3, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(continued.get_weights()[0], whole.get_weights()[0], rtol=1e-5)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_a_space_with_nothing_to_choose_has_one_configuration(name, fails, named, loop):
    import keras_tuner

    space = keras_tuner.HyperParameters()
    if named:
        space.Choice("units", [8])
        space.Fixed("activation", "relu")
    searched = make(name, space, max_trials=None)
    proposals = loop.drive(searched, 20, lambda values, epochs: None if fails else 0.5)
    assert {configuration(values) for values in proposals} == {(("activation", "relu"), ("units", 8)) if named else ()}
    lengths = [values["tuner/epochs"] for values in proposals if "tuner/epochs" in values]
    assert lengths == sorted(set(lengths))
    assert (len(proposals) == 1) or not fails
    assert loop.ask(searched).status == "STOPPED"
