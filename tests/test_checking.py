"""A rehearsal as Python users ask for it; the command line's, which calls the same function, is in test_cli.py."""

import contextlib
import errno
import os
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import nightshift
import spaces
from nightshift import _checking as checking
from results.exporting import ExportedFile
from results.exporting.rounding import RoundingLoss
from search import Budget, DiskError, NotReported, SearchFailed
from search.files import layout
from search.night import rehearsal
from search.night.rehearsal import sliver
from spaces.data.stored.rows import _OPEN
from spaces.data.stored.store import RowStore


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


def test_as_many_trials_are_looked_at_as_the_night_is_to_have(data, monkeypatch):
    seen = []

    def rehearse(spec, **_):
        seen.append(spec.search)
        return SimpleNamespace(fails=True)

    monkeypatch.setattr(checking, "rehearse", rehearse)
    nightshift.check(build, data=data, max_trials=7, seed=3)
    assert [(search.max_trials, search.seed) for search in seen] == [(7, 3)]


def test_rows_of_the_first_look_take_no_room_from_the_tiny_night(data, monkeypatch):
    seen = []

    def rehearse(spec, *, rows, **_):
        RowStore(True, rows).whole(data[0], "data")[:]
        return SimpleNamespace(fails=False)

    def pass_through(spec, directory):
        seen.append([path.suffix for path in (directory / layout.ROWS).iterdir()])
        seen.append([file for file in _OPEN if str(directory) in file.path])

    monkeypatch.setattr(checking, "rehearse", rehearse)
    monkeypatch.setattr(checking, "_pass_through", pass_through)
    nightshift.check(build, data=data)
    files, held_open = seen
    assert (sorted(files), held_open) == ([".json", ".npy"], [])


def test_what_was_found_is_told_before_the_tiny_night_which_may_fail(data, monkeypatch):
    told = []

    def fail(spec, directory):
        assert told
        raise SearchFailed("the night would fail: onnx: no such operation")

    monkeypatch.setattr(checking, "_pass_through", fail)
    with pytest.raises(SearchFailed, match="onnx"):
        nightshift.check(build, data=data, objective="val_accuracy", found=told.append)


def test_features_that_the_night_may_not_keep_are_refused(monkeypatch):
    monkeypatch.setattr(rehearsal, "_models", lambda *_, **__: [])
    monkeypatch.setattr(rehearsal.feature_files, "expected_bytes", lambda *_: 10**9)

    def asked(limit):
        return nightshift.check("digits", overrides={"limits.disk": limit}, quick=True)

    assert asked("1GB").feature_bytes == 10**9
    with pytest.raises(SearchFailed, match=r"take 1000\.0 MB, more than limits\.disk of 900\.0 MB"):
        asked("900MB")


def test_a_search_that_goes_on_for_ever_is_told(monkeypatch):
    monkeypatch.setattr(rehearsal, "_models", lambda *_, **__: [])
    asked = {"search.algorithm": "random", "search.max_trials": None}
    for budget, told in ((None, True), ("1h", False)):
        notes = nightshift.check("digits", overrides=asked, budget=budget, quick=True).notes
        assert any("random goes on for ever in this space: give" in note for note in notes) is told


@pytest.mark.parametrize(("order", "told"), [("fixed", True), ("free", False)])
def test_what_a_night_on_a_cluster_will_ask_for_is_told(monkeypatch, order, told):
    monkeypatch.setattr(rehearsal, "_models", lambda *_, **__: [])
    monkeypatch.setattr(rehearsal.connection, "connected", lambda address: contextlib.nullcontext())
    monkeypatch.setattr(rehearsal.Cluster, "threads", lambda self, most: 1)
    monkeypatch.setattr(rehearsal.Cluster, "look", lambda *_: {"workers": 2, "refused": False})
    notes = nightshift.check("digits", overrides={"search.order": order}, ray="auto", quick=True).notes
    assert any("give --workers N" in note for note in notes) is told


def test_an_objective_that_nothing_reports_is_refused(data):
    with pytest.raises(NotReported, match="val_f2"):
        nightshift.check(build, data=data, objective={"name": "val_f2", "direction": "max"}, quick=True)


