"""A model of several inputs or outputs, for those who know rows of one array only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from spaces.values.packing import Structure, side_by_side

if TYPE_CHECKING:
    from spaces.data.types import DataInfo


class Packed:
    """Stands for a Keras model: packed rows are unpacked before it sees them, its answers laid side by side.

    Args:
        inner: The model; everything else is asked of it.
        info: What the rows are.
    """

    def __init__(self, inner: keras.Model, info: DataInfo) -> None:
        self.inner = inner
        self._inputs = info.inputs
        self._targets = info.targets

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, rows: Any, training: bool = False) -> Any:
        """The answers to packed rows, shape (n, values)."""
        answers = self.inner(self._unpacked(rows), training=training)
        # One may be computed in half precision, another be whole numbers.
        parts = [tf.cast(part, tf.float32) for part in side_by_side(answers)]
        return tf.concat([tf.reshape(part, (tf.shape(part)[0], -1)) for part in parts], axis=1)

    def train_step(self, data: Any) -> Any:
        """One step, with packed rows and targets."""
        return self.inner.train_step(self._data(data))

    def test_step(self, data: Any) -> Any:
        """As `train_step`, without learning."""
        return self.inner.test_step(self._data(data))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """What the model's own gives for packed rows; its answers are computed anew, as they are without packing."""
        inputs, targets, *_ = self._data((x, y))
        return self.inner.compute_metrics(inputs, targets, self.inner(inputs, training=False), sample_weight)

    def _data(self, data: Any) -> Any:
        x, y, *more = data
        return (self._unpacked(x), y if self._targets is None else _targets(y, self._targets), *more)

    def _unpacked(self, rows: Any) -> Any:
        return rows if self._inputs is None else _inputs(rows, self._inputs)


def packed(model: keras.Model, info: DataInfo) -> Any:
    """The model for packed rows; the model itself where rows are one array and labels another."""
    return model if info.inputs is None and info.targets is None else Packed(model, info)


def _inputs(rows: Any, structure: Structure) -> Any:
    values, start = [], 0
    for piece in structure.pieces:
        part = rows[:, start : start + piece.bytes]
        start += piece.bytes
        kind = tf.as_dtype(piece.dtype)
        if kind.size > 1:
            part = tf.bitcast(tf.reshape(part, (-1, piece.size, kind.size)), kind)
        elif kind != tf.uint8:
            part = tf.bitcast(part, kind)
        values.append(tf.reshape(part, (-1, *piece.shape)))
    return structure.arranged(values)


def _targets(rows: Any, structure: Structure) -> Any:
    values, start = [], 0
    for piece in structure.pieces:
        part = tf.reshape(rows[:, start : start + piece.size], (-1, *piece.shape))
        start += piece.size
        values.append(tf.cast(part, piece.dtype))
    return structure.arranged(values)
