"""What loaded data looks like: arrays in their raw type, and a description to build a model from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from spaces.basics.figures import memory
from spaces.data.stored.rows import StoredRows
from spaces.data.tables.columns import Written
from spaces.data.tables.encoding import ColumnEncoding, earlier
from spaces.values.packing import Structure

Array = np.ndarray[Any, np.dtype[Any]]
AnyRows = Array | StoredRows
"""Rows in memory, or on the disk."""

Kind = Literal["image", "series", "tabular"]
Task = Literal["classification", "regression"]
Labels = Literal["integer", "one-hot", "multi-label", "number"]

_CALIBRATION, _MEASURED = 100, 2000


@dataclass(frozen=True)
class TargetScale:
    """The scale that the targets of a regression are learnt on; what the model answers is in their own unit.

    Attributes:
        scale: "standard": the target; "log": its natural logarithm.
        mean: of each target on that scale, from training rows only.
        std: as `mean`; never 0.
    """

    scale: Literal["standard", "log"]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class DataInfo:
    """Everything a model and `predict` must know about the rows, without the rows.

    Preprocessing is part of the model: it resizes to `image_size`, multiplies by `scale`, and subtracts
    `mean` and divides by `std`, which broadcast against a row from its last axis. What is None is left out.

    Attributes:
        kind: "image" for rows of three axes, "image" or "series" for rows of two, "tabular" for rows of one axis.
        input_shape: shape of one raw row, without the batch axis: (height, width), (height, width, channels),
            (steps, features) or (columns,).
        dtype: NumPy name of the raw rows' type, such as "uint8".
        task: "classification" or "regression".
        labels: "integer" (0 to outputs - 1), "one-hot", "multi-label" for rows that may have several labels or none, or
            "number" for regression.
        outputs: number of classes or labels, or of target columns in regression.
        class_names: one name per class in label order, or one per label; () in regression.
        scale: factor that brings raw values to 0..1, such as 1/255; None: values stay as they are.
        mean: one value per column, channel or feature, from training rows only; None: no standardization.
        std: as `mean`; never 0 (a constant column has 1).
        image_size: (height, width) the model works at; None: that of `input_shape`.
        resized: whether image files were brought to `input_shape` when they were loaded.
        antialias: whether an image that becomes smaller is averaged over its pixels, where it is resized.
        white: value of a white pixel in the raw rows (255, 16, 1), so that an image file can be brought to
            the same range; None for tabular rows and for images of no known range.
        columns: names of the input columns of a table, before they are encoded; () otherwise.
        categories: for each category column of `columns` its sorted values, each one an input column of 0 or 1.
        table: how the cells of `columns` become the values of a row; () for data and runs without one.
        target: the scale that a regression is learnt on; None: that of the labels.
        inputs: what the bytes of a row are, where a model takes several inputs; None: a row is one array.
        targets: what the columns of the labels are, where a model has several outputs; None: it has one.
        written: how the text file was written that the columns came from; None: they did not, or nobody noted it.
        weighted: whether each row has a weight, which losses and measures count it with.
        column_labels: whether the labels came as one column, shape (n, 1); everywhere else they are (n,). A user's
            model that was compiled by its function gets them as they came.
        label_dtype: type of integer labels as they came, such as "int64", "float32" or "bool"; None: they are int32.
        label_values: the number that the labels of each class came as, such as (3, 4, 8), ascending; () for labels of
            other kinds, and in runs of earlier versions, whose models got the numbers from 0.
        frame_columns: names of the columns of a DataFrame of numbers that a user's model takes as an array; () for
            other rows, and in runs of earlier versions.
    """

    kind: Kind
    input_shape: tuple[int, ...]
    dtype: str
    task: Task
    labels: Labels
    outputs: int
    class_names: tuple[str, ...] = ()
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None
    resized: bool = False
    antialias: bool = False
    white: float | None = None
    columns: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    column_labels: bool = False
    label_dtype: str | None = None
    label_values: tuple[int, ...] = ()
    table: tuple[ColumnEncoding, ...] = ()
    target: TargetScale | None = None
    inputs: Structure | None = None
    targets: Structure | None = None
    weighted: bool = False
    written: Written | None = None
    frame_columns: tuple[str, ...] = ()

    @property
    def smooth(self) -> bool:
        """Whether an image file that becomes smaller is averaged over its pixels: as those of the training rows were,
        or because these came from no files."""
        return self.antialias or not self.resized

    @property
    def channels(self) -> int:
        """Channels of an image; a grey one need not have an axis for it."""
        return self.input_shape[2] if len(self.input_shape) == 3 else 1

    @property
    def encodings(self) -> tuple[ColumnEncoding, ...]:
        """How the cells of a table become a row; () where rows do not come from a table with names."""
        return self.table or earlier(self.columns, self.categories)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dumps`; `from_json` gives an equal object back."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["target"] = self.target and _listed(dataclasses.asdict(self.target))
        plain["written"] = self.written and dataclasses.asdict(self.written)
        plain["inputs"], plain["targets"] = (part and part.to_json() for part in (self.inputs, self.targets))
        plain["table"] = [encoding.to_json() for encoding in self.table]
        plain["categories"] = {column: list(values) for column, values in self.categories.items()}
        return _listed(plain)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The object that `to_json` described.

        Raises:
            TypeError, KeyError, ValueError: a field is missing, unknown, or impossible.
        """
        values = _tuples(plain)
        categories = plain.get("categories", {})
        values["categories"] = {column: tuple(names) for column, names in categories.items()}
        target = plain.get("target")
        values["target"] = None if target is None else TargetScale(**_tuples(target))
        values["written"] = Written(**plain["written"]) if plain.get("written") else None
        for name in ("inputs", "targets"):
            values[name] = Structure.from_json(plain[name]) if plain.get(name) else None
        values["table"] = tuple(map(ColumnEncoding.from_json, plain.get("table", ())))
        return cls(**values)


