"""A table file as a data set: which column is the target, and what the others are."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import check_file
from spaces.basics.printable import printable, some_of
from spaces.data.readers.source import Part, RawData
from spaces.data.stored.rows import StoredRows
from spaces.data.stored.store import RowStore
from spaces.data.tables import dates, numbers
from spaces.data.tables.cells import Cells, apart, cells_bytes, read_cells
from spaces.data.tables.columns import KINDS, Array, Column, Kind, Table, Written
from spaces.data.tables.encoding import ColumnEncoding
from spaces.data.tables.kinds import Reader, as_words, factorized, guessed_sign, is_no_category
from spaces.data.tables.parquet import ParquetFrame, is_parquet
from spaces.data.tables.rows import read_known
from spaces.data.types import Task

_OTHER_SEPARATOR = (
    "; where something else than a comma, semicolon, tab or bar stands between cells, such as a space, "
    "`separator: ' '` beside the file says so"
)
_WHOLE = re.compile(r"[+-]?\d{1,15}")


@dataclass(frozen=True)
class TableOptions:
    """What the space file says about a table.

    Attributes:
        target: the column to predict; None: that of `columns`, or else the last one.
        columns: what columns are: one of `KINDS`, `target`, `weight` or `drop`.
        separator: between the cells of a text file; None: found.
        encoding: of a text file; None: found.
        decimal: sign of decimals; None: found.
        groups: columns whose rows of equal cells belong together; they are no inputs unless `columns` names their kind.
        times: columns of times that divide the rows.
        labels_apart: what stands between the labels of a row in the target column; None: it has one class.
        parquet: whether the file is a Parquet file, whatever its name.
    """

    target: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    encoding: str | None = None
    decimal: numbers.Decimal | None = None
    groups: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    labels_apart: str | None = None
    parquet: bool = False


@dataclass(frozen=True)
class Beside:
    """Labels that stand beside the rows, not in a column of theirs.

    Attributes:
        y: one for each row, in any form that `encode_labels` takes.
        names: what each column of them is called.
    """

    y: Array
    names: tuple[str, ...]


def load_table(
    path: Path,
    options: TableOptions,
    task: Task = "classification",
    known: Sequence[ColumnEncoding] = (),
    store: RowStore | None = None,
    written: Written | None = None,
) -> RawData:
    """The data set in a CSV or Parquet file, its rows not yet encoded.

    Args:
        path: a text table with a header line, or a Parquet file.
        options: what the space file says about it.
        task: whether targets are numbers or classes.
        known: the input columns, where it was found out before what they are.
        store: decides whether the values of a Parquet file stay on the disk, and keeps them; None: they do not.
        written: how the text file was when it was found out what the columns are.

    Raises:
        DataError: the file is missing or no such table, a column is not what it should be, or a row has no target.
    """
    texts = [name for name, kind in options.columns.items() if kind in ("category", "text", "date")]
    check_file(path)
    if store is not None and (options.parquet or is_parquet(path)):
        held = ParquetFrame(path)
        if store.streams(cells_bytes(held), str(path)):
            return understand(apart(held, path), options, task, known, keep=partial(_kept, store, str(path)))
    cells = read_cells(
        path,
        separator=options.separator,
        encoding=options.encoding,
        texts=texts,
        parquet=options.parquet,
        wanted=[*options.columns, *([options.target] if options.target else []), *(one.name for one in known)],
        like=written,
    )
    return understand(cells, options, task, known)


def _kept(store: RowStore, where: str, values: Array) -> StoredRows:
    """The values of a column, on the disk until rows are made of all columns."""
    return store.whole(values, where, passing=True)


def understand(
    cells: Cells,
    options: TableOptions,
    task: Task,
    known: Sequence[ColumnEncoding] = (),
    beside: Beside | None = None,
    keep: Callable[[Array], StoredRows] | None = None,
) -> RawData:
    """The data set in a table's cells, its rows not yet encoded; all of them are the training part.

    Args:
        cells: of the table.
        options: what the space file says about it.
        task: whether targets are numbers or classes.
        known: the input columns, where it was found out before what they are.
        beside: the labels, if no column holds them.
        keep: puts the values of a column away, see `Table.stored`; None: they stay in memory.

    Raises:
        DataError: a column is missing or not what it should be, or a row has no target.
    """
    path, names = cells.path, cells.names
    if len(names) < 2 and beside is None:
        raise DataError(
            f"{path}: has one column only ({names[0]!r}); inputs and a target are needed"
            + (_OTHER_SEPARATOR if cells.dialect is not None else "")
        )
    for name in (*options.columns, *options.groups, *options.times, *([options.target] if options.target else [])):
        if name not in names:
            raise DataError(f"{path}: has no column {name!r}{_suggestion(name, names)}")
    dropped = {name: "as asked" for name, kind in options.columns.items() if kind == "drop"}
    dropped |= {name: "says which rows belong together" for name in options.groups if name not in options.columns}
    named = {*options.columns, *options.groups, *options.times, options.target, *(one.name for one in known)}
    dropped |= {name: "the index of the DataFrame that was written" for name in cells.index if name not in named}
    weight = next((name for name, kind in options.columns.items() if kind == "weight"), None)
    targets = () if beside else targets_of(options, [name for name in names if name not in dropped])
    earlier = any(encoding.sign is None for encoding in known)
    reader = Reader(cells, options.decimal, options.decimal or _otherwise(cells), literal=earlier)
    columns: list[Column] = []
    values: list[Any] = []
    for encoding in known:
        column, read = read_known(cells, encoding, options.decimal)
        columns.append(column)
        values.append(read if keep is None else keep(read))
    for name in names if not known else ():
        if name in dropped or name in targets or name == weight:
            continue
        wanted = next((kind for kind in KINDS if kind == options.columns.get(name)), None)
        column, read = reader.understand(name, wanted, categorical=name in cells.categories)
        if np.isnan(read).all() and not column.values:
            dropped[name] = "no cell gives anything"
            continue
        columns.append(column)
        values.append(read if keep is None else keep(read))
    if not columns:
        raise DataError(f"{path}: no column is left as an input")
    notes = list(cells.notes)
    if beside is not None:
        targets, labels, names_of_labels, origin = beside.names, beside.y, None, str(path)
    else:
        labels, names_of_labels = _labels(reader, targets, task, options.labels_apart, notes, begun=bool(known))
        quoted = ", ".join(repr(name) for name in targets)
        origin = f"{path} (target column{'s' * (len(targets) > 1)} {quoted})"
    stored = () if keep is None else tuple(values)
    table = Table(tuple(columns), targets, dropped, tuple(notes), weight, stored, cells.written)
    rows = np.arange(len(labels))[:, None] if stored else np.stack(values, axis=1)
    part = Part(rows, labels, str(path), None if weight is None else _weights(reader, weight))
    several = names_of_labels is not None
    keys = _keys(reader, options)
    return RawData(path.stem, origin, part, class_names=names_of_labels, table=table, keys=keys, multi_label=several)


def _weights(reader: Reader, name: str) -> Array:
    """How much each row counts."""
    cells = reader.cells
    _, values = reader.understand(name, "number")
    if (wrong := ~(values >= 0)).any():
        row = int(np.argmax(wrong))
        cell = printable(str(as_words(cells.frame[name]).iloc[row]).strip())[:40]
        found = f"holds {cell}" if cell else "is empty"
        raise DataError(f"{cells.path}: weight column {name!r} {found} in {cells.place(row)}; weights are 0 or more")
    return values.astype(np.float32)


def _keys(reader: Reader, options: TableOptions) -> dict[str, Array]:
    """For each row the number of its group, or its time, a number or a moment, by column."""
    cells = reader.cells
    found = {name: _groups(cells, name) for name in options.groups}
    for name in options.times:
        told: tuple[Kind, ...] = ("number", "date")
        wanted = next((kind for kind in told if kind == options.columns.get(name)), None)
        column, values = reader.understand(name, wanted)
        if column.kind not in told:
            raise DataError(f"{cells.path}: column {name!r} holds no times that could be ordered")
        if (empty := np.isnan(values)).any():
            row = int(np.argmax(empty))
            cell = printable(str(as_words(cells.frame[name]).iloc[row]))[:40]
            raise DataError(
                f"{cells.path}: column {name!r} divides the rows, but holds no {column.kind} in {int(empty.sum())} of "
                f"them, the first in {cells.place(row)} ({cell!r}); correct or remove these rows"
            )
        found[name] = dates.moments(values) if column.kind == "date" else values
    return found


def _groups(cells: Cells, name: str) -> Array:
    words = as_words(cells.frame[name]).astype(str).str.strip()
    if (empty := np.array([is_no_category(word) for word in words])).any():
        row = int(np.argmax(empty))
        raise DataError(
            f"{cells.path}: column {name!r} says which rows belong together, but names no group in {int(empty.sum())} "
            f"of them, the first in {cells.place(row)}; fill or remove these rows"
        )
    return factorized(words)[0]


def targets_of(options: TableOptions, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that are predicted: those that are said to be, or else the last of which nothing else is said.

    Args:
        options: what the space file says about the table.
        names: its columns.

    Returns:
        Their names; () where all columns are said to be something else.
    """
    named = [name for name, kind in options.columns.items() if kind == "target"]
    if options.target is not None and options.target not in named:
        named.append(options.target)
    others = {name for name, kind in options.columns.items() if kind in ("drop", "weight")}
    others |= {name for name in options.groups if name not in options.columns}
    return tuple(named or [name for name in names if name not in others][-1:])


