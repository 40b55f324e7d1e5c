"""Measures of classes are those of all rows together, however they come in batches, as scikit-learn computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn import metrics

import spaces
from search.record.trial import Epoch
from search.training.stopping import ended
from spaces.data.types import DataInfo
from spaces.layers.loss import make_metrics
from spaces.models.model import repeating
from spaces.specs.configuring import require_directions
from spaces.values.metrics import direction_of
from spaces.values.packing import Piece, Structure
from tests.search import small

NAMES = ("f1", "balanced_accuracy", "mcc", "precision", "recall", "auc", "pr_auc")


REGRESSION = DataInfo("tabular", (3,), "float32", "regression", "number", 1)


def small_settings(**training: Any) -> spaces.Settings:
    made = spaces.Settings.from_json(small.settings(small.VALUES["adam with dropout"]))
    return replace(made, training=replace(made.training, **training))


def info(classes: int, labels: Any) -> DataInfo:
    return DataInfo("tabular", (3,), "float32", "classification", labels, classes)


def rows(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which some are rare, and logits that know a little of them."""
    generator = np.random.default_rng(classes)
    y = generator.choice(classes, 300, p=np.array([0.7, *[0.3 / (classes - 1)] * (classes - 1)]))
    logits = generator.normal(size=(300, classes)) + 1.5 * np.eye(classes)[y]
    return y.astype(np.int32), logits.astype(np.float32)


def measured(made: list[Any], y: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    for metric in made:
        for start in (0, 7, 130):
            stop = {0: 7, 7: 130, 130: 300}[start]
            metric.update_state(y[start:stop], answers[start:stop])
    return {metric.name: float(metric.result()) for metric in made}


def expected(y: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    chosen = probabilities.argmax(axis=1)
    one_hot = np.eye(probabilities.shape[1])[y]
    two = probabilities.shape[1] == 2
    macro: dict[str, Callable[..., float]] = {
        "f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score,
    }  # fmt: skip
    return {
        **{name: score(y, chosen, average="macro") for name, score in macro.items()},
        "balanced_accuracy": metrics.balanced_accuracy_score(y, chosen),
        "mcc": metrics.matthews_corrcoef(y, chosen),
        "auc": metrics.roc_auc_score(y, probabilities[:, 1]) if two else metrics.roc_auc_score(one_hot, probabilities),
        "pr_auc": metrics.average_precision_score(
            one_hot[:, 1] if two else one_hot, probabilities[:, 1] if two else probabilities
        ),
    }


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("labels", ["integer", "one-hot"])
@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_they_are_those_of_all_rows(classes: int, labels: Any, output: str) -> None:
    y, logits = rows(classes)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    made = make_metrics(NAMES, "auto", info(classes, labels), output)
    given = np.eye(classes, dtype=np.float32)[y] if labels == "one-hot" else y
    found = measured(made, given, logits if output == "logits" else probabilities)
    wanted = expected(y, probabilities)
    for name in NAMES:
        assert found[name] == pytest.approx(wanted[name], abs=0.002 if name.endswith("auc") else 1e-5), name
    for metric in made:
        metric.reset_state()
    again = measured(made, given[::-1], (logits if output == "logits" else probabilities)[::-1])
    assert again == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_one_output_is_for_the_second_of_two_classes(output: str) -> None:
    y, logits = rows(2)
    single = (logits[:, 1] - logits[:, 0])[:, None]
    probabilities = 1 / (1 + np.exp(-single))
    names = tuple(name for name in NAMES if not name.endswith("auc"))
    made = make_metrics(names, "binary_crossentropy", info(2, "integer"), output)
    found = measured(made, y, single if output == "logits" else probabilities)
    wanted = expected(y, np.concatenate([1 - probabilities, probabilities], axis=1))
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-5)


def test_a_class_that_never_occurs_counts_in_no_mean() -> None:
    y, answers = np.array([0, 0, 1, 1]), np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]
    made = make_metrics(("f1", "balanced_accuracy", "mcc"), "auto", info(3, "integer"), "probabilities")
    for metric in made:
        assert float(metric.result()) == 0
        metric.update_state(y, answers)
    chosen = answers.argmax(axis=1)
    assert [float(metric.result()) for metric in made] == pytest.approx([
        metrics.f1_score(y, chosen, average="macro"), 0.75, metrics.matthews_corrcoef(y, chosen),
    ])  # fmt: skip


