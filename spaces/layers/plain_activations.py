"""Activations that LiteRT has no operation for, written in operations that it has.

Imported only where a model is exported: the module needs Keras.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

# Klambauer et al., arXiv:1706.02515, section 2.
_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(values: Any) -> Any:
    return _SCALE * ops.relu(values) + _SCALE * _ALPHA * ops.elu(ops.minimum(values, 0.0))


def _softsign(values: Any) -> Any:
    return values / (1.0 + ops.abs(values))


_WRITTEN = {keras.activations.selu: _selu, keras.activations.softsign: _softsign}

# The activation is the last thing that they do. Others, such as LSTM, have theirs within.
_ACTIVATED_LAST = (
    layers.Activation,
    layers.Dense,
    layers.EinsumDense,
    layers.Conv1D,
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
)


class PlainlyActivated(keras.layers.Layer):  # type: ignore[misc]
    """What a layer does, its activation in operations that LiteRT has.

    Args:
        layer: One of which `needs_writing` is true; it keeps its weights.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self._layer = layer

    def call(self, inputs: Any) -> Any:
        """What the layer gives, the same up to rounding."""
        layer, activation = self._layer, self._layer.activation
        layer.activation = keras.activations.linear
        try:
            return _WRITTEN[activation](layer(inputs))
        finally:
            layer.activation = activation


def needs_writing(layer: Any) -> bool:
    """Whether it ends with an activation that LiteRT has no operation for."""
    # One of the user's own need not be hashable.
    return isinstance(layer, _ACTIVATED_LAST) and any(layer.activation is one for one in _WRITTEN)
