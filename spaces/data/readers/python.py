"""Data from a function of the user's: the one source that runs their code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.basics.errors import CodeError, DataError
from spaces.basics.printable import printable
from spaces.data import parts
from spaces.data.parts import WORDS, PartName
from spaces.data.readers import datasets
from spaces.data.readers.memory import rows_size
from spaces.data.readers.objects import (
    as_array,
    as_labels,
    column_names,
    is_frame,
    readable,
    type_and_length,
    without_frames,
)
from spaces.data.readers.source import Part, RawData, ReadsFrames
from spaces.data.stored import mapped
from spaces.data.stored.store import RowStore
from spaces.data.types import AnyRows, Array
from spaces.outside.given import spoken
from spaces.outside.references import call, load_function
from spaces.values.packing import PackedRows, Structure, is_structure, pack_targets, rows_of


def load_python(
    reference: str, store: RowStore | None = None, frames: ReadsFrames | None = None, *, begun: bool = False
) -> RawData:
    """The arrays or frames that a function returns.

    Args:
        reference: "module:function" or "/path/file.py:function". The function takes no arguments and returns
            (x, y), ((x_train, y_train), (x_test, y_test)), three such pairs with validation in the middle, or a
            dict, or what `numpy.load` gives of an npz file, with names such as x_train, y_val; everything NumPy arrays,
            memory-mapped ones among them, DataFrames or nested lists of numbers. Or a DataFrame whose last column is
            the target. Or a `tf.data.Dataset` of (row, label) or (row, label, weight), batched or not; two, which train
            and validate; three with one for the test; or a dict of them. A Keras `PyDataset` likewise. For a model of
            several inputs x is a dict, list or tuple of arrays, for one of several outputs y.
        store: decides which rows stay on the disk: those of a memory-mapped array where they are.
        frames: reads DataFrames as tables; None: as arrays, of numbers only.
        begun: whether a run goes on with these rows.

    Raises:
        DataError: the function cannot be imported or called, or returns something else.
    """
    store = store or RowStore()
    read = datasets.kept(reference, store, begun=begun)
    if read is None:
        try:
            returned = call(reference, load_function(reference), what="raised ")
        except CodeError as error:
            raise DataError(str(error)) from error
        sets = datasets.datasets(returned, spoken(reference))
        if sets is None:
            return read_returned(returned, reference, store, frames)
        read = datasets.keep(sets, reference, store)
    return _data(reference, read.parts, read.inputs, read.targets, changing=True)


def read_returned(returned: Any, reference: str, store: RowStore, frames: ReadsFrames | None) -> RawData:
    """The arrays or frames in what a function has returned; arguments and errors are those of `load_python`."""
    where = spoken(reference)
    found: Mapping[PartName, tuple[Any, Any]]
    with readable(where):
        found = {"train": (returned, None)} if is_frame(returned) else _parts(returned, where)
    if (table := _table(found, where, frames)) is not None:
        return replace(table, name=_short(where), origin=_origin(reference))
    if frames is not None:
        frames.refuse(where)
    if is_frame(returned):
        found = {"train": (returned.iloc[:, :-1], returned.iloc[:, -1])}
    columns = _frame_columns({name: x for name, (x, _) in found.items()}, where)
    with readable(where):
        return replace(_data(reference, *_arrays(found, where, store)), frame_columns=columns)


def _frame_columns(rows: Mapping[PartName, Any], where: str) -> tuple[str, ...]:
    """The names of the columns of rows by part that are a DataFrame; () where they are none, or a name stands twice."""
    if not is_frame(rows["train"]):
        return ()
    known = set(rows["train"].columns)

    def is_named(frame: Any) -> bool:
        # Whoever makes a frame of an array need not give it names: pandas then counts its columns from 0.
        counted = list(frame.columns) == list(range(frame.shape[1]))
        return not known.isdisjoint(frame.columns) and (not counted or known == set(frame.columns))

    others = {name: x for name, x in rows.items() if is_frame(x) and is_named(x)}
    names = column_names({**others, "train": rows["train"]}, where)
    return names if len(set(names)) == len(names) else ()


def _arrays(
    found: Mapping[PartName, tuple[Any, Any]], where: str, store: RowStore
) -> tuple[dict[PartName, datasets.PartOfSet], Structure | None, Structure | None]:
    """The parts, and what their rows and labels are of a model of several inputs or outputs."""
    read: dict[PartName, tuple[Any, Array]] = {}
    structures: set[tuple[Structure | None, Structure | None]] = set()
    inputs: Structure | None = None
    targets: Structure | None = None
    for name, pair in found.items():
        x, y = (without_frames(half, role, where) for role, half in zip("xy", pair, strict=True))
        if is_structure(y, rows_of(x, y)):
            labels, targets = pack_targets(y, where, targets)
        else:
            labels, targets = as_labels(y, where), None
        rows, inputs = _rows(x, len(labels), where, inputs)
        read[name] = rows, labels
        structures.add((inputs, targets))
    if len(structures) > 1:
        described = " | ".join(sorted(str(one and one.described()) for pair in structures for one in pair))
        raise DataError(f"{where}: the parts hold different arrays: {described}")
    lazy = [rows for rows, _ in read.values() if mapped.is_lazy(rows)]
    streams = bool(lazy) and store.streams(sum(rows_size(rows.shape, rows.dtype) for rows in lazy), where)

    def kept(rows: Any) -> AnyRows:
        if not mapped.is_lazy(rows):
            return rows  # type: ignore[no-any-return]
        if streams:
            return mapped.stored(rows, store, where)
        return rows[:] if isinstance(rows, PackedRows) else as_array(rows, "x", where)

    made: dict[PartName, datasets.PartOfSet] = {
        name: (kept(rows), labels, None) for name, (rows, labels) in read.items()
    }
    return made, *structures.pop()


def _rows(x: Any, count: int, where: str, like: Structure | None) -> tuple[Any, Structure | None]:
    """Rows, and what they are if they are several arrays; those that are not in memory are not read yet."""
    if is_structure(x, count):
        packed = PackedRows(x, where, like)
        return packed if any(map(mapped.is_lazy, packed.arrays)) else packed[:], packed.structure
    return x if mapped.is_lazy(x) else as_array(x, "x", where), None


def _data(
    reference: str,
    found: Mapping[PartName, datasets.PartOfSet],
    inputs: Structure | None = None,
    targets: Structure | None = None,
    *,
    changing: bool = False,
) -> RawData:
    where = spoken(reference)
    parts = {name: Part(x, y, f"{where} ({WORDS[name]} part)", weights) for name, (x, y, weights) in found.items()}
    return RawData(
        _short(where),
        _origin(reference),
        parts["train"],
        parts.get("validation"),
        parts.get("test"),
        inputs=inputs,
        targets=targets,
        changing=changing,
    )


def _table(found: Mapping[PartName, tuple[Any, Any]], where: str, frames: ReadsFrames | None) -> RawData | None:
    """The data set in DataFrames, if these are some and are read as tables."""
    if frames is None or not all(is_frame(x) and not is_structure(y) for x, y in found.values()):
        return None
    return frames.read(found, where) if frames.takes([x for x, _ in found.values()]) else None


def _short(where: str) -> str:
    return where.rpartition(":")[2]


def _origin(reference: str) -> str:
    where = spoken(reference)
    return where if where == reference else f"{where} given from Python"


def _parts(returned: Any, reference: str) -> dict[PartName, tuple[Any, Any]]:
    """Rows and labels by part.

    Tuples of two each are parts; another tuple of arrays is the inputs or the targets of a model of several.
    """
    if isinstance(returned, Mapping) and all(isinstance(key, str) for key in returned):
        found, others = parts.arrays(returned, reference)
        if others:
            raise DataError(f"{reference}: {', '.join(map(printable, others))}: no rows or labels by these names")
        return {part: (returned[pair["x"]], returned[pair["y"]]) for part, pair in found.items()}
    if isinstance(returned, tuple) and len(returned) in (2, 3):
        if all(isinstance(part, tuple) and len(part) == 2 for part in returned):
            names: tuple[PartName, ...] = ("train", "test") if len(returned) == 2 else ("train", "validation", "test")
            return dict(zip(names, returned, strict=True))
        if len(returned) == 2 and all(not isinstance(part, tuple) or is_structure(part) for part in returned):
            return {"train": (returned[0], returned[1])}
    raise DataError(
        f"{reference}: must return (x, y), ((x_train, y_train), (x_test, y_test)), three such pairs with validation in "
        "the middle, a dict of arrays named like x_train, a DataFrame, a tf.data.Dataset or a keras PyDataset, "
        f"returned {type_and_length(returned)}"
    )
