"""The fused batch normalization is Keras's, up to rounding."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def layers():
    """Keras's layer and the fused one with the same weights, which are none of the initial ones."""
    import keras

    from search.training.reuse.normalization import FusedBatchNormalization

    def make(shape):
        random = np.random.default_rng(0)
        weights = [random.uniform(0.5, 1.5, shape[-1]).astype("float32") for _ in range(4)]
        made = []
        for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
            layer = kind(momentum=0.9, epsilon=1e-3)
            layer.build(shape)
            layer.set_weights(weights)
            made.append(layer)
        return made

    return make


@pytest.mark.parametrize("shape", [(8, 5, 7, 3), (1, 1, 1, 3), (16, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_averages_are_those_of_keras(layers, shape, training):
    import tensorflow as tf

    images = tf.constant(np.random.default_rng(1).normal(2.0, 3.0, shape).astype("float32"))
    weighting = tf.constant(np.random.default_rng(2).normal(size=shape).astype("float32"))
    found = []
    for layer in layers(shape):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images, training=training)
            total = tf.reduce_sum(outputs * weighting)
        gradients = tape.gradient(total, [images, layer.gamma.value, layer.beta.value])
        found.append([outputs, *gradients, *layer.get_weights()])
    for expected, actual in zip(*found, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
    moved = not np.allclose(found[1][-1], layers(shape)[1].get_weights()[-1])
    assert moved == training
