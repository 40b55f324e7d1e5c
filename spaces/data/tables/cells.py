"""The cells of a table file, each column as numbers, booleans, moments or text, and where each row stands."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spaces.basics.errors import DataError
from spaces.basics.files import check_file
from spaces.data.readers.memory import check_size
from spaces.data.tables.columns import DECIMAL_COMMAS, Written
from spaces.data.tables.dialect import Dialect, find_dialect, line_of
from spaces.data.tables.numbers import Decimal, votes
from spaces.data.tables.parquet import ParquetFrame, is_parquet

if TYPE_CHECKING:
    import pandas as pd

_CELL_BYTES = 16
_UNEVEN = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_MOST_VOTERS = 1000


@dataclass(frozen=True)
class Cells:
    """A table as it was read.

    Attributes:
        frame: one column per named column of the file: numbers (NaN where empty), booleans, moments, or text ("" where
            empty), as strings or as categories.
        path: the file; of what is none, its name.
        dialect: how a text file writes it; None for other files.
        notes: what was left out or guessed.
        index: the names of columns that were the index of the DataFrame that was written.
        categories: the names of columns that are categories to pandas, whatever their cells look like.
    """

    frame: pd.DataFrame | ParquetFrame
    path: Path
    dialect: Dialect | None
    notes: tuple[str, ...]
    index: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()

    @property
    def written(self) -> Written | None:
        """How a text file is written."""
        return None if self.dialect is None else Written(self.dialect.separator, self.dialect.encoding)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(str(name) for name in self.frame.columns)

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of the columns of text."""
        if isinstance(self.frame, ParquetFrame):
            return self.frame.texts
        return tuple(name for name in self.names if self.frame[name].dtype.kind == "O")

    @property
    def prefers_commas(self) -> bool:
        """Whether a comma in a number is rather a decimal sign: where commas do not separate cells."""
        return self.written is not None and self.written.prefers_commas

    def votes(self, name: str) -> Counter[Decimal]:
        """How many of the first different cells of a column of text need a decimal point, and how many a comma."""
        return votes(map(str, self.frame[name].unique()[:_MOST_VOTERS]))

    def place(self, row: int) -> str:
        """`line 22`, or where a file has no lines `row 20`, of a row that counts from 0."""
        if self.dialect is None:
            return f"row {row}"
        try:
            return f"line {line_of(self.path, self.dialect, row)}"
        except DataError:  # a cell of many lines, longer than one may be
            return f"row {row}"


def read_cells(
    path: Path,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool = True,
    texts: bool | Sequence[str] = False,
    parquet: bool = False,
    wanted: Collection[str] = (),
    like: Written | None = None,
) -> Cells:
    """All cells of a CSV or Parquet file; of Parquet each column is read when it is asked for.

    Args:
        path: the file.
        separator: what stands between cells of a text file; None: found.
        encoding: of a text file; None: found.
        header: whether the first line must name the columns; otherwise it may.
        texts: whether all cells are text even where they look like numbers, or the columns where they are.
        parquet: whether it must be Parquet; otherwise it is if it looks so.
        wanted: columns that are known to be there, as for `find_dialect`.
        like: how an earlier file was written, as for `find_dialect`.

    Raises:
        DataError: the file is missing, empty, no table, or names a column twice.
    """
    check_file(path)
    try:
        if parquet or is_parquet(path):
            held = ParquetFrame(path)
            check_size(cells_bytes(held), str(path))
            return apart(held, path)
        dialect = find_dialect(path, separator, encoding, wanted, like)
        if dialect.header is None and header:
            raise DataError(f"{path}: the first line holds numbers; it must name the columns")
        frame = _read_csv(path, dialect, texts)
        return named(frame, path, dialect, dialect.guesses)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_csv(path: Path, dialect: Dialect, texts: bool | Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    header = dialect.header
    width = max(dialect.width, len(header or ()))
    all_text = texts is True or dialect.separator in DECIMAL_COMMAS  # 1.133 may be a thousand there
    wanted = () if isinstance(texts, bool) else [i for i, name in enumerate(header or ()) if name in texts]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=dialect.separator,
                header=None if header is None else 0,
                names=list(range(width)),
                index_col=False,
                dtype="str" if all_text else dict.fromkeys(wanted, "str"),
                encoding=dialect.encoding,
                skiprows=dialect.skipped,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=[""],
                low_memory=False,  # otherwise the type of a column may change between pieces of the file
                compression=None,
            )
    except pd.errors.ParserWarning as error:
        raise DataError(f"{path}: its lines have more cells than the first line has names") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: is empty") from error
    except ValueError as error:  # pandas' errors for uneven lines are ValueErrors too
        if (uneven := _UNEVEN.search(str(error))) is not None:
            expected, line, seen = uneven.groups()
            raise DataError(
                f"{path}: line {line} has {seen} cells, the first line {expected}; every line needs as many, and "
                "nothing but the names may stand above the rows"
            ) from error
        raise DataError(f"{path}: no readable table ({str(error).strip()})") from error
    names = list(header) if header is not None else [str(i) for i in range(width)]
    frame.columns = pd.Index([*names, *[""] * (width - len(names))])
    return _without_gaps(frame)


