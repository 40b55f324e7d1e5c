"""From labels as they came to labels a model can learn: classes 0 to k - 1, one-hot rows, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable, some_of
from spaces.data.readers.source import Part, RawData
from spaces.data.types import Array, Labels, Task

_FOR_REGRESSION = "; for regression set training.loss, such as loss: mse"
_MANY_CLASSES = 100
_ROWS_PER_CLASS = 5


@dataclass(frozen=True)
class EncodedLabels:
    """Labels of all parts of a data set, in one form.

    Attributes:
        task: classification or regression.
        labels: how `ys` spell it.
        outputs: classes, or target columns.
        class_names: one per class; () in regression.
        ys: one array per part of the raw data, in the order of `RawData.parts`.
        column: whether those of the training part came in shape (n, 1).
        values: the numbers that the labels of the classes came as; () where they are no numbers of classes.
        dtype: type in which Keras hands numbers such as those that came to a loss or metric; None: as in `ys`.
    """

    task: Task
    labels: Labels
    outputs: int
    class_names: tuple[str, ...]
    ys: tuple[Array, ...]
    column: bool = False
    dtype: str | None = None
    values: tuple[int, ...] = ()


def encode_labels(raw: RawData, task: Task, loss: str) -> EncodedLabels:
    """Brings labels into the form that the task asks for.

    In classification, one-hot rows stay one-hot; whole numbers and text become the numbers 0 to k - 1 of the
    sorted classes. In regression they become float32.

    Args:
        raw: the data with labels as they came.
        task: what the space is for.
        loss: `training.loss`: "auto" or a Keras name.

    Raises:
        DataError: labels that do not fit the task or the loss.
    """
    ys = [_plain(part) for part in raw.parts]
    for part, y in zip(raw.parts, ys, strict=True):
        if y.shape[1:] != ys[0].shape[1:]:
            raise DataError(
                f"{part.where}: labels have shape {y.shape[1:]}, those of {raw.train.where} {ys[0].shape[1:]}"
            )
    text = [y.dtype.kind in "US" for y in ys]
    if task == "regression":
        if any(text):
            raise DataError(f"{raw.train.where}: labels are text, regression needs numbers")
        return replace(_numbers(raw, ys), column=_is_column(raw.train.y))
    if any(text) and not all(text):
        raise DataError(f"{raw.train.where}: labels are text in one part and numbers in another")
    if raw.multi_label or (loss == "binary_crossentropy" and not _one_each(ys)):
        encoded = _multi_label(raw, ys)
    elif ys[0].ndim == 2:
        encoded = _one_hot(raw, ys)
    else:
        for part, y in zip(raw.parts, ys, strict=True):
            _check_whole(y, part.where)
        encoded = replace(_classes(raw, ys), dtype=_dtype(ys[0]))
    _check_loss(encoded, loss, raw.train.where)
    return replace(encoded, column=_is_column(raw.train.y))


def classes_of(y: Array) -> tuple[Array, Array]:
    """The class of each row, and the number of rows of each class.

    Args:
        y: numbers of classes, shape (n,) or (n, 1), or one-hot rows.
    """
    found = (y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)).astype(np.int64)
    return found, np.bincount(found)


def balanced_weights(classes: Array, counts: Array) -> Array:
    """How much each row counts, one on average, where the rows of each class do as much together as those of any other.

    Args:
        classes, counts: what `classes_of` gave.
    """
    factors = len(classes) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    found: Array = factors[classes]
    return found


def _plain(part: Part) -> Array:
    """Labels as a vector or matrix of numbers or text, checked."""
    y = part.y
    if y.dtype.kind not in "biufUS":
        raise DataError(f"{part.where}: labels of type {y.dtype} are not read; numbers or text are expected")
    if _is_column(y):
        y = y[:, 0]
    if y.ndim not in (1, 2) or (y.ndim == 2 and y.dtype.kind in "US"):
        raise DataError(
            f"{part.where}: labels have shape {y.shape}; one label or one row of numbers per row is expected. A model "
            "of your own learns targets of more axes by name: give y={'target': y}, and let it answer in a dict, "
            "{'target': output}"
        )
    if len(y) != len(part.x):
        raise DataError(f"{part.where}: {len(part.x)} rows but {len(y)} labels")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = int(np.argwhere(~np.isfinite(y))[0, 0])
        raise DataError(f"{part.where}: the label in row {row} is NaN or infinite")
    return y


def _is_column(y: Array) -> bool:
    return y.ndim == 2 and y.shape[1] == 1


def _dtype(y: Array) -> str | None:
    if y.dtype.kind == "f":
        return "float32"
    return y.dtype.name if y.dtype.kind in "biu" else None


def _numbers(raw: RawData, ys: Sequence[Array]) -> EncodedLabels:
    outputs = ys[0].shape[1] if ys[0].ndim == 2 else 1
    with np.errstate(over="ignore"):
        numbers = tuple(y.astype(np.float32) for y in ys)
    for part, y in zip(raw.parts, numbers, strict=True):
        if (wrong := ~np.isfinite(y)).any():
            row = int(np.argwhere(wrong)[0, 0])
            raise DataError(f"{part.where}: the label in row {row} is too large for float32; use another unit")
    return EncodedLabels("regression", "number", outputs, (), numbers)


def _one_hot(raw: RawData, ys: Sequence[Array]) -> EncodedLabels:
    for part, y in zip(raw.parts, ys, strict=True):
        wrong = (y.sum(axis=1) != 1) | ((y != 0) & (y != 1)).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            several = "" if ((y != 0) & (y != 1)).any() else "; for several labels a row set it to binary_crossentropy"
            message = f"labels are not one-hot: row {row} is {_shown(y[row])}"
            raise DataError(f"{part.where}: {message}{_FOR_REGRESSION}{several}")
    classes = ys[0].shape[1]
    names = raw.class_names or tuple(str(number) for number in range(classes))
    if len(names) != classes:
        raise DataError(f"{raw.train.where}: {classes} label columns, but {len(names)} classes are known")
    return EncodedLabels("classification", "one-hot", classes, names, tuple(y.astype(np.float32) for y in ys))


def _one_each(ys: Sequence[Array]) -> bool:
    """Whether every row has one class, as a number or one-hot."""
    return ys[0].ndim == 1 or all((y.sum(axis=1) == 1).all() for y in ys)


def _multi_label(raw: RawData, ys: Sequence[Array]) -> EncodedLabels:
    for part, y in zip(raw.parts, ys, strict=True):
        wrong = ((y != 0) & (y != 1)).any(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"{part.where}: labels are not all 0 or 1: row {row} is {_shown(y[row])}{_FOR_REGRESSION}")
    labels = ys[0].shape[1]
    names = raw.class_names or tuple(f"label {number}" for number in range(labels))
    if len(names) != labels:
        raise DataError(f"{raw.train.where}: {labels} label columns, but {len(names)} labels are known")
    return EncodedLabels("classification", "multi-label", labels, names, tuple(y.astype(np.float32) for y in ys))


def _classes(raw: RawData, ys: Sequence[Array]) -> EncodedLabels:
    if raw.class_names is not None:
        return _named_classes(raw, ys, raw.class_names)
    found = np.unique(np.concatenate([np.unique(y) for y in ys]))
    rows = sum(len(y) for y in ys)
    if len(found) > _MANY_CLASSES and len(found) * _ROWS_PER_CLASS > rows:
        raise DataError(
            f"{raw.train.where}: {len(found)} different labels in {rows} rows are hardly classes" + _FOR_REGRESSION
        )
    if found.dtype.kind not in "US":
        around = -int(found[0])
        if around > 0 and found.tolist() not in ([-1, 1], list(range(-around, around + 1))):
            raise DataError(
                f"{raw.train.where}: label {found[0]:g} is negative; classes count from 0, or are as many below it as "
                f"above{_FOR_REGRESSION}"
            )
        values = tuple(int(value) for value in found)
        names = tuple(map(str, values))
    else:
        values = ()
        names = tuple(_text(value) for value in found)
    if len(found) < 2:
        raise DataError(f"{raw.train.where}: all rows have the label {names[0]!r}; at least two classes are needed")
    numbers = tuple(np.searchsorted(found, y).astype(np.int32) for y in ys)
    return EncodedLabels("classification", "integer", len(found), names, numbers, values=values)


def _named_classes(raw: RawData, ys: Sequence[Array], names: tuple[str, ...]) -> EncodedLabels:
    if len(names) < 2:
        raise DataError(f"{raw.train.where}: {names[0]!r} is the only class; at least two are needed")
    for part, y in zip(raw.parts, ys, strict=True):
        outside = (y < 0) | (y >= len(names))
        if outside.any():
            raise DataError(
                f"{part.where}: label {y[np.argmax(outside)]:g} is out of range; "
                f"{len(names)} classes are 0 to {len(names) - 1}"
            )
    numbers, values = tuple(y.astype(np.int32) for y in ys), tuple(range(len(names)))
    return EncodedLabels("classification", "integer", len(names), names, numbers, values=values)


def _check_loss(encoded: EncodedLabels, loss: str, where: str) -> None:
    if encoded.labels == "multi-label":
        if loss not in ("auto", "focal", "binary_crossentropy"):
            raise DataError(
                f"{where}: training.loss: {loss} needs one class per row, these have several labels; use auto"
            )
        return
    if loss == "binary_crossentropy" and (encoded.labels != "integer" or encoded.outputs != 2):
        raise DataError(f"{where}: training.loss: {loss} needs labels of two classes, one number per row")
    if loss == "categorical_crossentropy" and encoded.labels != "one-hot":
        raise DataError(f"{where}: training.loss: {loss} needs one-hot labels, these are one per row; use auto")
    if loss == "sparse_categorical_crossentropy" and encoded.labels != "integer":
        raise DataError(f"{where}: training.loss: {loss} needs one label per row, these are one-hot; use auto")


def _check_whole(y: Array, where: str) -> None:
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        row = int(np.argmax(y != np.floor(y)))
        raise DataError(f"{where}: the label {y[row]:g} in row {row} is no whole number{_FOR_REGRESSION}")


def _text(value: np.generic) -> str:
    return printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _shown(row: Array) -> str:
    return f"({some_of([f'{value:g}' for value in row[:11]], 10)})"
