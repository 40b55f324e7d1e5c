"""Writing a Keras model in each export format."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from results.errors import ResultError, UnfitError
from results.exporting.formats import Format
from spaces.backbones.loading import leaves
from spaces.layers.layers import computing_in
from spaces.layers.plain_activations import PlainlyActivated, needs_writing
from spaces.layers.resizing import ResizingByProducts, is_averaging
from spaces.outside.backend import engines_silent
from spaces.outside.keras_internals import layers_within

Array = np.ndarray[Any, np.dtype[Any]]

# A converter takes some tenths of a second for each, see `results.exporting.pressure`.
_UNROLLED_STEPS = 1_000

_NOISY = ("absl", "tensorflow", "tf2onnx")


def write_model(model: keras.Model, format: Format, path: Path, calibration: Callable[[], Array] | None = None) -> None:
    """Writes one file, or the folder of a SavedModel.

    Args:
        model: What `inference_model` gave.
        format: What to write.
        path: Where; its folder exists, it does not.
        calibration: Gives raw training rows, for formats that round what is computed on the way.

    Raises:
        UnfitError: The model cannot be expressed in the format; the message says why.
        ResultError: The format's packages are missing, or the file cannot be written.
    """
    missing = [name for name in format.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ResultError(
            f"{format.name} needs {', '.join(missing)}, which is not installed; "
            f'pip install "keras-nightshift[{format.name}]" brings it'
        )
    try:
        with _quiet(), computing_in("float32"):
            if format.name == "tflite-int8" and calibration is not None:
                _tflite_int8(model, path, calibration())
            else:
                _WRITERS[format.name](model, path)
    except ResultError:
        raise
    except (Exception, SystemExit) as error:  # the converters raise whatever their engines do
        reason = " ".join(str(error).split())[:300]
        kind = ResultError if _is_of_the_machine(error) else UnfitError
        raise kind(f"cannot be written as {format.name}: {type(error).__name__}: {reason}") from error


def _is_of_the_machine(error: BaseException) -> bool:
    """Whether the machine lacks memory, room on the disk, or a module: then nothing is said about the model.

    TensorFlow and h5py tell a full disk by errors of their own too.
    """
    exhausted = any(kind.__name__ == "ResourceExhaustedError" for kind in type(error).__mro__)
    return exhausted or isinstance(error, OSError | MemoryError | ImportError) or "No space left" in str(error)


def _save(model: keras.Model, path: Path) -> None:
    model.save(path)


def _h5(model: keras.Model, path: Path) -> None:
    # Whoever reads the file gives a network within all its weights at once, and a standardization there would not be
    # told that it has other numbers now.
    if any(map(_is_learnt, leaves(model))):
        model = keras.models.clone_model(model, clone_function=_with_given_numbers, recursive=True)
    _save(model, path)
    if operations := sorted({type(one).__name__ for one in _operations(model)}):
        # Some have the name of a layer, and are read as one.
        try:
            keras.models.load_model(path, compile=False)
        except Exception as error:
            path.unlink()
            raise UnfitError(
                f"holds operations between its layers ({', '.join(operations)}), which Keras does not read from a h5 "
                "file; all other formats hold them"
            ) from error


def _operations(model: keras.Model) -> list[Any]:
    """What a model and those within it compute between their layers, as `x + y` or the mask of an `Embedding`."""
    inner = [part for part in layers_within(model) if isinstance(part, keras.Model)]
    steps = [step for part in (model, *inner) for step in getattr(part, "operations", ())]
    return [step for step in steps if not isinstance(step, keras.layers.Layer)]


def _is_learnt(layer: keras.layers.Layer) -> bool:
    """Whether it is a standardization whose numbers are weights."""
    return isinstance(layer, keras.layers.Normalization) and bool(layer.weights)


def _with_given_numbers(layer: keras.layers.Layer) -> keras.layers.Layer:
    if not _is_learnt(layer):
        return layer
    mean, variance = (weight.tolist() for weight in layer.get_weights()[:2])
    return keras.layers.Normalization(
        layer.axis, mean, variance, layer.invert, name=layer.name, dtype=layer.dtype_policy
    )


def _saved_model(model: keras.Model, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _onnx(model: keras.Model, path: Path) -> None:
    # Importing it makes them known.
    importlib.import_module("results.exporting.onnx_operations")
    plain = keras.models.clone_model(model, clone_function=_without_tensors, recursive=True)
    # The converter takes no model that has never seen a row.
    plain(keras.tree.map_structure(_one_row, model.input), training=False)
    plain.export(path, format="onnx", verbose=False)


def _one_row(tensor: keras.KerasTensor) -> Any:
    return keras.ops.zeros((1, *tensor.shape[1:]), dtype=tensor.dtype)


def _without_tensors(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer; for a standardization, and for antialiasing, the same computation.

    A standardization keeps its numbers, given or learnt, as tensors, which the converter would take for further inputs
    of the model.
    """
    layer = _plainly_resized(layer)
    if not isinstance(layer, keras.layers.Normalization):
        return layer
    mean, deviation = np.asarray(layer.mean), np.sqrt(np.asarray(layer.variance))
    deviation = np.maximum(deviation, keras.config.epsilon())
    if layer.invert:
        steps = [keras.layers.Rescaling(deviation.tolist(), mean.tolist())]
    else:
        steps = [keras.layers.Rescaling(1.0, (-mean).tolist()), keras.layers.Rescaling((1.0 / deviation).tolist())]
    return keras.Sequential(steps, name=layer.name)