def _without_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with "" for the empty cells of text."""
    import pandas as pd

    columns = []
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        if not pd.api.types.is_numeric_dtype(column.dtype):
            empty = column.isna()
            column = column.astype(object).where(~empty, "").map(str).astype(object)
            if bool(empty.all()):
                column = pd.Series([""] * len(column), dtype=object)
        columns.append(column.reset_index(drop=True))
    made = pd.concat(columns, axis=1) if columns else frame
    made.columns = frame.columns
    return made


def cells_bytes(held: ParquetFrame) -> int:
    """Bytes that all cells of a Parquet file take in memory, about."""
    return max(len(held) * max(1, len(held.columns)) * _CELL_BYTES, held.unpacked_bytes)


def apart(held: ParquetFrame, path: Path) -> Cells:
    """The cells of a Parquet file, of which only those of one column at a time are in memory.

    Raises:
        DataError: as for `named`.
    """
    _check_names(held.columns, len(held), path)
    return Cells(held, path, None, (), held.index, held.categories)


def named(frame: pd.DataFrame, path: Path, dialect: Dialect | None, notes: tuple[str, ...]) -> Cells:
    """The columns under their names; columns without a name and without a cell are left out.

    Args:
        frame: its columns as those of `Cells.frame`.
        path: where they come from, for messages.
        dialect: of a text file.
        notes: what was left out or guessed.

    Raises:
        DataError: no rows, a name that stands twice, or cells without a name.
    """
    import pandas as pd

    names = [str(name) for name in frame.columns]
    _check_names(names, len(frame), path)
    empty = [position for position, name in enumerate(names) if not name and _is_empty(frame.iloc[:, position])]
    if empty:
        notes = (*notes, f"{len(empty)} column{'s' * (len(empty) > 1)} without a name and without a cell left out")
    extra = dialect is not None and dialect.header is not None and len(dialect.header) < len(names)
    if extra and len(names) - 1 not in empty:
        raise DataError(f"{path}: its lines have more cells than the first line has names")
    kept = [position for position in range(len(names)) if position not in empty]
    frame = frame.iloc[:, kept]
    frame.columns = pd.Index([names[position] or f"Unnamed: {position}" for position in kept])
    # `to_csv` writes it first, without a name.
    index = dialect is not None and kept[:1] == [0] and not names[0] and _numbers_rows(frame.iloc[:, 0])
    return Cells(frame, path, dialect, notes, (str(frame.columns[0]),) if index else ())


def _check_names(names: Sequence[str], rows: int, path: Path) -> None:
    if not rows:
        raise DataError(f"{path}: holds no rows")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        where = [position + 1 for position, name in enumerate(names) if name == twice[0]]
        raise DataError(
            f"{path}: the name {twice[0]!r} stands above {len(where)} columns ({', '.join(map(str, where))}); "
            "every column needs a name of its own"
        )


def _numbers_rows(column: pd.Series[Any]) -> bool:
    """Whether each row has a whole number of its own."""
    return bool(column.is_unique and column.astype(str).str.fullmatch(r"\d+").all())


def _is_empty(column: pd.Series[Any]) -> bool:
    return bool((column.isna() | (column.astype(str).str.strip() == "")).all())
