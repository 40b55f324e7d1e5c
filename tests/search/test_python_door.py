"""A function and arrays from Python, all the way: searched, interrupted, gone on with, exported."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

import nightshift as ns
import results
import run_search
import search
import spaces
from search.api import _workers
from search.loop.observer import Observer
from search.night.reproduce import reproduce, summary
from search.record.trial import TrialKind
from spaces.outside import given
from tests.search.listening import Listener

PIXELS, DIGITS = (part[:200] for part in load_digits(return_X_y=True))
PIXELS = PIXELS.astype("float32")
SMALL = {
    "training.epochs": 1,
    "search.algorithm": "random",
    "final.candidates": 1,
    "final.seeds": 0,
    "export.formats": ["keras"],
}


def made(width: int):
    """A function that no other process can import: it closes over a number."""

    def build(hp):
        import keras

        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 4, width), activation="relu")])
        model.add(keras.layers.Dense(10, activation="softmax"))
        model.compile(hp.Choice("optimizer", ["adam", "sgd"]), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


class Interrupt(Observer):
    """The interrupt of a notebook, when the first trial is there."""

    def finished(self, trial, outcome):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door") / "run"
    with pytest.raises(KeyboardInterrupt, match=r"everything is saved: nightshift\.resume\('.*', build, data=\.\.\.\)"):
        ns.run(
            made(8), data=(PIXELS, DIGITS), max_trials=3, seed=4, overrides=SMALL, run_dir=folder, workers=0,
            observers=[Interrupt()],
        )  # fmt: skip
    return folder


def test_an_interrupt_saves_and_raises(interrupted):
    with search.open_run(interrupted).read() as reader:
        assert reader.meta("exit") == "interrupted"
        assert len([trial for trial in reader.trials() if trial.outcome is not None]) == 1
        assert reader.meta("data")["rows"] == {"train": 120, "validation": 40, "test": 40}


def test_another_process_is_told_what_to_give(interrupted, monkeypatch, capsys):
    monkeypatch.setattr(given, "_functions", {})
    monkeypatch.setattr(given, "_data", {})
    sentence = r"build and data were given from Python; there the run goes on: nightshift\.resume\('.*', build, data="
    with pytest.raises(search.RunError, match=sentence):
        ns.resume(interrupted)
    with pytest.raises(search.RunError, match=r"data was given from Python; .*\('.*', data=\.\.\.\)"):
        ns.resume(interrupted, made(8))
    monkeypatch.setattr("sys.argv", ["run-search", "resume", str(interrupted)])
    with pytest.raises(SystemExit) as exit:
        run_search.main()
    assert exit.value.code == 2
    assert "data was given from Python" in capsys.readouterr().err
    assert len(ns.table(interrupted)) == 1, "what is read needs neither"


def test_given_again_it_goes_on_to_a_model(interrupted, monkeypatch):
    monkeypatch.setattr(given, "_functions", {})
    monkeypatch.setattr(given, "_data", {})
    with pytest.raises(ns_data_error(), match="not the data that this run began with"):
        ns.resume(interrupted, made(8), data=(PIXELS + 1, DIGITS), workers=0)
    told = Listener()
    run = ns.resume(interrupted, made(8), data=(PIXELS, DIGITS), workers=0, observers=[told])
    assert not [text for text in told.texts if "numbers may differ" in text]
    assert len(run.table()) == 3
    assert run.export().verified
    assert run.best_model().predict(PIXELS[:2], verbose=0).shape == (2, 10)
    assert "build done: winner" in run._repr_html_()
    with run.read() as reader:
        assert {trial.kind for trial in reader.trials()} == {TrialKind.SEARCH, TrialKind.WINNER}


def ns_data_error():
    from spaces import DataError

    return DataError


def test_another_function_of_the_name_is_told(interrupted):
    told = Listener()
    ns.resume(interrupted, made(9), max_trials=4, workers=0, observers=[told])
    assert "build is not the function that the run began with: numbers may differ" in told.texts


@pytest.mark.night
def test_an_edited_module_is_told_when_the_run_goes_on(tmp_path):
    file = tmp_path / "edited.py"
    text = (
        "import keras\ndef build(hp):\n    model = keras.Sequential([keras.layers.Dense(10, 'softmax')])\n"
        "    model.compile('adam', 'sparse_categorical_crossentropy', metrics=[hp.Choice('metric', ['accuracy'])])\n"
        "    return model\n"
    )
    file.write_text(text)
    space = {
        "name": "edited", "data": (PIXELS, DIGITS), "model": {"family": {"python": f"{file}:build"}},
        "training": {"epochs": 1}, "search": {"algorithm": "random", "max_trials": 1},
        "final": {"candidates": 1, "seeds": 0}, "export": {"formats": ["keras"]},
    }  # fmt: skip
    run = ns.run(space, run_dir=tmp_path / "run", workers=0)
    file.write_text("# a remark\n" + text)
    assert run.best_model().count_params() > 0
    file.write_text(text.replace("'softmax'", "'sigmoid'"))
    ns.check(space)
    with pytest.raises(results.ResultError, match=r"edited\.py: has changed since this run trained with it"):
        run.best_model()
    (row,) = run.table()["name"]
    again = reproduce(run, row)
    assert (again.changed_sources, summary(again)["same_sources"]) == ((str(file),), False)
    told = Listener()
    ns.resume(run, max_trials=1, workers=0, observers=[told])
    assert [text for text in told.warnings if "edited.py has changed since the run began" in text]
    assert run.best_model().layers[-1].activation.__name__ == "sigmoid"


def test_what_stands_in_the_space_file_is_not_given_again(tmp_path):
    run = ns.run("digits", overrides={**SMALL, "data.limit": 60}, max_trials=1, run_dir=tmp_path / "run", workers=0)
    with pytest.raises(TypeError, match=r"its model stands in its space\.yaml and is not given again"):
        ns.resume(run, made(8))


def test_a_function_that_cannot_travel_is_called_in_this_process_only(tmp_path):
    lock, build = threading.Lock(), made(8)

    def locked(hp):
        with lock:
            return build(hp)

    with pytest.raises(search.RunError, match=r"locked cannot be sent to worker processes .*use workers=0"):
        ns.run(locked, data=(PIXELS, DIGITS), max_trials=1, run_dir=tmp_path / "run", workers=2)


def test_callbacks_that_cannot_travel_are_called_in_this_process_only():
    lock = threading.Lock()

    def callbacks():
        with lock:
            return []

    training = {"epochs": 1, "callbacks": callbacks}
    spec = spaces.SearchSpec(name="x", data=(PIXELS, DIGITS), model=made(8), training=training)
    assert _workers(spec, None) == 0
    with pytest.raises(search.RunError, match=r"^callbacks cannot be sent to worker processes .*use workers=0"):
        _workers(spec, 2)
    free = spaces.SearchSpec(name="x", data=(PIXELS, DIGITS), model=made(8), training={"epochs": 1})
    assert (_workers(free, None), _workers(free, 2)) == (None, 2)


def test_an_objective_that_the_function_does_not_compile_is_computed(tmp_path):
    run = ns.run(made(8), data=(PIXELS, DIGITS), objective="val_f1", max_trials=1, overrides=SMALL,
                 run_dir=tmp_path / "run", workers=0)  # fmt: skip
    with run.read() as reader:
        (trial,) = reader.trials(TrialKind.SEARCH)
        (evaluation,) = reader.evaluations()
    assert trial.outcome.score == trial.outcome.epochs[0].metrics["val_f1"]
    assert {"accuracy", "f1"} <= set(evaluation.metrics)


def test_labels_that_are_no_classes_and_a_loss_of_regression_are_understood():
    import keras_tuner

    from search.asked import as_spec

    def bare(hp):
        import keras

        return keras.Sequential([keras.layers.Dense(hp.Int("units", 1, 2))])

    def compiled(hp):
        model = bare(hp)
        model.compile("adam", "mean_absolute_error")
        return model

    def training(build, labels, **more):
        return as_spec(build, data=(PIXELS, labels), **more).training

    assert (training(bare, DIGITS).loss, training(bare, DIGITS).metrics) == ("auto", ("accuracy",))
    assert (training(bare, DIGITS / 7).loss, training(bare, DIGITS / 7).metrics) == ("mse", ("mae",))
    assert training(compiled, DIGITS).loss == "mae"
    asked = training(bare, DIGITS, overrides={"training.loss": "huber"})
    assert (asked.loss, asked.metrics) == ("huber", ("mae",))
    asked = training(compiled, DIGITS, overrides={"training.loss": "sparse_categorical_crossentropy"})
    assert asked.metrics == ("accuracy",)
    for labels, understood in ((DIGITS % 2, ("auto", ("accuracy",))), (DIGITS / 7, ("mae", ("mae",)))):
        asked = training(compiled, labels, objective="val_accuracy")
        assert (asked.loss, asked.metrics) == understood
    assert training(bare, DIGITS, objective="val_f1").metrics == ("accuracy", "f1")
    assert (training(bare, (DIGITS / 7).tolist()).loss, training(bare, DIGITS.tolist()).loss) == ("mse", "auto")
    named = as_spec(bare, data={"train_images": PIXELS, "train_labels": DIGITS / 7})
    assert named.training.loss == "mse"
    table = pd.DataFrame({"price": DIGITS / 7, "kind": DIGITS, "size": DIGITS + 0.5})

    def loss(frame, overrides=(), **said):
        return as_spec(bare, data={"source": frame, **said} if said else frame, overrides=overrides).training.loss

    assert (loss(table), loss(table[["price", "kind"]])) == ("mse", "auto")
    assert (loss(table, target="kind"), loss(table, columns={"size": "drop"})) == ("auto", "auto")
    assert loss(table[["price", "kind"]], target={"column": "price"}) == "mse"
    assert loss(table, {"data.target": "kind"}) == "auto"
    with pytest.raises(spaces.SpaceError, match="data"):
        as_spec(bare, data=5)
    assert training(bare, DIGITS, objective="val_rmse").task == "regression"
    for asked in (keras_tuner.Objective("val_mae", "min"), ("val_mae", "min"), {"name": "val_mae", "direction": "min"}):
        assert training(bare, DIGITS, objective=asked).task == "regression"
    assert training(bare, DIGITS, objective=keras_tuner.Objective("val_f1", "max")).metrics == ("accuracy", "f1")
    assert as_spec(bare, data=(PIXELS, DIGITS), objective=("val_mine", "max")).objective.direction == "max"
    with pytest.raises(TypeError, match="objective must be a name"):
        as_spec(bare, data=(PIXELS, DIGITS), objective=5)
    with pytest.raises(TypeError, match=r"found a list of 2; one decides which configuration is better"):
        as_spec(bare, data=(PIXELS, DIGITS), objective=["val_loss", "val_accuracy"])


def test_rows_of_several_labels_are_understood():
    from search.asked import as_spec

    def build(hp):
        import keras

        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 4, 5)), keras.layers.Dense(3, "sigmoid")])
        model.compile("adam", "binary_crossentropy")
        return model

    def loss(labels, **more):
        return as_spec(build, data=(PIXELS[:4], labels), **more).training.loss

    several = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]])
    assert [loss(labels) for labels in (several, several > 0, several.tolist())] == ["binary_crossentropy"] * 3
    assert loss(np.eye(3)[[0, 1, 2, 0]]) == loss(several[:, 0]) == loss(several[:, :1]) == loss(several * 2) == "auto"
    assert loss(several, objective="val_accuracy") == "binary_crossentropy"
    assert loss(several, overrides={"training.loss": "mse"}) == "mse"


def test_the_threads_are_set_before_a_function_builds_models(tmp_path, monkeypatch):
    from search import api

    (tmp_path / "mine.py").write_text("def build(hp):\n    raise AssertionError\n")
    space = {"name": "x", "data": {"source": "digits"}, "model": {"family": {"python": f"{tmp_path}/mine.py:build"}}}
    done = []
    monkeypatch.setattr(api.threads, "configure", done.append)
    monkeypatch.setattr(api, "endless", lambda spec: done.append("built"))
    monkeypatch.setattr(api.Session, "go", lambda session: done.append("begun"))
    ns.run({**space, "training": {"epochs": 1}}, run_dir=tmp_path / "run", quiet=True, workers=0, on_interrupt="return")
    assert done == [api.threads.for_family("python:x"), "built", "begun"]


def test_labels_in_a_file_that_is_closed_are_told(tmp_path):
    from search.asked import as_spec

    def bare(hp):
        import keras

        return keras.Sequential([keras.layers.Dense(10)])

    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        labels = file.create_dataset("y", data=DIGITS)
    with pytest.raises(ns_data_error(), match=r"data: its arrays cannot be read \(.*must still be open"):
        as_spec(bare, data=(PIXELS, labels))


def test_arrays_stand_in_the_place_of_a_spaces_data(tmp_path):
    from search.asked import as_spec
    from spaces import load_data

    spec = as_spec("digits", data=((PIXELS, DIGITS), (PIXELS[:9], DIGITS[:9])), overrides=["data.test=none"])
    assert load_data(spec).rows == {"train": 200, "validation": 9, "test": 0}
    np.testing.assert_array_equal(load_data(spec).validation.x, PIXELS[:9])


@pytest.mark.parametrize("inner", [False, True])
def test_parts_by_name_need_be_no_arrays(tensorflow, inner):
    import tensorflow as tf

    from search.asked import as_spec
    from spaces import load_data

    def rows(data):
        given = {"source": data} if inner else data
        return load_data(as_spec("digits", data=given, overrides=["data.test=none"])).rows

    lists = {"x_train": PIXELS, "y_train": DIGITS, "x_val": PIXELS[:9], "y_val": DIGITS[:9]}
    assert rows({name: part.tolist() for name, part in lists.items()}) == {"train": 200, "validation": 9, "test": 0}
    sets = [tf.data.Dataset.from_tensor_slices((PIXELS[:n], DIGITS[:n])) for n in (100, 9)]
    assert rows(dict(zip(("train", "validation"), sets, strict=True))) == {"train": 100, "validation": 9, "test": 0}


def test_what_a_space_file_may_say_of_data_is_no_data():
    from spaces.specs.objects import with_references

    for section in ({"validation": 0.2, "test": 0.2}, {"target": ["a", "b"]}, {"source": {"csv": "a.csv"}}, {}):
        assert with_references({"data": section})["data"] == section


@pytest.mark.night
def test_worker_processes_get_the_function(tmp_path):
    def callbacks():
        import keras

        return keras.callbacks.CSVLogger(str(tmp_path / "epochs.csv"), append=True)

    run = ns.run(
        made(8), data=(PIXELS, DIGITS), callbacks=callbacks, max_trials=2, overrides=SMALL, run_dir=tmp_path / "run",
        workers=2,
    )  # fmt: skip
    assert run.table()["score"].notna().all()
    assert "accuracy" in (tmp_path / "epochs.csv").read_text()
    told = Listener()
    again = ns.run(made(9), data=(PIXELS, DIGITS), callbacks=callbacks, max_trials=2, overrides=SMALL,
                   run_dir=tmp_path / "run", observers=[told])  # fmt: skip
    assert again.directory == run.directory
