"""Data sets known by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.readers.folder import load_folder
from spaces.data.readers.idx import load_idx
from spaces.data.readers.source import Part, RawData
from spaces.data.stored.store import RowStore

_SYSTEM_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
_FLOWERS_ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
_FLOWERS_FOLDERS = (
    "flower_photos",
    "flower_photos/flower_photos",
    "flower_photos_extracted/flower_photos",
    "flower_photos.tgz/flower_photos",
)

_FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_CIFAR10_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load_builtin(
    name: str,
    seed: int,
    image_size: tuple[int, int] | None,
    color: str,
    broken: Literal["refuse", "skip"] = "refuse",
    store: RowStore | None = None,
    antialias: bool = True,
) -> RawData:
    """A data set by name; downloaded through Keras where it is not on the machine.

    Args:
        name: digits, fashion-mnist, mnist, cifar10, cifar100 or flowers.
        seed: seed of the shuffle (flowers only).
        image_size: (height, width) that photographs are resized to (flowers only).
        color: "auto", "rgb" or "grayscale" (flowers only).
        broken: "skip" leaves out what is no readable image (flowers only).
        store: decides whether pixels stay on the disk (flowers only).
        antialias: as for `load_folder` (flowers only).

    Raises:
        DataError: the download failed, or what lies in Keras's cache is damaged.
    """
    if name == "flowers":
        return replace(load_folder(_flowers_folder(), seed, image_size, color, broken, store, antialias), name=name)
    return _LOADERS[name]()


def _keras_cache() -> Path:
    """Where Keras keeps downloads, found without importing it."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _not_downloaded(error: Exception) -> str:
    return (
        f"not in {_keras_cache()}, and the download failed ({error}); without a network, copy what that folder of "
        "another machine has of it"
    )


def _digits() -> RawData:
    from sklearn.datasets import load_digits

    digits = load_digits()
    part = Part(digits.images.astype(np.uint8), digits.target.astype(np.int64), "scikit-learn's digits")
    return RawData("digits", "digits of scikit-learn", part, white=16.0)


def _fashion_mnist() -> RawData:
    for folder in (_SYSTEM_FASHION_MNIST, _keras_cache() / "fashion-mnist"):
        if any(folder.glob("train-images*")):
            raw = load_idx(folder)
            return replace(raw, name="fashion-mnist", class_names=_FASHION_NAMES, white=255.0)
    return _from_keras("fashion-mnist", _FASHION_NAMES)


def _from_keras(name: str, class_names: tuple[str, ...] | None) -> RawData:
    import keras

    module = getattr(keras.datasets, name.replace("-", "_"))
    where = f"keras.datasets.{module.__name__.rpartition('.')[2]}"
    try:
        with redirect_stdout(sys.stderr):  # Keras prints its progress where our data goes.
            (x_train, y_train), (x_test, y_test) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DataError(f"{where}: {_not_downloaded(error)}") from error
    train = Part(x_train, np.ravel(y_train), f"{where} (training part)")
    test = Part(x_test, np.ravel(y_test), f"{where} (test part)")
    return RawData(name, where, train, test=test, class_names=class_names, white=255.0)


def _flowers_folder() -> Path:
    cache = _keras_cache()
    for candidate in _FLOWERS_FOLDERS:
        if (cache / candidate / "daisy").is_dir():
            return cache / candidate
    import keras

    try:
        with redirect_stdout(sys.stderr):
            extracted = keras.utils.get_file("flower_photos", origin=_FLOWERS_ADDRESS, extract=True)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise DataError(f"flowers: {_not_downloaded(error)}") from error
    found = sorted(Path(extracted).glob("**/daisy"))
    if not found:
        raise DataError(f"flowers: {extracted} does not hold the flower photographs; delete it and start again")
    return found[0].parent


_LOADERS: dict[str, Callable[[], RawData]] = {
    "digits": _digits,
    "fashion-mnist": _fashion_mnist,
    "mnist": partial(_from_keras, "mnist", None),
    "cifar10": partial(_from_keras, "cifar10", _CIFAR10_NAMES),
    "cifar100": partial(_from_keras, "cifar100", None),
}