def _listed(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def _tuples(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}


@dataclass(frozen=True)
class Split:
    """Rows with their labels.

    Attributes:
        x: raw rows, shape (n, *input_shape), in memory or on the disk.
        y: int32 (n,) for integer labels, float32 (n, classes) for one-hot labels and for several labels, float32
            (n,) or (n, targets) for regression.
        weight: float32 (n,), how much each row counts, 0 or more; None: all alike.
    """

    x: AnyRows
    y: Array
    weight: Array | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.x)

    def some(self, rows: slice | Array) -> Split:
        """Some of the rows; those on the disk are not read."""
        x = self.x.taken(rows) if isinstance(self.x, StoredRows) else self.x[rows]
        return Split(x, self.y[rows], None if self.weight is None else self.weight[rows])

    def first(self, count: int) -> Split:
        """At most so many of the first rows, in memory."""
        return Split(self.x[:count], self.y[:count], None if self.weight is None else self.weight[:count])

    def joined(self, other: Split) -> Split:
        """These rows and then those of another part."""
        y, weight = np.concatenate([self.y, other.y]), None
        if self.weight is not None and other.weight is not None:
            weight = np.concatenate([self.weight, other.weight])
        if isinstance(self.x, StoredRows) and isinstance(other.x, StoredRows):
            return Split(self.x.joined(other.x), y, weight)
        return Split(np.concatenate([self.x[:], other.x[:]]), y, weight)


@dataclass(frozen=True)
class Streamed:
    """Rows that stay on the disk and are read as they are used.

    Attributes:
        bytes: that they would take in memory.
        written: bytes of files that were made of the data, because rows cannot be read from the files as they came.
        place: the folder of these files.
    """

    bytes: int
    written: int
    place: str

    @property
    def told(self) -> str:
        """What it means, in one sentence."""
        made = f"; {memory(self.written)} of files for it in {self.place}" if self.written else ""
        return f"{memory(self.bytes)} of rows stay on the disk and are read as they are used{made}"


@dataclass(frozen=True)
class Sample:
    """A few rows for formats that round the weights of a model.

    Attributes:
        calibration: up to 100 raw training rows, by which it is found out how to round.
        measured: up to 2,000 rows of the test part, or the validation part where there is none, on which it is measured
            what that costs; none of weight 0.
        part: which of the two.
    """

    calibration: Array
    measured: Split
    part: str


@dataclass(frozen=True)
class Dataset:
    """A loaded data set, split and checked.

    Attributes:
        name: short name: that of the source, or of its file without ending.
        info: description of the rows.
        train: rows to train on.
        validation: rows that choose between configurations.
        test: rows for the final evaluation only; None with `test: none`.
        fingerprint: SHA-256 (hexadecimal) of all parts; equal data and splits have equal fingerprints.
        origin: where the rows came from, for people.
        folds: of a cross-validation the number of the part that each row belongs to, first those of `train`, then those
            of `validation`, which is part 0; None: there is none.
        understood: what they were taken for, in plain data, as `check` and the model card show it.
        streamed: of rows that are not in memory; None: they are.
        changing: the source may give other rows, or these in another order, when it is read again.
    """

    name: str
    info: DataInfo
    train: Split
    validation: Split
    test: Split | None
    fingerprint: str
    origin: str
    understood: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    folds: Array | None = None
    streamed: Streamed | None = None
    changing: bool = False

    def sample(self) -> Sample:
        """The rows that formats need which round the weights."""
        rows, part = (self.validation, "validation") if self.test is None else (self.test, "test")
        order = np.random.default_rng(0).permutation(len(rows))
        # Where only rows of weight 0 were drawn, nothing would be measured.
        counting = order if rows.weight is None else order[rows.weight[order] > 0]
        measured = np.sort(counting[:_MEASURED])
        weight = None if rows.weight is None else rows.weight[measured]
        calibration = np.random.default_rng(1).permutation(len(self.train))[:_CALIBRATION]
        return Sample(self.train.x[calibration], Split(rows.x[measured], rows.y[measured], weight), part)

    def fold(self, number: int) -> tuple[Split, Split]:
        """The rows that train and those that validate in one fold of a cross-validation, counted from 0."""
        assert self.folds is not None
        together = self.train.joined(self.validation)
        return together.some(np.flatnonzero(self.folds != number)), together.some(np.flatnonzero(self.folds == number))

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of each part; 0 where there is no test part."""
        return {
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test) if self.test is not None else 0,
        }
