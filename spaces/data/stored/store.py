"""Where the rows of a data set are kept while it is used: in memory, or in files."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spaces.basics.errors import OF_THE_DISK, DataError, RowsNotWritten
from spaces.data.readers import memory
from spaces.data.stored.rows import Array, RowFile, StoredRows, blocks, close_below

Stream = Literal["auto"] | bool

# Rows are copied once where parts are taken from them, and there is a network beside them.
_SHARE = 0.5
# The name of a file that is being filled.
_BEGUN = ("rows-", ".part")
# How the names of folders for temporary files begin, by which those are known again whose process was killed.
_SCRATCH = "nightshift-scratch-"


@dataclass(frozen=True)
class Kept:
    """A file of rows that an earlier reading of the same data has left, with what was said of it."""

    rows: StoredRows
    notes: dict[str, Any]


class RowStore:
    """Decides whether rows stay on the disk, and writes those that have to be made into rows first.

    Args:
        stream: `data.stream`.
        folder: where files are written, made when it is needed and kept for the next reading of the same data; None:
            files without a name, which vanish with this process.
        most: bytes that it may write; None: as many as there is room for.

    Attributes:
        written: bytes of the files that are in use.
    """

    def __init__(self, stream: Stream = "auto", folder: Path | None = None, most: int | None = None) -> None:
        self._stream = stream
        self._folder = folder
        self._most = most
        self._passing = 0
        self._copies: Counter[str] = Counter()
        self.written = 0

    @property
    def place(self) -> str:
        """The folder where files are written."""
        return str(self._folder or temporary_folder())

    @property
    def always(self) -> bool:
        """Whether rows are to stay on the disk however few there are."""
        return self._stream is True

    def streams(self, size: int, where: str) -> bool:
        """Whether rows of so many bytes stay on the disk.

        Raises:
            DataError: they are to be in memory, which is too small for them.
        """
        if self._stream == "auto":
            return size > _SHARE * memory.memory_limit()
        if not self._stream:
            memory.check_size(size, where)
        return bool(self._stream)

    def kept(self, what: Any) -> Kept | None:
        """What was made of the same file or folder before.

        Args:
            what: everything that the rows follow from, as plain data.
        """
        if self._folder is None:
            return None
        path = self._path(what)
        try:
            notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            shape, dtype = tuple(notes["shape"]), np.dtype(notes["dtype"])
            header, now = _header(shape, dtype), path.stat()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if now.st_size != len(header) + dtype.itemsize * prod(shape) or dtype.hasobject:
            return None
        self.written += now.st_size
        file = RowFile(os.path.abspath(path), len(header), shape[0], now.st_size, inode=now.st_ino)
        return Kept(StoredRows([file], shape[1:], dtype), notes["notes"])

    def writer(self, shape: tuple[int, ...], dtype: np.dtype[Any], where: str, *, passing: bool = False) -> RowWriter:
        """Makes room for rows.

        Args:
            shape: of all rows; those that are appended come to it.
            dtype: of their values.
            where: the data, for errors.
            passing: whether they are needed only until other rows are made of them; their file has no name.

        Raises:
            DataError: there is no room.
        """
        header = _header(shape, dtype)
        size = len(header) + dtype.itemsize * prod(shape)
        folder = self._folder or temporary_folder()
        claim = partial(self._claim, folder=folder, where=where, passing=passing)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if self._folder is not None:
                _sweep(folder)
            claim(size)
            descriptor, path = _begin(folder, named=self._folder is not None and not passing)
            try:
                os.write(descriptor, header)
                if size > len(header):
                    os.posix_fallocate(descriptor, 0, size)
            except OSError:
                _give_up(descriptor, path)
                raise
        except OSError as error:
            raise _failed(error, f"{where}: its rows cannot be kept in {folder}") from error
        return RowWriter(descriptor, path, len(header), shape, dtype, self._path, claim)

    def _claim(self, size: int, there: int = 0, *, folder: Path, where: str, passing: bool) -> None:
        """Counts bytes that are about to be written; the arguments besides are those of `writer`.

        Args:
            size: how many.
            there: bytes of the same file that have been written, if it grows.
            folder: where the file is.

        Raises:
            DataError: there is no room for them.
        """
        least, all_files = "at least " if there else "", self.written + self._passing + size
        if self._most is not None and all_files > self._most:
            raise DataError(
                f"{where}: its rows take {least}{all_files / 1e6:.1f} MB on the disk, more than limits.disk of "
                f"{self._most / 1e6:.1f} MB"
            )
        free = shutil.disk_usage(folder).free
        if free < size:
            raise RowsNotWritten(
                f"{where}: its rows take {least}{(there + size) / 2**30:.1f} GiB on the disk, {free / 2**30:.1f} GiB "
                f"are free in {folder}"
            )
        if passing:
            self._passing += size
        else:
            self.written += size

    def whole(self, rows: Array | StoredRows, where: str, *, passing: bool = False) -> StoredRows:
        """Rows of an array, which need not be in memory, written in pieces; arguments as for `writer`."""
        # Parts may come from the same place; their number is the same when the data are read again.
        self._copies[where] += 1
        what = ["array", where, self._copies[where]]
        self.forget(what)
        writer = self.writer(rows.shape, rows.dtype, where, passing=passing)
        with writer:
            for start, block in blocks(rows):
                if not hasattr(block, "__array__"):  # a foreign kind of array, such as a sparse one
                    raise DataError(f"{where}: some of its rows are a {type(block).__name__}, an array is expected")
                read = np.asarray(block)
                writer[start : start + len(read)] = read
            return writer.done(what)

    def forget(self, what: Any) -> None:
        """Deletes what an earlier reading has left and this one writes anew: both take more room than there may be.

        Args:
            what: as for `kept`.
        """
        if self._folder is not None:
            path = self._path(what)
            for file in (path.with_suffix(".json"), path):
                with suppress(OSError):  # where nothing can be written, whoever writes says so
                    file.unlink()

    def _path(self, what: Any) -> Path:
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
        return (self._folder or Path()) / f"rows-{digest}.npy"


class RowWriter:
    """A file that is being filled with rows, as a context that gives it up unless `done` was called."""

    def __init__(
        self,
        descriptor: int,
        path: Path | None,
        offset: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        place: Callable[[Any], Path],
        claim: Callable[[int, int], None],
    ) -> None:
        self.shape = shape
        self._descriptor = descriptor
        self._path = path
        self._offset = offset
        self._dtype = dtype
        self._bytes = dtype.itemsize * prod(shape[1:])
        self._place = place
        self._claim = claim
        self._done = False

    def __setitem__(self, key: int | slice, rows: Array) -> None:
        """Writes a row, or rows that follow each other; from several threads at the same time if need be.

        Raises:
            DataError: they cannot be written.
        """
        first = int(key.start or 0) if isinstance(key, slice) else int(key)
        data = np.ascontiguousarray(rows, self._dtype).reshape(-1).view(np.uint8).data
        offset = self._offset + first * self._bytes
        try:
            while data:
                written = os.pwrite(self._descriptor, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise self._not_written(error) from error

    def append(self, rows: Array) -> None:
        """Writes rows after those that are there, of a file that was opened for none.

        Raises:
            DataError: there is no room for them, or they cannot be written.
        """
        count = self.shape[0] + len(rows)
        try:
            self._claim(len(rows) * self._bytes, self._offset + self.shape[0] * self._bytes)
        except OSError as error:
            raise self._not_written(error) from error
        self[self.shape[0] : count] = rows
        self.shape = (count, *self.shape[1:])

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            _give_up(self._descriptor, self._path)

    def _not_written(self, error: OSError) -> DataError:
        place = "a temporary file" if self._path is None else str(self._path.parent)
        return _failed(error, f"rows cannot be written to {place}")

    def done(self, what: Any, notes: dict[str, Any] | None = None) -> StoredRows:
        """The rows, complete.

        Args:
            what: everything that they follow from, as plain data, for `RowStore.kept`.
            notes: what is to be known of them, as plain data.

        Raises:
            DataError: the file cannot be written to its end.
        """
        try:
            # The number of rows may have grown; NumPy leaves room for that in the header.
            os.pwrite(self._descriptor, _header(self.shape, self._dtype)[: self._offset], 0)
            now = os.fstat(self._descriptor)
            path = None if self._path is None else self._put(self._path, self._place(what), notes or {})
        except OSError as error:
            raise self._not_written(error) from error
        self._done = True
        count = self.shape[0]
        if path is None:
            file = RowFile("", self._offset, count, now.st_size, None, self._descriptor)
            return StoredRows([file], self.shape[1:], self._dtype, owner=_Closing(self._descriptor))
        # Only now: what is begun and held by nobody counts as left behind.
        os.close(self._descriptor)
        # Whoever writes it again puts another in its place, and those who read this one go on with it.
        file = RowFile(os.path.abspath(path), self._offset, count, now.st_size, inode=now.st_ino)
        return StoredRows([file], self.shape[1:], self._dtype)

    def _put(self, begun: Path, path: Path, notes: dict[str, Any]) -> Path:
        """Gives the file its name, and puts the description beside it."""
        described = {"shape": list(self.shape), "dtype": self._dtype.str, "notes": notes}
        beside = begun.with_suffix(".json")
        beside.write_text(json.dumps(described), encoding="utf-8")
        # On the disk before they are believed: a machine that loses its power would leave zeros under their name.
        os.fsync(self._descriptor)
        os.replace(begun, path)
        # The description comes last: rows without it are not complete.
        os.replace(beside, path.with_suffix(".json"))
        return path


class _Closing:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._descriptor)


def _begin(folder: Path, *, named: bool) -> tuple[int, Path | None]:
    """A new file, open, and its path; one with a name is locked as long as somebody fills it."""
    prefix, suffix = _BEGUN
    while True:
        descriptor, path = tempfile.mkstemp(suffix, prefix, folder)
        if not named:
            Path(path).unlink(missing_ok=True)
            return descriptor, None
        with suppress(OSError):  # a disk without locks is refused where the run begins
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(path):  # else it was taken for left behind in the moment before it was locked
            return descriptor, Path(path)
        os.close(descriptor)


def _give_up(descriptor: int, path: Path | None) -> None:
    """Deletes a file that is not full, before others see that nobody holds it."""
    if path is not None:
        with suppress(OSError):
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
    os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Deletes what processes had begun to fill that were killed: it takes as much room as if it were full."""
    for path in folder.glob("*".join(_BEGUN)):
        with suppress(OSError):  # among them that of a file which somebody holds
            # For writing, without which some disks lock nothing; a pipe is not waited for.
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            _give_up(descriptor, path)


