"""Loading an exported model for prediction, whatever its format, without running code that it carries.

Only NumPy is imported with the module; the engine of a format when a file of it is loaded.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from results.errors import ResultError
from spaces.values.packing import Structure, flat, single, unpack_inputs

if TYPE_CHECKING:
    from spaces import DataInfo

Array = np.ndarray[Any, np.dtype[Any]]

BATCH = 256

SAVED_MODEL = "saved_model.pb"
_ONNX_TYPES = (
    *("float16", "float32", "float64", "bool"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
SUFFIXES = (".keras", ".h5", ".onnx", ".tflite")


@dataclass(frozen=True)
class LoadedModel:
    """A model that can predict.

    Attributes:
        row_shape: Shape of one input row; None for a size that the file leaves open.
        outputs: Values per prediction, or None where the file does not say.
        run: Takes rows of shape (n, *row_shape) in any numeric type, n of at least 1 and at most `BATCH`; returns
            float32 of shape (n, outputs).
        row_bytes: Of the largest thing computed on the way for one row, as far as it is known.
    """

    row_shape: tuple[int | None, ...]
    outputs: int | None
    run: Callable[[Array], Array]
    row_bytes: int = 0

    def predict(self, rows: Array) -> Array:
        """Predictions for any number of rows, shape (n, outputs), float32."""
        from results.exporting.reading.memory import memory_allowed

        # A layer holds what it takes, what it gives, and often a copy.
        batch = BATCH if not self.row_bytes else max(1, min(BATCH, memory_allowed() // (4 * self.row_bytes)))
        parts = [self.run(rows[start : start + batch]) for start in range(0, len(rows), batch)]
        return np.concatenate([np.asarray(part, dtype=np.float32).reshape(len(part), -1) for part in parts])


@dataclass(frozen=True)
class Several:
    """That a model has several inputs or outputs.

    Attributes:
        inputs: What the bytes of a row are, see `spaces.values.packing`; None: it has one input.
    """

    inputs: Structure | None

    @classmethod
    def of(cls, info: DataInfo) -> Several | None:
        """None for a model of one input and one output."""
        return None if info.inputs is None and info.targets is None else cls(info.inputs)

    def unpacked(self, rows: Array) -> Any:
        """The rows as the model takes them."""
        return rows if self.inputs is None else unpack_inputs(rows, self.inputs)

    def named(self, rows: Array, names: Sequence[str]) -> dict[str, Array]:
        """The rows by the names of a file's inputs; those of one input by whatever its name is."""
        if self.inputs is None:
            return dict.fromkeys(names, rows)
        return dict(zip(self.inputs.names, self.inputs.ordered(self.unpacked(rows)), strict=True))


def load(path: Path, several: Several | None = None) -> LoadedModel:
    """Loads a `.keras`, `.h5`, `.onnx` or `.tflite` file, or the folder of a SavedModel.

    Args:
        path: The file or folder.
        several: What is known of a model of several inputs or outputs. It predicts packed rows, and its answers are
            laid side by side.

    Raises:
        ResultError: There is no such file, its type is unknown, it is damaged, it is so much larger unpacked that it
            must be meant to fill the memory, it refers to files outside of itself, it needs code that only its maker
            has (a Lambda or custom layer), or the package that reads it is not installed.
    """
    loaders = {".keras": _load_keras, ".h5": _load_keras, ".onnx": _load_onnx, ".tflite": _load_tflite}
    from spaces.basics.files import unreadable

    if not os.path.lexists(path):
        raise ResultError(f"{path}: no such file or folder")
    if not path.is_dir() and (reason := unreadable(path)) is not None:
        raise ResultError(f"{path}: {reason}")
    loader = _load_saved_model if (path / SAVED_MODEL).is_file() else loaders.get(path.suffix.lower())
    if loader is None or (path.is_dir() and loader is not _load_saved_model):
        known = f"{', '.join(SUFFIXES)} or the folder of a SavedModel"
        raise ResultError(f"{path}: not an exported model; expected {known}")
    try:
        return loader(path) if several is None else _load_several(path, several)
    except ResultError:
        raise
    except Exception as error:  # a damaged file can make its reader raise anything
        reason = " ".join(str(error).split())[:300]
        raise ResultError(f"{path}: cannot be loaded ({type(error).__name__}: {reason})") from error