def _otherwise(cells: Cells) -> numbers.Decimal:
    """The decimal sign that the cells of the whole file speak for."""
    found = {".": 0, ",": 0}
    for name in cells.texts:
        for decimal, count in cells.votes(name).items():
            found[decimal] += count
    if found["."] == found[","]:
        return "," if cells.prefers_commas else "."
    return "," if found[","] > found["."] else "."


def _labels(
    reader: Reader, targets: Sequence[str], task: Task, apart: str | None, notes: list[str], *, begun: bool
) -> tuple[Array, tuple[str, ...] | None]:
    """The labels, and their names where a row may have several of them; what is a guess is added to the notes."""
    if apart is not None:
        return _separated(reader, targets, apart, notes)
    if len(targets) > 1 and task == "classification":
        return np.stack([_marks(reader, name) for name in targets], axis=1), tuple(targets)
    labels = [_label_column(reader, name, task, notes, begun=begun) for name in targets]
    return (labels[0] if len(labels) == 1 else np.stack(labels, axis=1)), None


def _marks(reader: Reader, name: str) -> Array:
    """A column of 0 and 1, or of two words for them: whether each row has the label."""
    column, values = reader.understand(name, None)
    where = f"{reader.cells.path}: target column {name!r}"
    _require_all(np.isnan(values), where, reader.cells)
    if column.kind not in ("number", "boolean") or (wrong := ~np.isin(values, (0, 1))).any():
        place = (
            "" if column.kind not in ("number", "boolean") else f", the first in {reader.cells.place(_first(wrong))}"
        )
        raise DataError(
            f"{where} holds more than 0 and 1{place}; several target columns are labels that a row may have, or "
            "numbers: for regression set training.loss, such as loss: mse"
        )
    return values


