"""Loads backbones. Imported only where a model is built: Keras is needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import sys
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import keras

from spaces.backbones import names
from spaces.backbones.files import load_file
from spaces.backbones.names import APPLICATIONS, Pixels, is_file
from spaces.basics.errors import DataError
from spaces.basics.files import unreadable
from spaces.outside.keras_internals import give_weights

IMAGENET, NONE = "imagenet", "none"
# Backbones of a space take turns; a large one has hundreds of megabytes.
_KEPT = 4
# Sides at which a network of open size is asked how far it shrinks an image.
_PROBE = 512

Size = tuple[int, int]


def load(backbone: str, weights: str, size: Size) -> keras.Model:
    """The network with its weights, from image to feature map. It is shared: never train it, but a `copy` of it.

    With weights it is frozen, and its layers that drop or disturb values at random do nothing.

    Args:
        backbone: a name of `spaces.backbones.names`, or the path of a `.keras` file.
        weights: `imagenet` (for a file: its own), `none`, or the path of a weights file.
        size: height and width of its images in pixels.

    Raises:
        DataError: it cannot be loaded, or takes no images of this size.
    """
    return _load(backbone, weights, size, _stamp(backbone), _stamp(weights))


def copy(model: keras.Model) -> keras.Model:
    """The same network with weights of its own."""
    with _undisturbed():
        made = keras.models.clone_model(model)
    give_weights(made, model.get_weights())
    return made


def pixels(backbone: str) -> Pixels:
    """What a backbone takes; that of a file prepares its pixels itself."""
    return "itself" if is_file(backbone) else APPLICATIONS[backbone].pixels


def digest(backbone: str, weights: str) -> str:
    """Tells backbones with different weights apart, also where files keep their names."""
    return _digest(backbone, weights, _stamp(backbone), _stamp(weights))


@lru_cache
def _digest(backbone: str, weights: str, *stamps: Any) -> str:
    files = [names.digest(name) for name, stamp in zip((backbone, weights), stamps, strict=True) if stamp is not None]
    return hashlib.sha256("|".join((backbone, weights, keras.__version__, *files)).encode()).hexdigest()


@lru_cache(maxsize=_KEPT)
def _load(backbone: str, weights: str, size: Size, *stamps: Any) -> keras.Model:
    with _undisturbed():
        if is_file(backbone):
            model = _of_size(load_file(backbone), backbone, size)
            if weights not in (IMAGENET, NONE):
                _set_weights(model, weights)
        else:
            model = _application(backbone, weights, size)
    if weights == NONE:
        return model
    model.trainable = False
    for layer in leaves(model):
        for rate in ("rate", "drop_path_rate", "stddev"):
            if hasattr(layer, rate):
                setattr(layer, rate, 0.0)
    return model


def _application(name: str, weights: str, size: Size) -> keras.Model:
    application = APPLICATIONS[name]
    if min(size) < application.least:
        raise too_small(name, size, application.least)
    make = getattr(keras.applications, application.function)
    if weights not in (IMAGENET, NONE) and (reason := unreadable(weights)) is not None:
        raise DataError(f"{weights}: {reason}")
    try:
        # Keras tells on standard output how far a download is; data go there.
        with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that weights are those of another size of image
            return make(include_top=False, weights=None if weights == NONE else weights, input_shape=(*size, 3))
    except Exception as error:
        if weights == IMAGENET:
            raise DataError(
                f"{name}: its ImageNet weights are not in Keras's cache and cannot be downloaded "
                f"({' '.join(str(error).split())[:200]}); let a machine with a network load keras.applications."
                f"{application.function}(include_top=False) once and copy its ~/.keras/models, or set model.weights "
                "to a weights file, or to none to train from scratch"
            ) from error
        if weights != NONE:
            raise DataError(f"{weights}: no weights of {name} ({' '.join(str(error).split())[:200]})") from error
        raise


def _set_weights(model: keras.Model, weights: str) -> None:
    if (reason := unreadable(weights)) is not None:
        raise DataError(f"{weights}: {reason}")
    try:
        model.load_weights(weights)
    except Exception as error:  # a damaged file can make its reader raise anything
        raise DataError(f"{weights}: no weights of this backbone ({' '.join(str(error).split())[:200]})") from error


def _of_size(model: Any, path: str, size: Size) -> keras.Model:
    """The network for images of one size, if it takes them."""
    _, height, width, channels = model.input_shape
    if height not in (None, size[0]) or width not in (None, size[1]):
        raise DataError(
            f"{path}: takes images of {height}×{width} pixels, these have {size[0]}×{size[1]}; "
            f"set data.image_size: [{height}, {width}]"
        )
    if height is None or width is None:
        *_, rows, columns, _ = model.compute_output_shape((1, height or _PROBE, width or _PROBE, channels))
        least = max(-(-(height or _PROBE) // rows), -(-(width or _PROBE) // columns))
        if min(size) < least:
            raise too_small(path, size, least)
    try:
        made = keras.models.clone_model(model, input_tensors=keras.Input((*size, channels), name="images"))
    except ValueError as error:
        raise DataError(f"{path}: takes no images of {size[0]}×{size[1]} pixels ({error})") from error
    give_weights(made, model.get_weights())
    return made


def too_small(backbone: str, size: Size, least: int) -> DataError:
    """The error for images that a backbone shrinks to nothing."""
    return DataError(
        f"{backbone}: takes images from {least}×{least} pixels, these have {size[0]}×{size[1]}; "
        f"set data.image_size to {least} or more"
    )


def leaves(model: keras.Model) -> list[Any]:
    """The layers of a network, those of networks within it included, without its inputs; in their order."""
    found: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found.extend(leaves(layer))
        elif not isinstance(layer, keras.layers.InputLayer):
            found.append(layer)
    return found


def _stamp(name: str) -> tuple[int, int] | None:
    """Changes when a file of that name does."""
    try:
        state = os.stat(name)
    except (OSError, ValueError):
        return None
    return state.st_mtime_ns, state.st_size


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """What is made in here is the same wherever it is made, and draws no seeds: the weights that follow do not depend
    on what was loaded before."""
    state, policy = random.getstate(), keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        random.setstate(state)
