"""Keras layers that both families are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from spaces.families.parts import Joined

# Channels for each that they are squeezed into: 16, as in the paper, leaves too few in networks of tens of channels.
_SQUEEZE = 8


def dense(model: Mapping[str, Any], units: int, index: int) -> list[keras.layers.Layer]:
    """A dense layer with its batch normalization and activation."""
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    if not model["batch_normalization"]:
        name = f"dense_{index}"
        return [layers.Dense(units, activation=model["activation"], kernel_regularizer=penalty, name=name)]
    return [
        layers.Dense(units, kernel_regularizer=penalty, name=f"dense_{index}"),
        layers.BatchNormalization(name=f"dense_normalization_{index}"),
        layers.Activation(model["activation"], name=f"dense_activation_{index}"),
    ]


def convolution(
    model: Mapping[str, Any],
    filters: int,
    label: str,
    *,
    padding: str,
    stride: int = 1,
    separable: bool = False,
    active: bool = True,
) -> list[keras.layers.Layer]:
    """A convolution with its batch normalization and activation.

    Args:
        model: the settings.
        filters: its filters.
        label: end of the layers' names.
        padding: `valid` or `same`.
        stride: pixels from one window to the next.
        separable: over each channel by itself first, then over the channels of each pixel.
        active: whether an activation follows.
    """
    normalized = model["batch_normalization"]
    activation = model["activation"] if active and not normalized else None
    shape = {"padding": padding, "activation": activation, "strides": stride, "name": f"convolution_{label}"}
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    made: list[keras.layers.Layer] = []
    if separable:
        penalties = {"depthwise_regularizer": penalty, "pointwise_regularizer": penalty}
        made.append(layers.SeparableConv2D(filters, model["kernel_size"], **shape, **penalties))
    else:
        made.append(layers.Conv2D(filters, model["kernel_size"], kernel_regularizer=penalty, **shape))
    if normalized:
        made.append(layers.BatchNormalization(name=f"convolution_normalization_{label}"))
        if active:
            made.append(layers.Activation(model["activation"], name=f"convolution_activation_{label}"))
    return made


def shortcut(model: Mapping[str, Any], inputs: int, filters: int, stride: int, label: str) -> list[keras.layers.Layer]:
    """The way past convolutions: nothing, or where width or stride change a projection of every pixel.

    Args:
        model: the settings.
        inputs: channels that come in.
        filters: channels that go out.
        stride: of the convolutions that are passed by.
        label: end of the layers' names.
    """
    if inputs == filters and stride == 1:
        return []
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    name = f"projection_{label}"
    made = [layers.Conv2D(filters, 1, strides=stride, kernel_regularizer=penalty, name=name)]
    if model["batch_normalization"]:
        made.append(layers.BatchNormalization(name=f"projection_normalization_{label}"))
    return made


def squeeze_excitation(filters: int, label: str) -> Joined:
    """Weighs the channels by what is in the whole picture (Hu et al., arXiv:1709.01507, section 3)."""
    gate = (
        layers.GlobalAveragePooling2D(keepdims=True, name=f"squeeze_{label}"),
        layers.Conv2D(max(1, filters // _SQUEEZE), 1, activation="relu", name=f"squeeze_dense_{label}"),
        layers.Conv2D(filters, 1, activation="sigmoid", name=f"excitation_{label}"),
    )
    return Joined(((), gate), layers.Multiply(name=f"squeeze_excitation_{label}"))
