"""Overrides from Python, as the space file that they change would have them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import spaces
from search import asked
from search.asked import as_begun, as_spec, goes_on
from search.errors import RunError
from search.files import layout
from search.files.rundir import Run
from search.files.store import RunStore
from search.record.difference import between
from spaces.outside import given


@pytest.mark.parametrize("folder", ["/tmp/\U0001f4f7", "/tmp/\u2028\x85\x7f", '/tmp/"quoted"\\', "/tmp/\xe9\t"])
def test_any_text_comes_through(folder):
    assert as_spec("photos-cnn", overrides={"data.source.folder": folder}).data.source.location == folder
    assert as_spec("photos-cnn", overrides={"data.source.folder": Path(folder)}).data.source.location == folder


@pytest.mark.parametrize(
    ("value", "plain"), [(np.int64(64), 64), (np.array([32, 64]), [32, 64]), ((32, 64), [32, 64]), (np.float32(8), 8)]
)
def test_numbers_of_numpy_are_numbers(value, plain):
    found = as_spec("digits", overrides={"training.batch_size": value})
    assert found == as_spec("digits", overrides={"training.batch_size": plain})


@pytest.mark.parametrize("value", [object(), {1, 2}, {"a": range(3)}, b"x"])
def test_what_no_space_file_could_hold_is_refused_by_its_key(value):
    with pytest.raises(TypeError, match=r"overrides: training\.batch_size: found .*; allowed: texts, paths, numbers"):
        as_spec("digits", overrides={"training.batch_size": value})


@pytest.mark.parametrize("overrides", [None, 3, b"training.epochs=3", [("training.epochs", 3)]])
def test_overrides_of_another_form_are_told_which_are_taken(overrides):
    with pytest.raises(TypeError, match=r"overrides: found .*; allowed: texts such as 'training\.epochs=10', or a map"):
        as_spec("digits", overrides=overrides)


@pytest.mark.parametrize(
    ("objective", "metrics"),
    [
        ("val_f1", ("accuracy", "f1")),
        (("val_f1", "max"), ("accuracy", "f1")),
        (["val_f1"], ("accuracy", "f1")),
        ({"name": "val_mcc", "direction": "max"}, ("accuracy", "mcc")),
        ("val_accuracy", ("accuracy",)),
        ("val_loss", ("accuracy",)),
    ],
)
def test_an_objective_is_one_of_the_metrics(objective, metrics):
    assert as_spec("digits", objective=objective).training.metrics == metrics


def test_several_objectives_are_refused_in_whatever_form():
    several = SimpleNamespace(objectives=["val_loss", "val_f1"], name="multi_objective", direction="min")
    for objective in (several, several.objectives):
        with pytest.raises(TypeError, match="found a list of 2; one decides which configuration is better"):
            as_spec("digits", objective=objective)


def test_a_run_that_goes_on_may_have_a_baseline_that_a_new_one_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / layout.STORE).touch()
    assert goes_on(tmp_path / "run", None)
    assert not goes_on(tmp_path / "run", tmp_path / "new")
    assert not goes_on(tmp_path, None)
    assert not goes_on(None, None)
    space = {"name": "x", "data": {"source": "digits"}, "model": {"family": "mlp", "layers": [0, 1], "units": 4}}
    space |= {"training": {"epochs": 1}, "baselines": [{"name": "own", "values": {"layers": 0, "embedding": 4}}]}
    for objective in (None, "val_loss"):
        with pytest.raises(spaces.SpaceError, match=r"baselines\.0\.values\.embedding: has no effect"):
            as_spec(space, objective=objective)
        assert as_spec(space, objective=objective, begun=True).baselines


def build(hp):
    raise AssertionError("what the run has is not asked for again")


@pytest.mark.parametrize("metrics", [["accuracy"], ["accuracy", "auc"]])
def test_a_function_given_again_has_the_metrics_that_its_run_began_with(tmp_path, metrics):
    data, objective = (np.zeros((9, 2)), np.arange(9) % 2), {"name": "val_auc", "direction": "max"}
    training = {"epochs": {"min": 3, "max": 27}, "metrics": metrics}
    run = tmp_path / "run"
    run.mkdir()
    (run / layout.STORE).touch()
    space = {"name": "build", "data": data, "model": build, "training": training, "search": {"objective": objective}}
    (run / layout.SPACE).write_text(spaces.dump(spaces.load(space)), encoding="utf-8")
    for again in (("val_auc", "max"), objective):
        asked = as_spec(build, data=data, objective=again, directory=run, begun=True)
        assert between(Run(run).spec, asked) == []


@pytest.mark.parametrize("made", ["float32", "bfloat16"])
def test_what_was_left_to_the_machine_stays_what_it_was_in_a_run_that_goes_on(tmp_path, made):
    began = spaces.load("digits", [f"training.precision={made}"])
    with RunStore.create(tmp_path, {"asked": {"training.precision": "auto"}}):
        (tmp_path / layout.SPACE).write_text(spaces.dump(began), encoding="utf-8")
    assert between(began, as_begun(spaces.load("digits", ["training.precision=auto"]), tmp_path)) == []
    other = as_begun(spaces.load("digits", ["training.precision=float32"]), tmp_path)
    assert [change.key for change in between(began, other)] == (["training.precision"] if made == "bfloat16" else [])


def test_an_objective_joins_the_metrics_that_there_are():
    space = {"name": "x", "data": {"source": "digits"}, "model": {"family": "mlp", "layers": 0}}
    regression = as_spec({**space, "training": {"epochs": 1, "loss": "mse"}}, objective="val_rmse")
    assert regression.training.metrics == ("mae", "rmse")
    named = {"epochs": 1, "metrics": ["f1", "mine:cost"]}
    assert as_spec({**space, "training": named}, objective="val_auc").training.metrics == ("f1", "mine:cost", "auc")
    with pytest.raises(spaces.SpaceError, match=r"rmse is a measure of regression: set training\.loss"):
        as_spec({**space, "training": {"epochs": 1}}, objective="val_rmse")
    with pytest.raises(spaces.SpaceError, match=r"training\.metrics"):
        as_spec({**space, "training": {"epochs": 1, "metrics": 3}}, objective="val_f1")
    with pytest.raises(spaces.SpaceError, match="training: is missing"):
        as_spec(space, objective="val_f1")


@pytest.mark.parametrize(
    ("section", "given"),
    [("training", {"callbacks": build}), *(("search", {"objective": f"val_{measure}"}) for measure in ("loss", "f1"))],
)
def test_what_is_given_besides_joins_its_section_if_that_is_one(section, given):
    space = {"name": "x", "data": {"source": "digits"}, "model": {"family": "mlp", "layers": [0, 1], "units": 4}}
    space |= {"training": {"epochs": 1}, "search": {"seed": 7}}
    for none in (3, ["seed"], *([None] if section == "training" else [])):
        with pytest.raises(spaces.SpaceError, match=rf"{section}: found .*; allowed: a mapping"):
            as_spec({**space, section: none}, **given)
    if section == "search":
        assert as_spec({**space, "search": None}, **given) == as_spec({**space, "search": {}}, **given)
    made = spaces.load(space)
    parts = {**space, "training": made.training, "search": made.search}
    assert as_spec(parts, **given) == as_spec(space, **given) != made


def test_what_is_no_function_is_not_given_again(monkeypatch, tmp_path):
    known = asked.Known("__given__:build_0", None, "__given__:callbacks_0")
    monkeypatch.setattr(asked, "_known", lambda directory: known)
    with pytest.raises(TypeError, match=r"callbacks must be a function that gives them, such as lambda: \[...\]"):
        asked.given_again(Run(tmp_path), None, None, [object()])
    with pytest.raises(TypeError, match=r"model must be the function build\(hp\), or the HyperModel, of the run"):
        asked.given_again(Run(tmp_path), "mymodel:build", None, None)


def test_another_function_is_told_wherever_it_stands(monkeypatch, tmp_path):
    def made(units):
        return lambda hp: (hp, units)

    recorded = given.reference_for(made(1))
    monkeypatch.setattr(asked, "_known", lambda directory: asked.Known(recorded, None, None))
    for space in (lambda model: model, lambda model: {"model": model}, lambda model: {"model": {"family": model}}):
        assert asked.changed(space(made(1)), tmp_path) == ()
        (told,) = asked.changed(space(made(2)), tmp_path)
        assert told == "lambda is not the function that the run began with: numbers may differ"
    for space in ("digits", {"model": {"family": "mlp"}}, {"model": None}, {}):
        assert asked.changed(space, tmp_path) == ()


@pytest.mark.parametrize("data", ["digits", {"source": {"csv": "a.csv"}}, {"validation": 0.1}])
def test_data_that_are_only_named_are_not_given_again(monkeypatch, tmp_path, data):
    monkeypatch.setattr(asked, "_known", lambda directory: asked.Known(None, "__given__:data_0", None))
    with pytest.raises(TypeError, match=r"data must be what the run was given, such as data=\(x, y\); received "):
        asked.given_again(Run(tmp_path), None, data, None)


def test_a_space_that_was_given_its_data_is_that_of_its_run_when_it_is_made_again(tmp_path):
    rows = np.arange(18.0).reshape(9, 2)

    def made(rows, **more):
        space = {
            "name": "x",
            "data": (rows, np.arange(9) % 2),
            "model": {"family": "mlp", "layers": [0, 1], "units": 4},
        }
        return spaces.load({**space, "training": {"epochs": 1}, **more})

    first, again = made(rows), made(rows + 1)
    (tmp_path / layout.STORE).touch()
    (tmp_path / layout.SPACE).write_text(spaces.dump(first), encoding="utf-8")
    assert again != first
    assert as_spec(again, directory=tmp_path, begun=True) == first
    assert given.find(first.data.source.python).rows[0][0, 0] == 1, "the rows are those that were given last"
    assert as_spec(again, directory=tmp_path / "new") == again
    other = as_spec(made(rows, search={"seed": 7}), directory=tmp_path, begun=True)
    assert [change.key for change in between(first, other)] == ["search.seed"]


@pytest.mark.parametrize("began", [False, True])
def test_what_another_process_was_given_is_told_whether_there_is_a_run_or_none(monkeypatch, tmp_path, began):
    def build(hp):
        raise AssertionError("nothing is built")

    data = np.zeros((9, 2)), np.arange(9) % 2
    spec = spaces.load({"name": "x", "data": data, "model": build, "training": {"epochs": 1}})
    monkeypatch.setattr(given, "_functions", {})
    monkeypatch.setattr(given, "_data", {})
    if began:
        (tmp_path / layout.STORE).touch()
    told = (
        "there the run goes on: nightshift.resume" if began else "in another process: a new search needs the function"
    )
    with pytest.raises(RunError, match=f"build and data were given from Python[;,] {told}"):
        asked.require_given(spec, tmp_path)


@pytest.mark.parametrize("data", [Path("rows.csv"), {"source": Path("rows.csv")}, "rows.csv"])
def test_a_file_of_data_is_said_with_its_kind(data):
    with pytest.raises(spaces.SpaceError, match=r"data\.source: found 'rows\.csv'; allowed: digits, .*\{csv: \.\.\.\}"):
        as_spec("digits", data=data)


def test_one_text_is_one_override_and_so_is_a_key_of_a_mapping():
    wanted = spaces.load("digits", ["training.batch_size=77"])
    assert spaces.load("digits", {"training.batch_size": np.int64(77)}) == wanted
    assert spaces.load("digits", (text for text in ["training.batch_size=77"])) == wanted
    assert spaces.load("digits", "training.batch_size=77") == wanted
    assert as_spec("digits", overrides="training.batch_size=77") == wanted
