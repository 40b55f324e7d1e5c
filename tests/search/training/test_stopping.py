from __future__ import annotations

import math
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from search.record.trial import Epoch, Stop
from search.training.stopping import BestSoFar, Patience, best_epoch, ended, seconds_needed, unreported
from spaces import EarlyStopping, Settings, Target
from tests.search.records import curve, epoch, settings


def rules(early_stopping=None, stop_when=(), epochs=1000):
    made = Settings.from_json(settings(epochs=epochs)).training
    return made.__class__(**{**vars(made), "early_stopping": early_stopping, "stop_when": tuple(stop_when)})


def stops_at(training, values, metric="val_loss"):
    """Number of the epoch after which the training ends, or None."""
    whole = curve(metric, values)
    return next((n for n in range(1, len(whole) + 1) if ended(training, whole[:n])), None)


def keras_stops_at(rule, values):
    """The same for Keras's own callback."""
    import keras

    callback = keras.callbacks.EarlyStopping(rule.monitor, rule.min_delta, rule.patience, mode=rule.mode)
    model = SimpleNamespace(stop_training=False)
    callback.set_model(model)
    callback.on_train_begin()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, value in enumerate(values):
            callback.on_epoch_end(number, {} if value is None else {rule.monitor: value})
            if model.stop_training:
                return number + 1
    return None


def single(value):
    """As float32 holds it, which is what metrics are computed in."""
    return float(np.float32(value))


CASES = [
    ([1.0, 0.9, 0.9, 0.9, 0.9], 2, 0.0, "min", 4),
    ([1.0, 1.1, 0.9, 1.0, 1.0], 2, 0.0, "min", 5),
    ([1.0, 0.9, 0.8, 0.7], 0, 0.0, "min", None),
    ([1.0, 1.0], 0, 0.0, "min", 2),
    ([1.0, 0.95, 0.9, 0.85], 1, 0.1, "min", 2),
    ([0.5, 0.6, 0.6, 0.55], 2, 0.0, "max", 4),
    ([0.5, 0.4, 0.6, 0.7], 2, 0.0, "max", None),
    ([math.nan, 0.5, 0.6, 0.6], 2, 0.0, "min", 4),
    ([0.5, math.nan, math.nan], 2, 0.0, "min", 3),
    ([1.0], 0, 0.0, "min", None),
    ([single(0.04), single(0.05)], 1, 0.01, "max", 2),
    ([single(0.17), single(0.16)], 1, 0.01, "min", 2),
]


@pytest.mark.parametrize(("values", "patience", "min_delta", "mode", "expected"), CASES)
def test_early_stopping_ends_where_it_should(values, patience, min_delta, mode, expected):
    training = rules(EarlyStopping("val_loss", patience, min_delta, mode))
    assert stops_at(training, values) == expected
    whole = curve("val_loss", values)
    if expected:
        assert ended(training, whole[:expected]) is Stop.EARLY_STOPPING


@pytest.mark.usefixtures("tensorflow")
@examples(deadline=None, max_examples=200, derandomize=True)
@given(
    values=st.lists(st.integers(0, 100).map(lambda n: single(n / 100)), min_size=1, max_size=12),
    patience=st.integers(0, 4),
    min_delta=st.sampled_from([0.0, 0.01, 0.05, 0.25]),
    mode=st.sampled_from(["min", "max"]),
)
def test_early_stopping_ends_where_kerass_callback_ends(values, patience, min_delta, mode):
    rule = EarlyStopping("val_loss", patience, min_delta, mode)
    assert stops_at(rules(rule), values) == keras_stops_at(rule, values)


def test_early_stopping_needs_only_the_curve_so_it_remembers_over_a_continuation():
    training = rules(EarlyStopping("val_loss", 3, 0.0, "min"))
    whole = curve("val_loss", [0.5, 0.6, 0.6, 0.6])
    assert ended(training, whole[:3]) is None
    assert ended(training, whole) is Stop.EARLY_STOPPING
    assert ended(training, whole[1:]) is None, "without its first epoch the curve says something else"


def test_a_monitor_that_is_not_measured_never_ends_a_training():
    training = rules(EarlyStopping("val_loss", 1, 0.0, "min"))
    assert stops_at(training, [1.0] * 5, metric="other") is None


@pytest.mark.parametrize(
    ("target", "values", "expected"),
    [
        (Target("loss", below=0.4, above=None), [0.5, 0.4, 0.39], 3),
        (Target("loss", below=None, above=0.9), [0.5, 0.9, 0.91], 3),
        (Target("loss", below=0.4, above=None), [math.nan, 0.5], None),
        (Target("missing", below=0.4, above=None), [0.1, 0.1], None),
    ],
)
def test_targets(target, values, expected):
    training = rules(stop_when=[target])
    assert stops_at(training, values, metric="loss") == expected
    if expected:
        assert ended(training, curve("loss", values)) is Stop.TARGET


