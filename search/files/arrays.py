"""Files of arrays: npz files that may be damaged are read, and of npy files it is told why they cannot be written."""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from search.files import atomic
from spaces.basics.files import unreadable
from spaces.data.readers.memory import check_size

# What zipfile and NumPy raise for changed bytes, besides ValueError: each field of the format has its own.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, TypeError, NotImplementedError, RuntimeError,
    MemoryError, OverflowError, AttributeError, SyntaxError,
)  # fmt: skip


def load(path: Path, *names: str, own_size: bool = False) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """The arrays of an npz file; pickled objects are never read.

    Args:
        path: The file.
        names: Arrays that it must have.
        own_size: Whether they may take as many bytes as the file itself, however many these are.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged, an array is missing, or it would unpack to more than fits into memory.
    """
    if path.exists() and (reason := unreadable(path)) is not None:
        raise OSError(errno.EINVAL, reason, str(path))
    try:
        with np.load(path, allow_pickle=False) as stored:
            size = sum(member.file_size for member in stored.zip.infolist())
            if not own_size or size > path.stat().st_size:
                check_size(size, str(path))
            found = {name: stored[name] for name in stored.files}
    except _DAMAGE as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"has no {missing[0]}")
    return found


def save(path: Path, array: np.ndarray[Any, np.dtype[Any]]) -> None:
    """Writes an npy file.

    Args:
        path: The file; its folder is made if it is missing.
        array: What it holds.

    Raises:
        OSError: It cannot be written, with the reason; a file of that name from before is untouched.
    """
    with atomic.replacing(path) as stream:
        np.save(_Plain(stream), array)


class _Plain:
    """A stream that NumPy does not know for a file: its own way into one tells how much fitted there, and not why."""

    def __init__(self, stream: BinaryIO) -> None:
        self.write = stream.write