# Mean and deviation of a refractive index, a latitude, a Julian day, and of what is around 0.
SPREADS = {"index": (1.333, 3e-4), "latitude": (48.137, 0.01), "day": (2_460_000.5, 40.0), "usual": (0.1, 2.0)}


def numbers(mean: float, spread: float, error: float, targets: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(int(mean))
    y = mean + spread * generator.normal(size=(300, targets)) * np.arange(1, targets + 1)
    return y.astype(np.float32), (y + error * spread * generator.normal(size=y.shape)).astype(np.float32)


@pytest.mark.parametrize("name", ["r2", "r2_score"])
@pytest.mark.parametrize("error", [0.3, 1.2], ids=["good", "bad"])
@pytest.mark.parametrize("spread", SPREADS)
def test_r2_is_that_of_scikit_learn_however_far_the_targets_are_from_0(spread: str, error: float, name: str) -> None:
    y, answers = numbers(*SPREADS[spread], error)
    (made,) = make_metrics((name,), "mse", REGRESSION, "probabilities")
    assert float(made.result()) == 0
    expected = metrics.r2_score(y.astype(float), answers.astype(float))
    assert measured([made], y[:, 0], answers) == {name: pytest.approx(expected, abs=1e-4)}
    made.reset_state()
    assert measured([made], y[:, 0] - y.mean(), answers - y.mean())[name] == pytest.approx(expected, abs=0.01)


def test_r2_of_several_targets_is_the_mean_over_them_and_counts_rows_by_their_weights() -> None:
    y, answers = numbers(*SPREADS["latitude"], 0.4, 3)
    weights = np.random.default_rng(1).integers(0, 4, 300)
    (made,) = make_metrics(("r2",), "mse", replace(REGRESSION, outputs=3), "probabilities")
    for start in range(0, 300, 50):
        part = slice(start, start + 50)
        made.update_state(y[part], answers[part], sample_weight=weights[part].astype(np.float32))
    expected = metrics.r2_score(y.astype(float), answers.astype(float), sample_weight=weights)
    assert float(made.result()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("off", "expected"), [(0.0, 1.0), (0.5, 0.0)])
def test_r2_of_a_target_that_is_the_same_in_all_rows(off: float, expected: float) -> None:
    y = np.full(300, 48.137, np.float32)
    (made,) = make_metrics(("r2",), "mse", REGRESSION, "probabilities")
    assert measured([made], y, y[:, None] + np.float32(off)) == {"r2": expected}
    exact = np.full(9, 2.0)
    assert metrics.r2_score(exact, exact + off) == expected


def test_a_model_reports_it_so() -> None:
    y, answers = numbers(*SPREADS["index"], 0.3)
    made = small_settings(loss="mse", metrics=("mae", "r2"))
    found = repeating((1,), made, REGRESSION).evaluate(answers, y[:, 0], batch_size=32, verbose=0, return_dict=True)
    assert found["r2"] == pytest.approx(metrics.r2_score(y.astype(float), answers.astype(float)), abs=1e-4)


def test_their_directions_are_known() -> None:
    assert {direction_of(f"val_{name}") for name in (*NAMES, "top_k", "r2")} == {"max"}
    assert {direction_of(f"val_{name}") for name in ("mape", "rmse", "mae")} == {"min"}


def test_names_of_keras_itself_have_the_directions_that_keras_tuner_infers() -> None:
    import keras
    from keras_tuner.engine.metrics_tracking import infer_metric_direction

    # What Keras Tuner takes for losses, and people call measures that are best at their largest.
    unlike = {"cosine_similarity", "concordance_correlation", "pearson_correlation", "dice", "tversky", "circle", "ctc"}
    unlike |= {"get", "serialize", "deserialize"}
    functions = {name for kind in (keras.metrics, keras.losses) for name in vars(kind) if name.islower()}
    named = {name for name in functions - unlike if not name.startswith("_")}
    for name in (*named, "acc", "loss", "crossentropy", "weighted_binary_accuracy", "mean_absolute_error"):
        known = infer_metric_direction(f"val_{name}")
        if known is not None:
            assert (name, direction_of(f"val_{name}")) == (name, known)
    assert {direction_of(f"val_{name}") for name in ("f1_score", "precision_at_recall", "mean_io_u")} == {"max"}
    assert direction_of("val_nothing_of_the_kind") is None


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_of_rows_with_several_labels_they_are_means_over_the_labels(output: str) -> None:
    generator = np.random.default_rng(5)
    y = (generator.random((300, 4)) < [0.5, 0.2, 0.7, 0.05]).astype(np.float32)
    logits = (generator.normal(size=(300, 4)) + 2 * y - 1).astype(np.float32)
    probabilities = 1 / (1 + np.exp(-logits))
    made = make_metrics(("accuracy", *NAMES), "auto", info(4, "multi-label"), output)
    found = measured(made, y, logits if output == "logits" else probabilities)
    given, columns = probabilities > 0.5, range(4)
    macro: dict[str, Callable[..., float]] = {
        "f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score,
    }  # fmt: skip
    expected = {
        **{name: score(y, given, average="macro", zero_division=0.0) for name, score in macro.items()},
        "accuracy": float((given == y).mean()),
        "balanced_accuracy": np.mean([metrics.balanced_accuracy_score(y[:, k], given[:, k]) for k in columns]),
        "mcc": np.mean([metrics.matthews_corrcoef(y[:, k], given[:, k]) for k in columns]),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(y, probabilities), abs=0.002)
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(y, probabilities), abs=0.002)
    with pytest.raises(ValueError, match="one class each"):
        make_metrics(("top_k",), "auto", info(4, "multi-label"), output)


