"""A model that averages what it answers to an image and to its mirror image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from spaces.families import family_of_settings
from spaces.families.layered import Layered
from spaces.layers.layers import computing_in
from spaces.layers.parts import connected, replaced
from spaces.models.model import compile_model
from spaces.models.settings import Settings

if TYPE_CHECKING:
    from spaces.data.types import DataInfo


def mirrored(model: keras.Model, settings: Settings, info: DataInfo) -> keras.Model:
    """The averaging model, which shares its layers with the given one and is compiled alike.

    It is made of Keras's own layers, so that every format that a model is exported to can hold it: what mirrors the
    image is a matrix over its columns.

    Args:
        model: what `build_model` gave for these settings; with its weights.
        settings: of a family whose models are lists of layers.
        info: description of the data, which are images.
    """
    with computing_in("float32"):
        averaged = _both_ways(model, settings, info)
    compile_model(averaged, settings, info)
    return averaged


def _both_ways(model: keras.Model, settings: Settings, info: DataInfo) -> keras.Model:
    parts = _parts(model, settings, info)
    width = info.input_shape[1]
    equation = "abcd,ce->abed" if len(info.input_shape) == 3 else "abc,cd->abd"
    # The whole shape: an .h5 file's reader makes the layers after it from what this one is said to give.
    mirror = keras.layers.EinsumDense(equation, info.input_shape, trainable=False, dtype="float32", name="mirror")
    inputs = keras.Input(info.input_shape, name="rows")
    turned = mirror(inputs)
    mirror.set_weights([np.eye(width, dtype=np.float32)[::-1]])
    both = [connected(parts, inputs), connected(parts, turned)]
    return keras.Model(inputs, keras.layers.Average(name="both_ways")(both), name=model.name)


def _parts(model: keras.Model, settings: Settings, info: DataInfo) -> list[Any]:
    """The parts that the model was assembled from, with its own layers.

    Only where ways are joined the family has to say which layers are where, by their names: those of a list are known,
    also where a family of a package gives them none, and Keras counts on with each model.
    """
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    family = family_of_settings(settings.family)
    assert isinstance(family, Layered)
    return replaced(family.parts(settings, info), lambda layer: model.get_layer(layer.name))
