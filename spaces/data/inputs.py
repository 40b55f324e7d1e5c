"""Rows for a trained model from a user's files, exactly as training saw its rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import check_file
from spaces.data.readers.images import decode, read_header
from spaces.data.readers.npy import check_npy, read_npy
from spaces.data.readers.npz import new_rows
from spaces.data.readers.objects import as_array, as_frame, is_frame, names_of
from spaces.data.stored.rows import blocks
from spaces.data.tables.frames import cells_of
from spaces.data.tables.rows import bare_rows, encoded_cells, encoded_rows, places
from spaces.data.types import Array, DataInfo


def read_image(path: str | Path, info: DataInfo, *, stretched: bool = True) -> Array:
    """One image file as a raw row of the model.

    Decoded and resized as Keras's folder loader does it, so a training photograph gives the pixels that
    training saw. As there, an EXIF orientation is not applied and transparency is dropped. Files of types
    which that loader does not know (such as TIFF and WebP) are decoded by Pillow. White becomes the model's
    value of white. Imports TensorFlow.

    Args:
        path: an image of any size, coloured or gray.
        info: description of the model's rows; kind "image".
        stretched: whether white is 255 in the file; otherwise its pixels are taken as they are.

    Returns:
        Array of shape `info.input_shape` and type `info.dtype`.

    Raises:
        DataError: no readable image, or the model does not take images, or none whose black and white are known.
    """
    if info.kind != "image":
        taken = "time series" if info.kind == "series" else f"rows of {info.input_shape[0]} columns"
        raise DataError(f"{path}: is an image, but the model takes {taken}")
    (height, width), channels = info.input_shape[:2], info.channels
    if channels not in (1, 3):
        raise DataError(f"{path}: an image has 1 or 3 channels, the model takes {channels}")
    if info.white is None:
        raise DataError(
            f"{path}: is an image of pixels from 0 to 255; the model was trained on rows of no known black and white, "
            "and takes .npy arrays like those"
        )
    read_header(path)
    pixels = decode(path, (height, width), channels, smooth=info.smooth)
    if stretched and info.white != 255:
        pixels = pixels * np.float32(info.white / 255)
    if info.dtype == "uint8":
        pixels = np.rint(pixels)
    return pixels.astype(info.dtype).reshape(info.input_shape)


def read_rows(path: str | Path, info: DataInfo) -> Array:
    """The rows of a `.npy`, `.npz`, CSV or Parquet file as raw rows of the model.

    Args:
        path: an `.npy` array of rows, or of one row; an `.npz` file with such an array, as `x_test`, as `x`, or as the
            only one; or a table (Parquet or text, whatever its name) with the training table's columns in any order,
            further ones are ignored. Models trained on arrays, and on frames with other names, take tables with as many
            columns of numbers as a row has values, in order, with or without a header line.
        info: description of the model's rows.

    Returns:
        Array of shape (n, *info.input_shape) and type `info.dtype`.

    Raises:
        DataError: the file is missing or damaged, or its rows do not fit the model.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        return _convert(_read_array(path), info, path)
    if path.suffix.lower() == ".npz":
        return _convert(new_rows(path), info, path)
    rows = encoded_rows(path, info.encodings, info.written) if info.encodings else bare_rows(path, info.frame_columns)
    return _convert(rows, info, path)


def held_rows(rows: Any, info: DataInfo, where: str) -> Array:
    """The rows that a program holds as raw rows of the model.

    Args:
        rows: A DataFrame with the columns that training saw, in any order, further ones are ignored, or a Series that
            is a row of one; or an array, nested lists or a DataFrame of numbers, of many rows or of one.
        info: description of the model's rows.
        where: what messages call them.

    Returns:
        Array of shape (n, *info.input_shape) and type `info.dtype`.

    Raises:
        DataError: they do not fit the model.
    """
    wanted = [encoding.name for encoding in info.encodings] or info.frame_columns
    rows = as_frame(rows, wanted)
    if info.encodings and is_frame(rows):
        return _convert(encoded_cells(cells_of(rows, where, wanted), info.encodings), info, Path(where))
    if info.frame_columns and is_frame(rows):
        rows = rows.iloc[:, places(names_of(rows), info.frame_columns, where)]
    return _convert(as_array(rows, "x", where), info, Path(where))


def _read_array(path: Path) -> Array:
    check_file(path)
    try:
        with path.open("rb") as stream:
            check_npy(stream, str(path), path.stat().st_size)
            stream.seek(0)
            return read_npy(stream, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _convert(values: Array, info: DataInfo, path: Path) -> Array:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path}: holds values of type {values.dtype}, numbers are expected")
    shape = info.input_shape
    if values.shape == shape:
        values = values[np.newaxis]
    elif values.ndim == 2 and values.shape[1] == math.prod(shape):
        values = values.reshape(len(values), *shape)
    if values.shape[1:] != shape or not len(values):
        raise DataError(f"{path}: has shape {values.shape}, the model takes rows of shape {shape}")
    if info.dtype == "uint8":
        for start, block in blocks(values):
            fits = (block >= 0) & (block <= 255) & (block == np.floor(block))
            if not fits.all():
                row = start + int(np.argwhere(~fits)[0, 0])
                raise DataError(f"{path}: row {row} has values that are no whole numbers from 0 to 255")
    with np.errstate(over="ignore"):  # too large a number becomes infinity, which is refused below
        converted = values.astype(info.dtype)
    if converted.dtype.kind == "f" and not np.isfinite(converted).all():
        row = int(np.argwhere(~np.isfinite(converted))[0, 0])
        raise DataError(f"{path}: row {row} holds NaN, infinity, or a number too large for {info.dtype}")
    return converted