@pytest.mark.parametrize("share", [0.005, 0.001])
@pytest.mark.parametrize("output", ["probabilities", "logits"])
@pytest.mark.parametrize("form", ["one output", "classes", "labels"])
def test_areas_of_rare_classes_are_those_of_all_thresholds(share: float, output: str, form: str) -> None:
    generator = np.random.default_rng(3)
    y = (generator.random((40_000, 2)) < share).astype(np.int32)
    logits = (-8 + 2.5 * y + generator.normal(size=y.shape)).astype(np.float32)
    if form == "labels":
        known, given, loss = info(2, "multi-label"), logits, "auto"
    elif form == "one output":
        y, logits, known, loss = y[:, 0], logits[:, :1], info(2, "integer"), "binary_crossentropy"
        given = logits
    else:
        y, logits, known, loss = y[:, 0], logits[:, :1], info(2, "integer"), "auto"
        given = np.concatenate([np.zeros_like(logits), logits], axis=1)
    probabilities = 1 / (1 + np.exp(-logits))
    if output == "probabilities":
        given = np.concatenate([1 - probabilities, probabilities], axis=1) if form == "classes" else probabilities
    made = make_metrics(("auc", "pr_auc"), loss, known, output)
    for metric in made:
        metric.update_state(y, given)
    found = {metric.name: float(metric.result()) for metric in made}
    answers = probabilities if form == "labels" else probabilities[:, 0]
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(y, answers), abs=0.002)
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(y, answers), abs=0.002)


def test_an_area_is_the_mean_over_the_classes_that_some_rows_belong_to() -> None:
    y, answers = np.array([0, 0, 1, 1]), np.array([[0.7, 0.2, 0.1]] * 2 + [[0.3, 0.6, 0.1], [0.8, 0.1, 0.1]])
    (made,) = make_metrics(("auc",), "auto", info(3, "integer"), "probabilities")
    assert float(made.result()) == 0
    made.update_state(y, answers)
    assert float(made.result()) == pytest.approx((0.5 + 0.5) / 2)


