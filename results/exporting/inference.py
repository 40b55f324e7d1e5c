"""The model that is exported: the trained one, at inference unless somebody asks for training."""

from __future__ import annotations

import inspect
from typing import Any

import keras


def inference_model(model: keras.Model, row_shape: tuple[int, ...]) -> keras.Model:
    """The same layers and weights, every layer called with `training=False` by default, and no optimizer.

    Some Keras layers, `Resizing` and the random augmentations among them, take `training=True` where nobody says
    otherwise, and layers after them follow: without this, calling a loaded model directly, or its SavedModel, would
    augment images, drop units and normalize by the batch. `predict` alone would be right.

    Args:
        model: Built, of any kind; it is not changed and shares its layers with the result.
        row_shape: Shape of one input row.
    """
    if isinstance(model, keras.Sequential):
        inputs = keras.Input(row_shape, dtype=model.inputs[0].dtype, name=model.inputs[0].name)
        outputs = inputs
        for layer in model.layers:
            outputs = _call(layer, outputs)
        return keras.Model(inputs, outputs, name=model.name)
    if type(model).__name__ == "Functional":  # the class has no public name
        # A model of the same graph that is not compiled, for a clone takes the optimizer along.
        bare = keras.Model(model.input, model.output, name=model.name)
        return keras.models.clone_model(bare, clone_function=lambda layer: layer, call_function=_call)
    inputs = keras.Input(row_shape, name="rows")
    return keras.Model(inputs, model(inputs, training=False), name=model.name)


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if "training" in inspect.signature(layer.call).parameters:
        kwargs["training"] = False
    return layer(*args, **kwargs)
