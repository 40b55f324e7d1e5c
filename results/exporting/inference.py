"""The model that is exported: the trained one, at inference unless somebody asks for training."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from results.errors import ResultError
from results.exporting.formats import Format
from spaces import DataInfo
from spaces.layers.layers import computing_in
from spaces.outside.keras_internals import layers_within
from spaces.values.packing import Structure, single

# What Keras's own loaders take without code of the model's maker, and what several arrays fit into.
_WITHOUT_CODE = ("keras", "h5")
_FOR_SEVERAL = ("keras", "h5", "savedmodel", "onnx", "tflite")


@computing_in("float32")
def inference_model(model: keras.Model, info: DataInfo) -> keras.Model:
    """The same layers and weights, every layer called with `training=False` by default, and no optimizer.

    Some Keras layers, `Resizing` and the random augmentations among them, take `training=True` where nobody says
    otherwise, and layers after them follow: without this, calling a loaded model directly, or its SavedModel, would
    augment images, drop units and normalize by the batch. `predict` alone would be right.

    A class of the user's gives place to the layers that it calls, as far as it calls Keras's layers and operations.
    A single output that comes in a dict or list of one is the output itself: all formats and scripts answer alike.

    Args:
        model: Built, of any kind; it is not changed and shares its layers with the result.
        info: The rows it takes.
    """
    if isinstance(model, keras.Sequential):
        inputs = keras.Input(info.input_shape, dtype=model.inputs[0].dtype, name=model.inputs[0].name)
        outputs = inputs
        for layer in model.layers:
            outputs = _call(layer, outputs)
        return keras.Model(inputs, outputs, name=model.name)
    if type(model).__name__ == "Functional":  # the class has no public name
        # A model of the same graph that is not compiled, for a clone takes the optimizer along.
        return _at_inference(keras.Model(model.input, single(model.output), name=model.name), info.inputs)
    inputs = keras.Input(info.input_shape, name="rows") if info.inputs is None else _inputs(info.inputs)
    traced = _traced(model, inputs)
    return keras.Model(inputs, single(model(inputs, training=False)), name=model.name) if traced is None else traced


def foreign(model: keras.Model) -> list[str]:
    """Names of the classes in a model that are not Keras's own."""
    return sorted({type(layer).__name__ for layer in _layers(model) if not _of_keras(layer)})


def require_fitting(format: Format, model: keras.Model, info: DataInfo) -> None:
    """Refuses a format that cannot hold the model; `model` is what `inference_model` gave.

    Raises:
        ResultError: It says why, and which formats can.
    """
    if (info.inputs is not None or info.targets is not None) and format.name not in _FOR_SEVERAL:
        raise ResultError(
            f"a model of several inputs or outputs is written as {', '.join(_FOR_SEVERAL)}; {format.name} is not "
            "written for it"
        )
    if format.name in _WITHOUT_CODE and (classes := foreign(model)):
        raise ResultError(
            f"holds {', '.join(classes)}, code of your own, which no {format.name} file holds; savedmodel, onnx and "
            "tflite hold what it computes"
        )


def sorted_out(
    formats: Sequence[Format], model: keras.Model, info: DataInfo
) -> tuple[list[Format], tuple[tuple[str, str], ...]]:
    """The formats that can hold a model, and the names of the others with the reason.

    Raises:
        ResultError: None can.
    """
    fit: list[Format] = []
    unfit: list[tuple[str, str]] = []
    for format in formats:
        try:
            require_fitting(format, model, info)
            fit.append(format)
        except ResultError as error:
            unfit.append((format.name, str(error)))
    if not fit:
        raise ResultError(f"no format of export.formats can hold the model: {unfit[0][1]}")
    return fit, tuple(unfit)


def _traced(model: keras.Model, inputs: Any) -> keras.Model | None:
    """What a class of the user's computes, as a graph of the layers that it calls; None where that cannot be told."""
    asked = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
    try:
        graph = keras.Model(inputs, single(model.call(inputs, **asked)), name=model.name)
        found = {weight.path for weight in graph.weights}
        if found != {weight.path for weight in model.weights}:
            # Something has weights that are in no layer of the graph.
            return None
        return _at_inference(graph, None)
    except (Exception, SystemExit):
        # Operations of TensorFlow's on what is no tensor yet raise anything.
        return None


def _at_inference(graph: keras.Model, structure: Structure | None) -> keras.Model:
    renamed = None if structure is None else _renamed(graph, structure)
    return keras.models.clone_model(
        graph, input_tensors=renamed, clone_function=lambda layer: layer, call_function=_call
    )


def _renamed(graph: keras.Model, structure: Structure) -> Any:
    """Inputs that are called what the rows are, for files know them by name; None where they are, or cannot be told."""
    known = {tensor.name: tensor for tensor in graph.inputs}
    if isinstance(graph.input, Mapping):
        known = dict(graph.input)
    elif not structure.named:
        known = dict(zip(structure.names, graph.inputs, strict=False))
    if sorted(known) != sorted(structure.names):
        return None
    made = {name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name) for name, tensor in known.items()}
    return made if isinstance(graph.input, Mapping) else list(made.values())


def _inputs(structure: Structure) -> Any:
    made = [
        keras.Input(piece.shape, dtype=piece.dtype, name=name)
        for name, piece in zip(structure.names, structure.pieces, strict=True)
    ]
    return structure.arranged(made)


def _layers(model: keras.Model) -> list[Any]:
    return [inner for layer in model.layers for inner in (layer, *layers_within(layer))]


def _of_keras(layer: Any) -> bool:
    return type(layer).__module__.split(".")[0] == "keras" or type(layer).__module__.startswith("spaces.")


def _call(layer: Any, *args: Any, **kwargs: Any) -> Any:
    if "training" in inspect.signature(layer.call).parameters:
        kwargs["training"] = False
    return layer(*args, **kwargs)
