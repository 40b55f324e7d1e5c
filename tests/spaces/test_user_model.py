"""The user's own `build(hp)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import spaces
from spaces.data.types import DataInfo

pytest.importorskip("keras_tuner")

INFO = DataInfo("tabular", (3,), "float32", "classification", "integer", 2)

MODEL = """
import keras
from widths import WIDTHS

def build(hp):
    layers = [keras.Input((3,))]
    for index in range(hp.Int("layers", 1, 3)):
        layers.append(keras.layers.Dense(hp.Choice(f"units_{index}", WIDTHS)))
    kind = hp.Choice("kind", ["plain", "noisy"])
    with hp.conditional_scope("kind", ["noisy"]):
        if kind == "noisy":
            layers.append(keras.layers.GaussianNoise(hp.Float("noise", 0.1, 0.9, step=0.1)))
    layers.append(keras.layers.Dense(2, activation="softmax"))
    return keras.Sequential(layers)

def compiled(hp):
    model = build(hp)
    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def nothing(hp):
    hp.Int("layers", 1, 3)

def endless(hp):
    hp.Int(f"name_{len(hp.space)}", 1, 3)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

value = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "widths.py").write_text("WIDTHS = [4, 8]\n")
    return tmp_path


def load(folder: Path, function: str, training: str = "{epochs: 2}", more: str = "") -> spaces.SearchSpec:
    file = folder / "space.yaml"
    family = f"{{python: 'model:{function}'}}"
    file.write_text(f"name: x\ndata: {{source: digits}}\nmodel: {{family: {family}}}\ntraining: {training}\n{more}")
    return spaces.load(file)


def test_its_hyperparameters_are_found_with_their_conditions(folder: Path) -> None:
    spec = load(folder, "build", "{epochs: 2, optimizer: [adam, sgd], momentum: [0.5, 0.9]}")
    assert spec.family == f"python:{folder / 'model.py'}:build"
    hp = spaces.hyperparameters(spec)
    assert [one.name for one in hp.space] == [
        "layers", "units_0", "kind", "noise", "units_1", "units_2", "optimizer", "momentum",
    ]  # fmt: skip
    hp.values["kind"] = "plain"
    assert not hp.is_active("noise")
    # The units are made in a plain loop: without a scope they count for every depth.
    assert spaces.size(spec) == 3 * 2**3 * (1 + 9) * (1 + 2)
    smallest, largest = spaces.extremes(spec)
    assert smallest["layers"] == 1
    assert largest["layers"] == 3
    (values,) = spaces.sample(spec, 0, 1)
    assert spaces.configure(spec, values).values == values


def test_a_model_without_compilation_is_compiled_by_the_training_section(folder: Path) -> None:
    spec = load(folder, "build", "{epochs: 2, optimizer: sgd, learning_rate: [0.25, 0.5]}")
    values = {"layers": 2, "units_0": 4, "units_1": 8, "kind": "plain", "learning_rate": 0.5}
    made = spaces.configure(spec, values)
    assert spaces.Settings.from_json(made.to_json()) == made
    model = spaces.build_model(made, INFO, seed=0)
    assert [layer.units for layer in model.layers] == [4, 8, 2]
    assert float(model.optimizer.learning_rate) == 0.5


def test_a_compiled_model_is_used_as_it_is(folder: Path) -> None:
    spec = load(folder, "compiled", "{epochs: 2, batch_size: [16, 32]}")
    values = {"layers": 1, "units_0": 4, "kind": "plain", "learning_rate": 0.015625, "batch_size": 16}
    made = spaces.configure(spec, values)
    model = spaces.build_model(made, INFO)
    assert type(model.optimizer).__name__ == "SGD"
    assert float(model.optimizer.learning_rate) == 0.015625
    assert made.training.batch_size == 16


def test_what_a_compiled_model_would_ignore_is_refused(folder: Path) -> None:
    spec = load(folder, "compiled", "{epochs: 2, optimizer: sgd, learning_rate: [0.1, 0.2]}")
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.hyperparameters(spec)
    assert [str(problem) for problem in caught.value.problems] == [
        "training.learning_rate: is also a hyperparameter of the model's function",
        "training.optimizer: has no effect: the model's function compiles the model",
        "training.learning_rate: has no effect: the model's function compiles the model",
    ]


def test_baselines_take_any_value_of_the_function(folder: Path) -> None:
    more = (
        "baselines:\n  - {name: b, values: {layers: 1, units_0: 99, kind: plain, learning_rate: 0.5}, batch_size: 8}\n"
    )
    spec = load(folder, "compiled", more=more)
    made = spaces.configure_baseline(spec, spec.baselines[0])
    assert made.values["units_0"] == 99
    assert made.training.batch_size == 8
    assert float(spaces.build_model(made, INFO).optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("endless", "still asks for new hyperparameters after 100 calls"),
        ("missing", "has no function missing"),
        ("value", "has no function value"),
        ("nothing", "returned NoneType; it has to return a keras.Model"),
    ],
)
def test_a_function_that_is_none_is_named(folder: Path, function: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spaces.hyperparameters(load(folder, function))


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    data: dict[str, Any] = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    spec = spaces.load({**data, "model": {"family": {"python": "no_such_module_here:build"}}})
    with pytest.raises(ValueError, match="there is no module no_such_module_here"):
        spaces.hyperparameters(spec)


def test_two_modules_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    sizes = []
    for folder, largest in ((tmp_path / "a", 2), (tmp_path / "b", 5)):
        folder.mkdir()
        (folder / "model.py").write_text(MODEL.replace("1, 3", f"1, {largest}"))
        (folder / "widths.py").write_text("WIDTHS = [4, 8]\n")
        sizes.append(spaces.extremes(load(folder, "build"))[1]["layers"])
    assert sizes == [2, 5]
