"""Rows of several arrays as rows of one: each row's bytes side by side, and what they mean.

Splits, fingerprints, the memory that workers share and the rows that a run keeps know rows of one array only. Inputs
are packed as bytes, so that every value and type comes back as it was; targets as float32 columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from spaces.basics.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

WHOLE_IN_FLOAT32 = 2**24
"""Up to here float32 holds every whole number."""

TEXTS = "; texts are numbered before, as keras.layers.TextVectorization does"
"""What a message says to whoever gives words for rows."""


@dataclass(frozen=True)
class Piece:
    """One of the arrays.

    Attributes:
        name: Its key in a dict; its place, counted from 0, in a tuple.
        shape: Of one row.
        dtype: NumPy name of its type.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Values of one row."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of one row."""
        return self.size * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Structure:
    """Several arrays with the same rows.

    Attributes:
        pieces: In their order.
        named: Whether they come as a dict; otherwise as a tuple.
    """

    pieces: tuple[Piece, ...]
    named: bool

    def to_json(self) -> dict[str, Any]:
        """Plain data for `json.dumps`."""
        pieces = [{"name": p.name, "shape": list(p.shape), "dtype": p.dtype} for p in self.pieces]
        return {"pieces": pieces, "named": self.named}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The structure that `to_json` described.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        pieces = tuple(
            Piece(str(p["name"]), tuple(int(n) for n in p["shape"]), np.dtype(p["dtype"]).name) for p in plain["pieces"]
        )
        return cls(pieces, bool(plain["named"]))

    def arranged(self, values: Sequence[Any]) -> Any:
        """The values of the pieces, in their order, as a dict or a tuple."""
        return dict(zip((p.name for p in self.pieces), values, strict=True)) if self.named else tuple(values)

    @property
    def names(self) -> tuple[str, ...]:
        """What the inputs of a model, and the arrays of a file, are called: `input_0`, ... where they came without."""
        return tuple(p.name if self.named else f"input_{p.name}" for p in self.pieces)

    def ordered(self, values: Any) -> list[Any]:
        """What `arranged` arranged; also a list, or one value of a single piece."""
        if isinstance(values, Mapping):
            return [values[p.name] for p in self.pieces]
        return list(values) if isinstance(values, tuple | list) else [values]

    def described(self) -> str:
        """`image (28, 28) uint8, age (1) float32`."""
        return ", ".join(f"{p.name} ({', '.join(map(str, p.shape))}) {p.dtype}" for p in self.pieces)


def is_structure(value: Any, rows: int | None = None) -> bool:
    """Whether a value is several arrays: a dict of them, or a tuple or list of arrays with so many rows each."""
    if isinstance(value, Mapping):
        return bool(value) and all(_is_array(part) for part in value.values())
    if not isinstance(value, tuple | list) or not value or not all(map(_is_array, value)):
        return False
    # A list of rows is as long as the labels are, and no array of it.
    return rows is None or (len(value) != rows and all(part.shape[0] == rows for part in value))


def rows_of(x: Any, y: Any) -> int | None:
    """How many rows `x` has, whatever forms it and its labels are in; None where it is no array and holds none."""
    # A sparse matrix has a shape and no length.
    if hasattr(x, "shape"):
        return int(x.shape[0]) if len(x.shape) else None
    parts = list(x.values() if isinstance(x, Mapping) else x if isinstance(x, tuple | list) else ())
    if not parts or not all(map(_is_array, parts)):
        return len(x) if isinstance(x, tuple | list) else None
    # A list of arrays is several inputs, or the rows themselves.
    labels = list(y.values()) if isinstance(y, Mapping) else y
    counted = labels[0] if isinstance(labels, tuple | list) and labels and _is_array(labels[0]) else labels
    several = isinstance(x, Mapping) or (hasattr(counted, "__len__") and parts[0].shape[0] == len(counted))
    return int(parts[0].shape[0]) if several else len(x)


def unmasked(value: Any, where: str, first: int = 0) -> Array:
    """The array of a value; what is masked in it is NaN.

    Args:
        value: An array, or what is like one.
        where: Where it comes from, for errors.
        first: Number of its first row, for errors.

    Raises:
        DataError: whole numbers are masked, which know no NaN.
    """
    if not isinstance(value, np.ma.MaskedArray):
        return np.asarray(value)
    if not np.ma.getmaskarray(value).any():
        return np.asarray(value.data)
    if value.dtype.kind != "f":
        row = first + int(np.argwhere(np.ma.getmaskarray(value))[0, 0])
        raise DataError(f"{where}: what is masked (row {row}) has no value; fill it, or leave its rows out")
    return np.asarray(value.filled(np.nan))


def _is_array(value: Any) -> bool:
    # A DataFrame has a type for each column.
    typed = hasattr(value, "dtype") or hasattr(value, "dtypes")
    return hasattr(value, "shape") and typed and len(value.shape) > 0


