"""The user's own `build(hp)`."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import spaces
from spaces.basics.errors import CodeError
from spaces.data.types import DataInfo
from spaces.families import family_of
from spaces.families.functions.exploring import explore
from spaces.outside.backend import clear_session, policy_kept
from spaces.specs.configuring import require_asked

pytest.importorskip("keras_tuner")

INFO = DataInfo("tabular", (3,), "float32", "classification", "integer", 2)

MODEL = """
import keras
import keras_tuner
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
    hp.Int(f"name_{next(COUNT)}", 1, 3)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

def some(hp):
    kind = hp.Choice("kind", ["broken", "good", "wrong"])
    if kind != "good":
        return nowhere
    hp.Int("width", 1, 3)
    return build(hp)

def always(hp):
    hp.Choice("kind", ["a", "b"])
    raise RuntimeError("never works")

def leaves(hp):
    raise SystemExit(3)

def unbuilt(hp):
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.out = keras.layers.Dense(units)

    def call(self, x):
        return self.out(x)

def subclassed(hp):
    return Net(hp.Int("units", 2, 5))

def deep(hp):
    return keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.Dense(2)])

def narrow(hp):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])

METRIC = keras.metrics.AUC()

def measured(hp):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    metrics = [METRIC, keras.metrics.AUC(), keras.metrics.AUC(curve="PR"), keras.metrics.AUC(name="mine")]
    model.compile("adam", "binary_crossentropy", metrics=metrics)
    model.listed = [metric.name for metric in metrics]
    return model

class Hyper(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)

hyper = Hyper()

class Fitting(Hyper):
    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, epochs=1)

class Declaring(keras_tuner.HyperModel):
    def declare_hyperparameters(self, hp):
        hp.Choice("units", [3, 5])

    def build(self, hp):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(hp.get("units")), keras.layers.Dense(2)])

declaring = Declaring()

class Searching(keras_tuner.RandomSearch):
    def run_trial(self, trial, *args, **kwargs):
        return 0.0

def fixed(hp):
    hp.Fixed("layers", 2)
    return build(hp)

value = 3

import itertools
COUNT = itertools.count()

class Alike:
    def build(self, hp):
        return build(hp)

alike = Alike()

class Measuring(keras_tuner.HyperModel):
    def __init__(self):
        super().__init__()
        self.metric = keras.metrics.AUC()

    def build(self, hp):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
        model.compile("adam", "binary_crossentropy", metrics=[self.metric])
        model.listed = [self.metric.name]
        return model

def loops(hp):
    hp.Choice("batch_size", [16, 64])
    hp.Fixed("epochs", 5)
    return build(hp)