@pytest.mark.parametrize("labels", ["integer", "one-hot", "multi-label"])
def test_rows_count_by_their_weights(labels: Any) -> None:
    y, logits = rows(3)
    weights = np.random.default_rng(1).integers(1, 4, 300)
    if labels != "integer":
        y = np.eye(3, dtype=np.float32)[y]
    often = np.repeat(np.arange(300), weights)
    both = (make_metrics(("accuracy", *NAMES), "auto", info(3, labels), "logits") for _ in range(2))
    for one, other in zip(*both, strict=True):
        one.update_state(y, logits, sample_weight=weights.astype(np.float32))
        other.update_state(y[often], logits[often])
        assert float(one.result()) == pytest.approx(float(other.result()), abs=1e-4), one.name


MEASURES = """
import numpy as np

def cost(labels, probabilities):
    assert labels.ndim == 1
    return float(((probabilities.argmax(axis=1) != labels) * (1 + labels)).sum())

def gap(numbers, predicted):
    return abs(numbers - predicted).max()

def words(labels, probabilities):
    return "none"

def careless(numbers, predicted):
    numbers -= predicted
    predicted *= 0
    return (numbers ** 2).sum()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_measures_here.py").write_text(MEASURES)
    return tmp_path


def space(folder: Path, objective: Any, *metrics: str, **training: Any) -> spaces.SearchSpec:
    file = folder / "space.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "name": "own",
                "data": {"source": "digits"},
                "model": {"family": "mlp", "layers": 0},
                "training": {"optimizer": "sgd", "batch_size": 8, "epochs": 1, "metrics": list(metrics), **training},
                "search": {"objective": objective},
            }
        )
    )
    return spaces.load(file)


@pytest.mark.parametrize("written", ["val_cost", "val_own_measures_here:cost"])
def test_a_function_of_the_users_measures_all_rows_at_once(folder: Path, written: str) -> None:
    from search.training.engine import Rows, fresh

    spec = space(folder, {"name": written, "direction": "min"}, "accuracy", "own_measures_here:cost")
    assert (spec.objective.name, spec.objective.direction) == ("val_cost", "min")
    assert spec.training.reported == ("loss", "accuracy", "val_loss", "val_accuracy", "val_cost")
    assert spaces.imports(spec) == [(f"{folder}/own_measures_here.py:cost", f"{folder}/own_measures_here.py")]
    data = spaces.load_data(spec)
    engine, rows = fresh(spaces.configure(spec, {}), data.info, 0), Rows(data.validation)
    engine.prepare(rows)
    found, answers = engine.evaluate(rows), engine.predict(rows)
    y = data.validation.y
    assert found["cost"] == pytest.approx(((answers.argmax(axis=1) != y) * (1 + y)).sum())
    assert "cost" not in engine.train_epoch(rows, 1)


def test_what_a_function_does_to_its_arrays_reaches_nothing_else(folder: Path) -> None:
    from spaces.models.own_measures import OwnMeasures

    numbers: Any = SimpleNamespace(task="regression", targets=None)
    settings: Any = None
    functions = [f"{folder}/own_measures_here.py:{name}" for name in ("careless", "gap")]
    measures = OwnMeasures(settings, numbers, None, functions, ())
    y, answers = np.array([1.0, 5.0]), np.array([[2.0], [2.0]])
    for _ in range(2):
        assert measures((), y, lambda: answers) == {"careless": 10.0, "gap": 3.0}
    assert (y.tolist(), answers.tolist()) == ([1.0, 5.0], [[2.0], [2.0]])


@pytest.mark.parametrize(
    ("objective", "metrics", "training", "message"),
    [
        ("val_cost", ["own_measures_here:cost"], {}, "direction of 'val_cost' is not known"),
        ("val_loss", ["own measures:cost"], {}, "module:function"),
        ("val_loss", ["own_measures_here:cost", "other:cost"], {}, "name of two measures"),
        ("val_loss", ["accuracy", "own_measures_here:accuracy"], {}, "name of two measures"),
        (
            "val_loss",
            ["own_measures_here:cost"],
            {"early_stopping": {"monitor": "val_cost", "patience": 1}},
            "direction of 'val_cost'",
        ),
    ],
)
def test_measures_that_cannot_be_used_are_refused(
    folder: Path, objective: str, metrics: list[str], training: Any, message: str
) -> None:
    with pytest.raises(spaces.SpaceError, match=message):
        space(folder, objective, *metrics, **training)


FUNCTIONS = """
import keras
import numpy as np

