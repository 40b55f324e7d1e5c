"""Keras layers that families are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import keras
from keras import layers

from spaces.layers.loss import output_scaling, output_units
from spaces.layers.parts import Joined
from spaces.outside.backend import policy_kept

if TYPE_CHECKING:
    from spaces.data.types import DataInfo
    from spaces.models.settings import Settings

# Channels for each that they are squeezed into: 16, as in the paper, leaves too few in networks of tens of channels.
_SQUEEZE = 8
# What predicts are averages over about the last ten batches. With Keras's 0.99 those of a hundred count, which is more
# than a small data set has in an epoch: after few epochs a network was judged by what it had begun with.
_MOMENTUM = 0.9
# `Normalization` divides by the least where a deviation is smaller, and the square of more than the greatest is
# infinite in float32, which has hardly a number below the tiniest.
_TINIEST_DEVIATION, _LEAST_DEVIATION, _GREATEST_DEVIATION = 1e-37, 1e-7, 1e19
_WITHOUT_PARAMETERS = (
    layers.Activation, layers.AveragePooling1D, layers.AveragePooling2D, layers.Cropping1D, layers.Dropout,
    layers.Flatten, layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D, layers.MaxPooling1D, layers.MaxPooling2D, layers.Normalization, layers.RandomRotation,
    layers.RandomZoom, layers.Rescaling, layers.Reshape, layers.Resizing,
)  # fmt: skip


def batch_normalization(name: str) -> keras.layers.BatchNormalization:
    """Brings what comes in to mean 0 and deviation 1: of the batch, or when predicting of the last batches."""
    return layers.BatchNormalization(momentum=_MOMENTUM, name=name)


def dense(model: Mapping[str, Any], units: int, index: int) -> list[keras.layers.Layer]:
    """A dense layer with its batch normalization and activation."""
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    if not model["batch_normalization"]:
        name = f"dense_{index}"
        return [layers.Dense(units, activation=model["activation"], kernel_regularizer=penalty, name=name)]
    return [
        layers.Dense(units, kernel_regularizer=penalty, name=f"dense_{index}"),
        batch_normalization(f"dense_normalization_{index}"),
        layers.Activation(model["activation"], name=f"dense_activation_{index}"),
    ]


def dense_stack(
    model: Mapping[str, Any], widths: Iterable[int], dropout: float, label: str
) -> list[keras.layers.Layer]:
    """Dense layers of these widths, each with dropout behind it if there is any; `label` begins the dropouts' names."""
    made: list[keras.layers.Layer] = []
    for index, units in enumerate(widths):
        made.extend(dense(model, units, index))
        if dropout:
            made.append(layers.Dropout(dropout, name=f"{label}_{index}"))
    return made


