"""NumPy archives: `x_train`, `y_train`, optionally `x_val`, `y_val` and `x_test`, `y_test`; or `x` and `y`."""

from __future__ import annotations

import logging
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import check_file
from spaces.basics.printable import printable
from spaces.data import parts
from spaces.data.readers.memory import check_size
from spaces.data.readers.source import Part, RawData
from spaces.data.types import Array

_log = logging.getLogger(__name__)
# NumPy reads the header as a Python literal and lets some errors of that through.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError)


def load_npz(path: Path) -> RawData:
    """The data set in an `.npz` file, in any usual spelling of the names.

    Object arrays, which would need pickle, are refused. Arrays whose name means nothing are left out with a warning.

    Raises:
        DataError: the file is missing, damaged, too big for the memory, or lacks the named arrays.
    """
    with _open(path) as archive:
        present = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        found, others = parts.arrays(present, str(path))
        if others:
            named = ", ".join(map(printable, sorted(others)[:20]))
            _log.warning("%s: not used: %s (no rows or labels by their names)", printable(str(path)), named)
        check_size(sum(_declared_size(archive, name) for pair in found.values() for name in pair.values()), str(path))
        read = {
            part: Part(
                _read(archive, pair["x"], path), _read(archive, pair["y"], path), f"{path} ({pair['x']}, {pair['y']})"
            )
            for part, pair in found.items()
        }
    return RawData(path.stem, str(path), read["train"], read.get("validation"), read.get("test"))


def _open(path: Path) -> zipfile.ZipFile:
    check_file(path)
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged, or no .npz file ({error})") from error


def _declared_size(archive: zipfile.ZipFile, name: str) -> int:
    return archive.getinfo(f"{name}.npy").file_size


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> Array:
    where = f"{path} ({name})"
    try:
        with archive.open(f"{name}.npy") as member:
            check_npy(member, where, _declared_size(archive, name))
        with archive.open(f"{name}.npy") as member:
            return read_npy(member, where)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{where}: damaged ({error})") from error


def check_npy(stream: IO[bytes], where: str, size: int) -> None:
    """Judges a `.npy` stream by its header, before anything of its promised size is allocated.

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
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"format version {version[0]}.{version[1]}")
    except _HEADER_ERRORS as error:
        raise DataError(f"{where}: damaged, or no .npy file ({error})") from error
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects (dtype object), which are not read; save plain arrays")
    if any(size < 0 for size in shape) or (0 not in shape and not dtype.itemsize):
        raise DataError(f"{where}: damaged: impossible shape {shape} of {dtype}")
    expected = dtype.itemsize * math.prod(shape)
    if expected > size:
        raise DataError(f"{where}: damaged: shape {shape} needs {expected} bytes, the file has {size}")
    check_size(expected, where)


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