def three(classes=3):
    x = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
    return x, (x[:, 0] > 0.3).astype(int) + (x[:, 1] > 0.5) * (classes > 2)

def two():
    return three(2)

def numbers():
    x, _ = three()
    return x, x[:, :1] * 2.5 + 0.25

def compiled(outputs, activation, loss, metrics=("accuracy",)):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs, activation)])
    model.compile("sgd", loss, metrics=list(metrics))
    return model

def softmax(hp):
    return compiled(3, "softmax", "sparse_categorical_crossentropy")

def wide(hp):
    return compiled(5, "softmax", "sparse_categorical_crossentropy", [])

def logits(hp):
    return compiled(3, None, keras.losses.SparseCategoricalCrossentropy(from_logits=True))

def sigmoid(hp):
    return compiled(1, "sigmoid", "binary_crossentropy")

def one_logit(hp):
    return compiled(1, None, keras.losses.BinaryCrossentropy(from_logits=True), [])

def f1(y, answers):
    return keras.ops.mean(keras.ops.cast(answers > 0.6, "float32"))

def itself(hp):
    return compiled(1, "sigmoid", "binary_crossentropy", [f1])

def linear(hp):
    return compiled(1, None, "mse", [])
"""


def evaluated(folder: Path, data: str, function: str, **training: Any) -> tuple[dict[str, float], Any, Any]:
    """What an evaluation of a function's model gives, its answers and the labels."""
    from search.training.engine import Rows, fresh

    (folder / "functions_here.py").write_text(FUNCTIONS)
    where = f"{folder / 'functions_here.py'}:"
    spec = spaces.load({
        "name": "own", "data": {"source": {"python": f"{where}{data}"}},
        "model": {"family": {"python": f"{where}{function}"}}, "training": {"epochs": 1, **training},
    })  # fmt: skip
    loaded = spaces.load_data(spec)
    engine, rows = fresh(spaces.configure(spec, {}), loaded.info, 0), Rows(loaded.validation)
    engine.prepare(rows)
    found, answers = engine.evaluate(rows), engine.predict(rows)
    assert not {"mcc", "r2"} & set(engine.train_epoch(rows, 1)), "they are those of the validation rows"
    return found, answers, loaded.validation.y


@pytest.mark.parametrize(
    ("data", "function"),
    [("three", "softmax"), ("three", "wide"), ("three", "logits"), ("two", "sigmoid"), ("two", "one_logit")],
)
def test_metrics_that_a_functions_model_leaves_out_are_computed(tmp_path: Path, data: str, function: str) -> None:
    found, answers, y = evaluated(tmp_path, data, function, metrics=["accuracy", "f1", "mcc", "auc"])
    if answers.shape[1] == 1:
        chosen = (answers[:, 0] > (0.0 if function == "one_logit" else 0.5)).astype(int)
        area = metrics.roc_auc_score(y, answers[:, 0])
    else:
        chosen = answers[:, :3].argmax(axis=1)
        area = np.mean([metrics.roc_auc_score(y == c, _shares(answers, function)[:, c]) for c in range(3)])
    assert found["accuracy"] == pytest.approx((chosen == y).mean(), abs=1e-6)
    assert found["f1"] == pytest.approx(metrics.f1_score(y, chosen, average="macro"), abs=1e-5)
    assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(y, chosen), abs=1e-5)
    assert found["auc"] == pytest.approx(area, abs=0.02)


def _shares(answers: Any, function: str) -> Any:
    exponents = np.exp(answers)
    return exponents / exponents.sum(axis=1, keepdims=True) if function == "logits" else answers


