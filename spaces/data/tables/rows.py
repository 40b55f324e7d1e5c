"""The rows of a table for a trained model: its columns are found by name, and read as those of its training table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spaces.basics.errors import DataError
from spaces.basics.printable import printable
from spaces.data.tables import dates, numbers
from spaces.data.tables.cells import Cells, read_cells
from spaces.data.tables.columns import Array, Column, Written
from spaces.data.tables.encoding import ColumnEncoding, encode
from spaces.data.tables.kinds import as_words, boolean_values, factorized, is_no_category, moments_in_days

_LARGEST = float(np.finfo(np.float32).max)


def encoded_rows(path: Path, encodings: Sequence[ColumnEncoding], written: Written | None = None) -> Array:
    """The rows of a file as a model takes them, float32 of shape (n, inputs).

    Args:
        path: a CSV or Parquet file with at least the columns that the model needs, in any order.
        encodings: how the model takes its columns.
        written: how the text file of its training was written.

    Raises:
        DataError: the file is no table, lacks a column, or has a cell that is no number where one is needed. A
            category that training never saw is not an error.
    """
    wanted = [encoding.name for encoding in encodings]
    return encoded_cells(read_cells(path, texts=True, wanted=wanted, like=written), encodings)


def encoded_cells(cells: Cells, encodings: Sequence[ColumnEncoding]) -> Array:
    """As `encoded_rows`, of cells that were read."""
    read = [read_known(cells, encoding) for encoding in encodings]
    return encode(encodings, [column for column, _ in read], np.stack([values for _, values in read], axis=1))


def bare_rows(path: Path) -> Array:
    """The numbers of a file whose columns need no names, shape (n, columns)."""
    cells = read_cells(path, header=False)
    names = [name for name in cells.names if name not in cells.index]
    columns = [read_known(cells, ColumnEncoding(name, "number", ".")) for name in names]
    for name, (_, values) in zip(names, columns, strict=True):
        if (empty := np.isnan(values)).any():
            raise DataError(f"{path}: {cells.place(int(np.argmax(empty)))}, column {name!r} is empty")
    return np.stack([values for _, values in columns], axis=1)


def read_known(cells: Cells, encoding: ColumnEncoding, decimal: numbers.Decimal | None = None) -> tuple[Column, Array]:
    """A column of known kind and its values, as for `encode`.

    Args:
        cells: of the table.
        encoding: how the model takes the column.
        decimal: the decimal sign where the space file gives it.

    Raises:
        DataError: the column is not there, or a cell is no number or no date, unless such cells were taken as missing
            from the beginning.
    """
    name, kind = encoding.name, encoding.kind
    if name not in cells.names:
        raise DataError(f"{cells.path}: has no column {name!r}, which the model needs")
    series = cells.frame[name]
    if kind == "date" and series.dtype.kind == "M":
        return Column(name, kind), moments_in_days(series)
    if kind == "number" and series.dtype.kind in "iuf":
        values = series.to_numpy(dtype=np.float64)
        _check(cells, name, np.abs(values) > _LARGEST, "holds infinity, or a number too large for float32")
        return Column(name, kind), values
    codes, words = factorized(as_words(series))
    if kind in ("category", "text"):
        stripped = [word if word in encoding.values else printable(word.strip()) for word in words]
        values = np.arange(len(words), dtype=np.float64)
        unknown = [word for word in stripped if word not in encoding.values]
        absent = {word for word in unknown if is_no_category(word) or numbers.is_missing(word)}
        values[[word in absent for word in stripped]] = np.nan
        return Column(name, kind, values=tuple(stripped)), values[codes]
    given = np.array([not numbers.is_missing(word) for word in words], dtype=bool)
    booleans = boolean_values(words, encoding.values if kind == "boolean" else ())
    if kind == "date":
        values = dates.days(words, encoding.form)
        if encoding.form != dates.ISO:
            values = np.where(np.isnan(values), dates.days(words, dates.ISO), values)
        what, misfits = "date", given & np.isnan(values)
    elif kind == "boolean":
        return Column(name, kind), booleans[codes]
    else:
        unit = encoding.values[0] if encoding.values else ""
        form: numbers.Decimal = "," if encoding.form == "," else "."
        # What training took as missing is so again.
        strict, counts = encoding.lenient and decimal is None, np.bincount(codes, minlength=len(words))
        read = numbers.parse(words, form, counts=counts, unit=unit, bare=not encoding.lenient, strict=strict)
        values = read.values if encoding.lenient else np.where(read.misfits, booleans, read.values)
        what, misfits = "number", given & np.isnan(values)
        _check(cells, name, (np.abs(values) > _LARGEST)[codes], "holds a number too large for float32")
    if misfits.any() and not encoding.lenient:
        word = printable(words[int(np.argmax(misfits))])[:40]
        _check(cells, name, misfits[codes], f"holds text ({word!r}), a {what} is expected")
    return Column(name, kind), values[codes]


def _check(cells: Cells, name: str, wrong: npt.NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        raise DataError(f"{cells.path}: {cells.place(int(np.argmax(wrong)))}, column {name!r} {what}")
