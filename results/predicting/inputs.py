"""The rows in a user's files, as the model takes them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from results.errors import ResultError
from results.predicting.model import holds_model
from search.files import arrays, layout
from spaces import DataError, DataInfo
from spaces.basics.files import missing, unreadable, walked
from spaces.basics.printable import first_of
from spaces.data.inputs import held_rows, read_image, read_rows
from spaces.data.readers.folder import left_behind
from spaces.data.readers.objects import type_and_length, without_frames
from spaces.data.tables.parquet import is_parquet
from spaces.outside.backend import load_tensorflow
from spaces.values.packing import Structure, pack_inputs, unmasked

Array = np.ndarray[Any, np.dtype[Any]]

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
TABLES = (".csv", ".tsv", ".parquet", ".pq", ".parq", ".npy")
ARCHIVE = ".npz"
_HELD = "rows"
_NAMED = 20
_log = logging.getLogger(__name__)

Broken = Literal["refuse", "skip"]
"""What is done about files that cannot be used."""


@dataclass(frozen=True)
class Rows:
    """The rows of one file.

    Attributes:
        file: As it was given.
        numbered: Whether the file may hold several rows, so that a prediction needs a row number.
        values: Shape (n, *input_shape), n at least 1.
    """

    file: str
    numbered: bool
    values: Array


def find_files(paths: Iterable[str | Path], info: DataInfo) -> list[Path]:
    """The files that paths mean: a folder stands for what it and its folders hold of the kind that the model takes.

    Args:
        paths: Files and folders.
        info: What the model takes.

    Returns:
        Files in the order of the paths, those of a folder by name; nothing hidden, and nothing of another kind.

    Raises:
        ResultError: A folder holds no such file, or is a run or an exported model, or nothing was given, or no paths.
    """
    wanted = taken(info) if info.inputs is not None else IMAGES if info.kind == "image" else TABLES
    found: list[Path] = []
    for path in _as_paths(paths):
        if not os.path.isdir(path):
            found.append(path)
            continue
        _refuse_models(path)
        try:
            below = [Path(root, name) for root, names in walked(path, left_behind) for name in names]
        except DataError as error:
            raise ResultError(str(error)) from error
        # One that leads nowhere is told with the other files that cannot be used.
        inside = sorted(file for file in below if file.suffix.lower() in wanted)
        if not inside:
            raise ResultError(f"{path}: holds no file that the model takes; expected {', '.join(wanted)}")
        found += inside
    if not found:
        raise ResultError("no file to predict was given")
    return found


def _as_paths(given: Any) -> list[Path]:
    try:
        return [Path(path) for path in given]
    except TypeError as error:
        raise ResultError(
            f"{_HELD}: found {type_and_length(given)}; allowed: files and folders, a DataFrame, or an array of raw rows"
        ) from error


def _refuse_models(folder: Path) -> None:
    """The charts of a report are pictures too; who names a run in place of rows has named two runs for one."""
    what = "a run" if layout.is_run(folder) else "an exported model" if holds_model(folder) else None
    if what is not None:
        raise ResultError(
            f"{folder}: is {what}, and not rows to predict; one model comes first, then files or folders of them (a "
            "name such as runs/digits-* may mean several runs)"
        )


def taken(info: DataInfo) -> tuple[str, ...]:
    """Suffixes of the files that the model can be given; packed rows of several inputs are what a run keeps."""
    return (*IMAGES, *TABLES, ARCHIVE) if info.inputs is None else (ARCHIVE, ".npy")


def read_files(
    files: Iterable[Path], info: DataInfo, *, broken: Broken = "refuse", guessed: bool = False
) -> Iterator[Rows]:
    """Reads images, `.npy` and `.npz` arrays, text and Parquet tables, one after the other.

    Args:
        files: The files.
        info: What the model takes.
        broken: "skip" leaves out, with a warning, files that cannot be used, unless none can.
        guessed: Whether `info` is a guess from the model's shapes: image files go from 0 to 255 then.

    Raises:
        ResultError: Files are missing, of an unknown type, damaged, or do not fit the model; raised after the last
            file, with their number and the first 20 of them.
    """
    images = replace(info, white=255.0) if guessed else info
    count = 0
    reasons: list[str] = []
    for file in files:
        count += 1
        try:
            yield _read(file, info, images)
        except ResultError as error:
            reasons.append(str(error))
    if not reasons:
        return
    told = reasons[0]
    if len(reasons) > 1:
        told = f"{len(reasons)} of {count} files cannot be used: {first_of(reasons, _NAMED)}"
    if broken == "skip" and len(reasons) < count:
        _log.warning("%s; left out", told)
        return
    hint = "; broken: skip leaves such files out" if 1 < count > len(reasons) else ""
    raise ResultError(f"{told}{hint}")


def held(rows: Any, info: DataInfo) -> Rows:
    """The rows that a program has in its memory.

    Args:
        rows: An array or DataFrame; for a model of several inputs a dict or list of arrays.
        info: What the model takes.

    Raises:
        ResultError: They do not fit the model.
    """
    try:
        if info.inputs is not None:
            return Rows(_HELD, True, _packed(_arrays(rows, info.inputs), info.inputs, _HELD))
        return Rows(_HELD, True, _checked_range(held_rows(rows, info, _HELD), info, Path(_HELD)))
    except DataError as error:
        raise ResultError(str(error)) from error


def _read(path: Path, info: DataInfo, images: DataInfo) -> Rows:
    suffix = path.suffix.lower()
    # Training takes a table by any name: `adult.data`.
    table = bool(info.encodings) and suffix not in IMAGES
    if suffix not in taken(info) and not table and not (info.inputs is None and is_parquet(path)):
        raise ResultError(f"{path}: unknown type of file; expected {', '.join(taken(info))}")
    if missing(path):
        raise ResultError(f"{path}: no such file")
    if (reason := unreadable(path)) is not None:
        raise ResultError(f"{path}: {reason}")
    try:
        if info.inputs is not None and suffix == ARCHIVE:
            return Rows(str(path), True, _several(path, info.inputs))
        if suffix in IMAGES:
            return Rows(str(path), False, _image(path, images)[np.newaxis])
        return Rows(str(path), True, _checked_range(read_rows(path, info), info, path))
    except DataError as error:
        raise ResultError(str(error)) from error


def _several(path: Path, inputs: Structure) -> Array:
    """Packed rows from a file with an array for each input."""
    names = inputs.names
    try:
        found = arrays.load(path, *names)
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: cannot be read ({error}); the model takes {', '.join(names)}") from error
    return _packed([found[name] for name in names], inputs, str(path))


def _arrays(rows: Any, inputs: Structure) -> list[Any]:
    """What a program holds of each input, in their order."""
    names = inputs.names
    rows = without_frames(rows, _HELD, _HELD)
    if isinstance(rows, Mapping):
        if missing := [name for name in names if name not in rows]:
            raise ResultError(f"{_HELD}: hold no {missing[0]}; the model takes {', '.join(names)}")
        return [rows[name] for name in names]
    if not isinstance(rows, list | tuple) or len(rows) != len(names):
        raise ResultError(f"{_HELD}: are {type_and_length(rows)}; the model takes {', '.join(names)}, an array of each")
    return list(rows)


def _packed(given: Sequence[Any], inputs: Structure, where: str) -> Array:
    """Packed rows of arrays in the types that the model takes, unless that would make other numbers of them."""
    fitted = []
    for name, piece, value in zip(inputs.names, inputs.pieces, given, strict=True):
        array = unmasked(value, f"{where}: {name}")
        if not array.ndim or array.shape[1:] != piece.shape:
            raise ResultError(f"{where}: {name} has shape {array.shape}, the model takes rows of {piece.shape}")
        if array.dtype.kind not in "biuf":
            raise ResultError(f"{where}: {name} holds values of type {array.dtype}; numbers are expected")
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is refused
            fitted.append(array.astype(piece.dtype))
        if np.dtype(piece.dtype).kind in "iu" and (fitted[-1] != array).any():
            raise ResultError(f"{where}: {name} holds numbers that are none of {piece.dtype}, which the model takes")
    rows, _ = pack_inputs(inputs.arranged(fitted), where)
    if not len(rows):
        raise ResultError(f"{where}: holds no rows")
    return rows


def _image(path: Path, info: DataInfo) -> Array:
    """An image file in the range of the raw rows.

    Pixels of a file go from 0 to 255, raw rows from 0 to `info.white`. Where white is far below 255, people save
    rows both stretched to 0..255 and as they are; a file without a pixel above white must be the second kind, for as
    the first it would be all but black.
    """
    load_tensorflow()
    if info.kind == "image" and info.white is not None and info.white < 255:
        as_saved = read_image(path, info, stretched=False)
        if as_saved.max() <= info.white:
            return as_saved
    return read_image(path, info)


def _checked_range(values: Array, info: DataInfo, path: Path) -> Array:
    """Refuses arrays of pixels that were scaled by other rules than the training rows; their predictions mean nothing.

    Raises:
        ResultError: A value lies outside black to white, or fractions up to 1 are given where white is above 1.
    """
    if info.white is None:
        return values
    low, high = float(values.min()), float(values.max())
    scaled = info.white > 1 and high <= 1 and bool(np.any(values != np.floor(values)))
    if low < 0 or high > info.white or scaled:
        raise ResultError(
            f"{path}: values go from {low:g} to {high:g}; the model takes raw pixels from 0 to {info.white:g}, "
            "as they were before any scaling"
        )
    return values