"""


class Made:
    """Stands for a model where only what was asked for matters."""

    compiled = True
    loss = "mae"


def asked(function: Any) -> tuple[dict[str, Any], int]:
    """What a function is found to ask for, with the conditions of each, and how often it was called."""
    calls = []

    def build(hp: Any) -> Made:
        calls.append(hp)
        function(hp)
        return Made()

    found = explore(build, "build").hyperparameters
    return {one.name: [(c.name, c.values) for c in one.conditions] for one in found}, len(calls)


def behind_plain_ifs(hp: Any) -> None:
    if hp.Boolean("dropout"):
        hp.Float("rate", 0.1, 0.5)
    kind = hp.Choice("kind", ["a", "b", "c"])
    if kind == "b" and not hp.Boolean("plain", default=True):
        hp.Int("hidden", 1, 9)
    for index in range(hp.Int("layers", 1, 3)):
        if hp.Choice(f"shape_{index}", [3, 5, 7]) == 5:
            hp.Int(f"width_{index}", 1, 9)
            with hp.conditional_scope("kind", ["b"]):
                hp.Int(f"only_b_{index}", 1, 9)


def test_what_stands_behind_a_plain_if_is_found() -> None:
    found, calls = asked(behind_plain_ifs)
    assert {*found} == {
        "dropout", "rate", "kind", "plain", "hidden", "layers", "shape_0", "shape_1", "shape_2", "width_0", "width_1",
        "width_2", "only_b_0", "only_b_1", "only_b_2",
    }  # fmt: skip
    assert found["only_b_0"] == [("kind", ("b",))]
    assert calls < 20


def behind_whole_numbers(hp: Any) -> None:
    layers = hp.Int("layers", 1, 4)
    if layers == 2:
        hp.Int("second", 1, 9)
    elif layers == 3 and hp.Boolean("wide"):
        hp.Float("third", 0.0, 1.0)


def test_what_stands_behind_one_of_few_whole_numbers_is_found() -> None:
    found, calls = asked(behind_whole_numbers)
    assert {*found} == {"layers", "second", "wide", "third"}
    assert calls < 15


def behind_few_values(hp: Any) -> None:
    if hp.Float("dropout", 0.0, 0.5, step=0.1) == 0.3:
        hp.Int("inner", 1, 9)
    if hp.Int("width", 2, 16, step=2, sampling="log") == 8:
        hp.Boolean("wide")
    hp.Float("rate", 1e-4, 1e-1, sampling="log")


def test_what_stands_behind_one_of_few_values_of_any_range_is_found() -> None:
    found, calls = asked(behind_few_values)
    assert {*found} == {"dropout", "inner", "width", "wide", "rate"}
    assert calls < 15


def beyond_its_range(hp: Any) -> None:
    for index in range(hp.Int("layers", 1, 3, default=9)):
        hp.Int(f"units_{index}", 1, 9, default=0)
    if hp.Boolean("noisy") and hp.Float("noise", 0.0, 0.5, default=2.0) > 1:
        hp.Int("never", 1, 9)


def test_a_default_outside_of_its_range_leads_to_nothing() -> None:
    found, calls = asked(beyond_its_range)
    assert {*found} == {"layers", "units_0", "units_1", "units_2", "noisy", "noise"}
    assert calls < 15


def two_kinds(hp: Any) -> None:
    if hp.Choice("kind", ["mlp", "cnn"]) == "mlp":
        for index in range(hp.Int("deep", 1, 10)):
            hp.Int(f"units_{index}", 1, 90)
    else:
        for index in range(hp.Int("long", 1, 12)):
            hp.Int(f"filters_{index}", 1, 90)


def test_loops_of_each_branch_ask_for_all() -> None:
    found, calls = asked(two_kinds)
    assert {*found} == {
        "kind", "deep", "long", *(f"units_{i}" for i in range(10)), *(f"filters_{i}" for i in range(12)),
    }  # fmt: skip
    assert calls < 10


def in_two_ways(hp: Any) -> None:
    kind = hp.Choice("kind", ["a", "b"])
    for index in range(hp.Int("layers", 1, 3) if kind == "a" else hp.Int("layers", 5, 9)):
        hp.Int(f"{kind}_{index}", 1, 90)


def test_of_two_ranges_of_one_name_the_first_holds() -> None:
    assert {*asked(in_two_ways)[0]} == {"kind", "layers", *(f"{kind}_{i}" for kind in "ab" for i in range(3))}


def of_one_name(hp: Any) -> None:
    kind = hp.Choice("kind", ["a", "b"])
    for name, low, high, words in (("a", 1, 3, ["relu", "gelu"]), ("b", 5, 8, ["elu", "swish", "tanh"])):
        with hp.conditional_scope("kind", [name]):
            layers, word = hp.Int("layers", low, high), hp.Choice("activation", words)
            if kind == name:
                for index in range(layers):
                    hp.Int(f"{name}_{index}", 1, 90)
                if word in ("gelu", "swish"):
                    hp.Float(f"beta_of_{name}", 0.0, 1.0)


def test_hyperparameters_of_one_name_are_asked_for_in_each_scope_with_its_own_values() -> None:
    found, calls = asked(of_one_name)
    assert {*found} == {
        "kind", "layers", "activation", "beta_of_a", "beta_of_b", *(f"a_{i}" for i in range(3)),
        *(f"b_{i}" for i in range(8)),
    }  # fmt: skip
    assert calls < 20


def scopes_of_layers(hp: Any) -> None:
    layers = hp.Int("layers", 1, 20)
    for index in range(20):
        with hp.conditional_scope("layers", [*range(index + 1, 21)]):
            if index < layers:
                if hp.Choice(f"activation_{index}", ["relu", "leaky_relu", "tanh"]) == "leaky_relu":
                    hp.Float(f"slope_{index}", 0.0, 0.3)
                hp.Float(f"dropout_{index}", 0.0, 0.5, step=0.1)


def test_values_in_scopes_that_hold_together_are_tried_together() -> None:
    found, calls = asked(scopes_of_layers)
    assert len(found) == 1 + 3 * 20
    assert calls < 40


def many_scopes_of_one_name(hp: Any) -> None:
    hp.Choice("kind", [*range(60)])
    for kind in range(60):
        with hp.conditional_scope("kind", [kind]):
            hp.Int("units", 10 * kind + 1, 10 * kind + 9)


def test_what_a_scope_has_under_a_name_is_not_carried_into_the_next() -> None:
    assert {*asked(many_scopes_of_one_name)[0]} == {"kind", "units"}


def in_steps(hp: Any) -> None:
    for index in range(hp.Int("layers", 1, 4, step=2)):
        hp.Choice(f"units_{index}", [8, 16, 8])
    for index in range(int(8 * hp.Float("share", 0.25, 1.0, step=0.5))):
        hp.Boolean(f"wide_{index}")


def test_the_largest_value_is_the_last_that_the_steps_of_a_range_lead_to() -> None:
    found, _ = asked(in_steps)
    assert {*found} == {"layers", "share", *(f"units_{i}" for i in range(3)), *(f"wide_{i}" for i in range(6))}


def test_a_value_that_a_choice_lists_twice_is_one_value() -> None:
    def build(hp: Any) -> Made:
        in_steps(hp)
        return Made()

    found = {one.name: one.dimension for one in explore(build, "build").hyperparameters}
    assert found["units_0"].values == (8, 16)


def many_choices(hp: Any) -> None:
    for index in range(40):
        if hp.Choice(f"choice_{index}", [*range(9)]) == 7:
            hp.Int(f"after_{index}", 1, 9)


def test_many_choices_are_tried_together() -> None:
    found, calls = asked(many_choices)
    assert len(found) == 80
    assert calls < 20


def with_mistakes(hp: Any) -> None:
    kinds = [hp.Choice(f"kind_{index}", ["a", "b", "c"]) for index in range(3)]
    if "b" in kinds:
        raise CodeError("never works with b")
    if kinds[0] == "c":
        hp.Int("after", 1, 9)


def test_a_mistake_with_some_values_keeps_the_others_from_nothing() -> None:
    assert {*asked(with_mistakes)[0]} == {"kind_0", "kind_1", "kind_2", "after"}


def with_fixed_parents(hp: Any) -> None:
    hp.Fixed("kind", "b")
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        hp.Int("never", 1, 2)
    with hp.conditional_scope("kind", ["b"]):
        hp.Choice("mode", ["x", "y"])
        with hp.conditional_scope("mode", ["y"]):
            hp.Int("inner", 1, 9)


def test_a_condition_on_what_is_fixed_is_decided_already() -> None:
    assert asked(with_fixed_parents)[0] == {"mode": [], "inner": [("mode", ("y",))]}


def asked_for_twice(hp: Any) -> None:
    hp.Fixed("layers", 3)
    hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        hp.Int("layers", 1, 9)
        hp.Choice("activation", ["relu", "gelu"])
        hp.Choice("rate", [0.1, 0.2])
        with hp.conditional_scope("rate", [0.2]):
            hp.Int("steps", 1, 9)
    hp.Choice("activation", ["relu", "gelu"])
    with hp.conditional_scope("kind", ["b"]):
        hp.Choice("rate", [0.3, 0.4])
        hp.Choice("activation", ["relu", "gelu"])


def test_what_is_asked_for_within_a_scope_and_outside_has_one_value() -> None:
    names = []

    def build(hp: Any) -> Made:
        asked_for_twice(hp)
        return Made()

    for one in explore(build, "build").hyperparameters:
        names.append((one.name, *(condition.values for condition in one.conditions)))
    assert names == [
        ("kind",), ("activation",), ("rate", ("a",)), ("steps", ("a",), (0.2,)), ("rate", ("b",)),
    ]  # fmt: skip


def more_scopes_than_calls(hp: Any) -> None:
    hp.Int("layers", 1, 120)
    for index in range(1, 120):
        with hp.conditional_scope("layers", [*range(index + 1, 121)]):
            hp.Int(f"units_{index}", 1, 9)
    for index in range(3):
        kind = hp.Choice(f"kind_{index}", ["a", "b", "c"])
        for one in "bc":
            with hp.conditional_scope(f"kind_{index}", [one]):
                if kind == one:
                    hp.Int(f"{one}_{index}", 1, 9)


def test_more_scopes_than_calls_are_entered_together() -> None:
    found, calls = asked(more_scopes_than_calls)
    assert len(found) == 1 + 119 + 3 * 3
    assert found["units_119"] == [("layers", (120,))]
    assert found["c_2"] == [("kind_2", ("c",))]
    assert calls < 20


def test_the_example_of_choices_behind_an_if_is_searched_with_all_of_them() -> None:
    file = Path(__file__).parents[2] / "examples" / "keras_tuner" / "data_preprocessing.py"
    family = {"python": f"{file}:build"}
    spec = spaces.load(
        {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}, "model": {"family": family}}
    )
    assert {one.name for one in spaces.hyperparameters(spec).space} == {"augment", "shift", "scaling", "units"}


def test_a_function_that_is_given_again_is_asked_again() -> None:
    import keras

    most = {}

    def build(hp: Any) -> Any:
        return keras.Sequential([keras.layers.Dense(hp.Int("units", 1, most["units"]))])

    found = []
    for most["units"] in (4, 400):
        space = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}, "model": {"family": build}}
        found.append(spaces.extremes(spaces.load(space))[1]["units"])
    assert found == [4, 400]


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


def test_a_value_of_a_baseline_that_the_function_asks_for_nowhere_is_refused(folder: Path) -> None:
    more = (
        "baselines:\n"
        "  - {name: deep, values: {layers: 5, units_4: 8, kind: plain, ema: 0.9}, batch_size: 8}\n"
        "  - {name: wrong, values: {unit_0: 9, momentum: 0.9}}\n"
    )
    with pytest.raises(spaces.SpaceError) as caught:
        require_asked(load(folder, "compiled", more=more))
    momentum, units = map(str, caught.value.problems)
    assert momentum == "baselines.1.values.momentum: has no effect: the model's function compiles the model"
    assert units.startswith("baselines.1.values.unit_0: unknown hyperparameter 'unit_0'; allowed: ")
    assert units.endswith("(did you mean 'units_0'?)")
    require_asked(load(folder, "build", more=more.replace("unit_0", "units_0").replace("momentum: 0.9", "noise: 0.3")))
    with pytest.raises(spaces.SpaceError, match=r"baselines\.0\.values\.depth: unknown hyperparameter 'depth'"):
        require_asked(load(folder, "fixed", more="baselines: [{name: b, values: {layers: 2, depth: 3}}]\n"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("endless", "still asks for new hyperparameters after 100 calls"),
        ("missing", "has no function missing"),
        ("value", "has no function value"),
        ("nothing", r"model.py:nothing, line 23: returned NoneType; it has to return a keras.Model"),
        ("always", r"model.py:always, line 39: RuntimeError: never works"),
        ("leaves", r"model.py:leaves, line 42: SystemExit: 3"),
        ("Alike", r"model.py:Alike: Alike has a build\(\) and is no keras_tuner.HyperModel: let the class inherit"),
        ("alike", r"model.py:alike: Alike has a build\(\) and is no keras_tuner.HyperModel: let the class inherit"),
    ],
)
def test_a_function_that_is_none_is_named(folder: Path, function: str, message: str) -> None:
    with pytest.raises(spaces.CodeError, match=message):
        spaces.hyperparameters(load(folder, function))


def test_a_module_that_is_not_there_is_named(tmp_path: Path) -> None:
    data: dict[str, Any] = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    spec = spaces.load({**data, "model": {"family": {"python": "no_such_module_here:build"}}})
    with pytest.raises(spaces.CodeError, match="there is no module no_such_module_here"):
        spaces.hyperparameters(spec)


def test_two_modules_of_the_same_name_are_kept_apart(tmp_path: Path) -> None:
    sizes = []
    for folder, largest in ((tmp_path / "a", 2), (tmp_path / "b", 5)):
        folder.mkdir()
        (folder / "model.py").write_text(MODEL.replace("1, 3", f"1, {largest}"))
        (folder / "widths.py").write_text("WIDTHS = [4, 8]\n")
        sizes.append(spaces.extremes(load(folder, "build"))[1]["layers"])
    assert sizes == [2, 5]


def test_a_mistake_in_some_branches_leaves_the_others(folder: Path) -> None:
    spec = load(folder, "some")
    assert [one.name for one in spaces.hyperparameters(spec).space][:2] == ["kind", "width"]
    good = {"kind": "good", "width": 1, "layers": 1, "units_0": 4}
    with pytest.raises(spaces.CodeError, match=r"model\.py:some, line 33: NameError: name 'nowhere' is not defined"):
        spaces.build_model(spaces.configure(spec, {**good, "kind": "wrong"}), INFO)


@pytest.mark.parametrize("function", ["unbuilt", "subclassed"])
def test_a_model_without_an_input_is_built_on_the_shape_of_the_data(folder: Path, function: str) -> None:
    spec = load(folder, function)
    made = spaces.configure(spec, {"units": 2} if function == "subclassed" else {})
    first, second = (spaces.build_model(made, INFO, seed=seed) for seed in (1, 1))
    assert first.weights[0].shape[0] == 3
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert spaces.count_parameters(made, INFO) == first.count_params()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("deep", r"model.py:deep, line 60: the model takes no rows of shape \(3,\): ValueError: "),
        ("narrow", "the model is not compiled, and sparse_categorical_crossentropy needs 2 outputs where it has 1"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_told(folder: Path, function: str, message: str) -> None:
    with pytest.raises(spaces.CodeError, match=message):
        spaces.build_model(spaces.configure(load(folder, function), {}), INFO)


def test_an_uncompiled_model_with_one_output_is_compiled_by_the_loss_for_it(folder: Path) -> None:
    spec = load(folder, "narrow", "{epochs: 1, loss: binary_crossentropy}")
    assert spaces.build_model(spaces.configure(spec, {}), INFO).compiled


def test_metrics_without_names_are_called_the_same_in_every_model(folder: Path) -> None:
    import keras

    spec = load(folder, "measured")
    made = spaces.configure(spec, {})
    names = [spaces.build_model(made, INFO).listed for _ in range(3)]
    assert names == [["auc", "auc_1", "auc_2", "mine"]] * 3
    ours = keras.metrics.AUC(), spaces.build_model(made, INFO), keras.metrics.AUC()
    assert ours[0].name != ours[2].name, "the counts of others go on"


def test_metrics_that_a_class_makes_for_its_models_are_called_the_same_in_every_model(folder: Path) -> None:
    made = spaces.configure(load(folder, "Measuring"), {})
    # The first name is that of a metric of the module.
    assert [spaces.build_model(made, INFO).listed for _ in range(3)] == [["auc_1"]] * 3


@pytest.mark.parametrize("name", ["hyper", "Hyper"])
def test_a_hypermodel_is_taken_for_its_build(folder: Path, name: str) -> None:
    plain, taken = load(folder, "build"), load(folder, name)
    assert spaces.size(taken) == spaces.size(plain)
    values = {"layers": 1, "units_0": 8, "kind": "plain"}
    assert spaces.build_model(spaces.configure(taken, values), INFO).layers[0].units == 8


@pytest.mark.parametrize("name", ["declaring", "Declaring"])
def test_what_a_hypermodel_declares_comes_first(folder: Path, name: str) -> None:
    spec = load(folder, name)
    assert [one.name for one in spaces.hyperparameters(spec).space] == ["units"]
    assert spaces.build_model(spaces.configure(spec, {"units": 5}), INFO).layers[0].units == 5


def test_a_tuner_is_refused_with_what_to_give_instead(folder: Path) -> None:
    message = (
        r"model.py:Searching: Searching is a tuner of Keras Tuner; give the build\(hp\) or HyperModel .*run_trial\(\)"
    )
    with pytest.raises(spaces.CodeError, match=message):
        spaces.size(load(folder, "Searching"))


def test_what_is_fixed_first_is_not_searched(folder: Path) -> None:
    spec = load(folder, "fixed")
    assert "layers" not in {one.name for one in spaces.hyperparameters(spec).space}
    values = {"units_0": 8, "units_1": 8, "kind": "plain"}
    assert len(spaces.build_model(spaces.configure(spec, values), INFO).layers) == 3


def test_what_the_training_alone_decides_is_told_where_the_function_asks_for_it(folder: Path) -> None:
    spec = load(folder, "loops")
    (rows, epochs) = family_of(spec.model).advice(spec)
    assert "loops asks for batch_size" in rows
    assert "training.batch_size" in rows
    assert "training.epochs" in epochs
    spec = load(folder, "build")
    assert not family_of(spec.model).advice(spec)


def test_a_hypermodel_with_a_training_of_its_own_is_refused_with_what_to_do_instead(folder: Path) -> None:
    message = r"model.py:Fitting, line \d+: Fitting has a fit\(\) of its own, which is never called: .*batch size"
    with pytest.raises(spaces.CodeError, match=message):
        spaces.size(load(folder, "Fitting"))


def test_values_that_lead_to_no_further_hyperparameter_are_not_tried(tensorflow):
    called = []

    def build(hp):
        called.append(hp.Choice("kind", ["good", "crash", "deep"]))
        return SimpleNamespace(compiled=False, loss=None)

    assert [one.name for one in explore(build, "build", branches=False).hyperparameters] == ["kind"]
    assert "crash" not in called


def test_the_longest_loop_asks_for_all(tensorflow):
    def build(hp):
        for index in range(hp.Choice("layers", [1, 3, 2])):
            hp.Int(f"units_{index}", 1, 9)
        return SimpleNamespace(compiled=False, loss=None)

    names = {one.name for one in explore(build, "build", branches=False).hyperparameters}
    assert names == {"layers", "units_0", "units_1", "units_2"}


def test_a_policy_of_its_module_holds_for_every_model_and_one_of_its_own_for_one(tmp_path: Path) -> None:
    import keras

    (tmp_path / "half.py").write_text(
        "import keras\n"
        "keras.config.set_dtype_policy('mixed_bfloat16')\n"
        "def build(hp):\n"
        "    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name='out')])\n"
        "    keras.config.set_dtype_policy('float64')\n"
        "    return model\n"
    )
    found: list[str] = []
    before = keras.config.dtype_policy().name
    with policy_kept():
        spec = spaces.load({
            "name": "x", "data": {"source": "digits"}, "training": {"epochs": 1},
            "model": {"family": {"python": f"{tmp_path / 'half.py'}:build"}},
        })  # fmt: skip
        for _ in range(2):
            found.append(spaces.build_model(spaces.configure(spec, {}), INFO).get_layer("out").compute_dtype)
            clear_session()
    assert found == ["bfloat16", "bfloat16"]
    assert keras.config.dtype_policy().name == before
