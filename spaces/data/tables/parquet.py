"""Parquet files: their columns, each read when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable
from spaces.data.tables.columns import unrounded

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".parquet", ".pq")
_MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether a file is a Parquet file, by its name or, under any other, by the mark at both of its ends."""
    if path.suffix.lower() in ENDINGS:
        return True
    try:
        if not path.is_file():  # opening a pipe would wait
            return False
        with path.open("rb") as stream:
            if stream.read(len(_MAGIC)) != _MAGIC or path.stat().st_size < 3 * len(_MAGIC):
                return False
            stream.seek(-len(_MAGIC), os.SEEK_END)
            return stream.read() == _MAGIC
    except OSError:  # whoever reads it says why
        return False


class ParquetFrame:
    """The columns of a Parquet file by name, in part of the manner of a DataFrame; nothing is kept in memory.

    A column is numbers (NaN where empty), booleans, moments, or categories of text ("" where empty).

    Args:
        path: the file.

    Attributes:
        columns: the names, in their order.
        texts: the names of those that hold text.
        index: the names of those that were no columns for pandas, which wrote the file, but the index.
        categories: the names of those that were categories for pandas, whatever their cells look like.

    Raises:
        DataError: it is no such file, or pyarrow is not there.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise DataError(
                f'{path}: reading Parquet needs pyarrow; install it with pip install "keras-nightshift[parquet]"'
            ) from error
        self._path = path
        try:
            texts = [field.name for field in parquet.read_schema(path) if _is_text(field.type)]
            # However often a word stands there, it is in memory once.
            self._file = parquet.ParquetFile(path, read_dictionary=texts)
        except pa.ArrowException as error:
            raise _no_table(path, error) from error
        self._fields = [field.name for field in self._file.schema_arrow]
        self.columns = [printable(name) for name in self._fields]
        told = _told(self._file.schema_arrow)
        self.index = tuple(printable(name) for name in _index(told) if name in self._fields)
        self.categories = frozenset(printable(name) for name in _categorical(told) if name in self._fields)
        self.texts = tuple(printable(field.name) for field in self._file.schema_arrow if _is_text(field.type))

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    @property
    def unpacked_bytes(self) -> int:
        """Bytes of the encoded columns, each different word of a row group once."""
        metadata = self._file.metadata
        return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))

    def __getitem__(self, name: str) -> pd.Series[Any]:
        """Reads a column.

        Raises:
            DataError: it cannot be read, or holds values of a type that is not known.
        """
        return self.at(self.columns.index(name))

    def at(self, position: int) -> pd.Series[Any]:
        """The column at a position, from 0; as for indexing by name."""
        import pyarrow as pa

        field = self._fields[position]
        where = f"{self._path}: column {printable(field)!r}"
        try:
            # pyarrow takes a name with a dot in it for a part of a nested column too, and may give more than one.
            found = self._file.read(columns=[field])
            return _series(found.column(found.schema.names.index(field)), where)
        except pa.ArrowException as error:
            raise _no_table(self._path, error) from error


def _told(schema: Any) -> dict[str, Any]:
    """What pandas, if it wrote the file, says of the DataFrame."""
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except (ValueError, RecursionError):  # what is not pandas' own says nothing
        return {}
    return described if isinstance(described, dict) else {}


def _index(told: Mapping[str, Any]) -> list[str]:
    return [name for name in _listed(told, "index_columns") if isinstance(name, str)]


def _categorical(told: Mapping[str, Any]) -> list[str]:
    columns = [one for one in _listed(told, "columns") if isinstance(one, dict)]
    names = [one.get("field_name") for one in columns if one.get("pandas_type") == "categorical"]
    return [name for name in names if isinstance(name, str)]


def _listed(told: Mapping[str, Any], key: str) -> list[Any]:
    found = told.get(key)
    return found if isinstance(found, list) else []


def _no_table(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: no readable Parquet table ({str(error).strip()})")


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    plain = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(plain) or types.is_large_string(plain))


def _series(column: Any, where: str) -> pd.Series[Any]:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute

    types, kind = pa.types, column.type
    if types.is_dictionary(kind) and not _is_text(kind):
        column, kind = compute.cast(column, kind.value_type), kind.value_type
    if types.is_integer(kind) and not column.null_count:
        return pd.Series(unrounded(column.to_numpy()))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return pd.Series(compute.cast(column, pa.float64(), safe=False).to_numpy())
    if types.is_boolean(kind) and not column.null_count:
        return pd.Series(column.to_numpy().astype(bool))
    if types.is_date(kind) or types.is_timestamp(kind):
        values = compute.cast(column, pa.timestamp("us", getattr(kind, "tz", None)), safe=False).to_numpy()
        return pd.Series(values.astype("datetime64[us]"))
    if types.is_boolean(kind):
        column = compute.if_else(column, "True", "False")
    elif types.is_null(kind):
        column = compute.cast(column, pa.string())
    elif not _is_text(kind):
        raise DataError(f"{where} holds values of type {kind}, which is not read")
    return pd.Series(_categories(column))


def _categories(column: Any) -> pd.Categorical:
    """The words of a column, in the order in which they appear; an empty cell is the word ""."""
    import pandas as pd
    import pyarrow as pa

    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = encoded.unify_dictionaries().combine_chunks()
    words.validate(full=True)
    codes = words.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    used, first, places = np.unique(codes, return_index=True, return_inverse=True)
    known = [str(word) for word in words.dictionary.to_pylist()]
    position: dict[str, int] = {}
    moved = np.zeros(len(used), np.int64)
    for place in np.argsort(first):
        word = known[used[place]] if used[place] >= 0 else ""
        moved[place] = position.setdefault(word, len(position))
    return pd.Categorical.from_codes(moved[places], categories=list(position))
