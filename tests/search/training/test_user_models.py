"""A model of the user's trains on what plain Keras would train it on."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

import spaces
from search.clock import SystemClock
from search.files import checkpoint
from search.record.trial import FailureReason
from search.training.trainer import Trainer
from tests.search import small

MODEL = """
import keras
import numpy as np
from keras import ops

def rows():
    x = np.random.default_rng(0).normal(size=(120, 6)).astype("float32")
    return x, x[:, 0] + 0.5 * x[:, 1] > 0.6

def column():
    x, y = rows()
    return x, y.astype(int)[:, None]

def floats():
    x, y = rows()
    return x, y.astype(float)[:, None]

def flat():
    x, y = rows()
    return x, y.astype(int)

def numbers():
    x, y = rows()
    return x, x[:, :1] * 2.0

def hits(y_true, y_pred):
    true = ops.cast(y_true, "float32")
    return ops.sum(true * ops.cast(y_pred > 0.5, "float32")) / (ops.sum(true) + 1e-7)

def product(y_true, y_pred):
    return ops.sum(y_true * y_pred) / ops.sum(y_pred)

def distance(y_true, y_pred):
    return ops.mean(ops.square(ops.cast(y_true, y_pred.dtype) - y_pred))

def network(metrics, activation="sigmoid", loss="binary_crossentropy"):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1, activation=activation)])
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=metrics)
    return model

def build(hp):
    return network([hits, keras.metrics.F1Score(average="micro", threshold=0.5, name="f1"), keras.metrics.AUC()])

def multiplied(hp):
    return network([product])

def distant(hp):
    return network([distance], None, "mse")

def raising(y_true, y_pred):
    raise KeyError("nothing here")

def broken(hp):
    return network([raising])

def graded():
    x, _ = rows()
    return x, np.clip(np.round(x[:, 0] * 1.5 + 5.5), 3, 8).astype(int)

def signs():
    x, y = rows()
    return x, np.where(y, 1, -1)

def three_and_eight():
    x, y = rows()
    return x, np.where(y, 8, 3)

def classes(hp, outputs=6, logits=False):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(outputs, None if logits else "softmax")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    model.compile("adam", loss, metrics=["accuracy"])
    return model

def nine(hp):
    return classes(hp, 9)

def smoothed(hp):
    model = classes(hp)
    model.compile("adam", lambda y, p: keras.losses.sparse_categorical_crossentropy(y, 0.9 * p + 0.1 / 6))
    return model

def ten_logits(hp):
    return classes(hp, 10, logits=True)

def hinged(hp):
    return network([], "tanh", "hinge")

def logits(hp):
    return network([], None, keras.losses.BinaryCrossentropy(from_logits=True))

def graded_numbers(hp):
    return network(["mae"], None, keras.losses.MeanSquaredError(name="own"))

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        return {"distance": ops.mean(ops.abs(data[1] - self(data[0], training=True))), "half": 0.5}

    def test_step(self, data):
        return {"distance": ops.mean(ops.abs(data[1] - self(data[0], training=False)))}

def own_names(hp):
    model = Own()
    model.compile("adam", "mse")
    return model

def plain(hp):
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation="softmax")])

class Two(Own):
    def __init__(self):
        super().__init__()
        self.players = [keras.optimizers.Adam(0.05)]

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            distance = ops.mean(ops.square(data[1] - self(data[0], training=True)))
        weights = self.out.trainable_variables
        self.players[0].apply(tape.gradient(distance, weights), weights)
        return {"distance": distance}

def two_optimizers(hp):
    model = Two()
    model(np.zeros((1, 6), "float32"))
    model.players[0].build(model.out.trainable_variables)
    model.compile("sgd", "mse")
    return model

def named(hp, activation="softmax", loss="sparse_categorical_crossentropy"):
    x = keras.Input((6,))
    model = keras.Model(x, {"digit": keras.layers.Dense(2, activation)(x)})
    model.compile("adam", loss)
    return model

