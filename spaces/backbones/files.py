"""A backbone in a `.keras` file of the user's: looked into before Keras loads it, and checked when it is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.basics.errors import DataError
from spaces.basics.files import unreadable

if TYPE_CHECKING:
    import keras

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_LONGEST_CONFIG = 64 * 2**20
# Weights are noise: packing hardly shrinks them.
_FREE, _TIMES = 64 * 2**20, 20
_POOLINGS = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")


def load_file(path: str) -> keras.Model:
    """The network in a `.keras` file, from image to feature map; a global pooling at its end is left off.

    Args:
        path: the file.

    Raises:
        DataError: there is no such file, it is no Keras model, it holds code (a Lambda or a layer of one's own), or
            it is no network from images to feature maps: its head may still be on.
    """
    import keras

    _look_inside(path)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file can make its reader raise anything
        raise DataError(f"{path}: cannot be loaded ({type(error).__name__}: {_one_line(error)})") from error
    return _headless(model, path)


def _look_inside(path: str) -> None:
    if (reason := unreadable(path)) is not None:
        raise DataError(f"{path}: {reason}")
    size = Path(path).stat().st_size
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: is no Keras model: {'it is empty' if not size else 'it is no zip archive, or torn'}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
            if missing := [name for name in (_CONFIG, _WEIGHTS) if name not in members]:
                raise DataError(f"{path}: is no Keras model: it holds no {missing[0]}")
            if sum(members.values()) > _FREE + _TIMES * size or members[_CONFIG] > _LONGEST_CONFIG:
                raise DataError(f"{path}: refused: it would unpack to far more than a file of its size holds")
            config = json.loads(archive.read(_CONFIG))
    except DataError:
        raise
    except Exception as error:  # a torn archive can make its reader raise anything
        raise DataError(f"{path}: is no Keras model ({type(error).__name__}: {_one_line(error)})") from error
    for kind, name in _layers(config):
        if kind == "Lambda":
            raise DataError(f"{path}: its layer {name!r} is a Lambda, which is code; code in a model is never run")


def _layers(config: Any) -> Iterator[tuple[str, str]]:
    """Class and name of everything that a configuration would make."""
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            inner = one.get("config")
            if isinstance(one.get("class_name"), str):
                yield one["class_name"], str(inner.get("name", "")) if isinstance(inner, dict) else ""
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _headless(model: Any, path: str) -> keras.Model:
    import keras

    if not isinstance(model, keras.Model) or not hasattr(model, "inputs") or not model.inputs:
        raise DataError(f"{path}: holds no network of layers that are connected one by one (functional or sequential)")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        found = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise DataError(f"{path}: has {found}; a backbone takes images and gives one feature map")
    shape = tuple(model.input_shape)
    if len(shape) != 4 or shape[3] not in (1, 3):
        raise DataError(f"{path}: takes inputs of shape {shape[1:]}; a backbone takes images with 1 or 3 channels last")
    last = model.layers[-1]
    pooled = type(last).__name__ in _POOLINGS
    if not pooled and len(model.output_shape) != 4:
        raise DataError(f"{path}: {_head(model)}")
    return keras.Model(model.inputs[0], last.input if pooled else model.outputs[0], name=model.name)


def _head(model: Any) -> str:
    last, maps = model.layers[-1], [layer.name for layer in model.layers if _gives_map(layer)]
    width = getattr(last, "units", None)
    end = f"it ends with {last.name!r}, " + (f"{width} units wide" if width else f"a {type(last).__name__}")
    hint = f"; save keras.Model(model.input, model.get_layer({maps[-1]!r}).output) instead" if maps else ""
    return f"its head is still on: {end}; a backbone ends with a feature map{hint}"


def _gives_map(layer: Any) -> bool:
    try:
        return len(layer.output.shape) == 4
    except (AttributeError, TypeError):
        return False


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
