"""Decoding and resizing of image files, the same way for training and for prediction."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import unreadable
from spaces.data.types import Array

if TYPE_CHECKING:
    from PIL import Image

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # what Keras's folder loader reads
UNREADABLE = "is not a readable image"
# Pillow would hand some others, such as PostScript, to programs of the machine.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_BITMAP = b"BM"
_CHANNELS = 3
_MOST_PIXELS = 180_000_000
_FREE = 256 * 2**20  # up to here Pillow, too, finds every image harmless
_TIMES = 100
_TOGETHER = 1024
_GRAY_MODES = ("1", "L", "I", "I;16")
_NO_WHITE = ("F", "I")


@dataclass(frozen=True)
class Header:
    """What an image file says about itself without being decoded."""

    height: int
    width: int
    gray: bool


def read_header(path: str | Path) -> Header:
    """Size and colour of an image file.

    Raises:
        DataError: no file, no image, or one that unpacks to more than 180 million pixels, or to more than 256 MiB and
            100 times the size of its file.
    """
    from PIL import Image, UnidentifiedImageError

    if (reason := unreadable(path)) is not None:
        raise DataError(f"{path}: {UNREADABLE} ({reason})")
    if not os.stat(path).st_size:
        raise DataError(f"{path}: {UNREADABLE} (it is empty)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own, lower limit, once for every image
            with Image.open(path, formats=_FORMATS) as image:
                header = Header(image.height, image.width, image.mode in _GRAY_MODES)
                _check_unpacked(image, path)
                return header
    except DataError:
        raise
    except Exception as error:  # a damaged file can make Pillow raise anything
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise DataError(f"{path}: {UNREADABLE}{reason}") from error


def _check_unpacked(image: Image.Image, path: str | Path) -> None:
    # TensorFlow unpacks all pictures of an animation to show the first.
    frames = getattr(image, "n_frames", 1) if image.format == "GIF" else 1
    pixels = frames * image.width * image.height
    if pixels > _MOST_PIXELS or _CHANNELS * pixels > _FREE + _TIMES * os.stat(path).st_size:
        raise DataError(f"{path}: unpacks to {pixels:,} pixels, far more than an image of its size has")


def decode(path: str | Path, size: tuple[int, int], channels: int, *, smooth: bool) -> Array:
    """Pixels of an image file, resized with bilinear interpolation.

    Args:
        path: the file; its header has been read already.
        size: (height, width) of the result.
        channels: 1 or 3.
        smooth: average over the pixels of a larger image (antialiasing); Keras's folder loader does not.

    Returns:
        float32 array of shape (*size, channels), 0 to 255.

    Raises:
        DataError: the file is damaged.
    """
    import tensorflow as tf

    with tf.device("CPU"):  # where training images are decoded; a GPU may round differently
        try:
            # As bytes: a name that is no UTF-8 is no text either.
            content = tf.io.read_file(os.fsencode(path))
            # TensorFlow would take the numbers of a bitmap's palette for shades of gray.
            if tf.strings.substr(content, 0, len(_BITMAP)) == _BITMAP:
                pixels = _decode_with_pillow(path, channels)
            else:
                pixels = tf.io.decode_image(content, channels=channels, expand_animations=False)
        except tf.errors.OpError:
            pixels = _decode_with_pillow(path, channels)
        # What has the size already would come out as it is, after eight times as long.
        resized = pixels if tuple(pixels.shape[:2]) == size else tf.image.resize(pixels, size, antialias=smooth)
    return np.asarray(resized, np.float32)


def decode_all(files: Sequence[str], pixels: Any, place: Array, *, smooth: bool) -> dict[str, str]:
    """Decodes image files into an array, several at a time.

    Args:
        files: their headers have been read already.
        pixels: uint8 of shape (rows, height, width, channels), filled in row by row; an array, or what is like one.
        place: the row of each file.
        smooth: as for `decode`.

    Returns:
        Why files cannot be decoded, by file; empty if all can.
    """
    size, channels = (pixels.shape[1], pixels.shape[2]), pixels.shape[3]

    def read(file: str, row: int) -> str | None:
        try:
            found = np.rint(decode(file, size, channels, smooth=smooth)).astype(np.uint8)
        except DataError as error:
            return str(error).removeprefix(f"{file}: ")
        # What cannot be written is no fault of the file.
        pixels[row] = found
        return None

    reasons: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        # Not all at once: a hundred thousand waiting tasks take memory, and an interruption would wait for them.
        for start in range(0, len(files), _TOGETHER):
            some = files[start : start + _TOGETHER]
            found = zip(some, pool.map(read, some, place[start : start + _TOGETHER]), strict=True)
            reasons |= {file: reason for file, reason in found if reason is not None}
    return reasons


def _of_bytes(image: Image.Image, path: str | Path) -> Image.Image:
    """The same with pixels from 0 to 255; Pillow's own conversion would cut off what is brighter."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        # TensorFlow takes the upper half of 16 bits too.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in _NO_WHITE:
        raise DataError(f"{path}: {UNREADABLE} (its pixels have 32 bits, and no known white)")
    return image


def _decode_with_pillow(path: str | Path, channels: int) -> Array:
    from PIL import Image

    try:
        with Image.open(path, formats=_FORMATS) as image:
            pixels = np.asarray(_of_bytes(image, path).convert("L" if channels == 1 else "RGB"))
    except DataError:
        raise
    except Exception as error:  # a damaged file can make Pillow raise anything
        raise DataError(f"{path}: {UNREADABLE} ({error})") from error
    return pixels.reshape(*pixels.shape[:2], channels)
