"""Whether a description of rows that came out of somebody's file can be true."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spaces import DataInfo
from spaces.basics.section import shown
from spaces.data.tables.columns import KINDS
from spaces.data.tables.dates import FORMATS

_LARGEST = 2**31
_MOST_VALUES = 2**28
"""Values of one row: a gibibyte of float32."""


def info_problem(info: DataInfo) -> str | None:
    """What is wrong with the values in `info`, whose types are not to be trusted; None if it can be used."""
    checks: tuple[Callable[[DataInfo], str | None], ...] = (
        _kinds,
        _shape,
        _scaling,
        _names,
        _table,
        _written,
        _target,
        _several,
    )
    return next((problem for problem in (check(info) for check in checks) if problem is not None), None)


_AXES = {"image": (2, 3), "series": (2,), "tabular": (1,)}


def is_whole(value: Any) -> bool:
    """Whether it is a whole number that can count something."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST


def _kinds(info: DataInfo) -> str | None:
    if info.kind not in tuple(_AXES) or info.task not in ("classification", "regression"):
        return f"unknown kind {shown(info.kind)} or task {shown(info.task)}"
    if info.labels not in ("integer", "one-hot", "multi-label", "number"):
        return f"unknown kind of labels {shown(info.labels)}"
    if info.dtype not in ("uint8", "float32"):
        return f"unknown type of rows {shown(info.dtype)}"
    flags: dict[str, Any] = {"resized": info.resized, "antialias": info.antialias}
    for name, value in flags.items():
        if not isinstance(value, bool):
            return f"impossible value of {name} {shown(value)}"
    return None


def _shape(info: DataInfo) -> str | None:
    shape = info.input_shape
    axes = _AXES[info.kind]
    if not isinstance(shape, tuple) or not all(map(is_whole, shape)) or math.prod(shape) > _MOST_VALUES:
        return f"impossible input shape {_listed(shape)}"
    if len(shape) not in axes:
        return f"impossible input shape {_listed(shape)} for {info.kind} rows"
    if not is_whole(info.outputs):
        return f"impossible number of outputs {shown(info.outputs)}"
    size = info.image_size
    if size is not None and not (isinstance(size, tuple) and len(size) == 2 and all(map(is_whole, size))):
        return f"impossible image size {_listed(size)}"
    return None


def _scaling(info: DataInfo) -> str | None:
    for name, value in (("white", info.white), ("scale", info.scale)):
        if value is not None and not (_is_number(value) and value > 0):
            return f"impossible value of {name} {shown(value)}"
    for name, values in (("mean", info.mean), ("std", info.std)):
        if values is not None and not (isinstance(values, tuple) and all(map(_is_number, values))):
            return f"impossible values of {name}"
    return None


def _names(info: DataInfo) -> str | None:
    for what, names in (
        ("class names", info.class_names),
        ("columns", info.columns),
        ("frame columns", info.frame_columns),
    ):
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            return f"the {what} are not a list of texts"
        if strange := [name for name in names if not name.isprintable()]:
            return f"the {what} hold control characters: {shown(strange[0])}"
        if len(set(names)) < len(names):
            return f"the {what} are not all different"
    categories: Any = info.categories
    if not isinstance(categories, Mapping) or not set(categories) <= set(info.columns):
        return "the categories are not those of columns"
    if not all(isinstance(value, str) for values in categories.values() for value in values):
        return "the categories are not lists of texts"
    return None


def _table(info: DataInfo) -> str | None:
    if not info.table:
        return None
    for column in info.table:
        values = column.values if isinstance(column.values, tuple) else (None,)
        texts = (column.name, column.form, "" if column.sign is None else column.sign, *values)
        flags = (column.other, column.missing, column.times, column.lenient, column.guessed)
        if column.kind not in KINDS or not all(isinstance(text, str) for text in texts):
            return f"unknown kind of column {shown(column.kind)}, or columns that are not described by texts"
        if not all(isinstance(flag, bool) for flag in flags) or not _is_number(column.fill):
            return f"impossible description of column {shown(column.name)}"
        if column.kind == "date" and column.form not in FORMATS:
            return f"unknown format of dates {shown(column.form)}"
    if tuple(column.name for column in info.table) != info.columns:
        return "the columns are not those of the table"
    inputs = sum(len(column.inputs) for column in info.table)
    return (
        None if info.input_shape == (inputs,) else f"{inputs} inputs of columns for rows of {_listed(info.input_shape)}"
    )


def _written(info: DataInfo) -> str | None:
    written = info.written
    if written is None:
        return None
    if not isinstance(written.separator, str) or len(written.separator) != 1 or written.separator in '"\r\n':
        return f"impossible separator {shown(written.separator)}"
    try:
        "".encode(written.encoding)
    except (LookupError, ValueError, TypeError):
        return f"unknown encoding {shown(written.encoding)}"
    return None


def _target(info: DataInfo) -> str | None:
    target = info.target
    if target is None:
        return None
    values = (target.mean, target.std)
    if target.scale not in ("standard", "log") or not all(isinstance(value, tuple) for value in values):
        return f"unknown scale of the target {shown(target.scale)}"
    return None if all(_is_number(one) for value in values for one in value) else "impossible scale of the target"


def _several(info: DataInfo) -> str | None:
    for what, structure in (("inputs", info.inputs), ("targets", info.targets)):
        for piece in structure.pieces if structure is not None else ():
            if not all(map(is_whole, piece.shape)) or np.dtype(piece.dtype).kind not in "iuf":
                return f"impossible {what}: {shown(piece.name)}"
            if not piece.name.isprintable():
                return f"the {what} hold control characters: {shown(piece.name)}"
    if info.inputs is not None and info.input_shape != (sum(piece.bytes for piece in info.inputs.pieces),):
        return "the inputs are not those of the input shape"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _listed(values: Any) -> str:
    return f"({', '.join(map(shown, values[:8]))})" if isinstance(values, tuple) else shown(values)
