"""A model that averages what several models answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from spaces.layers.layers import computing_in
from spaces.models.model import compile_model
from spaces.models.settings import Settings

if TYPE_CHECKING:
    from spaces.data.types import DataInfo

_MEMBER = "member_{}"


def averaged(models: Sequence[keras.Model], settings: Settings, info: DataInfo) -> keras.Model:
    """The averaging model, which holds the given ones and is compiled as the first of them.

    Args:
        models: at least two, each for these data and with its weights.
        settings: of the first; the others answer in the same way.
        info: description of the data.
    """
    with computing_in("float32"):
        inputs = keras.Input(info.input_shape, name="rows")
        # In a file, layers are told apart by their names, and what is compiled cannot be part of another model.
        bare = [keras.Model(*_ends(model), name=_MEMBER.format(n)) for n, model in enumerate(models)]
        answers = [model(inputs) for model in bare]
        made = keras.Model(inputs, keras.layers.Average(name="together")(answers), name="ensemble")
    compile_model(made, settings, info)
    return made


def members(model: keras.Model) -> list[keras.Model]:
    """The models that an averaging one holds; none of any other."""
    found = {layer.name: layer for layer in model.layers if isinstance(layer, keras.Model)}
    return [found[name] for name in map(_MEMBER.format, range(len(found))) if name in found]


def _ends(model: keras.Model) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Its input and its output. A `Sequential` that was built and never called has them in lists only."""
    return model.inputs[0], model.outputs[0]