def _plainly_resized(layer: keras.layers.Layer) -> keras.layers.Layer:
    return ResizingByProducts(layer) if is_averaging(layer) else layer


def _in_own_operations(layer: keras.layers.Layer) -> keras.layers.Layer:
    return PlainlyActivated(layer) if needs_writing(layer) else _plainly_resized(layer)


def _tflite_float16(model: keras.Model, path: Path) -> None:
    import tensorflow as tf

    _litert(model, path, [tf.float16], optimizations=[tf.lite.Optimize.DEFAULT])


def _tflite_int8(model: keras.Model, path: Path, rows: Array) -> None:
    import tensorflow as tf

    kind = np.dtype(model.inputs[0].dtype)

    def representative() -> Iterator[list[Array]]:
        for row in rows:
            yield [row[None].astype(kind)]

    _litert(model, path, optimizations=[tf.lite.Optimize.DEFAULT], representative_dataset=representative)


def _litert(model: keras.Model, path: Path, types: Sequence[Any] = (), **options: Any) -> None:
    import tensorflow as tf

    # Only LiteRT's own operations: what else Keras allows needs TensorFlow on the device.
    if any(is_averaging(layer) or needs_writing(layer) for layer in leaves(model)):
        model = keras.models.clone_model(model, clone_function=_in_own_operations, recursive=True)
    target = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS], "supported_types": list(types)}
    with _unrolled(model), engines_silent():
        model.export(path, format="litert", verbose=False, target_spec=target, **options)


@contextmanager
def _unrolled(model: keras.Model) -> Iterator[None]:
    """Inside, recurrent layers compute step after step: LiteRT has no loop that takes any number of rows."""
    recurrent = _recurrent(model)
    if (steps := sum(map(_steps, recurrent))) > _UNROLLED_STEPS:
        raise UnfitError(
            f"its recurrent layers go {steps:,} steps; written for tflite are those of {_UNROLLED_STEPS:,} at most"
        )
    if _masks(model) and any(layer.go_backwards and layer.zero_output_for_mask for layer in recurrent):
        raise UnfitError(
            "reads masked series backwards and answers at each step, which Keras computes otherwise where it is "
            "written step after step, as tflite is"
        )
    before = [layer.unroll for layer in recurrent]
    try:
        for layer in recurrent:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(recurrent, before, strict=True):
            layer.unroll = unroll


def recurrent_steps(model: keras.Model) -> int:
    """Steps of all recurrent layers of a model together."""
    return sum(map(_steps, _recurrent(model)))


def _masks(model: keras.Model) -> bool:
    """Whether some layer of a model leaves out steps of series."""
    return any(
        isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False) for layer in layers_within(model)
    )


def _recurrent(model: keras.Model) -> list[keras.layers.RNN]:
    return [layer for layer in layers_within(model) if isinstance(layer, keras.layers.RNN)]


def _steps(layer: keras.layers.RNN) -> int:
    built = layer.get_build_config() or {}
    shape = built.get("input_shape") or built.get("shapes_dict", {}).get("sequences_shape") or (None, None)
    return shape[1] or 0


_WRITERS: dict[str, Callable[[keras.Model, Path], None]] = {
    "keras": _save,
    "h5": _h5,
    "savedmodel": _saved_model,
    "onnx": _onnx,
    "tflite": _litert,
    "tflite-float16": _tflite_float16,
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps advice that is not for our users (a legacy format, a converter's progress) from the terminal."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