def of_its_own(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

def own_loss(hp):
    return named(hp, None, of_its_own)

def in_a_dict(hp):
    return named(hp, None, {"digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True)})

def in_a_list(hp):
    return named(hp, None, [keras.losses.SparseCategoricalCrossentropy(from_logits=True)])

def one_logit(hp):
    return network([], None, lambda y, p: keras.losses.binary_crossentropy(y, p, from_logits=True))

def without_axis(hp):
    x = keras.Input((6,))
    model = keras.Model(x, ops.squeeze(keras.layers.Dense(1, "sigmoid")(x), -1))
    model.compile("adam", "binary_crossentropy", metrics=["binary_accuracy"])
    return model

def again():
    x, _ = rows()
    return x, {"again": x.reshape(-1, 3, 2)}

def encoder(hp):
    x = keras.Input((6,))
    half = keras.layers.Dense(6, dtype="float64")(x)
    model = keras.Model(x, {"again": keras.layers.Reshape((3, 2), dtype="float64")(half)})
    model.compile("adam", "mse")
    return model

def bare_targets():
    x, _ = rows()
    return x, x.reshape(-1, 3, 2)

class Errors(keras.metrics.MeanSquaredError):
    def result(self):
        return {"squared": super().result(), "root": ops.sqrt(super().result())}

def several_values(hp):
    return network([keras.metrics.Precision([0.4, 0.6], name="precisions"), Errors(name="errors")])
"""


def world(tmp_path: Path, data: str, function: str, **training):
    (tmp_path / "mine.py").write_text(MODEL)
    spec = spaces.load({
        "name": "mine",
        "data": {"source": {"python": f"{tmp_path / 'mine.py'}:{data}"}, "validation": 0.25, "test": 0.25},
        "model": {"family": {"python": f"{tmp_path / 'mine.py'}:{function}"}},
        "training": {"epochs": 3, "batch_size": 16, **training},
        "search": {"algorithm": "random", "max_trials": 2, "objective": {"name": "val_loss", "direction": "min"}},
    })  # fmt: skip
    return spec, spaces.load_data(spec)


def train(tmp_path, spec, dataset, **changes):
    settings = spaces.configure(spec, {}).to_json()
    job = small.job(settings=settings, **{"objective": "val_loss", "direction": "min", "epochs_to": 1, **changes})
    return Trainer(tmp_path / "run", dataset, SystemClock()).train(job)


@pytest.mark.parametrize(
    ("source", "function", "loss"),
    [("column", "build", "auto"), ("floats", "multiplied", "auto"), ("numbers", "distant", "mse")],
)
def test_its_labels_have_the_form_in_which_they_came(tensorflow, tmp_path, source, function, loss):
    spec, data = world(tmp_path, source, function, loss=loss)
    assert data.train.y.ndim == 1
    outcome = train(tmp_path, spec, data)
    assert outcome.failure is None
    model = spaces.build_model(spaces.configure(spec, {}), data.info)
    model.set_weights(checkpoint.read(tmp_path / "run", outcome.last)["weights"])
    y = data.validation.y[:, None].astype(data.info.label_dtype or data.validation.y.dtype)
    # Keras means function metrics over batches; in one batch there is nothing to mean.
    expected = model.evaluate(data.validation.x, y, batch_size=len(y), verbose=0, return_dict=True)
    measured = {name.removeprefix("val_"): v for name, v in outcome.epochs[0].metrics.items() if name[:4] == "val_"}
    assert measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("source", "function", "labels"),
    [
        ("graded", "nine", {3, 4, 5, 6, 7, 8}),
        ("graded", "classes", {0, 1, 2, 3, 4, 5}),
        ("graded", "smoothed", {0, 1, 2, 3, 4, 5}),
        ("signs", "hinged", {-1, 1}),
        ("signs", "logits", {0, 1}),
    ],
)
def test_its_labels_are_the_numbers_that_they_came_as(tensorflow, tmp_path, source, function, labels):
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, source, function)
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.train)
    engine.prepare(rows)
    assert {*rows.labels(engine._given).numpy().tolist()} == labels
    assert engine.train_epoch(rows, 1)["loss"] > -10
    # A run of an earlier version goes on with the numbers that it began with.
    earlier = spaces.load_data(spec, dataclasses.replace(data.info, label_values=()))
    assert {*Rows(earlier.train).labels(earlier.info).numpy().tolist()} == {*range(len(labels))}


def test_labels_of_classes_and_a_loss_for_numbers_are_told_before_anything_trains(tensorflow, tmp_path):
    spec, data = world(tmp_path, "graded", "graded_numbers")
    message = r"training\.loss: the function compiles with mse, and the labels 3, 4, 5, 6, 7, … would .*: mse"
    with pytest.raises(spaces.CodeError, match=message):
        spaces.build_model(spaces.configure(spec, {}), data.info)
    spec, data = world(tmp_path, "graded", "graded_numbers", loss="mse")
    assert spaces.build_model(spaces.configure(spec, {}), data.info).compiled
    assert data.train.y.min() == 3


@pytest.mark.parametrize(
    ("source", "function", "outputs"), [("column", "logits", [0]), ("three_and_eight", "ten_logits", [3, 8])]
)
def test_logits_become_probabilities_of_the_classes_of_the_data(tensorflow, tmp_path, source, function, outputs):
    import numpy as np

    spec, data = world(tmp_path, source, function)
    settings = spaces.configure(spec, {})
    model = spaces.build_model(settings, data.info, seed=1)
    answers = model.predict(data.test.x, verbose=0)
    found = spaces.as_probabilities(answers, settings, data.info, model)
    exponents = np.exp(answers)
    expected = exponents / (exponents.sum(axis=1, keepdims=True) if len(outputs) > 1 else 1 + exponents)
    np.testing.assert_allclose(found, expected[:, outputs], rtol=1e-5)


def test_the_test_part_is_measured_on_such_labels_too(tensorflow, tmp_path):
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "column", "build")
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.test)
    engine.prepare(rows)
    assert 0 <= engine.evaluate(rows)["hits"] <= 1
    assert rows.labels(data.info).shape == (30, 1)
    assert rows.labels(None).shape == (30,)


def test_what_a_step_of_its_own_returns_is_what_it_reports(tensorflow, tmp_path):
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "numbers", "own_names", loss="mse")
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.train)
    engine.prepare(rows)
    trained, measured = engine.train_epoch(rows, 1), engine.evaluate(rows)
    assert {*trained} == {"distance", "half"}
    assert trained["half"] == 0.5
    expected = abs(data.train.y[:, None] - engine.predict(rows)).mean()
    assert measured == {"distance": pytest.approx(expected, rel=1e-5)}


def test_metrics_of_several_values_are_their_mean_or_stand_by_their_names(tensorflow, tmp_path):
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "column", "several_values")
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.validation)
    engine.prepare(rows)
    assert {*engine.train_epoch(Rows(data.train), 1)} == {"loss", "precisions", "squared", "root"}
    measured, answers, y = engine.evaluate(rows), engine.predict(rows)[:, 0], data.validation.y
    assert measured["precisions"] == pytest.approx(sum(y[answers > at].mean() for at in (0.4, 0.6)) / 2, rel=1e-5)
    assert measured["root"] == pytest.approx(measured["squared"] ** 0.5, rel=1e-5)


def with_two_optimizers(tmp_path, **training):
    """Rows, and what makes an engine for them whose model has an optimizer of its own beside the compiled one."""
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "numbers", "two_optimizers", loss="mse", **training)
    rows = Rows(data.train)

    def made():
        engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
        engine.prepare(rows)
        return engine

    return rows, made


def test_further_optimizers_go_on_where_they_were(tensorflow, tmp_path):
    rows, made = with_two_optimizers(tmp_path)
    whole, paused = made(), made()
    whole.train_epoch(rows, 1)
    state = whole.state()
    whole.train_epoch(rows, 2)
    paused.restore(state)
    paused.train_epoch(rows, 2)
    small.assert_same_arrays({"weights": whole.weights()}, {"weights": paused.weights()})
    small.assert_same_arrays(whole.state(), paused.state())
    # What a version that kept one optimizer has left.
    made().restore({"weights": state["weights"], "optimizer": state["optimizer"]})


def test_weights_are_averaged_also_where_a_step_leaves_the_compiled_optimizer_alone(tensorflow, tmp_path):
    rows, made = with_two_optimizers(tmp_path, ema=0.9)
    whole, paused = made(), made()
    whole.train_epoch(rows, 1)
    state = whole.state()
    assert math.isfinite(whole.evaluate(rows)["distance"])
    assert not any((a == b).all() for a, b in zip(whole.weights(), state["weights"], strict=True))
    whole.train_epoch(rows, 2)
    paused.restore(state)
    paused.train_epoch(rows, 2)
    small.assert_same_arrays(whole.state(), paused.state())


def test_an_optimizer_is_built_before_it_is_restored(tensorflow):
    import keras
    import numpy as np

    from search.training.steps.optimizers import further_state, restore_further

    def made():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.players = {"d": keras.optimizers.Adam(), "g": model.optimizer}
        return model

    one, other, foreign = made(), made(), made()
    assert further_state(one) == {}
    weights = one.layers[1].trainable_variables
    one.players["d"].apply([keras.ops.ones_like(weight) for weight in weights], weights)
    state = further_state(one)
    assert {*state} == {"optimizer players['d']"}
    restore_further(other, state)
    for found, expected in zip(other.players["d"].variables, one.players["d"].variables, strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert [*state["optimizer players['d']"][0]] == [2, 3]
    foreign.players["d"].build([keras.Variable([0.0])])
    with pytest.warns(UserWarning, match=r"Sequential\.players\['d'\] changes variables that are none of the model's"):
        assert further_state(foreign) == {}


@pytest.mark.parametrize("function", ["named", "in_a_dict", "in_a_list"])
def test_one_output_may_come_in_a_dict(tensorflow, tmp_path, function):
    import numpy as np

    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "flat", function)
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.validation)
    engine.prepare(rows)
    answers = engine.predict(rows)
    np.testing.assert_allclose(answers, engine.model(data.validation.x)["digit"].numpy(), rtol=1e-5)
    outcome = train(tmp_path, spec, data)
    assert outcome.failure is None


def test_one_output_may_come_without_an_axis(tensorflow, tmp_path):
    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "flat", "without_axis")
    settings = spaces.configure(spec, {})
    engine = fresh(settings, data.info, seed=0)
    rows = Rows(data.test)
    engine.prepare(rows)
    answers = engine.predict(rows)
    assert answers.shape == (len(data.test), 1)
    assert spaces.as_probabilities(answers, settings, data.info, engine.model).shape == answers.shape


@pytest.mark.parametrize(
    ("source", "function", "kind"),
    [
        ("flat", "named", "probabilities"),
        ("flat", "own_loss", "logits"),
        ("flat", "in_a_dict", "logits"),
        ("flat", "in_a_list", "logits"),
        ("flat", "one_logit", "logits"),
        ("flat", "smoothed", "probabilities"),
        ("flat", "distant", "probabilities"),
        ("numbers", "distant", "values"),
    ],
)
def test_what_a_model_answers_is_told_by_its_loss_or_by_its_answers(tensorflow, tmp_path, source, function, kind):
    from search.training.engine import Rows, fresh
    from spaces.models.outputs import output_kind

    spec, data = world(tmp_path, source, function, loss="mse" if source == "numbers" else "auto")
    settings = spaces.configure(spec, {})
    engine = fresh(settings, data.info, seed=1)
    rows = Rows(data.test)
    engine.prepare(rows)
    answers = engine.predict(rows)
    assert output_kind(settings, data.info, engine.model, answers) == kind
    if kind == "logits":
        found = spaces.as_probabilities(answers, settings, data.info, engine.model)
        assert found.min() >= 0
        assert found.max() <= 1


def test_targets_of_more_axes_come_by_name(tensorflow, tmp_path):
    import numpy as np

    from search.training.engine import Rows, fresh

    spec, data = world(tmp_path, "again", "encoder", loss="mse")
    engine = fresh(spaces.configure(spec, {}), data.info, seed=0)
    rows = Rows(data.train)
    engine.prepare(rows)
    assert engine.train_epoch(rows, 1)["loss"] > 0
    answers = engine.predict(rows)
    assert (answers.shape, answers.dtype) == ((len(data.train), 6), np.float32)
    measured = engine.evaluate(rows)["loss"]
    assert measured == pytest.approx(float(((answers - data.train.y) ** 2).mean()), rel=1e-4)
    with pytest.raises(spaces.DataError, match=r"have shape \(120, 3, 2\).* by name: give y={'target': y}"):
        world(tmp_path, "bare_targets", "encoder", loss="mse")


def test_a_model_that_we_compile_keeps_our_form(tensorflow, tmp_path):
    outcomes = [train(tmp_path, *world(tmp_path, source, "plain")) for source in ("column", "flat")]
    assert outcomes[0].failure is None
    assert small.curve(outcomes[0]) == small.curve(outcomes[1])


@pytest.mark.parametrize(
    ("changes", "training", "message"),
    [
        ({"objective": "val_typo"}, {}, "objective val_typo is not reported; reported are loss, hits, f1, auc, val_"),
        ({}, {"early_stopping": {"monitor": "val_typo", "patience": 1}}, "early_stopping.monitor val_typo is not"),
        ({}, {"stop_when": {"typo": {"above": 1}}}, "stop_when typo is not reported"),
    ],
)
def test_what_no_training_reports_is_told_after_the_first_epoch(tensorflow, tmp_path, changes, training, message):
    spec, data = world(tmp_path, "column", "build", **training)
    outcome = train(tmp_path, spec, data, epochs_to=3, **changes)
    assert outcome.failure.message.startswith(message)
    assert [epoch.number for epoch in outcome.epochs] == [1]


def test_the_final_training_has_no_validation_to_report(tensorflow, tmp_path):
    spec, data = world(tmp_path, "column", "build")
    assert train(tmp_path, spec, data, data="train+validation").failure is None


def test_an_error_while_training_names_the_line_too(tensorflow, tmp_path):
    outcome = train(tmp_path, *world(tmp_path, "column", "broken"))
    assert outcome.failure.reason is FailureReason.ERROR
    assert outcome.failure.message == "mine.py:broken, line 51: KeyError: 'nothing here'"
