"""Sanity of rows: every part has usable numbers of one shape, and training has every class."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable, some_of
from spaces.data.readers.source import Part, RawData
from spaces.data.stored.rows import StoredRows, blocks
from spaces.data.types import AnyRows, Array
from spaces.values.packing import WHOLE_IN_FLOAT32, no_numbers

_log = logging.getLogger(__name__)


def check_rows(raw: RawData, *, users_code: bool = False) -> RawData:
    """Judges the rows of all parts, and brings them to uint8 or float32.

    uint8 stays; booleans become uint8, and so do images of whole numbers 0 to 255; all else becomes float32.

    Args:
        raw: the data.
        users_code: whether the user's own code takes the rows, which may look numbers up: those that float32 cannot
            tell apart are warned of.

    Raises:
        DataError: empty parts, counts or shapes that differ, Python objects, text, NaN or infinity.
    """
    for part in raw.parts:
        _check_part(part, users_code)
        if part.x.shape[1:] != raw.train.x.shape[1:]:
            raise DataError(
                f"{part.where}: rows have shape {part.x.shape[1:]}, those of {raw.train.where} {raw.train.x.shape[1:]}"
            )
    small = all(_fits_uint8(part.x) for part in raw.parts)
    dtype = np.dtype(np.uint8 if small else np.float32)
    if users_code and (rounded := [part.where for part in raw.parts if _is_rounded(part.x)]):
        _log.warning(
            "%s: rows hold whole numbers above %d, which float32 rounds; where each stands for something of its own, "
            "give x as a dict of one array, {'ids': x}, which stays int32, and the model an input of that name",
            printable(rounded[0]),
            WHOLE_IN_FLOAT32,
        )
    return raw.map_parts(lambda part: dataclasses.replace(part, x=_convert(part, dtype)))


def as_measured(raw: RawData, came: Iterable[np.dtype[Any]]) -> RawData:
    """The rows of series, which `check_rows` gave, as float32 if they came in a type that holds more than uint8.

    What is measured later may be larger than all that there was, or lie between two numbers of it.

    Args:
        raw: the rows.
        came: in which types the parts came.
    """
    small = all(dtype == np.uint8 or dtype.kind == "b" for dtype in came)
    if small or raw.train.x.dtype != np.uint8:
        return raw
    return raw.map_parts(lambda part: dataclasses.replace(part, x=_convert(part, np.dtype(np.float32))))


def _check_part(part: Part, users_code: bool) -> None:
    x = part.x
    if x.dtype.kind not in "biuf":
        raise DataError(f"{part.where}: rows hold {no_numbers(x.dtype)}")
    if x.ndim not in (2, 3, 4):
        by_name = "; a model of your own takes others by name, x={'rows': x}, with an Input of that name"
        raise DataError(
            f"{part.where}: has shape {x.shape}; expected (rows, columns), (rows, height, width) or "
            f"(rows, height, width, channels){by_name * users_code}"
        )
    if 0 in x.shape:
        raise DataError(f"{part.where}: is empty (shape {x.shape})")
    if part.y.ndim == 0 or len(part.y) != len(x):
        raise DataError(f"{part.where}: {len(x)} rows but {len(part.y) if part.y.ndim else 'no'} labels")


def _is_rounded(x: AnyRows) -> bool:
    """Whether whole numbers are so large that float32 does not hold each of them."""
    limit = WHOLE_IN_FLOAT32
    return x.dtype.kind in "iu" and any(b.min() < -limit or b.max() > limit for _, b in blocks(x))


def _fits_uint8(x: AnyRows) -> bool:
    if x.dtype == np.uint8 or x.dtype.kind == "b":
        return True
    return x.ndim > 2 and x.dtype.kind in "iu" and all(b.min() >= 0 and b.max() <= 255 for _, b in blocks(x))


def _convert(part: Part, dtype: np.dtype[np.generic]) -> AnyRows:
    x: AnyRows
    if part.x.dtype == dtype:
        x = part.x
    elif isinstance(part.x, StoredRows):
        x = part.x.converted(dtype)
    else:
        with np.errstate(over="ignore"):  # too large a number becomes infinity, which is refused below
            x = part.x.astype(dtype)
    if dtype.kind == "f":
        for start, block in blocks(x):
            finite = np.isfinite(block)
            if not finite.all():
                row = start + int(np.argwhere(~finite)[0, 0])
                raise DataError(f"{part.where}: row {row} holds NaN, infinity, or a number too large for float32")
    # Sums depend on the order in which memory is gone through: it is that of the rows, wherever they are kept.
    return x if isinstance(x, StoredRows) else np.ascontiguousarray(x)


def as_weights(found: Array, where: str) -> Array:
    """How much each row counts, float32 of shape (n,).

    Args:
        found: as it came, shape (n,) or (n, 1).
        where: named in the error.

    Raises:
        DataError: these are no numbers of 0 or more.
    """
    if found.dtype.kind not in "biuf" or not found.ndim or found.shape[1:] not in ((), (1,)):
        raise DataError(f"{where}: {found.dtype} of shape {found.shape} cannot say how much each row counts")
    weights: Array = found.reshape(-1).astype(np.float32)
    if (wrong := ~((weights >= 0) & np.isfinite(weights))).any():
        row = int(np.argmax(wrong))
        raise DataError(f"{where}: row {row} counts {weights[row]:g}; weights are 0 or more")
    return weights


def check_classes(y: Array, class_names: Sequence[str], where: str) -> None:
    """Refuses a class that training would never see.

    Args:
        y: training labels, integer (n,) or one-hot (n, classes).
        class_names: all classes.
        where: named in the error.

    Raises:
        DataError: a class has no training row.
    """
    counts = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=len(class_names))
    missing = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
    if missing:
        raise DataError(f"{where}: no training row of class {some_of(list(map(repr, missing)), 5)}")
