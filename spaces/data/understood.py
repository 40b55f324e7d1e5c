"""What loaded data were understood as, in plain data: for `check`, the store of a run, and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spaces.basics.figures import amount
from spaces.basics.printable import some_of
from spaces.data.parts import PartName
from spaces.data.tables import dates
from spaces.data.tables.columns import Column, Table
from spaces.data.tables.encoding import ColumnEncoding
from spaces.data.types import Array, DataInfo, Split

_MOST_CLASSES = 20
_SHOWN = 5


def understood(
    info: DataInfo, table: Table | None, train: Split, validation: Split, test: Split | None
) -> dict[str, Any]:
    """The facts, as JSON takes them.

    Args:
        info: description of the rows.
        table: what the columns of a table are; None for other data.
        train: training rows, encoded.
        validation: rows that choose.
        test: rows for the final evaluation.

    Returns:
        `columns`: of a table, each with `name`, `role` (input, target, weight or dropped), `kind`, `missing` (cells),
        `how` it reaches the model, and `notes`; `notes` on the whole; `guess`: `what` a model that knows no inputs
        would answer, for numbers the `values` themselves, one for each target, and its `scores` by part and metric;
        `targets`: of a regression that is no table, the spread of each.
    """
    columns = 1 if train.y.ndim == 1 else train.y.shape[1]
    numbers = table is None and info.task == "regression" and info.targets is None
    return {
        "targets": [_target(info, train, index, ()) for index in range(columns)] if numbers else [],
        "columns": [] if table is None else _columns(info, table, train),
        "notes": _weights(train) if table is None else list(table.notes),
        "guess": _guess(info, train, {"validation": validation, "test": test}),
    }


def preparation(info: DataInfo, *, own_pixels: bool) -> list[str]:
    """In words, what is done to an input before the first trained layer, and where: one sentence each.

    Args:
        info: description of the rows.
        own_pixels: whether the family of the models brings pixels to a scale of its own.
    """
    shape = "×".join(map(str, info.input_shape))
    if info.inputs is not None:
        return [f"Inputs: {info.inputs.described()}; raw rows of each, which the model itself prepares."]
    told = f"Input: raw rows of shape {shape} ({info.dtype}); the model itself prepares them."
    if info.encodings:
        told = f"Input: rows of shape {shape} ({info.dtype}), made of the columns of a table."
    elif info.kind == "series":
        steps, features = info.input_shape
        told = f"Input: time series of {steps} steps with {features} features ({info.dtype}); the model prepares them."
    notes = [told]
    if own_pixels:
        notes.append("Pixels are brought to what the pretrained network was trained on.")
    elif info.scale is not None:
        notes.append(f"Values are multiplied by {info.scale:.6g}.")
    if info.mean is not None:
        own = {"series": "feature", "tabular": "column"}.get(info.kind, "channel" if len(info.mean) > 1 else "")
        which = f", each {own} with its own" if own else ""
        notes.append(f"Values are standardized with the mean and standard deviation of the training rows{which}.")
    if info.target is not None:
        scaled = "the logarithm of a target, standardized," if info.target.scale == "log" else "a standardized target,"
        notes.append(f"The model is trained on {scaled} and answers in the target's own unit.")
    if info.image_size is not None and tuple(info.image_size) != tuple(info.input_shape[:2]):
        size = f"{info.image_size[0]}×{info.image_size[1]}"
        notes.append(f"Images are resized to {size} inside the model{_resizing(info.antialias)}.")
    if info.kind == "image":
        size = f"{info.input_shape[0]}×{info.input_shape[1]}"
        how = _resizing(info.smooth)
        whole = ", and to whole numbers" if info.dtype == "uint8" else ""
        notes.append(f"Image files are brought to {size} pixels before the model{how}{whole}.")
        if info.white is not None:
            notes.append(f"Black is 0 and white is {info.white:g} in a raw row; colours are never inverted.")
    return notes


def _resizing(antialias: bool) -> str:
    how = "with antialiasing (tf.image.resize, antialias=True)" if antialias else "without antialiasing"
    return f", by bilinear interpolation {how}"


def taken_for(info: DataInfo, last: Sequence[PartName]) -> list[str]:
    """What rows of two axes were taken for, and how to say otherwise: one sentence each.

    Args:
        info: description of the rows.
        last: the parts that hold the last rows, as these follow each other; the very last one first.
    """
    first, second = info.input_shape
    scaled = ""
    if info.scale is not None:
        scaled = f", values multiplied by {info.scale:.6g}"
    elif info.mean is not None:
        which = "each feature by itself" if info.kind == "series" else "all pixels alike"
        scaled = f", brought to mean 0 and deviation 1, {which}"
    if info.kind == "image":
        return [f"taken for grey images of {first}x{second} pixels{scaled}; data.kind: series says otherwise"]
    told = [f"taken for time series of {first} steps with {second} features{scaled}; data.kind: image says otherwise"]
    if last:
        verbs = {"test": "test", "validation": "validate"}
        which = ", those before them ".join(verbs[part] for part in last)
        told.append(f"divided in their order: the last rows {which}; data.split: random draws them")
    return told


def _columns(info: DataInfo, table: Table, train: Split) -> list[dict[str, Any]]:
    scaled = info.mean is not None
    found = [
        _column(one.name, "input", one.kind, one.missing, _how(one, encoding, scaled), _notes(one, encoding))
        for one, encoding in zip(table.columns, info.table, strict=True)
    ]
    several = info.labels == "multi-label"
    kind = "labels" if several else "class" if info.class_names else "number"
    found += [
        _column(name, "target", kind, 0, _target(info, train, index, table.targets), ())
        for index, name in enumerate(table.targets)
    ]
    if table.weight is not None:
        found.append(_column(table.weight, "weight", "number", 0, _weight(train), ()))
    return found + [_column(name, "dropped", "", 0, why, ()) for name, why in table.dropped.items()]


def _notes(column: Column, encoding: ColumnEncoding) -> tuple[str, ...]:
    if encoding.kind != "text" or encoding.values:
        return column.notes
    note = "its texts have no words in common, so that none is an input; `category` takes each as a value of its own"
    return (*column.notes, note)


def _column(name: str, role: str, kind: str, missing: int, how: str, notes: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "role": role, "kind": kind, "missing": missing, "how": how, "notes": list(notes)}


def _how(column: Column, encoding: ColumnEncoding, scaled: bool) -> str:
    kind, count = encoding.kind, len(encoding.values)
    median = dates.written(dates.moments(np.array([encoding.fill]))[0]) if kind == "date" else amount(encoding.fill)
    absent = f"missing: the median {median}" + (", and marked" if encoding.missing else "")
    if kind == "category":
        parts = [
            f"{count} of {len(column.values)} values" if encoding.other else f"{count} values",
            some_of(encoding.values, _SHOWN),
        ]
        parts.append("rare and unknown ones together" if encoding.other else "unknown ones: none of them")
        return "; ".join([*parts, *(["missing: a value of its own"] if encoding.missing else [])])
    if kind == "text":
        return f"{count} words, each 1 where it occurs; {some_of(encoding.values, _SHOWN)}" if count else "no words"
    if kind == "date":
        parts = [", ".join(name.rpartition(": ")[2] for name in encoding.inputs[: 5 + encoding.times]), absent]
    else:
        words = [f"{encoding.values[0]} 0, {encoding.values[1]} 1"] if kind == "boolean" and encoding.values else []
        parts = [*words, *(["standardized"] if scaled else []), absent]
    return "; ".join(parts)


def _weights(train: Split) -> list[str]:
    """That rows have weights, which no column holds."""
    return [] if train.weight is None else [f"rows have weights: {_weight(train)}"]


def _weight(train: Split) -> str:
    assert train.weight is not None
    lightest, heaviest = float(train.weight.min()), float(train.weight.max())
    return f"how much each row counts in losses and measures, {amount(lightest)} to {amount(heaviest)}"


def _counts(y: Array, classes: int) -> list[int]:
    found = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=classes)
    return [int(count) for count in found]


def _target(info: DataInfo, train: Split, index: int, table_targets: Sequence[str]) -> str:
    if info.labels == "multi-label" and len(table_targets) > 1:
        return f"a label, in {int(train.y[:, index].sum())} of {len(train)} training rows"
    if info.class_names:
        counts = _counts(train.y, len(info.class_names))
        named = [f"{name} {count}" for name, count in zip(info.class_names, counts, strict=True)]
        what = "labels" if info.labels == "multi-label" else "classes"
        return f"{len(counts)} {what}: {some_of(named, _MOST_CLASSES)}"
    y = train.y.reshape(len(train), -1)[:, index].astype(np.float64)
    scale = "as it is" if info.target is None else f"on a {info.target.scale} scale"
    low, high, mean, deviation = map(amount, (y.min(), y.max(), y.mean(), y.std()))
    return f"{low} to {high}, mean {mean}, standard deviation {deviation}; learnt {scale}"


def _guess(info: DataInfo, train: Split, parts: Mapping[str, Split | None]) -> dict[str, Any]:
    given = {name: part for name, part in parts.items() if part is not None and len(part)}
    if info.labels == "multi-label":
        usual = np.average(train.y, axis=0, weights=train.weight) > 0.5
        named = ", ".join(name for name, here in zip(info.class_names, usual, strict=True) if here) or "none"
        scores = {
            part: {"accuracy": float(np.average((split.y == usual).mean(axis=1), weights=split.weight))}
            for part, split in given.items()
        }
        return {"what": f"the labels that most rows have ({named})", "scores": scores}
    if info.task == "classification":
        numbers = _numbers(train.y)
        common = int(np.bincount(numbers, weights=train.weight, minlength=info.outputs).argmax())
        name = info.class_names[common] if info.class_names else str(common)
        scores = {
            part: {"accuracy": float(np.average(_numbers(split.y) == common, weights=split.weight))}
            for part, split in given.items()
        }
        return {"what": f"the commonest class ({name})", "scores": scores}
    if info.targets is not None:
        # What differs from output to output has no score in common.
        return {"what": "the mean", "scores": {}}
    mean = np.average(train.y.astype(np.float64), axis=0, weights=train.weight)
    return {
        "what": "the mean",
        "values": np.atleast_1d(mean).tolist(),
        "scores": {part: _errors(split, mean) for part, split in given.items()},
    }


def _errors(split: Split, answer: Any) -> dict[str, float]:
    """Over all targets together, as the measures of models are: R² is the mean of that of each."""
    y = split.y.astype(np.float64)

    def averaged(values: Array) -> Array:
        return np.asarray(np.average(values, axis=0, weights=split.weight))

    squares, spread = averaged((y - answer) ** 2), averaged((y - averaged(y)) ** 2)
    mse = float(squares.mean())
    found = {"mae": float(averaged(abs(y - answer)).mean()), "mse": mse, "rmse": mse**0.5}
    return {**found, "r2": float((1 - squares / spread).mean())} if (spread > 0).all() else found


def _numbers(y: Array) -> Array:
    return np.asarray(y.argmax(axis=1) if y.ndim == 2 else y)
