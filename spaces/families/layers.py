"""Keras layers that both families are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers


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


def convolution(model: Mapping[str, Any], filters: int, label: str) -> list[keras.layers.Layer]:
    """A convolution with its batch normalization and activation."""
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    shape = {"padding": model["padding"], "kernel_regularizer": penalty, "name": f"convolution_{label}"}
    if not model["batch_normalization"]:
        return [layers.Conv2D(filters, model["kernel_size"], activation=model["activation"], **shape)]
    return [
        layers.Conv2D(filters, model["kernel_size"], **shape),
        layers.BatchNormalization(name=f"convolution_normalization_{label}"),
        layers.Activation(model["activation"], name=f"convolution_activation_{label}"),
    ]