def _load_several(path: Path, several: Several) -> LoadedModel:
    if path.suffix.lower() in (".keras", ".h5"):
        model, row_bytes = _keras_model(path)
        return LoadedModel((None,), None, lambda rows: flat(model.predict_on_batch(several.unpacked(rows))), row_bytes)
    opened = {".onnx": _open_onnx, ".tflite": _open_tflite}.get(path.suffix.lower(), _open_saved_model)(path)

    def run(rows: Array) -> Array:
        given = several.named(rows, tuple(opened.types))
        if set(given) != set(opened.types):
            raise ResultError(f"{path}: takes {', '.join(sorted(opened.types))}, not {', '.join(given)}")
        answers = opened.call({name: opened.fitted(name, value) for name, value in given.items()})
        return flat([answers[name] for name in sorted(answers, key=_place)])

    return LoadedModel((None,), None, run, opened.row_bytes)


@dataclass(frozen=True)
class _Opened:
    """A file whose engine knows inputs and outputs by name.

    Attributes:
        types: NumPy type of each input.
        axes: How many axes each has.
        call: Takes an array for each, gives one for each output.
        row_bytes: As of a `LoadedModel`.
    """

    types: Mapping[str, Any]
    axes: Mapping[str, int]
    call: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    row_bytes: int = 0

    def fitted(self, name: str, value: Array) -> Array:
        """The rows of an input in its type and with its axes: as for Keras, (n,) and (n, 1) are the same."""
        value = np.asarray(value, self.types[name])
        if value.ndim == 1 and self.axes[name] == 2:
            return value[:, None]
        return value[:, 0] if value.shape[1:] == (1,) and self.axes[name] == 1 else value


def _place(output: str) -> tuple[str, int]:
    """Where an output comes: `output_2` of a list before `output_10`, those of a dict by their names."""
    stem, _, number = output.rpartition("_")
    return (stem, int(number)) if stem == "output" and number.isdecimal() else (output, 0)


def _open_saved_model(path: Path) -> _Opened:
    import tensorflow as tf

    signature = _signature(path)
    specs = signature.structured_input_signature[1]

    def call(given: Mapping[str, Array]) -> dict[str, Array]:
        answers = signature(**{name: tf.convert_to_tensor(value) for name, value in given.items()})
        return {name: answer.numpy() for name, answer in answers.items()}

    types = {name: spec.dtype.as_numpy_dtype for name, spec in specs.items()}
    return _Opened(types, {name: len(spec.shape) for name, spec in specs.items()}, call)


def _open_onnx(path: Path) -> _Opened:
    session = _onnx_session(path)
    # Names of outputs are the converter's; their order is the model's.
    names = [f"output_{place}" for place in range(len(session.get_outputs()))]

    def call(given: Mapping[str, Array]) -> dict[str, Array]:
        return dict(zip(names, session.run(None, dict(given)), strict=True))

    types = {one.name: _onnx_type(one.type, path) for one in session.get_inputs()}
    return _Opened(types, {one.name: len(one.shape) for one in session.get_inputs()}, call)


def _open_tflite(path: Path) -> _Opened:
    interpreter, row_bytes = _tflite(path)
    if "serving_default" not in interpreter.get_signature_list():
        raise ResultError(f"{path}: has no signature serving_default")
    runner = interpreter.get_signature_runner("serving_default")
    details = runner.get_input_details()
    types = {name: detail["dtype"] for name, detail in details.items()}
    axes = {name: len(detail["shape"]) for name, detail in details.items()}
    return _Opened(types, axes, lambda given: runner(**given), row_bytes)


def _load_keras(path: Path) -> LoadedModel:
    model, row_bytes = _keras_model(path)
    _check_single(len(model.inputs), len(model.outputs), path)

    def run(rows: Array) -> Array:
        return np.asarray(single(model.predict_on_batch(rows)))

    return LoadedModel(tuple(model.input_shape[1:]), model.outputs[0].shape[-1], run, row_bytes)


