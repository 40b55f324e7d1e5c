"""NumPy archives: `x_train`, `y_train`, optionally `x_val`, `y_val` and `x_test`, `y_test`; or `x` and `y`.

A folder of `.npy` files with such names is read as the archive that they would make.
"""

from __future__ import annotations

import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.files import check_file
from spaces.basics.printable import printable
from spaces.data import parts
from spaces.data.readers.memory import check_size, rows_size
from spaces.data.readers.npy import Header, check_npy, read_header, read_npy
from spaces.data.readers.source import Part, RawData
from spaces.data.stored.rows import RowFile, StoredRows
from spaces.data.stored.store import RowStore
from spaces.data.types import AnyRows, Array

_log = logging.getLogger(__name__)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
_PIECE = 2**22
_TIMES = 100
# Of the local header of a member (APPNOTE.TXT of the zip format, section 4.3.7).
_LOCAL, _LENGTHS = 30, 26


def load_npz(path: Path, store: RowStore | None = None) -> RawData:
    """The data set in an `.npz` file, or in a folder of `.npy` files, in any usual spelling of the names.

    Object arrays, which would need pickle, are refused. Arrays whose name means nothing are left out with a warning.

    Args:
        path: the file or folder.
        store: decides which rows stay on the disk: those of an array that is not compressed where they are.

    Raises:
        DataError: the file is missing, damaged, too big for the memory, or lacks the named arrays.
    """
    store = store or RowStore()
    with _open(path) as archive:
        found, others = parts.arrays(archive.names, str(path))
        if others:
            named = ", ".join(map(printable, sorted(others)[:20]))
            _log.warning("%s: not used: %s (no rows or labels by their names)", printable(str(path)), named)
        check_size(sum(archive.size(pair["y"]) for pair in found.values()), str(path))
        headers = [archive.header(pair["x"]) for pair in found.values()]
        streams = store.streams(sum(rows_size(header.shape, header.dtype) for header in headers), str(path))
        read = {
            part: Part(
                archive.rows(pair["x"], store) if streams else archive.read(pair["x"]),
                archive.read(pair["y"]),
                f"{path} ({pair['x']}, {pair['y']})",
            )
            for part, pair in found.items()
        }
    return RawData(path.stem, str(path), read["train"], read.get("validation"), read.get("test"))


def new_rows(path: Path) -> Array:
    """The rows to predict in an `.npz` file, see `parts.to_predict`.

    Raises:
        DataError: the file is missing, damaged, too big for the memory, or leaves open which array they are.
    """
    with _open(path) as archive:
        name = parts.to_predict(archive.names)
        if name is None:
            named = ", ".join(map(printable, sorted(archive.names)[:20])) or "nothing"
            raise DataError(f"{path}: holds {named}; expected the rows as x_test, as x, or as the only array")
        check_size(archive.size(name), str(path))
        return archive.read(name)


class _Folder:
    """A folder of `.npy` files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = [file.stem for file in sorted(path.glob("*.npy")) if not file.name.startswith(".")]

    def size(self, name: str) -> int:
        check_file(self._file(name))
        return self._file(name).stat().st_size

    def read(self, name: str) -> Array:
        where = str(self._file(name))
        try:
            with self._file(name).open("rb") as stream:
                check_npy(stream, where, self.size(name))
                stream.seek(0)
                return read_npy(stream, where)
        except OSError as error:
            raise DataError(f"{where}: cannot be read: {error.strerror or error}") from error

    def header(self, name: str) -> Header:
        file, size = self._file(name), self.size(name)
        try:
            with file.open("rb") as stream:
                return read_header(stream, str(file), size)
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error

    def rows(self, name: str, store: RowStore) -> AnyRows:
        file = self._file(name)
        return _in_place(file, 0, self.header(name), str(file))

    def _file(self, name: str) -> Path:
        return self._path / f"{name}.npy"


class _Archive:
    """An `.npz` file."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def size(self, name: str) -> int:
        return self._archive.getinfo(f"{name}.npy").file_size

    def read(self, name: str) -> Array:
        where = f"{self._path} ({name})"
        with self._member(name, where) as member:
            check_npy(member, where, self.size(name))
        with self._member(name, where) as member:
            return read_npy(member, where)

    def header(self, name: str) -> Header:
        where = f"{self._path} ({name})"
        with self._member(name, where) as member:
            return read_header(member, where, self.size(name))

    def rows(self, name: str, store: RowStore) -> AnyRows:
        where, info = f"{self._path} ({name})", self._archive.getinfo(f"{name}.npy")
        with self._member(name, where) as member:
            header = read_header(member, where, info.file_size)
            if info.compress_type == zipfile.ZIP_STORED:
                while member.read(_PIECE):  # to the end, where its checksum is compared
                    pass
                return _in_place(self._path, self._begin(info), header, where)
            _require_rows(header, where)
            if info.file_size > _TIMES * info.compress_size:  # hardly anybody's rows: it may not fill the disk
                check_size(info.file_size, where)
            looked_at = self._path.stat()
            what = ["npz", str(self._path), looked_at.st_size, looked_at.st_mtime_ns, name]
            if (kept := store.kept(what)) is not None:
                return kept.rows
            with store.writer(header.shape, header.dtype, where) as writer:
                size = header.dtype.itemsize * prod(header.shape[1:])
                count = max(1, _PIECE // max(1, size))
                for start in range(0, header.shape[0], count):
                    wanted = min(count, header.shape[0] - start)
                    block = _exactly(member, wanted * size, where)
                    writer[start : start + wanted] = np.frombuffer(block, header.dtype)
                return writer.done(what)

    def _begin(self, info: zipfile.ZipInfo) -> int:
        with self._path.open("rb") as stream:
            stream.seek(info.header_offset + _LENGTHS)
            name, extra = struct.unpack("<HH", stream.read(4))
        return info.header_offset + _LOCAL + int(name) + int(extra)

    @contextmanager
    def _member(self, name: str, where: str) -> Iterator[IO[bytes]]:
        try:
            with self._archive.open(f"{name}.npy") as member:
                yield member
        except _DAMAGED as error:
            raise DataError(f"{where}: damaged ({error})") from error


@contextmanager
def _open(path: Path) -> Iterator[_Folder | _Archive]:
    if os.path.isdir(path):
        yield _Folder(path)
        return
    check_file(path)
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged, or no .npz file ({error})") from error
    with archive:
        yield _Archive(path, archive)


def _require_rows(header: Header, where: str) -> None:
    if header.fortran and len(header.shape) > 1:
        raise DataError(
            f"{where}: its rows do not lie one after the other (Fortran order), so that they cannot be read from the "
            "disk one by one; save numpy.ascontiguousarray(x), or set data.stream: false"
        )
    if not header.shape:
        raise DataError(f"{where}: is one number, an array of rows is expected")


def _in_place(path: Path, begin: int, header: Header, where: str) -> StoredRows:
    _require_rows(header, where)
    now = path.stat()
    file = RowFile(str(path.absolute()), begin + header.length, header.shape[0], now.st_size, now.st_mtime_ns)
    return StoredRows([file], header.shape[1:], header.dtype)


def _exactly(stream: IO[bytes], size: int, where: str) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise DataError(f"{where}: damaged: it ends too early")
    return found