def test_a_metric_of_the_models_own_stays_what_it_is(tmp_path: Path) -> None:
    found, answers, _ = evaluated(tmp_path, "two", "itself", metrics=["f1", "mcc"])
    assert found["f1"] == pytest.approx((answers > 0.6).mean(), abs=1e-5)
    assert set(found) == {"loss", "f1", "mcc"}


def test_of_numbers_too(tmp_path: Path) -> None:
    found, answers, y = evaluated(tmp_path, "numbers", "linear", loss="mse", metrics=["mae", "rmse", "r2"])
    assert found["mae"] == pytest.approx(np.abs(y - answers[:, 0]).mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt(((y - answers[:, 0]) ** 2).mean()), rel=1e-5)
    assert found["r2"] == pytest.approx(metrics.r2_score(y, answers[:, 0]), rel=1e-4)


def test_without_a_metric_that_is_named_nothing_is_added(tmp_path: Path) -> None:
    assert set(evaluated(tmp_path, "three", "wide")[0]) == {"loss"}


def by_name(known: DataInfo, *names: str, loss: str = "sparse_categorical_crossentropy") -> Any:
    from spaces.models.own_measures import own_measures

    settings = replace(small_settings(metrics=names), family="python:mine:build")
    return own_measures(settings, known, SimpleNamespace(loss=loss))


def test_rows_count_by_their_weights_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spaces.models.own_measures._ROWS_AT_ONCE", 70)
    y, logits = rows(3)
    weight = np.random.default_rng(1).random(len(y)).astype(np.float32)
    exponents = np.exp(logits)
    answers = exponents / exponents.sum(axis=1, keepdims=True)
    measures = by_name(info(3, "integer"), "accuracy", "f1", "auc")
    chosen = answers.argmax(axis=1)
    for counted in (weight, None, weight):
        found = measures({"accuracy": 0.5, "auc": 0.5}, y, lambda: answers, counted)
        expected = metrics.f1_score(y, chosen, average="macro", sample_weight=counted)
        assert found == {"f1": pytest.approx(expected, abs=1e-5)}
    assert measures({"accuracy": 0.5, "auc": 0.5, "f1": 0.5}, y, pytest.fail, None) == {}


