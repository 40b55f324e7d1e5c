"""IDX files, the format of MNIST: magic number, sizes, then the values, all big-endian; plain or gzipped.

Format: http://yann.lecun.com/exdb/mnist/ (section "The IDX file format").
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import check_file, missing
from spaces.data.readers.memory import check_size
from spaces.data.readers.source import Part, RawData
from spaces.data.types import Array

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's code for "expect a gzip header and check its CRC"
_LONGEST_HEADER = 4 + 4 * 255
_TRAIN = ("train",)
_VALIDATION = ("validation", "valid", "val")
_TEST = ("t10k", "test")


def load_idx(path: Path) -> RawData:
    """The data set around an IDX file.

    Args:
        path: a directory with `train-images…`, `train-labels…` and optionally `t10k-images…`, `t10k-labels…`
            (or `test-…`) and `validation-…` (or `valid-…`, `val-…`), each with or without `.gz`; or one images file,
            with its labels file beside it.

    Raises:
        DataError: a file is missing, torn, or no IDX file.
    """
    if os.path.isdir(path):
        train = _read_pair(path, _TRAIN)
        if train is None:
            raise DataError(f"{path}: holds no train-images file of the IDX format")
        return RawData(path.name, f"{path} (IDX files)", train, _read_pair(path, _VALIDATION), _read_pair(path, _TEST))
    if missing(path):
        raise DataError(f"{path}: no such file or directory")
    check_file(path)
    return RawData(path.name.split(".")[0], f"{path} (IDX file)", _read_part(path))


def _read_pair(folder: Path, prefixes: tuple[str, ...]) -> Part | None:
    for prefix in prefixes:
        found = sorted(folder.glob(f"{prefix}-images*"))
        if found:
            return _read_part(found[0])
    return None


def _read_part(images: Path) -> Part:
    labels = _labels_file(images)
    return Part(read_idx(images), read_idx(labels), f"{images} and {labels.name}")


def _labels_file(images: Path) -> Path:
    """The labels belonging to an images file: `a-images-idx3-ubyte` goes with `a-labels-idx1-ubyte`."""
    if "images" not in images.name:
        raise DataError(f"{images}: cannot tell its labels file; name it like train-images-idx3-ubyte")
    prefix = images.name.split("images")[0]
    found = sorted(images.parent.glob(f"{prefix}labels*"))
    if not found:
        raise DataError(f"{images}: its labels file {prefix}labels-idx1-ubyte[.gz] is missing")
    return found[0]


def read_idx(path: Path) -> Array:
    """The array of one IDX file, in the machine's byte order.

    Raises:
        DataError: the file cannot be read, is torn, longer than its header says, or of another format.
    """
    check_file(path)
    try:
        check_size(path.stat().st_size, str(path))
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    zipped = content[:2] == _GZIP_MAGIC
    head = _unzip(content, _LONGEST_HEADER, path) if zipped else content[:_LONGEST_HEADER]
    dtype, shape, start = _read_header(head, path)
    size = start + dtype.itemsize * math.prod(shape)
    check_size(size, str(path))
    body = _unzip(content, size + 1, path) if zipped else content
    if len(body) != size:
        found = "longer" if len(body) > size else f"only {len(body)} bytes"
        raise DataError(f"{path}: torn or damaged: the header promises {size} bytes, the file is {found}")
    values = np.frombuffer(body, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _unzip(content: bytes, longest: int, path: Path) -> bytes:
    """At most `longest` bytes of a gzip file; its CRC is checked when the end is reached."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        return unpacker.decompress(content, longest)
    except zlib.error as error:
        raise DataError(f"{path}: damaged gzip file ({error})") from error


def _read_header(head: bytes, path: Path) -> tuple[np.dtype[np.generic], tuple[int, ...], int]:
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or head[3] == 0:
        raise DataError(f"{path}: no IDX file (its first bytes are {head[:4].hex(' ') or 'missing'})")
    start = 4 + 4 * head[3]
    if len(head) < start:
        raise DataError(f"{path}: torn or damaged: it ends inside its header")
    shape = tuple(int(size) for size in np.frombuffer(head, ">u4", count=head[3], offset=4))
    return np.dtype(_TYPES[head[2]]), shape, start