def _keras_model(path: Path) -> tuple[Any, int]:
    """The model, and the bytes of the largest thing that it computes for a row."""
    import keras

    from results.exporting.reading.archive import check_h5, check_keras
    from results.exporting.reading.sketch import check_network

    (check_h5 if path.suffix.lower() == ".h5" else check_keras)(path)
    try:
        row_bytes = check_network(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (TypeError, ValueError) as error:
        text = str(error)
        if "Lambda" in text or "safe_mode" in text:
            raise ResultError(f"{path}: holds a Lambda layer, which is code; code in a model is never run") from error
        raise
    return model, row_bytes


def _signature(path: Path) -> Any:
    """The signature that a SavedModel is served by. It keeps the model."""
    import tensorflow as tf

    from results.exporting.reading.safety import check_saved_model

    check_saved_model(path)
    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise ResultError(f"{path}: has no signature serving_default")
    signature = loaded.signatures["serving_default"]
    # It holds the variables; the signature alone would let them be freed.
    signature.kept = loaded
    return signature


def _load_saved_model(path: Path) -> LoadedModel:
    import tensorflow as tf

    signature = _signature(path)
    (_, inputs) = signature.structured_input_signature
    outputs = signature.structured_outputs
    _check_single(len(inputs), len(outputs), path)
    ((input_name, input_spec),) = inputs.items()
    ((output_name, output_spec),) = outputs.items()

    def run(rows: Array) -> Array:
        result: Array = signature(**{input_name: tf.cast(rows, input_spec.dtype)})[output_name].numpy()
        return result

    return LoadedModel(tuple(input_spec.shape[1:]), output_spec.shape[-1], run)


def _load_onnx(path: Path) -> LoadedModel:
    session = _onnx_session(path)
    _check_single(len(session.get_inputs()), len(session.get_outputs()), path)
    (given,), (taken,) = session.get_inputs(), session.get_outputs()
    dtype = _onnx_type(given.type, path)

    def run(rows: Array) -> Array:
        result: Array = session.run([taken.name], {given.name: rows.astype(dtype)})[0]
        return result

    return LoadedModel(_sizes(given.shape)[1:], _sizes(taken.shape)[-1], run)


def _onnx_session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ResultError(
            f'{path}: reading ONNX needs onnxruntime; install it with pip install "keras-nightshift[onnx]"'
        ) from error
    from results.exporting.reading.onnx_file import check_onnx

    check_onnx(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _load_tflite(path: Path) -> LoadedModel:
    interpreter, row_bytes = _tflite(path)
    _check_single(len(interpreter.get_input_details()), len(interpreter.get_output_details()), path)
    (given,) = interpreter.get_input_details()
    (taken,) = interpreter.get_output_details()
    row_shape = tuple(int(size) for size in given["shape"][1:])

    def run(rows: Array) -> Array:
        interpreter.resize_tensor_input(given["index"], rows.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], rows.astype(given["dtype"]))
        interpreter.invoke()
        result: Array = interpreter.get_tensor(taken["index"])
        return result

    return LoadedModel(row_shape, int(taken["shape"][-1]), run, row_bytes)


def _tflite(path: Path) -> tuple[Any, int]:
    """An interpreter of the file, and the bytes of the largest thing that it computes for a row."""
    from results.exporting.reading.safety import check_tflite

    content = path.read_bytes()
    row_bytes = check_tflite(content, path)
    return _interpreter(content), row_bytes


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # notice that ai-edge-litert takes over some day
            return tf.lite.Interpreter(model_content=content)
    return Interpreter(model_content=content)


def _check_single(inputs: int, outputs: int, path: Path) -> None:
    if (inputs, outputs) != (1, 1):
        raise ResultError(f"{path}: has {inputs} inputs and {outputs} outputs; one of each is expected")


def _onnx_type(name: str, path: Path) -> str:
    inner = name.removeprefix("tensor(").removesuffix(")")
    found = {"float": "float32", "double": "float64"}.get(inner, inner)
    if found not in _ONNX_TYPES:
        raise ResultError(f"{path}: takes {name}, which is not supported")
    return found


def _sizes(shape: list[Any]) -> tuple[int | None, ...]:
    """ONNX writes a size that is open as a name."""
    return tuple(size if isinstance(size, int) else None for size in shape)