@pytest.mark.parametrize(
    ("known", "names", "loss", "answers", "message"),
    [
        (
            replace(REGRESSION, targets=Structure((Piece("a", (1,), "float32"),), named=True)), ("mae", "r2"), "mse",
            np.zeros((4, 1)), "mae, r2: not computed for targets that are several arrays, or have names; let the funct",
        ),
        (info(3, "integer"), ("accuracy", "f1"), "mse", np.zeros((4, 2, 3)), r"from answers of shape \(4, 2, 3\)"),
        (info(3, "integer"), ("accuracy", "f1"), "mse", np.zeros((4, 2)), "not computed from 2 outputs for 3"),
        (REGRESSION, ("mae", "r2"), "mse", np.zeros((4, 2)), "not computed from 2 outputs for 1"),
        (info(2, "integer"), ("accuracy", "f1"), "hinge", np.zeros((4, 1)), "no probabilities, as with hinge"),
        (
            info(3, "multi-label"), ("accuracy", "top_k"), "binary_crossentropy", np.zeros((4, 3)),
            r"training\.metrics: metric top_k is for rows of one class each",
        ),
        (REGRESSION, ("f1",), "mse", np.zeros((4, 1)), "metric f1 is not defined for regression"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_says_so(
    known: DataInfo, names: tuple[str, ...], loss: str, answers: np.ndarray, message: str
) -> None:
    y = np.zeros((4, 3) if known.labels == "multi-label" else 4)
    measures = by_name(known, *names, loss=loss)
    with pytest.raises(spaces.CodeError, match=message):
        measures({"loss": 1.0}, y, lambda: answers)


def test_one_of_the_users_is_told_of_outputs_that_are_no_labels(folder: Path) -> None:
    measures = by_name(REGRESSION, f"{folder}/own_measures_here.py:gap")
    assert measures({}, np.array([1.0, 2.0]), lambda: np.array([[1.0], [4.0]])) == {"gap": 2.0}
    with pytest.raises(
        spaces.CodeError, match=r"training\.metrics: gap: not computed from 3 outputs for 1; let the funct"
    ):
        measures({}, np.zeros(2), lambda: np.zeros((2, 3)))


def test_the_usual_metric_is_left_out_where_nobody_may_have_asked_for_it() -> None:
    measures = by_name(info(3, "integer"), "accuracy", "f1")
    assert measures({"f1": 0.5}, np.zeros(4), lambda: np.zeros((4, 2))) == {}
    assert by_name(info(3, "integer"), "accuracy") is None
    assert by_name(REGRESSION, "mae") is None


def test_what_is_monitored_improves_the_way_of_the_objective_of_the_same_name(folder: Path) -> None:
    objective = {"name": "val_cost", "direction": "max"}
    rule = {"early_stopping": {"monitor": "val_cost", "patience": 2}}
    spec = space(folder, objective, "accuracy", "own_measures_here:cost", **rule)
    made = spaces.configure(spec, {}).training.early_stopping
    assert made == spaces.EarlyStopping("val_cost", 2, 0.0, "max")
    curve = [Epoch(number, {"val_cost": 0.1 * number}, 1.0, 1.0) for number in range(1, 6)]
    training = replace(spaces.configure(spec, {}).training, epochs=9)
    assert ended(training, curve) is None


@pytest.mark.parametrize(
    ("objective", "monitor", "mode"),
    [
        ({"name": "val_roc", "direction": "max"}, "val_roc", "max"),
        ({"name": "val_roc", "direction": "max"}, "roc", "max"),
        ({"name": "val_roc", "direction": "min"}, "val_roc", "min"),
        ({"name": "val_roc", "direction": "max"}, "val_loss", "min"),
        ("val_loss", "val_accuracy", "max"),
        ({"name": "val_roc", "direction": "max"}, "val_hits", None),
        ("val_loss", "val_hits", None),
    ],
)
def test_a_monitor_that_the_users_model_reports_needs_a_direction(
    folder: Path, objective: Any, monitor: str, mode: str | None
) -> None:
    spec = spaces.load(
        {
            "name": "own",
            "data": {"source": "digits"},
            "model": {"family": {"python": f"{folder}/own_measures_here.py:build"}},
            "training": {"batch_size": 8, "epochs": 3, "early_stopping": {"monitor": monitor, "patience": 1}},
            "search": {"algorithm": "random", "max_trials": 1, "objective": objective},
        }
    )
    if mode is None:
        # A run that began with it is read.
        with pytest.raises(spaces.SpaceError, match=f"early_stopping.monitor: the direction of '{monitor}' is not"):
            require_directions(spec)
        return
    require_directions(spec)
    made = spaces.configure(spec, {}).training.early_stopping
    assert made is not None
    assert made.mode == mode


def test_one_that_gives_no_number_says_so(folder: Path) -> None:
    from spaces.models.own_measures import own_measures

    spec = space(folder, "val_loss", "own_measures_here:words")
    measures = own_measures(spaces.configure(spec, {}), info(2, "integer"), SimpleNamespace(loss=None))
    assert measures is not None
    with pytest.raises(spaces.CodeError, match="words: returned str"):
        measures({}, np.array([0, 1]), lambda: np.eye(2))


def test_a_measure_is_the_same_from_the_file_of_a_model(tensorflow: None) -> None:
    import keras

    made = [
        *make_metrics(NAMES, "auto", info(3, "integer"), "probabilities"),
        *make_metrics(NAMES, "auto", info(3, "multi-label"), "logits"),
        *make_metrics(("r2",), "mse", REGRESSION, "probabilities"),
    ]
    for metric in made:
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()
        assert [one.shape for one in again.variables] == [one.shape for one in metric.variables]
        assert getattr(again, "_measure", None) is getattr(metric, "_measure", None)