def test_a_target_of_an_earlier_epoch_does_not_end_a_later_one():
    training = rules(stop_when=[Target("loss", below=0.4, above=None)])
    assert ended(training, curve("loss", [0.3, 0.5])) is None


def test_a_target_says_more_than_the_length():
    assert ended(rules(epochs=2), curve("loss", [0.5, 0.3])) is Stop.LENGTH
    training = rules(stop_when=[Target("loss", below=0.4, above=None)], epochs=2)
    assert ended(training, curve("loss", [0.5, 0.3])) is Stop.TARGET


def test_an_empty_curve_ends_nothing():
    assert ended(rules(EarlyStopping("val_loss", 0, 0.0, "min"), epochs=1), ()) is None


@pytest.mark.parametrize(
    ("values", "direction", "expected"),
    [
        ([0.5, 0.7, 0.7, 0.6], "max", (2, 0.7)),
        ([0.5, 0.3, 0.3], "min", (2, 0.3)),
        ([math.nan, 0.2, math.inf], "max", (2, 0.2)),
        ([-math.inf, math.nan], "max", None),
        ([], "max", None),
    ],
)
def test_best_epoch_is_the_first_of_equals_and_finite(values, direction, expected):
    assert best_epoch(curve("val_accuracy", values), "val_accuracy", direction) == expected


def test_of_equal_epochs_the_one_of_the_lowest_loss_is_best():
    losses = (0.9, 0.4, 0.6, math.nan)
    epochs = [epoch(i, val_accuracy=0.8, val_loss=loss) for i, loss in enumerate(losses, 1)]
    assert best_epoch(epochs, "val_accuracy", "max") == (2, 0.8)
    assert best_epoch([*epochs, epoch(5, val_accuracy=0.81, val_loss=2.0)], "val_accuracy", "max") == (5, 0.81)
    assert best_epoch(epochs[3:], "val_accuracy", "max") == (4, 0.8)


def test_of_a_curve_that_grows_each_epoch_is_looked_at_once():
    looked = 0

    class Metrics(dict):
        def get(self, *asked):
            nonlocal looked
            looked += 1
            return super().get(*asked)

    training = rules(EarlyStopping("val_loss", 400, 0.01, "min"))
    best, patience, values = BestSoFar(), Patience(), np.random.default_rng(0).random(500)
    whole = [Epoch(n, Metrics(val_loss=value), 1.0, 1.0) for n, value in enumerate(values.tolist(), 1)]
    told = [(best.of(whole[:n], "val_loss", "min"), ended(training, whole[:n], patience)) for n in range(1, 501)]
    assert looked < 10 * len(whole)
    some = range(1, 501, 50)
    assert told[::50] == [(best_epoch(whole[:n], "val_loss", "min"), ended(training, whole[:n])) for n in some]


def test_best_epoch_of_a_metric_that_some_epochs_lack():
    epochs = (Epoch(1, {"loss": 1.0}, 1.0, 1.0), epoch(2, val_accuracy=0.4))
    assert best_epoch(epochs, "val_accuracy", "max") == (2, 0.4)


@pytest.mark.parametrize(
    ("epochs", "whole", "needed"),
    [(4, False, 3.0), (2, True, (10 - 0.5) * 2.0), (10, True, (2 - 0.2) * 2.0), (11, True, 3.0)],
)
def test_what_counts_at_its_end_only_needs_the_time_for_all_of_its_rest(epochs: int, whole: bool, needed: float):
    seconds = [*[9.0] * (epochs - 2), 2.0, 3.0]
    curve = [Epoch(number, {}, took, took) for number, took in enumerate(seconds, 1)]
    assert seconds_needed(curve, 12, whole) == pytest.approx(needed)


def test_the_first_epoch_which_compiles_says_nothing_about_the_rest():
    first, second = Epoch(1, {}, 60.0, 60.0), Epoch(2, {}, 2.0, 2.0)
    assert seconds_needed([first], 12, True) == 60.0
    assert seconds_needed([first, second], 12, True) == pytest.approx((10 - 0.5) * 2.0)


@pytest.mark.parametrize(
    ("objective", "metrics", "instead"),
    [
        ("val_f1", ("accuracy",), "; add f1 to training.metrics"),
        ("val_accuracy", ("accuracy",), "; let the function compile the model with metrics=['accuracy']"),
        ("val_rmse", ("accuracy",), ""),
        ("val_rmse", ("mae",), "; add rmse to training.metrics"),
        ("f1", ("accuracy",), ""),
        ("val_typo", ("accuracy",), ""),
    ],
)
def test_a_value_that_is_not_reported_says_how_it_comes_to_be(objective, metrics, instead):
    training = replace(rules(), metrics=metrics)
    expected = f"objective {objective} is not reported; reported are loss, val_loss{instead}"
    assert unreported(objective, training, ["loss", "val_loss"]) == expected
