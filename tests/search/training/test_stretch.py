"""Steps that XLA compiles, as on a GPU: they compute what the others do, and what XLA cannot compile trains as ever."""

import numpy as np
import pytest

import spaces

pytestmark = pytest.mark.usefixtures("tensorflow")

SPACE = {
    "name": "x", "data": {"source": "digits", "validation": 0.2},
    "model": {
        "family": "cnn", "blocks": 1, "filters": 2, "batch_normalization": True, "global_pooling": "average",
    },
    "training": {
        "epochs": 2, "batch_size": 100, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9,
        "schedule": "one-cycle", "label_smoothing": 0.1, "ema": 0.9,
    },
}  # fmt: skip


def trained(monkeypatch, xla_after, ahead=1):
    from search.training import engine
    from search.training.engine import Rows
    from search.training.reuse.networks import Networks
    from search.training.steps import stretch

    monkeypatch.setattr(engine, "pays", lambda model: xla_after is not None)
    monkeypatch.setattr(engine, "STEPS_THAT_PAY", xla_after)
    ways = []
    fast = stretch.Stretch._fast_steps

    def watched(self, order, batch, start, stop, parts):
        ways.append(fast(self, order, batch, start, stop, parts))
        return ways[-1]

    monkeypatch.setattr(stretch.Stretch, "_fast_steps", watched)
    spec = spaces.load(SPACE)
    data = spaces.load_data(spec)
    rows = Rows(spaces.Split(data.train.x[:230], data.train.y[:230]))
    one = Networks(data.info).engine(spaces.configure(spec, {}), 3, rows, 1_000)
    losses = [one.train_epoch(rows, epoch, ahead=min(ahead, 3 - epoch))["loss"] for epoch in (1, 2)]
    return losses, one.predict(rows), ways


def test_a_step_that_xla_compiles_trains_as_the_others_do(monkeypatch):
    plain, answers, ways = trained(monkeypatch, None)
    assert not ways
    # Two whole steps and one of 30 rows in an epoch: from the second epoch on, XLA has made the whole ones.
    fast, fast_answers, ways = trained(monkeypatch, 4)
    assert max(ways) == 2
    assert fast[0] == plain[0]
    assert fast[1] == pytest.approx(plain[1], rel=1e-5)
    np.testing.assert_allclose(fast_answers, answers, atol=1e-4)


@pytest.mark.night
def test_xla_compiles_at_once_what_enough_planned_steps_are_worth(monkeypatch):
    # Three steps an epoch, two of them whole.
    plain, _, _ = trained(monkeypatch, None)
    at_once, _, ways = trained(monkeypatch, 6, ahead=2)
    assert ways[0] > 0
    assert at_once == pytest.approx(plain, rel=1e-5)
    _, _, ways = trained(monkeypatch, 7, ahead=2)
    assert not ways


def test_what_xla_cannot_compile_goes_on_without_it():
    import tensorflow as tf

    from search.training.steps.stretch import Stretch

    total = tf.Variable(0.0)

    def step(rows):
        total.assign_add(tf.reduce_sum(tf.py_function(lambda x: x * 2, [rows[0]], tf.float32)))

    x = tf.range(10, dtype=tf.float32)
    made = Stretch(step, x, xla_after=0)
    for start in (0, 2):
        made(tf.range(10), 3, start, start + 2, x)
    assert total.numpy() == 90.0


def test_xla_pays_on_no_processor_and_for_no_weights_of_open_width(monkeypatch):
    import keras
    import tensorflow as tf

    from search.training.steps import stretch

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])
    assert not stretch.pays(model)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["GPU"])
    assert stretch.pays(model)
    variable = tf.Variable(tf.zeros((2, 2)), shape=tf.TensorShape([None, 2]))
    model.variables[0]._value = variable
    assert not stretch.pays(model)
