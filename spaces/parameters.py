"""How many parameters a configuration has, found out before any of them is allocated."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from spaces.data.types import DataInfo
from spaces.settings import Settings

if TYPE_CHECKING:
    import keras


def count_parameters(settings: Settings, info: DataInfo) -> int:
    """Parameters of the configuration's model, trainable or not.

    The layers of our own families are made and never built, so that a network of a terabyte is counted as quickly as
    a small one. A user's function may do anything while it builds; it is simply called.

    Args:
        settings: The configuration.
        info: The rows it is for.

    Raises:
        ValueError: The architecture cannot be built, for example because pooling shrinks the picture below one pixel.
    """
    from spaces.families import FAMILIES
    from spaces.families.parts import counted
    from spaces.model import build_model, layer_stack

    if settings.family not in FAMILIES:
        return int(build_model(settings, info).count_params())
    # Dropout has no parameters, but each of its layers makes a variable for its random state.
    plain = replace(settings, model={**settings.model, "dropout": 0.0})
    return counted(layer_stack(plain, info), (None, *info.input_shape), _parameters)[0]


def _parameters(layer: keras.layers.Layer, shape: tuple[Any, ...]) -> int:
    """Parameters of a layer whose input has this shape."""
    import keras
    from keras import layers

    if isinstance(layer, keras.Model):
        return int(layer.count_params())
    inputs = int(shape[-1])
    if isinstance(layer, layers.Dense):
        return (inputs + 1) * int(layer.units)
    if isinstance(layer, layers.SeparableConv2D):
        return int(prod(layer.kernel_size)) * inputs + (inputs + 1) * int(layer.filters)
    if isinstance(layer, layers.Conv2D):
        return (int(prod(layer.kernel_size)) * inputs + 1) * int(layer.filters)
    if isinstance(layer, layers.BatchNormalization):
        return 4 * inputs
    return 0
