"""A rehearsal as Python users ask for it; the command line's, which calls the same function, is in test_cli.py."""

import keras
import numpy as np
import pytest

import nightshift
from nightshift import _checking as checking
from search import Budget, NotReported, SearchFailed


def build(hp):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(hp.Int("units", 3, 5), activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    return generator.normal(size=(200, 4)).astype("float32"), generator.integers(0, 2, 200)


def test_arrays_and_a_function_are_looked_at_and_nothing_is_searched(data, monkeypatch):
    monkeypatch.setattr(checking, "_pass_through", None)
    found = nightshift.check(build, data=data, objective="val_accuracy", budget="1h", quick=True)
    counts = {model.name: model.parameters for model in found.models}
    assert counts["smallest"] == 4 * 3 + 3 + 3 * 2 + 2
    assert counts["largest"] == 4 * 5 + 5 + 5 * 2 + 2
    assert found.configurations == 3
    assert not found.fails


def test_what_was_found_is_told_before_the_tiny_night_which_may_fail(data, monkeypatch):
    told = []

    def fail(spec, directory):
        assert told
        raise SearchFailed("the night would fail: onnx: no such operation")

    monkeypatch.setattr(checking, "_pass_through", fail)
    with pytest.raises(SearchFailed, match="onnx"):
        nightshift.check(build, data=data, objective="val_accuracy", found=told.append)


def test_an_objective_that_nothing_reports_is_refused(data):
    with pytest.raises(NotReported, match="val_f2"):
        nightshift.check(build, data=data, objective={"name": "val_f2", "direction": "max"}, quick=True)


def test_the_tiny_night_goes_through_everything_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    found = nightshift.check("digits", overrides={"export.formats": ["keras"], "training.epochs": 1})
    assert not found.fails
    assert list(tmp_path.iterdir()) == []


def test_a_budget_that_has_begun_takes_no_other_end(data):
    with pytest.raises(ValueError, match="has its own end"):
        nightshift.check(build, data=data, budget=Budget.given("1h"), until="07:00", quick=True)