def convolution(
    model: Mapping[str, Any],
    filters: int,
    label: str,
    *,
    padding: str,
    stride: int = 1,
    kernel_size: int | None = None,
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
        kernel_size: height and width of a window in pixels; None: that of the settings.
        separable: over each channel by itself first, then over the channels of each pixel.
        active: whether an activation follows.
    """
    normalized = model["batch_normalization"]
    activation = model["activation"] if active and not normalized else None
    kernel = model["kernel_size"] if kernel_size is None else kernel_size
    shape = {"padding": padding, "activation": activation, "strides": stride, "name": f"convolution_{label}"}
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    made: list[keras.layers.Layer] = []
    if separable:
        penalties = {"depthwise_regularizer": penalty, "pointwise_regularizer": penalty}
        made.append(layers.SeparableConv2D(filters, kernel, **shape, **penalties))
    else:
        made.append(layers.Conv2D(filters, kernel, kernel_regularizer=penalty, **shape))
    if normalized:
        made.append(batch_normalization(f"convolution_normalization_{label}"))
        if active:
            made.append(layers.Activation(model["activation"], name=f"convolution_activation_{label}"))
    return made


def convolution_over_steps(model: Mapping[str, Any], filters: int, label: str) -> list[keras.layers.Layer]:
    """A convolution along the steps of a series, which keeps their number, with its normalization and activation."""
    normalized = model["batch_normalization"]
    penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
    activation = None if normalized else model["activation"]
    shape = {"padding": "same", "activation": activation, "kernel_regularizer": penalty}
    made = [layers.Conv1D(filters, model["kernel_size"], name=f"convolution_{label}", **shape)]
    if normalized:
        made.append(batch_normalization(f"convolution_normalization_{label}"))
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
        made.append(batch_normalization(f"projection_normalization_{label}"))
    return made


def squeeze_excitation(model: Mapping[str, Any], filters: int, label: str) -> Joined:
    """Weighs the channels by what is in the whole picture (Hu et al., arXiv:1709.01507, section 3).

    Args:
        model: the settings.
        filters: channels that come in.
        label: end of the layers' names.
    """

    def of_a_pixel(units: int, activation: str, name: str) -> keras.layers.Layer:
        penalty = keras.regularizers.L2(model["l2"]) if model["l2"] else None
        return layers.Conv2D(units, 1, activation=activation, kernel_regularizer=penalty, name=f"{name}_{label}")

    gate = (
        layers.GlobalAveragePooling2D(keepdims=True, name=f"squeeze_{label}"),
        of_a_pixel(max(1, filters // _SQUEEZE), "relu", "squeeze_dense"),
        of_a_pixel(filters, "sigmoid", "excitation"),
    )
    return Joined(((), gate), layers.Multiply(name=f"squeeze_excitation_{label}"))


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers made in here compute in this precision; their weights are float32 whichever it is."""
    with policy_kept():
        keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
        yield


def preprocessing_layers(
    info: DataInfo, augmentation: list[keras.layers.Layer], *, channels: bool
) -> list[keras.layers.Layer]:
    """Layers that bring raw rows to what the hidden layers work on.

    Args:
        info: description of the data.
        augmentation: layers that come first.
        channels: whether grey images need an axis of channels.
    """
    resize = info.image_size is not None and info.image_size != info.input_shape[:2]
    made: list[keras.layers.Layer] = []
    if info.kind == "image" and len(info.input_shape) == 2 and (channels or resize or info.mean is not None):
        made.append(layers.Reshape((*info.input_shape, 1), name="channel"))
    made.extend(augmentation)
    if resize and info.image_size is not None:
        made.append(layers.Resizing(*info.image_size, antialias=info.antialias, name="resizing"))
    if info.scale is not None:
        made.append(layers.Rescaling(info.scale, name="rescaling"))
    if info.mean is not None and info.std is not None:
        made.extend(_standardization(info.mean, info.std))
    return made


def _standardization(mean: Sequence[float], std: Sequence[float]) -> list[keras.layers.Layer]:
    """Layers that subtract the means and divide by the deviations, in whatever units these are."""
    apart = [_TINIEST_DEVIATION < deviation < _LEAST_DEVIATION or deviation > _GREATEST_DEVIATION for deviation in std]
    variance = [1.0 if other else deviation**2 for deviation, other in zip(std, apart, strict=True)]
    made: list[keras.layers.Layer] = [layers.Normalization(mean=list(mean), variance=variance, name="standardization")]
    if any(apart):
        # Once the means are gone: values far from 0 have more digits than their products with large factors.
        units = [1 / deviation if other else 1.0 for deviation, other in zip(std, apart, strict=True)]
        made.append(layers.Rescaling(units, name="units"))
    return made


def output_layers(settings: Settings, info: DataInfo) -> list[keras.layers.Layer]:
    """The dense layer that answers, as the loss and the labels want it, and what brings a regression to its unit."""
    units, activation = output_units(settings.training.loss, info, settings.model["output"])
    scaling = [] if info.target is None else output_scaling(info.target)
    return [layers.Dense(units, activation=activation, name="output"), *scaling]


def parameters(layer: keras.layers.Layer, shape: tuple[Any, ...]) -> int:
    """Parameters of a layer whose input has this shape.

    Kinds of layers that no family of this program is made of are built for it: they may have any.
    """
    # A subclass may have more than its base.
    kind = type(layer)
    if kind in _WITHOUT_PARAMETERS:
        return 0
    inputs = shape[-1]
    if kind is layers.Dense:
        return int((inputs + layer.use_bias) * layer.units)
    if kind is layers.SeparableConv2D:
        channels = inputs * layer.depth_multiplier
        return int(prod(layer.kernel_size) * channels + (channels + layer.use_bias) * layer.filters)
    if kind in (layers.Conv1D, layers.Conv2D):
        return int((prod(layer.kernel_size) * inputs // layer.groups + layer.use_bias) * layer.filters)
    if kind is layers.BatchNormalization and not getattr(layer, "renorm", False):
        return int((2 + layer.scale + layer.center) * shape[layer.axis])
    if kind is layers.LayerNormalization and layer.axis == -1 and not getattr(layer, "rms_scaling", False):
        return int((layer.scale + layer.center) * inputs)
    if not layer.built:
        layer(keras.KerasTensor(shape))
    return int(layer.count_params())
