"""The rows of a table for a trained model: its columns are found by name, and read as those of its training table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spaces.basics.errors import DataError
from spaces.basics.printable import printable
from spaces.data.tables import dates, numbers
from spaces.data.tables.cells import Cells, read_cells
from spaces.data.tables.columns import Array, Column, Written
from spaces.data.tables.encoding import ColumnEncoding, encode
from spaces.data.tables.kinds import as_words, boolean_values, factorized, is_no_category, moments_in_days, numbered

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
    return encoded_cells(read_cells(path, texts=True, wanted=wanted, like=written), encodings, written)


def encoded_cells(cells: Cells, encodings: Sequence[ColumnEncoding], written: Written | None = None) -> Array:
    """As `encoded_rows`, of cells that were read."""
    read = _read_new(cells, encodings, written)
    return encode(encodings, [column for column, _ in read], np.stack([values for _, values in read], axis=1))


def bare_rows(path: Path, wanted: Sequence[str] = ()) -> Array:
    """The numbers of a file whose columns need no names, shape (n, columns); `wanted` as for `places`."""
    cells = read_cells(path, header=False, wanted=wanted)
    present = [name for name in cells.names if name not in cells.index]
    names = [present[place] for place in places(present, wanted, str(path))]
    columns = _read_new(cells, [ColumnEncoding(name, "number", ".") for name in names], None)
    for name, (_, values) in zip(names, columns, strict=True):
        if (empty := np.isnan(values)).any():
            raise DataError(f"{path}: {cells.place(int(np.argmax(empty)))}, column {name!r} is empty")
    return np.stack([values for _, values in columns], axis=1)


def places(present: Sequence[str], wanted: Sequence[str], where: str) -> list[int]:
    """Which columns of a table of numbers a model takes, in its order; all of them where training knew none by name.

    Columns that are only counted from 0, as those of a file without a header line are, need not be those of training.

    Args:
        present: the names of the columns.
        wanted: the names that they had in training.
        where: the table, for messages.

    Raises:
        DataError: some have names of training, and others are not there.
    """
    wanted = as_called(wanted, present)
    position = {name: place for place, name in reversed([*enumerate(present)])}  # the first of a name
    lacking = [name for name in wanted if name not in position]
    counted = [*present] == [str(place) for place in range(len(present))]
    if len(lacking) == len(wanted) or (lacking and counted):
        return list(range(len(present)))
    if lacking:
        raise DataError(f"{where}: has no column {lacking[0]!r}, which the model needs")
    return [position[name] for name in wanted]


def as_called(wanted: Sequence[str], present: Collection[str]) -> list[str]:
    """Names of columns as a table has them, which may differ by blanks around them: text files are read without these.

    Args:
        wanted: the names that they had in training; those that the table has not stay.
        present: the names of the table.
    """
    known, told = frozenset(present), frozenset(wanted)
    meant = Counter(name.strip() for name in told)
    alike: dict[str, list[str]] = {}
    for name in present:
        if name not in told:
            alike.setdefault(name.strip(), []).append(name)

    def called(name: str) -> str:
        found = alike.get(name.strip(), ())
        return found[0] if name not in known and len(found) == meant[name.strip()] == 1 else name

    return [called(name) for name in wanted]


def _read_new(cells: Cells, encodings: Sequence[ColumnEncoding], written: Written | None) -> list[tuple[Column, Array]]:
    """The columns of a table that training did not read."""
    names = as_called([encoding.name for encoding in encodings], cells.names)
    encodings = [replace(encoding, name=name) for encoding, name in zip(encodings, names, strict=True)]
    signs = _decimal_signs(cells, encodings, written)
    return [read_known(cells, encoding, otherwise=signs.get(encoding.name, ".")) for encoding in encodings]


def _decimal_signs(
    cells: Cells, encodings: Sequence[ColumnEncoding], written: Written | None
) -> dict[str, numbers.Decimal]:
    """The decimal sign of numbers that can be read either way, by column of text.

    It is that of training. But a file that needs one sign only, and in some column not that of training, is written in
    another country: there it is that one.

    Raises:
        DataError: no cell tells the sign, and the file is of a kind that has the other one, as training's was not; or
            the sign of training was a guess, and is not that of the file.
    """
    texts = set(cells.texts)
    read = [encoding for encoding in encodings if encoding.kind == "number" and encoding.name in texts]
    trained = {encoding.name: _trained_sign(encoding) for encoding in read}
    needed = {name: set(cells.votes(name)) for name in trained}
    everywhere = set[numbers.Decimal]().union(*needed.values())
    signs = dict(trained)
    if len(everywhere) == 1 and any(found and trained[name] not in found for name, found in needed.items()):
        signs = dict.fromkeys(trained, everywhere.pop())
    elif not everywhere and cells.dialect is not None:
        likely, before = cells.prefers_commas, written is not None and written.prefers_commas
        for encoding in read if likely != before else ():
            if encoding.sign is not None and (trained[encoding.name] == ",") != likely:
                _require_clear(cells, encoding.name, trained[encoding.name])
    for name, sign in ((encoding.name, trained[encoding.name]) for encoding in read if encoding.guessed):
        if other := ({signs[name]} | needed[name]) - {sign}:
            raise DataError(
                f"{cells.path}: column {name!r} has the decimal sign {min(other)!r} here, but training took {sign!r} "
                f"for it, where no cell told; give `decimal: {min(other)!r}` beside its file and train again"
            )
    return signs


def _trained_sign(encoding: ColumnEncoding) -> numbers.Decimal:
    return "," if encoding.form == "," else "."


def _require_clear(cells: Cells, name: str, decimal: numbers.Decimal) -> None:
    codes, words = factorized(as_words(cells.frame[name]))
    unclear = np.array([numbers.is_grouped(word, decimal) for word in words])
    if unclear.any():
        what = (
            f"holds {_first(words, unclear)}, and no cell tells whether these are thousands or decimals; write "
            "thousands ungrouped, and decimals with one digit more"
        )
        _check(cells, name, unclear[codes], what)


def read_known(
    cells: Cells,
    encoding: ColumnEncoding,
    decimal: numbers.Decimal | None = None,
    otherwise: numbers.Decimal | None = None,
) -> tuple[Column, Array]:
    """A column of known kind and its values, as for `encode`.

    Args:
        cells: of the table.
        encoding: how the model takes the column.
        decimal: the decimal sign where the space file gives it.
        otherwise: in a table that training did not read the decimal sign of numbers that can be read either way;
            None: it is training's table, read by a run that goes on.

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
    if kind in ("category", "text") and otherwise is None and encoding.sign is not None:
        # Which words stand for nothing depends on all that the column holds, not on what the model has inputs for.
        begun = encoding.values if kind == "category" else ()
        column, values = numbered(name, kind, words, np.bincount(codes, minlength=len(words)), begun)
        return column, values[codes]
    if kind in ("category", "text"):
        stripped = [word if word in encoding.values else printable(word.strip()) for word in words]
        if otherwise is not None:
            aliases = encoding.aliases
            stripped = [aliases.get(word, word) for word in stripped]
        values = np.arange(len(words), dtype=np.float64)
        # Of a text the values are words, which its cells may consist of and say nothing, if any of training did.
        vague = kind == "text" and encoding.missing
        unknown = [word for word in stripped if vague or word not in encoding.values]
        absent = {word for word in unknown if is_no_category(word) or numbers.is_missing(word)}
        values[[word in absent for word in stripped]] = np.nan
        return Column(name, kind, values=tuple(stripped)), values[codes]
    booleans = boolean_values(words, encoding.values if kind == "boolean" else ())
    if kind == "boolean":
        return Column(name, kind), booleans[codes]
    if kind == "date":
        spelled = words if encoding.sign is None else [numbers.unwrapped(word) for word in words]
        values = dates.days(spelled, encoding.form)
        if otherwise is not None and encoding.form != dates.ISO:
            values = np.where(np.isnan(values), dates.days(spelled, dates.ISO), values)
        misfits = np.isnan(values) & np.array([not numbers.is_missing(word) for word in spelled], dtype=bool)
    else:
        values, misfits = _numbers(cells, encoding, words, codes, booleans, decimal, otherwise)
    if misfits.any() and not encoding.lenient:
        _check(cells, name, misfits[codes], f"holds text ({_first(words, misfits)}), a {kind} is expected")
    return Column(name, kind), values[codes]