def _failed(error: OSError, what: str) -> DataError:
    kind = RowsNotWritten if error.errno in OF_THE_DISK else DataError
    return kind(f"{what} ({error.strerror})")


def temporary_folder() -> Path:
    """Where files without a name go: on a disk, which the ordinary folder for temporary files need not be.

    Raises:
        RowsNotWritten: there is none that takes any.
    """
    named, lasting = os.environ.get("TMPDIR"), Path("/var/tmp")
    if not named and os.access(lasting, os.W_OK):
        return lasting
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise RowsNotWritten(f"temporary files cannot be written ({error.strerror})") from error


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder for temporary files, which is deleted at the end; so are those of processes that were killed.

    Raises:
        DataError: it cannot be made.
    """
    folder = temporary_folder()
    try:
        _sweep_scratch(folder)
        made, descriptor = _begin_scratch(folder)
    except OSError as error:
        raise _failed(error, f"temporary files cannot be written to {folder}") from error
    try:
        with made as name:
            yield Path(name)
    finally:
        close_below(Path(made.name))
        os.close(descriptor)


def _begin_scratch(folder: Path) -> tuple[tempfile.TemporaryDirectory[str], int]:
    """A new folder, and its descriptor, which is locked as long as somebody uses it."""
    while True:
        made = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder)
        with suppress(FileNotFoundError):  # it was taken for left behind in the moment before it was locked
            descriptor = os.open(made.name, os.O_RDONLY)
            with suppress(OSError):  # a disk without locks; nothing is swept there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.exists(made.name):
                return made, descriptor
            os.close(descriptor)
        made.cleanup()


def _sweep_scratch(folder: Path) -> None:
    """Deletes the folders of this user's processes that were killed."""
    for path in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):  # among them that of a folder which somebody uses
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(descriptor).st_uid == os.geteuid():
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def remove(folder: Path) -> None:
    """Deletes the files of a store; they can be made again."""
    close_below(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    stream = BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(stream, described)
    return stream.getvalue()
