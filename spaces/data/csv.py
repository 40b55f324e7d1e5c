"""CSV tables: a header line, one target column, every other column an input.

Columns of numbers are taken as they are, columns of text become one input of 0 or 1 per value. Cells are data
only: nothing in them is evaluated.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.data.memory import check_size
from spaces.data.source import Part, RawData
from spaces.data.types import Array
from spaces.errors import DataError
from spaces.files import check_file
from spaces.printable import printable

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t"
_LONGEST_LINE = 2**20
_MOST_COLUMNS = 50_000
_CELL_BYTES = 16  # of a number, once as it is parsed and once in its column
_MOST_CATEGORIES = 200
_GZIP_MAGIC = b"\x1f\x8b"


def load_csv(path: Path, target: str | None) -> RawData:
    """The data set in a CSV file.

    Args:
        path: a text file in UTF-8, separated by comma, semicolon or tabulator; its first line names the
            columns.
        target: name of the column to predict; None: the last one.

    Raises:
        DataError: the file is missing or no such table, a cell is empty, or the target is no column.
    """
    table = read_table(path)
    names = [str(name) for name in table.columns]
    if len(names) < 2:
        raise DataError(f"{path}: has one column only ({names[0]!r}); inputs and a target are needed")
    target = names[-1] if target is None else target
    if target not in names:
        raise DataError(f"{path}: has no column {target!r}{_suggestion(target, names)}")
    columns = tuple(name for name in names if name != target)
    categories = {name: _categories(table[name], path) for name in columns if _is_text(table[name])}
    check_complete(table, path)
    x = encode_columns(table, columns, categories, path)
    y = table[target]
    labels = y.astype(str).to_numpy(dtype=np.str_) if _is_text(y) or y.dtype == bool else y.to_numpy()
    origin = f"{path} (target column {target!r})"
    return RawData(path.stem, origin, Part(x, labels, str(path)), columns=columns, categories=categories)


def read_table(path: Path, *, header: bool = True, text_columns: Iterable[str] = ()) -> pd.DataFrame:
    """All cells of a CSV file, each column as numbers, booleans or text.

    Args:
        path: the file.
        header: whether the first line must name the columns; otherwise it may.
        text_columns: columns whose cells are text even where all of them look like numbers.

    Raises:
        DataError: the file is missing, empty, not text, or its lines do not fit together.
    """
    import pandas as pd

    check_file(path)
    try:
        with path.open("rb") as stream:
            first = stream.readline(_LONGEST_LINE)
        if first.startswith(_GZIP_MAGIC):
            raise DataError(f"{path}: is compressed; unpack it first")
        check_size(path.stat().st_size, str(path))
        _check_lines(path)
        line = first.decode("utf-8-sig")
        separator = max(_SEPARATORS, key=line.count)
        if line.count(separator) >= _MOST_COLUMNS:
            raise DataError(f"{path}: has more than {_MOST_COLUMNS:,} columns")
        bare = all(_is_number(cell.strip().strip('"')) for cell in line.split(separator))
        if bare and header:
            raise DataError(f"{path}: the first line holds numbers; it must name the columns")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                path,
                sep=separator,
                header=None if bare else 0,
                index_col=False,
                dtype=dict.fromkeys(text_columns, "str"),
                encoding="utf-8-sig",
                skipinitialspace=True,
                low_memory=False,  # otherwise the type of a column may change between pieces of the file
                compression=None,
            )
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in UTF-8 ({error.reason} at byte {error.start})") from error
    except pd.errors.ParserWarning as error:
        raise DataError(f"{path}: its lines have more cells than the first line has names") from error
    except ValueError as error:  # pandas' errors for empty files and uneven lines are ValueErrors too
        raise DataError(f"{path}: no readable table ({str(error).strip()})") from error
    if not bare:
        table.columns = pd.Index([printable(str(name)) for name in table.columns])
    if not len(table):
        raise DataError(f"{path}: holds no rows")
    return table


def _check_lines(path: Path) -> None:
    """Refuses lines and tables that pandas would need far more memory for than the file has bytes."""
    number, length, separators = 1, 0, 0
    with path.open("rb") as stream:
        while block := stream.read(_LONGEST_LINE):
            separators += sum(block.count(separator) for separator in _SEPARATORS.encode())
            pieces = block.split(b"\n")
            for piece in pieces[:-1]:
                if length + len(piece) > _LONGEST_LINE:
                    break
                number, length = number + 1, 0
            else:
                piece = pieces[-1]
            length += len(piece)
            if length > _LONGEST_LINE:
                raise DataError(f"{path}: line {number} is longer than {_LONGEST_LINE // 2**20} MiB")
    check_size((separators + number) * _CELL_BYTES, str(path))


def encode_columns(
    table: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]], path: Path
) -> Array:
    """Model rows of a table: float32, shape (rows, inputs), in the order of `columns`.

    Args:
        table: has at least these columns, no empty cells in them.
        columns: the input columns.
        categories: values of the text columns; each becomes an input of 0 or 1.
        path: named in errors.

    Raises:
        DataError: a column of numbers holds text, or a text column an unknown value.
    """
    inputs: list[Array] = []
    for name in columns:
        column = table[name]
        if name in categories:
            known = np.array(categories[name], dtype=np.str_)
            values = column.astype(str).to_numpy(dtype=np.str_)
            if len(unknown := np.setdiff1d(values, known)):
                raise DataError(f"{path}: column {name!r} has the value {str(unknown[0])!r}, unknown in training")
            inputs.extend((values == value).astype(np.float32) for value in known)
        elif _is_text(column):
            raise DataError(f"{path}: column {name!r} holds text, numbers are expected")
        else:
            with np.errstate(over="ignore"):  # infinity is reported with all other unusable values
                inputs.append(column.to_numpy(dtype=np.float64).astype(np.float32))
    return np.stack(inputs, axis=1)


def check_complete(table: pd.DataFrame, path: Path) -> None:
    """Refuses empty cells, which a model cannot read.

    Raises:
        DataError: names line and column of the first one.
    """
    empty = table.isna().to_numpy()
    if empty.any():
        row, column = np.argwhere(empty)[0]
        raise DataError(
            f"{path}: {int(empty.sum())} empty cells, the first in line {row + 2}, column "
            f"{str(table.columns[column])!r}; fill them or remove these lines"
        )


def _categories(column: pd.Series[Any], path: Path) -> tuple[str, ...]:
    values = np.unique(column.dropna().astype(str).to_numpy(dtype=np.str_))
    if len(values) > _MOST_CATEGORIES:
        raise DataError(
            f"{path}: text column {str(column.name)!r} has {len(values)} different values (at most "
            f"{_MOST_CATEGORIES}); remove it, or turn it into numbers"
        )
    return tuple(str(value) for value in values)


def _is_text(column: pd.Series[Any]) -> bool:
    import pandas as pd

    return not pd.api.types.is_numeric_dtype(column.dtype)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    shown = ", ".join(known[:20])
    return f"; its columns are {shown}{', …' if len(known) > 20 else ''}"