def _numbers(
    cells: Cells,
    encoding: ColumnEncoding,
    words: list[str],
    codes: Array,
    booleans: Array,
    decimal: numbers.Decimal | None,
    otherwise: numbers.Decimal | None,
) -> tuple[Array, Array]:
    """The numbers of different cells, and which cells are none."""
    name = encoding.name
    read = numbers.parse(
        words,
        decimal,
        otherwise or _trained_sign(encoding),
        counts=np.bincount(codes, minlength=len(words)),
        unit=encoding.values[0] if encoding.values else "",
        bare=not encoding.lenient,
        sign=encoding.sign,
        literal=encoding.sign is None,
    )
    new, nothing = otherwise is not None, bool(np.isnan(read.values).all())
    # What training took as missing is so again, but of a new file no number is lost for its decimal sign, and not all.
    if read.mixed.any() and (new or not encoding.lenient):
        what = f"holds {_first(words, read.mixed)}, but other numbers of it have the decimal sign {read.decimal!r}"
        _check(cells, name, read.mixed[codes], what)
    if read.foreign.any() and ((new and nothing) or not encoding.lenient):
        expected = f"in {read.sign}" if read.sign else "without a sign"
        what = f"holds {_first(words, read.foreign)}, numbers {expected} are expected"
        _check(cells, name, read.foreign[codes], what)
    values = read.values if encoding.lenient else np.where(read.misfits, booleans, read.values)
    _check(cells, name, (np.abs(values) > _LARGEST)[codes], "holds a number too large for float32")
    return values, read.misfits & np.isnan(values)


def _first(words: list[str], wrong: npt.NDArray[np.bool_]) -> str:
    """The first wrong word, which is that of the first wrong row: words are in the order of the rows."""
    return repr(printable(words[int(np.argmax(wrong))])[:40])


def _check(cells: Cells, name: str, wrong: npt.NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        raise DataError(f"{cells.path}: {cells.place(int(np.argmax(wrong)))}, column {name!r} {what}")
