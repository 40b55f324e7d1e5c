"""Folders of image files, one subfolder per class, read by Keras's own loader.

Order and split are Keras's: files sorted by class and name, shuffled with the seed, held-out rows cut from
the end. So `keras.utils.image_dataset_from_directory` with the same seed and `validation_split` has the same
training files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spaces.data.images import EXTENSIONS, Header, read_header
from spaces.data.memory import check_size
from spaces.data.source import Part, RawData
from spaces.data.types import Array
from spaces.errors import DataError
from spaces.printable import printable

if TYPE_CHECKING:
    import tensorflow as tf

_log = logging.getLogger(__name__)
_PARTS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def load_folder(path: Path, seed: int, image_size: tuple[int, int] | None, color: str) -> RawData:
    """The images of a folder.

    Args:
        path: a folder of class folders; or a folder with `train` and, each optional, `validation` (or `val`)
            and `test`, every one a folder of class folders. Files that Keras does not read as images are left
            out with a warning, hidden ones without.
        seed: seed of the shuffle of the training rows, 0 to 2**32 - 1.
        image_size: (height, width) to resize to; None: the images must all have one size.
        color: "rgb", "grayscale", or "auto": grayscale where every image is gray.

    Raises:
        DataError: the folder is missing, holds no class folders, a class is empty, or a file is no readable
            image.
    """
    if not path.is_dir():
        raise DataError(f"{path}: {'is a file, not a folder' if path.exists() else 'no such folder'}")
    parts = _parts(path)
    listings = {name: list_images(folder) for name, folder in parts.items()}
    class_names = listings["train"].class_names
    for listing in listings.values():
        if unknown := sorted(set(listing.class_names) - set(class_names)):
            raise DataError(f"{listing.folder / unknown[0]}: a class that is absent from {parts['train']}")
    headers = [read_header(file) for listing in listings.values() for file in listing.files]
    size = image_size or _common_size(headers, path)
    channels = 1 if color == "grayscale" or (color == "auto" and all(header.gray for header in headers)) else 3
    check_size(len(headers) * size[0] * size[1] * channels, str(path))
    loaded = {
        name: _read(listing, class_names, size, channels, seed if name == "train" else None)
        for name, listing in listings.items()
    }
    return RawData(
        path.name,
        f"{path} ({', '.join(f'{name}: {len(part.x)} images' for name, part in loaded.items())})",
        loaded["train"],
        loaded.get("validation"),
        loaded.get("test"),
        tuple(map(printable, class_names)),
        white=255.0,
        shuffled=True,
        resized=True,
    )


def _parts(path: Path) -> dict[str, Path]:
    """Folders of class folders by part; one of them is "train"."""
    folders = _subfolders(path)
    named = [folder for folder in folders if folder.name in _PARTS]
    parts = {_PARTS[folder.name]: folder for folder in named}
    if "train" not in parts or (len(named) == 1 and len(folders) > 1):
        return {"train": path}
    if len(parts) < len(folders):
        found = ", ".join(folder.name for folder in folders)
        raise DataError(
            f"{path}: expected the folders train, validation (or val) and test and no others, found {found}"
        )
    return parts


@dataclass(frozen=True)
class Listing:
    """Image files of one folder of class folders, in Keras's order: by class, then by path."""

    folder: Path
    files: tuple[str, ...]
    labels: tuple[str, ...]
    class_names: tuple[str, ...]


def list_images(folder: Path) -> Listing:
    """Lists the images below the class folders of `folder`, without opening them.

    Raises:
        DataError: there are no class folders, or one of them holds no image.
    """
    files: list[str] = []
    labels: list[str] = []
    class_names: list[str] = []
    for class_folder in _subfolders(folder):
        found, others = _files(class_folder)
        if not found:
            raise DataError(f"{class_folder}: holds no image (of type {', '.join(EXTENSIONS)})")
        if others:
            _log.warning(
                "%s: %d files are no images that Keras reads and are left out", printable(str(class_folder)), others
            )
        files += found
        labels += [class_folder.name] * len(found)
        class_names.append(class_folder.name)
    if not class_names:
        raise DataError(f"{folder}: holds no class folders (one subfolder of images per class is expected)")
    return Listing(folder, tuple(files), tuple(labels), tuple(class_names))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(
            (entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")),
            key=lambda entry: entry.name,
        )
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from error


def _files(class_folder: Path) -> tuple[list[str], int]:
    """Image files below a class folder in order, and the number of other files that are not hidden."""
    images: list[str] = []
    others = 0
    for root, _, names in sorted(os.walk(class_folder), key=lambda entry: entry[0]):
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS):
                images.append(os.path.join(root, name))
            elif not name.startswith("."):
                others += 1
    return images, others


def _common_size(headers: Sequence[Header], path: Path) -> tuple[int, int]:
    sizes = sorted({(header.height, header.width) for header in headers})
    if len(sizes) > 1:
        (low, high) = (f"{height}x{width}" for height, width in (sizes[0], sizes[-1]))
        raise DataError(
            f"{path}: the images have {len(sizes)} different sizes ({low} to {high}); set data.image_size, "
            "such as image_size: 180"
        )
    return sizes[0]


def _read(
    listing: Listing, class_names: tuple[str, ...], size: tuple[int, int], channels: int, seed: int | None
) -> Part:
    """Pixels and labels of a listing; each image goes straight to its place in the shuffled order."""
    order = np.arange(len(listing.files))
    if seed is not None:
        np.random.RandomState(seed).shuffle(order)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pixels = _decode(listing, size, channels, place)
    numbers = {name: number for number, name in enumerate(class_names)}
    labels = np.array([numbers[label] for label in listing.labels], np.int32)[order]
    return Part(pixels, labels, str(listing.folder))


def _decode(listing: Listing, size: tuple[int, int], channels: int, place: Array) -> Array:
    import keras
    import tensorflow as tf

    files = keras.utils.image_dataset_from_directory(
        listing.folder,
        class_names=list(listing.class_names),
        color_mode="grayscale" if channels == 1 else "rgb",
        batch_size=None,
        image_size=size,
        shuffle=False,
        interpolation="bilinear",
        verbose=False,
    )
    if tuple(files.file_paths) != listing.files:
        raise DataError(f"{listing.folder}: files came or went while it was read")
    pixels = np.empty((len(listing.files), *size, channels), np.uint8)
    done = 0
    try:
        for image, _ in files.as_numpy_iterator():
            pixels[place[done]] = np.rint(image)
            done += 1
    except tf.errors.OpError as error:
        # rows arrive in order, so the first one missing is the one that failed
        raise DataError(f"{listing.files[done]}: is not a readable image ({_reason(error)})") from error
    return pixels


def _reason(error: tf.errors.OpError) -> str:
    """What TensorFlow says, without the graph node and the lines that follow."""
    return str(error.message).strip().splitlines()[0].rpartition("}} ")[2]
