"""Schedules, moving averages, smoothing, clipping and precision while training, and over an interruption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spaces
from search.clock import SystemClock
from search.files import checkpoint as checkpoints
from search.record.trial import Stop
from search.training.trainer import Trainer
from spaces import Settings
from spaces.outside.backend import policy_kept
from spaces.values import rates
from tests.search import small

AUGMENTATION: dict[str, Any] = {
    "flip": "both", "rotation": 0.1, "zoom": 0.1, "shift": 0.2, "cutout": 0.3, "brightness": 0.2, "contrast": 0.3,
    "mixup": 0.4,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "cosine with a warm-up": {"schedule": "cosine", "warmup": 0.3},
    "linear": {"schedule": "linear"},
    "one-cycle": {"schedule": "one-cycle", "warmup": 0.25, "optimizer": "sgd", "momentum": 0.9},
    "decay of kernels": {"optimizer": "adamw", "weight_decay": 0.01},
    "smoothing": {"label_smoothing": 0.1},
    "clipping": {"gradient_clip": 0.1},
    "moving average": {"ema": 0.9},
    "bfloat16": {"precision": "bfloat16"},
    **{name: {"optimizer": name, "learning_rate": 0.003} for name in ("lion", "muon", "nadam")},
    "all together": {
        "schedule": "one-cycle", "warmup": 0.25, "label_smoothing": 0.1, "gradient_clip": 0.5, "ema": 0.95,
        "weight_decay": 0.01, "optimizer": "adamw", "precision": "bfloat16",
    },
    **{f"augmentation: {name}": {f"augmentation_{name}": value} for name, value in AUGMENTATION.items()},
    "everything at once": {
        **{f"augmentation_{name}": value for name, value in AUGMENTATION.items()},
        "schedule": "one-cycle", "label_smoothing": 0.1, "ema": 0.9, "precision": "bfloat16", "gradient_clip": 0.5,
        "weight_decay": 0.01, "optimizer": "adamw",
    },
}  # fmt: skip


def recipe(**changes: Any) -> Settings:
    made = Settings.from_json(small.job().settings)
    model = {name: changes.pop(name) for name in list(changes) if name in made.model}
    return replace(made, model={**made.model, **model}, training=replace(made.training, **changes))


def engine_of(settings: Settings, data: spaces.Dataset) -> tuple[Any, Any]:
    from search.training.engine import Rows, fresh

    rows = Rows(data.train)
    engine = fresh(settings, data.info, 7)
    engine.prepare(rows)
    return engine, rows


@pytest.mark.parametrize(
    "name", [name if name == "everything at once" else pytest.param(name, marks=pytest.mark.night) for name in RECIPES]
)
def test_two_epochs_and_four_more_are_six_bit_for_bit(name, tmp_path, digits):
    """The rest is trained by a trainer that knows nothing of the first part but its files."""
    from search.clock import SystemClock
    from search.training.trainer import Trainer

    settings = recipe(**RECIPES[name]).to_json()
    here, elsewhere = (Trainer(tmp_path, digits, SystemClock()) for _ in range(2))
    whole = here.train(small.job("whole", settings=settings))
    first = here.train(small.job("first", settings=settings, epochs_to=2))
    assert first.state is not None
    job = small.job("rest", settings=settings, epochs_from=2, history=first.epochs, resume=first.state, best=first.best)
    rest = elsewhere.train(job)
    assert whole.failure is None
    assert small.curve(first) + small.curve(rest) == small.curve(whole)
    for kind in ("state", "last", "best"):
        found, expected = getattr(rest, kind), getattr(whole, kind)
        small.assert_same_arrays(checkpoints.read(tmp_path, found), checkpoints.read(tmp_path, expected))
    plain = here.train(small.job("plain", epochs_to=2))
    assert small.curve(plain) != small.curve(first), "the recipe has an effect"


def test_the_moving_average_is_the_weighted_mean_of_the_weights_after_every_update(digits):
    decay, batch = 0.8, 100
    engine, rows = engine_of(recipe(ema=decay, batch_size=batch), digits)
    step, after = engine.model.train_step, []

    def train_step(data: Any) -> Any:
        import tensorflow as tf

        logs = step(data)
        # Read inside the step, after the update: what Python reads by itself is read at any time.
        values = [variable.value.read_value() for variable in engine.model.weights]
        tf.py_function(lambda *found: after.append([value.numpy() for value in found]), values, [])
        return logs

    engine.model.train_step = train_step
    engine.train_epoch(rows, 1)
    engine.train_epoch(rows, 2)
    count = 2 * -(-rows.count // batch)
    assert len(after) == count
    shares = np.array([decay ** (count - 1 - index) for index in range(count)])
    for index, found in enumerate(engine.weights()):
        expected = np.average([weights[index] for weights in after], axis=0, weights=shares)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_average_is_what_is_validated_and_kept_and_not_what_is_trained(tmp_path, digits, trainer):
    from search.training.engine import Rows

    engine, rows = engine_of(recipe(ema=0.9), digits)
    plain, _ = engine_of(recipe(), digits)
    engine.train_epoch(rows, 1)
    plain.train_epoch(rows, 1)
    for a, b in zip(engine.state()["weights"], plain.state()["weights"], strict=True):
        np.testing.assert_array_equal(a, b)
    validation = Rows(digits.validation)
    found = engine.evaluate(validation)
    plain.model.set_weights(engine.weights())
    assert found == plain.evaluate(validation)
    for a, b in zip(engine.state()["weights"], engine.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    outcome = trainer.train(small.job(settings=recipe(ema=0.9).to_json(), epochs_to=2))
    kept, state = (checkpoints.read(tmp_path, file) for file in (outcome.last, outcome.state))
    small.assert_same_arrays({"weights": kept["weights"]}, {"weights": state["average"]})
    assert not np.array_equal(kept["weights"][0], state["weights"][0])


def test_what_is_no_floating_point_number_is_what_it_was_last(tensorflow):
    from types import SimpleNamespace

    import keras

    from search.training.steps.average import MovingAverage

    steps = keras.Variable(0, dtype="int32", trainable=False)
    late = keras.Variable(False, dtype="bool", trainable=False)
    average = MovingAverage(SimpleNamespace(weights=[steps, late]), 0.9)
    for step in (1, 2, 3):
        steps.assign(step)
        late.assign(step == 3)
        average.update()
    assert [value.item() for value in average.values()] == [3, True]


def test_an_average_of_an_earlier_version_goes_on_by_the_count_of_the_optimizer(digits):
    (one, rows), (other, _) = engine_of(recipe(ema=0.9), digits), engine_of(recipe(ema=0.9), digits)
    one.train_epoch(rows, 1)
    other.restore({name: arrays for name, arrays in one.state().items() if name != "averaged"})
    small.assert_same_arrays(other.state(), one.state())


def test_what_is_validated_are_the_labels_as_they_are(digits):
    from search.training.engine import Rows

    smoothed, rows = engine_of(recipe(label_smoothing=0.3), digits)
    plain, _ = engine_of(recipe(), digits)
    trained = smoothed.train_epoch(rows, 1)["loss"]
    assert abs(trained - plain.train_epoch(rows, 1)["loss"]) > 1e-3
    plain.model.set_weights(smoothed.model.get_weights())
    validation = Rows(digits.validation)
    assert smoothed.evaluate(validation)["loss"] == pytest.approx(plain.evaluate(validation)["loss"], rel=1e-5)


def test_the_rate_runs_over_all_updates_of_all_epochs(digits):
    settings = recipe(schedule="linear", optimizer="sgd", learning_rate=0.1, epochs=4, batch_size=50)
    engine, rows = engine_of(settings, digits)
    engine.train_epoch(rows, 1)
    updates = -(-rows.count // 50)
    assert int(engine.model.optimizer.iterations) == updates
    assert float(engine.model.optimizer.learning_rate) == pytest.approx(
        0.1 * rates.share("linear", 0.0, 1 / 4), rel=1e-5
    )


def test_what_goes_on_towards_a_nearer_end_has_its_rate_there_at_its_end(tmp_path, digits):
    """A training that counts at its end only stops as soon as its rest does not fit, and goes on with a shorter one."""
    from search.budget import Deadline
    from search.clock import SystemClock
    from search.training.trainer import Trainer

    class Slow(SystemClock):
        """Two epochs take no time, and then there is time for two and a half more."""

        def __init__(self) -> None:
            self.epochs: list[float] = []

        def monotonic(self) -> float:
            return 1000.0 - 2.5 * self.epochs[-1] if len(self.epochs) >= 2 else 0.0

    clock = Slow()
    training = {"schedule": "linear", "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9}
    trainer = Trainer(tmp_path, digits, clock)
    long = recipe(**training, epochs=6).to_json()
    first = trainer.train(
        small.job("first", settings=long, keep=("last",), deadline=Deadline(monotonic=1000.0), whole=True),
        on_epoch=lambda epoch: clock.epochs.append(epoch.seconds),
    )
    assert (first.stopped, len(first.epochs)) == (Stop.DEADLINE, 2)
    assert first.state is not None
    assert first.state.epoch == 2
    short = recipe(**training, epochs=4).to_json()
    job = small.job("rest", settings=short, epochs_from=2, epochs_to=4, keep=("last", "state"))
    rest = trainer.train(replace(job, history=first.epochs, resume=first.state))
    assert (rest.stopped, [epoch.number for epoch in rest.epochs]) == (Stop.LENGTH, [3, 4])
    updates = 4 * -(-len(digits.train) // recipe().training.batch_size)
    engine, _ = engine_of(recipe(**training, epochs=4), digits)
    engine.restore(checkpoints.read(tmp_path, rest.state))
    assert int(engine.model.optimizer.iterations) == updates
    assert float(engine.model.optimizer.learning_rate) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.night
def test_a_residual_network_learns_in_bfloat16_as_it_does_in_float32(digits):
    model = {
        "family": "cnn", "block": "residual", "blocks": 1, "filters": 8, "convolutions": 2, "batch_normalization": True,
        "squeeze_excitation": True, "global_pooling": "average",
    }  # fmt: skip
    losses = []
    for precision in ("float32", "bfloat16"):
        made = spaces.load({
            "name": "x", "data": {"source": "digits"}, "model": model,
            "training": {"epochs": 3, "learning_rate": 0.01, "precision": precision},
        })  # fmt: skip
        engine, rows = engine_of(spaces.configure(made, {}), digits)
        losses.append([engine.train_epoch(rows, epoch)["loss"] for epoch in (1, 2, 3)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.1)
    assert losses[1][2] < losses[1][0]


def test_a_policy_that_is_set_for_all_layers_changes_no_training(tmp_path, digits):
    import keras

    job = small.job(epochs_to=1, keep=())
    plain = Trainer(tmp_path, digits, SystemClock()).train(job)
    with policy_kept():
        keras.config.set_dtype_policy("mixed_float16")
        other = Trainer(tmp_path, digits, SystemClock()).train(job)
    assert small.curve(other) == small.curve(plain) != []
