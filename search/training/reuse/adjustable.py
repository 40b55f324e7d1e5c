"""Parts of a network whose numbers and widths can change without compiling its training function again.

They stand in for Keras's own layers while training and compute the same bits. Only weights ever leave the training,
so no exported model depends on them. Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf


class AdjustableDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense layer that can be compiled before its width is known.

    Keras adds the bias by `BiasAdd` only where it sees the width; a broadcast addition has a slower gradient with
    other bits.
    """

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The layer's outputs, shape (batch, units)."""
        outputs = tf.nn.bias_add(tf.matmul(inputs, self.kernel), self.bias)
        return outputs if self.activation is None else self.activation(outputs)


class AdjustableDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Dropout whose rate is read each time the compiled function runs."""

    def __init__(self, rate: float, **options: Any) -> None:
        super().__init__(rate, **options)
        self._dropped = tf.Variable(0.0, trainable=False)
        self._scale = tf.Variable(1.0, trainable=False)

    def adjust(self, rate: float) -> None:
        """Sets the share of values that are dropped, above 0 and below 1."""
        self._dropped.assign(rate)
        # In double precision first, as TensorFlow does for a rate that it knows when it compiles.
        self._scale.assign(np.float32(1 / (1 - rate)))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The inputs; while training a share of them is zero and the others are scaled up."""
        if not training:
            return inputs
        seed = tf.cast(tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1), tf.int32)
        kept = tf.random.stateless_uniform(tf.shape(inputs), seed) >= self._dropped
        return tf.where(kept, inputs * tf.cast(self._scale, inputs.dtype), 0.0)


class AdjustableNumber:
    """A number above 0 that is read each time the compiled function runs.

    It takes the place of a Python number in an optimizer that asks, while it is compiled, whether the number is 0.
    """

    def __init__(self) -> None:
        self._variable = tf.Variable(1.0, trainable=False)

    def assign(self, value: float) -> None:
        """Sets the number; 0 would need another compiled function."""
        self._variable.assign(value)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __gt__(self, other: object) -> bool:
        return True

    def __mul__(self, other: Any) -> Any:
        return tf.convert_to_tensor(self) * other

    def __rtruediv__(self, other: Any) -> Any:
        return other / tf.convert_to_tensor(self)

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        return tf.convert_to_tensor(self._variable, dtype=dtype, name=name)
