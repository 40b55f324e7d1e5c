"""From the values of a table's rows, in memory or on the disk, to what a model takes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.stored.rows import StoredRows
from spaces.data.stored.store import RowStore
from spaces.data.tables.columns import Array, Table
from spaces.data.tables.encoding import ColumnEncoding, encode
from spaces.data.types import AnyRows, Split

# Inputs that are made in one go.
_BLOCK = 2**22


def values(table: Table, rows: AnyRows) -> Iterator[Array]:
    """The values of some rows, of one column after the other, each of shape (n,).

    Args:
        table: what the columns are.
        rows: of it, not yet encoded.
    """
    assert not isinstance(rows, StoredRows)  # they, or their numbers, are in memory
    if not table.stored:
        yield from rows.T
    for column in table.stored:
        yield column[:][rows[:, 0]]


@dataclass(frozen=True)
class Encoder:
    """Encodes rows of a table; those on the disk all together, once.

    Attributes:
        table: what the columns are.
        encodings: how they become inputs.
        store: where encoded rows are put that are too many for the memory.
        where: the file that the rows came from.
    """

    table: Table
    encodings: Sequence[ColumnEncoding]
    store: RowStore
    where: str

    def __call__(self, part: Split) -> Split:
        """Some rows, encoded: float32 of shape (n, inputs)."""
        assert not isinstance(part.x, StoredRows)  # they, or their numbers, are in memory
        if not self.table.stored:
            return replace(part, x=encode(self.encodings, self.table.columns, part.x))
        return replace(part, x=self._all.taken(part.x[:, 0]))

    @cached_property
    def _all(self) -> StoredRows:
        """All rows of the table."""
        what = ["table", self.where, *_state(self.where), [encoding.to_json() for encoding in self.encodings]]
        kept = self.store.kept(what)
        if kept is not None:
            return kept.rows
        count = len(self.table.stored[0])
        inputs = sum(len(encoding.inputs) for encoding in self.encodings)
        rows = max(1, _BLOCK // max(inputs, len(self.table.columns)))
        writer = self.store.writer((count, inputs), np.dtype(np.float32), self.where)
        with writer:
            for start in range(0, count, rows):
                block = np.stack([column[start : start + rows] for column in self.table.stored], axis=1)
                writer[start : start + len(block)] = encode(self.encodings, self.table.columns, block)
            return writer.done(what)


def _state(where: str) -> tuple[int, int]:
    """Size and time of the last change of a file, by which it is known again."""
    try:
        found = os.stat(where)
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns
