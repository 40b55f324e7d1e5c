"""Batch normalization of images in one operation.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

_IMAGE_RANK = 4


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Stands in for Keras's layer while training: the same function, in TensorFlow's fused operation.

    Keras composes it of a dozen operations, each of which reads and writes the whole feature map, forwards and again
    for the gradient: up to four fifths of the time of a training step. The results agree up to rounding. Only weights
    leave the training, so no exported model depends on this layer.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The normalised inputs. Those of shape (batch, height, width, channels) take the fused operation."""
        if len(inputs.shape) != _IMAGE_RANK:
            return super().call(inputs, training=training)
        if not training:
            outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
                inputs, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.epsilon, is_training=False
            )
            return outputs
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # The operation gives the variance of the population that the batch is a sample of, Keras that of the batch.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), variance.dtype)
        variance *= tf.maximum(count - 1.0, 1.0) / count
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return outputs

    def _move(self, average: Any, value: Any) -> None:
        average.assign(average * self.momentum + value * (1.0 - self.momentum))
