"""What is used of Keras Tuner's `Oracle` that it does not promise: says after an upgrade what has gone."""

from __future__ import annotations

import keras_tuner
import pytest

from search.oracles._base import OF_KERAS_TUNER


@pytest.fixture(scope="module")
def stock():
    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 4)
    return keras_tuner.oracles.RandomSearchOracle(objective="val_loss", max_trials=1, hyperparameters=space)


@pytest.mark.parametrize("name", OF_KERAS_TUNER)
def test_it_is_still_there(stock, name):
    assert hasattr(stock, name), f"keras_tuner {keras_tuner.__version__}: Oracle.{name}"
