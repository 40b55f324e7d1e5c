"""NumPy's own files of one array: their header, judged before anything of the promised size is allocated.

Format: numpy.lib.format, versions 1 and 2.
"""

from __future__ import annotations

import math
import tokenize
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.readers.memory import check_size
from spaces.data.types import Array

# NumPy reads the header as a Python literal and lets some errors of that through.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)


@dataclass(frozen=True)
class Header:
    """What a `.npy` file says of its array.

    Attributes:
        shape: of the array.
        fortran: whether the first axis runs fastest.
        dtype: type of the values.
        length: bytes of the header.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int

    @property
    def bytes(self) -> int:
        """Bytes of the values."""
        return self.dtype.itemsize * math.prod(self.shape)


def read_header(stream: IO[bytes], where: str, size: int) -> Header:
    """Judges a `.npy` stream by its header.

    Args:
        stream: the open file, at its start.
        where: its name in error messages.
        size: bytes in it.

    Raises:
        DataError: it holds Python objects, is no `.npy` file, or promises more than its size.
    """
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"format version {version[0]}.{version[1]}")
    except _HEADER_ERRORS as error:
        raise DataError(f"{where}: damaged, or no .npy file ({error})") from error
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects (dtype object), which are not read; save plain arrays")
    if any(length < 0 for length in shape) or (0 not in shape and not dtype.itemsize):
        raise DataError(f"{where}: damaged: impossible shape {shape} of {dtype}")
    header = Header(shape, bool(fortran), dtype, stream.tell())
    if header.bytes > size:
        raise DataError(f"{where}: damaged: shape {shape} needs {header.bytes} bytes, the file has {size}")
    return header


def check_npy(stream: IO[bytes], where: str, size: int) -> None:
    """Refuses what `read_header` does, and arrays that are too large for the memory."""
    check_size(read_header(stream, where, size).bytes, where)


def read_npy(stream: IO[bytes], where: str) -> Array:
    """The array of a `.npy` stream that passed `check_npy`.

    Raises:
        DataError: it is damaged.
    """
    try:
        values: Array = np.lib.format.read_array(stream, allow_pickle=False)
    except _HEADER_ERRORS as error:
        raise DataError(f"{where}: damaged ({error})") from error
    return values