def _separated(reader: Reader, targets: Sequence[str], apart: str, notes: list[str]) -> tuple[Array, tuple[str, ...]]:
    cells, name = reader.cells, targets[0]
    if len(targets) > 1:
        raise DataError(f"{cells.path}: data.target.separator is for one target column, not {len(targets)}")
    words = [word.strip() for word in as_words(cells.frame[name])]
    marks = Counter(word for word in words if word and numbers.is_missing(word))
    if marks:
        shown = ", ".join(f"{count} {printable(word)!r}" for word, count in marks.most_common(3))
        notes.append(f"target column {name!r}: cells that say there is nothing ({shown}) are rows without a label")
    found = [set() if word in marks else {part.strip() for part in word.split(apart) if part.strip()} for word in words]
    names = sorted(set().union(*found))
    if len(names) < 2:
        raise DataError(
            f"{cells.path}: target column {name!r} holds {len(names)} label{'s' * (len(names) != 1)} when cells are "
            f"divided at {apart!r}; at least two are needed"
        )
    rows = [[label in labels for label in names] for labels in found]
    return np.array(rows, dtype=np.float32), tuple(map(printable, names))


def _first(wrong: Array) -> int:
    return int(np.argmax(wrong))


def _label_column(reader: Reader, name: str, task: Task, notes: list[str], *, begun: bool) -> Array:
    cells, series = reader.cells, reader.cells.frame[name]
    where = f"{cells.path}: target column {name!r}"
    if series.dtype == bool and task == "classification":
        return np.array(series.astype(str), dtype=np.str_)
    if series.dtype.kind in "iufb":
        numeric = series.to_numpy()
        _require_all(np.isnan(numeric.astype(np.float64)), where, cells)
        return np.asarray(numeric, dtype=np.float64 if task == "regression" else None)
    if series.dtype.kind == "M":
        raise DataError(f"{where} holds moments; classes or numbers are expected")
    words = [str(cell).strip() for cell in series]
    unique = sorted(set(words))
    read = reader.parse(unique)
    fits = {
        word: not misfit and not numbers.is_missing(word) for word, misfit in zip(unique, read.misfits, strict=True)
    }
    fitting = np.array([fits[word] for word in words])
    if task == "regression" or fitting.all():
        if not fitting.all():
            row = int(np.argmin(fitting))
            raise DataError(
                f"{where} holds {int(fitting.sum())} numbers and {int((~fitting).sum())} cells that are none, the "
                f"first in {cells.place(row)} ({printable(words[row])[:40]!r}); regression needs a number in every row"
            )
        if task == "regression" or not read.carried:
            if read.unsure:
                notes.append(f"target column {name!r}: {guessed_sign(read.decimal)}")
            value = dict(zip(unique, read.values.tolist(), strict=True))
            values = np.array([value[word] for word in words])
            whole = all(_WHOLE.fullmatch(numbers.unwrapped(word)) for word in unique)
            return values.astype(np.int64) if whole else values
    _require_all(np.array([not word for word in words]), where, cells)
    # What a run has begun with as a class stays one.
    if not begun and (unknown := np.array([word == "?" for word in words])).any():
        raise DataError(
            f"{where} holds no class but '?' in {int(unknown.sum())} rows, the first in "
            f"{cells.place(int(np.argmax(unknown)))}; fill or remove these rows"
        )
    gaps = all(fits[word] or numbers.is_missing(word) for word in unique)
    some = not begun and fitting.any() and not fitting.all()
    if some and (gaps or (fitting.mean() >= 0.8 and sum(fits.values()) > 10)):
        row = int(np.argmin(fitting))
        raise DataError(
            f"{where} holds {int(fitting.sum())} numbers and {int((~fitting).sum())} cells that are none, the first in "
            f"{cells.place(row)} ({printable(words[row])[:40]!r}); correct them"
        )
    return np.array([printable(word) for word in words], dtype=np.str_)


def _require_all(empty: Array, where: str, cells: Cells) -> None:
    if empty.any():
        place = cells.place(int(np.argmax(empty)))
        raise DataError(f"{where} is empty in {int(empty.sum())} rows, the first in {place}; fill or remove these rows")


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; its columns are {some_of(known, 20)}"