class PackedRows:
    """Rows of bytes, uint8 of shape (n, bytes), packed when they are read: indexed with slices, as an array is.

    Args:
        value: A dict, tuple or list of arrays, which need not be in memory.
        where: Where they come from, for errors.
        like: Other rows of the kind, whose order a dict with the same keys takes.

    Attributes:
        structure: What the bytes mean.
        arrays: Those that are packed, in their order.

    Raises:
        DataError: An array holds no numbers, or their rows differ in number.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, value: Any, where: str, like: Structure | None = None) -> None:
        named, arrays = _arrays(value, where, like)
        self._labels = [f"{where}: input {name!r}" for name, _ in arrays]
        kept = [_kept_type(array.dtype, label) for (_, array), label in zip(arrays, self._labels, strict=True)]
        pieces = (
            Piece(name, tuple(array.shape[1:]), dtype.name) for (name, array), dtype in zip(arrays, kept, strict=True)
        )
        self.structure = Structure(tuple(pieces), named)
        self.arrays = tuple(array for _, array in arrays)
        self.shape = (int(self.arrays[0].shape[0]), sum(piece.bytes for piece in self.structure.pieces))

    def __len__(self) -> int:
        """Number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        """Reads and packs rows that follow each other.

        Raises:
            DataError: Some of them hold NaN, infinity, or numbers that their type does not hold.
        """
        first = rows.indices(len(self))[0]
        read = (_checked(array[rows], label, first) for array, label in zip(self.arrays, self._labels, strict=True))
        return np.concatenate(
            [np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8) for array in read], axis=1
        )


def pack_inputs(value: Any, where: str, like: Structure | None = None) -> tuple[Array, Structure]:
    """All rows of `PackedRows`, and what they mean; arguments and errors are those of it."""
    packed = PackedRows(value, where, like)
    return packed[:], packed.structure


def pack_targets(value: Any, where: str, like: Structure | None = None) -> tuple[Array, Structure]:
    """Targets as float32 of shape (n, values), and what they mean. Arguments and errors as for `pack_inputs`."""
    named, arrays = _arrays(value, where, like)
    columns, pieces = [], []
    for name, array in arrays:
        label = f"{where}: target {name!r}"
        found = _checked(array[:], label)
        if found.dtype.kind in "iu" and abs(found.astype(np.int64)).max() > WHOLE_IN_FLOAT32:
            raise DataError(f"{label} has whole numbers above {WHOLE_IN_FLOAT32}")
        pieces.append(Piece(name, found.shape[1:], found.dtype.name))
        columns.append(found.reshape(len(found), -1).astype(np.float32))
    return np.concatenate(columns, axis=1), Structure(tuple(pieces), named)


def unpack_inputs(rows: Array, structure: Structure) -> Any:
    """The arrays that `pack_inputs` packed, arranged as they came."""
    values, start = [], 0
    for piece in structure.pieces:
        part = np.ascontiguousarray(rows[:, start : start + piece.bytes])
        values.append(part.view(piece.dtype).reshape(len(rows), *piece.shape))
        start += piece.bytes
    return structure.arranged(values)


def flat(answers: Any) -> Array:
    """What a model answered, one array or several, as one of shape (n, values)."""
    return np.concatenate([np.asarray(part).reshape(len(part), -1) for part in side_by_side(answers)], axis=1)


def side_by_side(answers: Any) -> list[Any]:
    """The answers of a model in the order in which they are laid side by side: those of a dict by their names."""
    if isinstance(answers, Mapping):
        return [answers[name] for name in sorted(answers)]
    return list(answers) if isinstance(answers, tuple | list) else [answers]


def single(answers: Any) -> Any:
    """The answer of a model of one output, which may come in a dict or list of one; those of several as they are."""
    parts = side_by_side(answers)
    return parts[0] if len(parts) == 1 else answers


def _arrays(value: Any, where: str, like: Structure | None) -> tuple[bool, list[tuple[str, Array]]]:
    named = isinstance(value, Mapping)
    if named and like is not None and {*map(str, value)} == {piece.name for piece in like.pieces}:
        by_name = {str(name): part for name, part in value.items()}
        value = {piece.name: by_name[piece.name] for piece in like.pieces}
    items = value.items() if named else enumerate(value)
    arrays = [(str(name), part if _is_sliced(part) else np.asarray(part)) for name, part in items]
    counts = {name: array.shape[0] for name, array in arrays}
    if len(set(counts.values())) > 1:
        raise DataError(f"{where}: rows differ in number: {', '.join(f'{name} {n}' for name, n in counts.items())}")
    return named, arrays


def _is_sliced(part: Any) -> bool:
    """Whether slices of it are rows, and its type is one of NumPy's: it need not be read as a whole."""
    return isinstance(getattr(part, "dtype", None), np.dtype) and not hasattr(part, "iloc")


def no_numbers(dtype: np.dtype[Any]) -> str:
    """What rows of a type that is none of numbers hold, and what is expected."""
    what = "Python objects" if dtype.hasobject else f"values of type {dtype}"
    return f"{what}; numbers are expected{TEXTS * (dtype.kind in 'SUO')}"


def _kept_type(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    if dtype.kind not in "biuf":
        raise DataError(f"{where} holds {no_numbers(dtype)}")
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f":
        return np.dtype(np.float32)
    return dtype.newbyteorder("=") if np.can_cast(dtype, np.int32) else np.dtype(np.int32)


def _checked(value: Any, where: str, first: int = 0) -> Array:
    """The array of a value, in the type in which it is kept; `first` is the number of its first row, for errors."""
    if not hasattr(value, "__array__"):
        raise DataError(f"{where} gives a {type(value).__name__} for rows, an array is expected")
    array = unmasked(value, where, first)
    dtype = _kept_type(array.dtype, where)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            found = array.astype(dtype, copy=False)
        if not np.isfinite(found).all():
            row = first + int(np.argwhere(~np.isfinite(found))[0, 0])
            raise DataError(f"{where}: row {row} holds NaN, infinity, or a number too large for float32")
        return found
    if array.size and not np.can_cast(array.dtype, dtype):
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise DataError(f"{where} has whole numbers that {dtype.name} does not hold")
    return array.astype(dtype, copy=False)