def test_the_tiny_night_goes_through_everything_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    found = nightshift.check("digits", overrides={"export.formats": ["keras"], "training.epochs": 1})
    assert not found.fails
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_tiny_night_has_rows_of_every_fold_that_the_night_has(tmp_path, seed):
    groups = np.repeat(np.arange(5), [1000, 1000, 1000, 1000, 8]).tolist()
    rows = [f"{row},p{group},{row % 2}" for row, group in enumerate(groups)]
    (tmp_path / "visits.csv").write_text("\n".join(["size,who,ill", *rows]) + "\n")
    spec = spaces.load(
        {
            "name": "visits",
            "data": {
                "source": {"csv": str(tmp_path / "visits.csv")},
                "validation": {"folds": 5, "group": "who"},
                "test": "none",
                "seed": seed,
            },
            "model": {"family": "mlp", "layers": 0},
            "training": {"epochs": 1},
        }
    )
    for asked in (spec, sliver(spec)):
        data = spaces.load_data(asked)
        assert all({*data.fold(number)[1].y.tolist()} == {0, 1} for number in range(5))


@pytest.mark.parametrize(
    ("failure", "loss", "fails"),
    [
        (None, RoundingLoss("accuracy", "test", 9, 0.3, 0.4), None),
        ("rounding costs too much", RoundingLoss("r2", "test", 9, -5.0, -1.0), None),
        ("rounding costs too much", RoundingLoss("r2", "test", 9, float("nan"), -1.0), "rounding costs too much"),
        ("cannot be converted", None, "cannot be converted"),
    ],
)
def test_that_a_model_of_one_epoch_rounds_badly_is_no_sign_of_the_night(tmp_path, monkeypatch, failure, loss, fails):
    path = None if failure else tmp_path / "model-int8.tflite"
    exported = SimpleNamespace(files=(ExportedFile("tflite-int8", path, 0, "", None, failure, loss),))
    (tmp_path / layout.TEST_ROWS).parent.mkdir()
    np.savez(tmp_path / layout.TEST_ROWS, x=np.zeros((2, 8, 8)))
    predicted = []
    monkeypatch.setattr(checking.search, "run", lambda *_, **__: SimpleNamespace(directory=tmp_path))
    monkeypatch.setattr(checking, "export", lambda *_: exported)
    monkeypatch.setattr(checking, "report", lambda *_: Path())
    monkeypatch.setattr(checking, "predict", lambda *_: predicted.append(1))
    spec = spaces.load("digits", ["export.formats=[tflite-int8]"])
    if fails is None:
        checking._pass_through(spec, tmp_path)
        assert len(predicted) == (failure is None)
    else:
        with pytest.raises(SearchFailed, match=f"the night would fail: tflite-int8: {fails}"):
            checking._pass_through(spec, tmp_path)
    assert sliver(spec).export.quantisation_loss == 1


def test_a_disk_that_is_full_in_the_end_is_told_as_one(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    made = SimpleNamespace(files=(ExportedFile("keras", tmp_path / "model.keras", 1, "", 0.0, None),))
    (tmp_path / layout.TEST_ROWS).parent.mkdir()
    np.savez(tmp_path / layout.TEST_ROWS, x=np.zeros((2, 8, 8)))
    monkeypatch.setattr(checking.search, "run", lambda *_, **__: SimpleNamespace(directory=tmp_path))
    monkeypatch.setattr(checking, "export", lambda *_: made)
    monkeypatch.setattr(checking, "report", lambda *_: Path())
    monkeypatch.setattr(checking.arrays, "save", full)
    with pytest.raises(DiskError, match=r"row\.npy: cannot be written \(No space left on device\)"):
        checking._pass_through(spaces.load("digits"), tmp_path)


def test_what_one_epoch_has_no_room_for_is_left_out_of_the_sliver_of_a_night():
    assert sliver(spaces.load("photos-pretrained")).model.fine_tune is None


def test_a_budget_that_has_begun_takes_no_other_end(data):
    with pytest.raises(ValueError, match="has its own end"):
        nightshift.check(build, data=data, budget=Budget.given("1h"), until="07:00", quick=True)
