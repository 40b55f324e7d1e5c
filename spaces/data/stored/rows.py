"""Rows in files as if they were an array, of which only the rows that somebody asks for are ever in memory.

They are read with plain reads, not through a memory map: a map of the whole file counts as memory of the process, for
a limit on its address space as for whoever looks at its resident size.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np

from spaces.basics.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]
Rows = slice | Array

# TensorFlow takes over memory that begins at a multiple of so many bytes without copying it.
_ALIGNMENT = 64
_BLOCK = 2**22  # values looked at in one go, so that passes over all rows need little memory of their own
# A disk answers several questions at once; what the kernel has in memory is faster read by one.
_READERS = 8
_PROBED = 32
_WAITING = 5.0
# Bytes of a row up to which a read of its own costs more than to look at it through a map.
_SMALL = 4096
_FEW = 64
_WINDOW = 2**25


@dataclass(frozen=True)
class RowFile:
    """A stretch of a file that holds rows of one size, one after the other.

    Attributes:
        path: the file; empty for one that has no name, whose descriptor is known.
        offset: byte at which the first row begins.
        count: how many rows.
        size: bytes of the file when it was looked at.
        changed: when it had last been written to, in nanoseconds of Unix time; None: not looked at.
        descriptor: of a file without a name, open in this process only.
        inode: of a file that this process has made or found, which tells it from others that have been at its place.
    """

    path: str
    offset: int
    count: int
    size: int
    changed: int | None = None
    descriptor: int | None = None
    inode: int | None = None


class StoredRows:
    """Rows on the disk, in part of the manner of an array.

    Indexing with a slice or an array of row numbers reads these rows, in the type `dtype`; nothing ever reads all.

    Args:
        files: where they are; rows are counted through them all.
        shape: of one row.
        stored: type of the values in the files, also an attribute.
        index: numbers of the rows in the files, in order; None: all.
        dtype: type in which they are read; None: as stored.
        owner: kept alive as long as these rows are, such as a file without a name.
    """

    def __init__(
        self,
        files: Sequence[RowFile],
        shape: tuple[int, ...],
        stored: np.dtype[Any],
        index: Array | None = None,
        dtype: np.dtype[Any] | None = None,
        owner: Any = None,
    ) -> None:
        self._files = tuple(files)
        self._row = shape
        self.stored = stored
        self._index = index
        self._owner = owner
        self._starts = np.cumsum([0, *(file.count for file in files)])
        self._bytes = stored.itemsize * prod(shape)
        self.dtype = stored if dtype is None else dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Of all rows together."""
        return (len(self), *self._row)

    @property
    def ndim(self) -> int:
        """Axes, that of the rows among them."""
        return 1 + len(self._row)

    @property
    def size(self) -> int:
        """Values of all rows."""
        return len(self) * prod(self._row)

    @property
    def nbytes(self) -> int:
        """Bytes that all rows would take in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._starts[-1]) if self._index is None else len(self._index)

    def __array__(self, *_: Any, **__: Any) -> Array:
        """Refused: it would read all rows."""
        raise TypeError("these rows are on the disk, and are read some at a time: index them")

    def __getitem__(self, key: int | Rows) -> Array:
        """Reads rows.

        Raises:
            DataError: a file cannot be read, or is no longer what it was.
        """
        if isinstance(key, int | np.integer):
            return np.asarray(self[np.array([key])][0])
        found = self._read(self._numbers(key))
        if found.dtype == self.dtype:
            return found
        with np.errstate(over="ignore"):  # too large a number becomes infinity, which the checks refuse
            return found.astype(self.dtype)

    def taken(self, rows: Rows) -> Self:
        """Some of the rows, unread; arguments as for indexing."""
        return self._with(index=self._numbers(rows))

    def converted(self, dtype: np.dtype[Any]) -> Self:
        """The same rows, read in another type."""
        return self._with(dtype=dtype)

    def joined(self, other: StoredRows) -> StoredRows:
        """These rows and then those of another, of the same shape and types, unread."""
        if (self._row, self.stored, self.dtype) != (other._row, other.stored, other.dtype):
            raise ValueError(f"rows of {self.stored} {self._row} cannot be joined with {other.stored} {other._row}")
        every = slice(None)
        index = np.concatenate([self._numbers(every), self._starts[-1] + other._numbers(every)])
        owner = (self._owner, other._owner)
        return StoredRows((*self._files, *other._files), self._row, self.stored, index, self.dtype, owner)

    def described(self) -> tuple[dict[str, Any], Array | None]:
        """What another process needs to read them, as plain data, and the row numbers.

        Raises:
            ValueError: a file has no name.
        """
        if any(file.descriptor is not None for file in self._files):
            raise ValueError("rows in a file without a name are for this process alone")
        files = [[file.path, file.offset, file.count, file.size, file.changed] for file in self._files]
        plain = {"files": files, "shape": list(self._row), "stored": self.stored.str, "dtype": self.dtype.str}
        return plain, self._index

    @classmethod
    def of(cls, plain: Mapping[str, Any], index: Array | None) -> Self:
        """The rows that `described` described."""
        files = [RowFile(*file) for file in plain["files"]]
        return cls(files, tuple(plain["shape"]), np.dtype(plain["stored"]), index, np.dtype(plain["dtype"]))

    def _with(self, index: Array | None = None, dtype: np.dtype[Any] | None = None) -> Self:
        kept = self._index if index is None else index
        return type(self)(self._files, self._row, self.stored, kept, dtype or self.dtype, self._owner)

    def _numbers(self, rows: Rows) -> Array:
        if self._index is not None:
            return np.asarray(self._index[rows])
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        return np.flatnonzero(rows) if rows.dtype == bool else np.where(rows < 0, rows + len(self), rows)

    def _read(self, numbers: Array) -> Array:
        out = _aligned((len(numbers), *self._row), self.stored)
        if not out.nbytes:
            return out
        target = out.reshape(len(out), -1).view(np.uint8)
        order = np.argsort(numbers, kind="stable")
        rows = numbers[order]
        # Rows that follow each other in the file and in the result are one read.
        breaks = np.flatnonzero((np.diff(rows) != 1) | (np.diff(order) != 1)) + 1
        scattered = len(breaks) > _FEW and self._bytes <= _SMALL
        for which, file in enumerate(self._files):
            start, stop = np.searchsorted(rows, self._starts[which : which + 2]).tolist()
            if start == stop:
                continue
            inside, places = rows[start:stop] - self._starts[which], order[start:stop]
            if scattered:
                self._through_windows(file, inside, places, target)
            else:
                cuts = breaks[np.searchsorted(breaks, start, "right") : np.searchsorted(breaks, stop)] - start
                self._in_runs(file, inside, places, cuts, target)
        return out

    def _in_runs(self, file: RowFile, rows: Array, places: Array, cuts: Array, target: Array) -> None:
        """One read for every run of rows; `cuts` is where in `rows`, which ascend, the second and later ones begin."""
        size, descriptor, view = self._bytes, _descriptor(file), target.reshape(-1).data
        first = np.concatenate([[0], cuts])
        counts = np.diff(first, append=len(rows))

        def carry_out(part: slice) -> None:
            chosen = zip(places[first[part]].tolist(), rows[first[part]].tolist(), counts[part].tolist(), strict=True)
            for place, row, count in chosen:
                _fill(file, descriptor, view[place * size : (place + count) * size], file.offset + row * size)

        _carry_out(len(first), _PROBED, carry_out)

    def _through_windows(self, file: RowFile, rows: Array, places: Array, target: Array) -> None:
        """Small rows in no order: through a map of one stretch of the file after the other."""
        size, descriptor = self._bytes, _descriptor(file)
        span = _WINDOW // size
        bounds = np.searchsorted(rows, np.arange(0, file.count + span, span))
        occupied = np.flatnonzero(np.diff(bounds))

        def carry_out(part: slice) -> None:
            for window in occupied[part].tolist():
                start, stop = bounds[window], bounds[window + 1]
                low, high = int(rows[start]), int(rows[stop - 1]) + 1
                begin = file.offset + low * size
                slack = begin % mmap.ALLOCATIONGRANULARITY
                length = slack + (high - low) * size
                if begin - slack + length > os.fstat(descriptor).st_size:
                    raise DataError(f"{file.path or 'rows'}: has become shorter since it was looked at")
                with mmap.mmap(descriptor, length, access=mmap.ACCESS_READ, offset=begin - slack) as mapped:
                    mapped.madvise(mmap.MADV_RANDOM)
                    found = np.frombuffer(mapped, np.uint8, length - slack, slack).reshape(-1, size)
                    target[places[start:stop]] = found[rows[start:stop] - low]
                    del found

        _carry_out(len(occupied), 1, carry_out)


def _carry_out(count: int, probed: int, carry_out: Callable[[slice], None]) -> None:
    """Does the first pieces of work alone; where they wait for a disk, several do the rest at the same time."""
    started, busy = time.perf_counter(), time.thread_time()
    carry_out(slice(0, min(count, probed)))
    if count <= probed:
        return
    if time.perf_counter() - started < _WAITING * (time.thread_time() - busy):
        carry_out(slice(probed, count))
        return
    share = -(-(count - probed) // _READERS)
    parts = [slice(start, min(count, start + share)) for start in range(probed, count, share)]
    list(_readers().map(carry_out, parts))


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_READERS, thread_name_prefix="rows")


def _fill(file: RowFile, descriptor: int, part: memoryview, offset: int) -> None:
    while part:
        try:
            done = os.preadv(descriptor, [part], offset)
        except OSError as error:
            raise DataError(f"{file.path or 'rows'}: cannot be read: {error.strerror}") from error
        if not done:
            raise DataError(f"{file.path or 'rows'}: has become shorter since it was looked at")
        part, offset = part[done:], offset + done


def _descriptor(file: RowFile) -> int:
    return file.descriptor if file.descriptor is not None else _opened(file)


_OPEN: dict[RowFile, int] = {}


def _opened(file: RowFile) -> int:
    """Open as long as the process lives: whoever replaces the file leaves us the one that we have read from."""
    if file in _OPEN:
        return _OPEN[file]
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        now = os.fstat(descriptor)
    except OSError as error:
        raise DataError(f"{file.path}: cannot be read: {error.strerror}") from error
    if now.st_size != file.size or file.changed not in (None, now.st_mtime_ns):
        os.close(descriptor)
        raise DataError(f"{file.path}: has changed since its rows were looked at")
    return _OPEN.setdefault(file, descriptor)


def close_below(folder: Path) -> None:
    """Closes the files in a folder, and in those in it, of which nothing is read any more.

    Deleted or written anew, they would keep their room on the disk as long as they are open.
    """
    for file in [file for file in list(_OPEN) if Path(file.path).is_relative_to(os.path.abspath(folder))]:
        os.close(_OPEN.pop(file))


def blocks(x: Array | StoredRows) -> Iterator[tuple[int, Array]]:
    """The rows in pieces of bounded size: (number of the first row, some rows)."""
    rows = max(1, _BLOCK // max(1, prod(x.shape[1:])))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    size = dtype.itemsize * prod(shape)
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return memory[begin : begin + size].view(dtype).reshape(shape)
