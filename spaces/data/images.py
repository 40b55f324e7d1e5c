"""Decoding and resizing of image files, the same way for training and for prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.data.types import Array
from spaces.errors import DataError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # what Keras's folder loader reads
_GRAY_MODES = ("1", "L", "I", "I;16")


@dataclass(frozen=True)
class Header:
    """What an image file says about itself without being decoded."""

    height: int
    width: int
    gray: bool


def read_header(path: str | Path) -> Header:
    """Size and colour of an image file.

    Raises:
        DataError: no image, or one of more than about 180 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return Header(image.height, image.width, image.mode in _GRAY_MODES)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise DataError(f"{path}: is not a readable image{reason}") from error


def decode(path: str | Path, size: tuple[int, int], channels: int, *, smooth: bool) -> Array:
    """Pixels of an image file, resized with bilinear interpolation as Keras's folder loader does.

    Args:
        path: the file; its header has been read already.
        size: (height, width) of the result.
        channels: 1 or 3.
        smooth: average over the pixels of a larger image; Keras's folder loader does not.

    Returns:
        float32 array of shape (*size, channels), 0 to 255.

    Raises:
        DataError: the file is damaged.
    """
    import tensorflow as tf

    with tf.device("CPU"):  # where training images are decoded; a GPU may round differently
        try:
            pixels = tf.io.decode_image(tf.io.read_file(str(path)), channels=channels, expand_animations=False)
        except tf.errors.OpError:
            pixels = _decode_with_pillow(path, channels)
        resized: Array = tf.image.resize(pixels, size, method="bilinear", antialias=smooth).numpy()
    return resized


def _decode_with_pillow(path: str | Path, channels: int) -> Array:
    from PIL import Image

    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: is not a readable image ({error})") from error
    return pixels.reshape(*pixels.shape[:2], channels)
