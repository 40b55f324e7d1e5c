"""The engine against Keras's own `fit`."""

from __future__ import annotations

import math

import numpy as np
import pytest

import spaces
from search.training.engine import Engine, Rows
from spaces import Settings, Split
from tests.search import small


def model(digits, values="sgd with momentum", **changes):
    settings = Settings.from_json(small.settings({**small.VALUES[values], "dropout": 0.0, **changes}))
    return spaces.build_model(settings, digits.info, seed=5)


@pytest.mark.parametrize("values", list(small.VALUES))
def test_an_epoch_is_an_epoch_of_fit_on_rows_in_the_same_order(digits, values):
    seed, epochs, batch = 9, 2, 64
    ours, theirs = model(digits, values), model(digits, values)
    engine, rows = Engine(ours, seed, batch), Rows(digits.train)
    engine.prepare(rows)
    for epoch in range(1, epochs + 1):
        metrics = engine.train_epoch(rows, epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(digits.train))
        history = theirs.fit(
            digits.train.x[order], digits.train.y[order], batch_size=batch, shuffle=False, verbose=0, epochs=1
        ).history
        for name, value in metrics.items():
            assert value == pytest.approx(history[name][0], abs=1e-5), name
    assert len(digits.train) % batch, "the last batch of an epoch is smaller"
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_evaluation_is_that_of_keras(digits):
    network = model(digits)
    engine, rows = Engine(network, 0, 64), Rows(digits.validation)
    engine.prepare(rows)
    found = engine.evaluate(rows)
    expected = network.evaluate(digits.validation.x, digits.validation.y, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, abs=1e-5)


def test_wide_layers_are_evaluated_in_smaller_steps(digits):
    import keras

    from search.training.engine import Engine, Rows

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    def steps(*layers):
        model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
        model.compile(loss="mse")
        return Engine(model, 0, 16)._large_batch(Rows(digits.validation))

    narrow, wide = (keras.layers.Conv2D(filters, 1) for filters in (8, 512))
    assert steps(narrow) == 1024
    assert steps(narrow, wide) == 4_000_000 // (64 * 512)
    assert steps(keras.layers.UpSampling2D(64), keras.layers.Conv2D(4, 1)) == 32
    within = [keras.layers.Conv2D(filters, 1) for filters in (512, 8)]
    one_of_several = keras.Sequential([keras.Input((8, 8, 1)), *within], name="member_0")
    assert steps(one_of_several) == 4_000_000 // (64 * 512)
    assert Engine(Own(), 0, 16)._large_batch(Rows(digits.validation)) == 1024


def test_answers_of_half_precision_are_given_in_full(digits):
    import keras

    layers = [keras.layers.Rescaling(1 / 16), keras.layers.Flatten(), keras.layers.Dense(10, dtype="mixed_bfloat16")]
    network = keras.Sequential([keras.Input(digits.info.input_shape), *layers])
    network.compile(loss="mse")
    rows = Rows(digits.validation)
    assert keras.backend.standardize_dtype(network(rows.between(0, 2)).dtype) == "bfloat16"
    assert Engine(network, 0, 64).predict(rows).dtype == np.float32


def test_evaluation_uses_no_dropout_and_changes_no_weight(digits):
    network = model(digits, dropout=0.4)
    engine, rows = Engine(network, 0, 64), Rows(digits.validation)
    engine.prepare(rows)
    before = network.get_weights()
    assert engine.evaluate(rows) == engine.evaluate(rows)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_predictions_come_in_the_order_of_the_rows(digits):
    network = model(digits)
    many = Split(np.tile(digits.train.x, (12, 1, 1)), np.tile(digits.train.y, 12))
    found = Engine(network, 0, 64).predict(Rows(many))
    expected = network.predict(many.x, verbose=0)
    assert found.shape == expected.shape == (len(many), 10)
    assert len(many) > 1024, "more than one batch"
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_how_often_it_looks_up_changes_nothing(digits):
    """Steps per call follow the machine's speed; the numbers must not."""
    weights = []
    for steps in (1, 3, 100):
        engine, rows = Engine(model(digits, dropout=0.4), 3, 16), Rows(digits.train)
        engine.prepare(rows)
        engine._steps_per_call = steps
        engine._adapt = lambda *_: None
        looked = []
        engine.train_epoch(rows, 1, lambda looked=looked: looked.append(1))
        assert len(looked) == math.ceil(math.ceil(len(digits.train) / 16) / steps)
        weights.append(engine.model.get_weights())
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


def test_a_state_of_another_optimizer_is_refused(digits):
    one, other = Engine(model(digits), 0, 64), Engine(model(digits, "adam with dropout"), 0, 64)
    rows = Rows(digits.train)
    one.prepare(rows)
    other.prepare(rows)
    with pytest.raises(ValueError, match=r"the optimizer has \d+ variables, not"):
        one.restore(other.state())
