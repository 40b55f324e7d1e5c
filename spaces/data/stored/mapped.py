"""Arrays that a user's code has not loaded: memory-mapped files, and what reads its rows when it is indexed."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np

from spaces.data.stored.rows import Array, RowFile, StoredRows
from spaces.data.stored.store import RowStore

_PRIVATE = "c"


def is_lazy(value: Any) -> bool:
    """Whether indexing it reads rows that were not in memory: a `numpy.memmap`, a dataset of h5py, an array of zarr."""
    if isinstance(value, np.ndarray):
        return isinstance(value, np.memmap) and value._mmap is not None  # type: ignore[attr-defined]
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return isinstance(shape, tuple) and bool(shape) and isinstance(dtype, np.dtype) and not hasattr(value, "iloc")


def stored(value: Any, store: RowStore, where: str) -> StoredRows:
    """Its rows: in the mapped file itself where they lie there one after the other, else copied in pieces."""
    found = _in_place(value) if isinstance(value, np.memmap) else None
    return store.whole(value, where) if found is None else found


def _in_place(array: np.memmap[Any, Any]) -> StoredRows | None:
    if not array.flags.c_contiguous or array.dtype.hasobject or array.filename is None or array.mode == _PRIVATE:
        return None
    if array.mode != "r":
        array.flush()
    path = os.path.abspath(os.fspath(array.filename))
    mapped: Array = np.frombuffer(array._mmap, np.uint8)  # type: ignore[attr-defined]
    begin = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    offset = begin + array.ctypes.data - mapped.ctypes.data
    try:
        now = os.stat(path)
    except OSError:
        return None  # its file has been deleted, and lives as long as the map
    if offset + array.nbytes > now.st_size:
        return None
    file = RowFile(path, offset, len(array), now.st_size, now.st_mtime_ns)
    return StoredRows([file], array.shape[1:], array.dtype)
