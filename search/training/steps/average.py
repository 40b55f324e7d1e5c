"""The moving average of a model's weights.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf


class MovingAverage:
    """After t updates the mean of the weights after each of them, that after update i weighing decay^(t - i).

    The weights that training began with do not count, so that the average of a short training is not theirs. Averages
    of normalizations are averaged too: they belong to the weights. What is no floating-point number, such as a count of
    steps, has no mean and is what it was after the last update.

    Args:
        model: A model with weights.
        decay: Above 0, below 1.
    """

    def __init__(self, model: Any, decay: float) -> None:
        self._model = model
        self._decay = tf.Variable(decay, dtype=tf.float64, trainable=False)
        # Not those of the optimizer: the step of a user's model may leave it alone.
        self._updates = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        # Of open shape: a network's widths may change from one training to the next.
        self._averages = [
            tf.Variable(weight.value, shape=tf.TensorShape([None] * len(weight.shape)), trainable=False)
            for weight in model.weights
        ]

    def begin(self, decay: float) -> None:
        """Begins anew, with the model's weights of now."""
        self._decay.assign(decay)
        self._updates.assign(0.0)
        for average, weight in zip(self._averages, self._model.weights, strict=True):
            average.assign(weight.value)

    def update(self) -> None:
        """Takes in the weights after an update."""
        self._updates.assign_add(1.0)
        # The newest weights' share of all the weighing so far; in double precision, for a decay may be near 1.
        share = (1.0 - self._decay) / (1.0 - self._decay**self._updates)
        for average, weight in zip(self._averages, self._model.weights, strict=True):
            if average.dtype.is_floating:
                average.assign_add((weight.value - average) * tf.cast(share, average.dtype))
            else:
                average.assign(weight.value)

    def values(self) -> list[np.ndarray]:
        """The averages, in the order of `model.weights`."""
        return [average.numpy() for average in self._averages]

    @property
    def updates(self) -> int:
        """How many there were."""
        return int(self._updates.numpy())

    def restore(self, values: Sequence[np.ndarray], updates: int) -> None:
        """Sets what `values` and `updates` gave."""
        self._updates.assign(updates)
        for average, value in zip(self._averages, values, strict=True):
            average.assign(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averages as its weights in here."""
        weights = self._model.weights
        own = [tf.identity(weight.value) for weight in weights]
        try:
            for weight, average in zip(weights, self._averages, strict=True):
                weight.value.assign(average)
            yield
        finally:
            for weight, value in zip(weights, own, strict=True):
                weight.value.assign(value)
