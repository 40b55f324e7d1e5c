"""A frozen network with its batch normalizations folded into the convolutions before them: the same function, faster.

Imported only where something is computed: Keras is needed.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from spaces.outside.keras_internals import give_weights

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


class _Through(keras.layers.Layer):  # type: ignore[misc]
    """Stands where a normalization was."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The inputs."""
        return inputs


def folded(model: keras.Model) -> keras.Model:
    """A network that computes what `model` does when nothing of it trains, up to rounding.

    A normalization with fixed averages multiplies and shifts each channel, which the convolution before it can do
    itself. Left alone are normalizations after anything else, and layers that are used more than once.

    Args:
        model: A network of stock layers, from one input to one or more outputs. It stays as it is.
    """
    pairs = _pairs(model)
    gone = {id(normalization) for normalization in pairs.values()}

    def made(layer: Any) -> Any:
        if id(layer) in gone:
            return _Through(name=layer.name)
        config = layer.get_config()
        if id(layer) in pairs:
            config["use_bias"] = True
        return type(layer).from_config(config)

    network = keras.models.clone_model(model, clone_function=made)
    for layer in model.layers:
        if id(layer) in gone or not layer.weights:
            continue
        copy = network.get_layer(layer.name)
        normalization = pairs.get(id(layer))
        give_weights(copy, layer.get_weights() if normalization is None else _weights(layer, normalization))
    network.trainable = False
    return network


def _pairs(model: keras.Model) -> dict[int, Any]:
    """By the id of a convolution the normalization that alone follows it."""
    # A layer that is used twice follows two things, or is followed by two.
    once = {layer["name"] for layer in model.get_config()["layers"] if len(layer["inbound_nodes"]) == 1}
    users: dict[int, list[Any]] = {}
    for operation in model.operations:
        if not isinstance(operation, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                users.setdefault(id(tensor), []).append(operation)
    outputs = {id(tensor) for tensor in model.outputs}
    found: dict[int, Any] = {}
    for operation in model.operations:
        if operation.name not in once or not _folds(operation) or id(operation.output) in outputs:
            continue
        match users.get(id(operation.output), []):
            case [keras.layers.BatchNormalization() as one] if one.name in once and _is_of_channels(one):
                found[id(operation)] = one
    return found


def _folds(operation: Any) -> bool:
    return (
        type(operation) in _CONVOLUTIONS
        and operation.activation is keras.activations.linear
        and operation.data_format == "channels_last"
    )


def _is_of_channels(normalization: Any) -> bool:
    last = len(normalization.input.shape) - 1
    return normalization.axis in (-1, last)


def _weights(convolution: Any, normalization: Any) -> list[np.ndarray]:
    """Kernel and bias with which the convolution does both."""
    kernel, *bias = convolution.get_weights()
    scale = 1 / np.sqrt(normalization.moving_variance.numpy() + normalization.epsilon)
    if normalization.scale:
        scale = scale * normalization.gamma.numpy()
    shift = (bias[0] if bias else 0.0) - normalization.moving_mean.numpy()
    shift = shift * scale + (normalization.beta.numpy() if normalization.center else 0.0)
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    factors = scale.reshape(kernel.shape[2:]) if depthwise else scale
    return [kernel * factors, shift]
