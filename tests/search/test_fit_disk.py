"""A disk that would lose a run, as those of hosted notebooks may, is refused with the reason."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import sqlite3

import pytest

from search.errors import RunError
from search.loop import fit_disk
from search.loop.fit_disk import require_fit


def raising(error):
    def call(*arguments, **options):
        raise error

    return call


def test_a_disk_of_this_machine_fits_and_nothing_is_left_there(tmp_path):
    require_fit(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "name", "double", "message"),
    [
        (fcntl, "flock", raising(OSError(errno.ENOSYS, "Function not implemented")), "file locks .Function not impl"),
        (fcntl, "flock", lambda *arguments: None, "file locks .not as they should be"),
        (mmap, "mmap", raising(OSError(errno.ENODEV, "No such device")), "mapped memory .No such device"),
        (os, "replace", raising(OSError(errno.EPERM, "Operation not permitted")), "files that replace others .Oper"),
        (sqlite3, "connect", raising(sqlite3.OperationalError("disk I/O error")), "write-ahead log .disk I/O error"),
    ],
    ids=["no locks", "locks that do nothing", "no mmap", "no replace", "no write-ahead log"],
)
def test_what_it_lacks_is_named_with_what_to_do(tmp_path, monkeypatch, module, name, double, message):
    # Where it is looked up: the standard library's own folders are removed with the same functions.
    monkeypatch.setattr(getattr(fit_disk, module.__name__), name, double)
    with pytest.raises(
        RunError, match=rf"this disk has no .*{message}.*choose a run directory on a disk of this machine"
    ):
        require_fit(tmp_path)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_network_disk_that_locks_for_one_alone_only_what_may_be_written_fits(tmp_path, monkeypatch):
    """As Linux does on NFS."""

    def flock(stream, how):
        if how & fcntl.LOCK_EX and fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        locks(stream, how)

    locks = fcntl.flock
    monkeypatch.setattr(fit_disk.fcntl, "flock", flock)
    require_fit(tmp_path)


def of_sqlite(code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        (os, "replace", OSError(errno.ENOSPC, "No space left on device")),
        (sqlite3, "connect", of_sqlite(sqlite3.SQLITE_FULL)),
        (sqlite3, "connect", of_sqlite(sqlite3.SQLITE_IOERR_SHMSIZE)),
    ],
    ids=["a file", "the log", "what processes share"],
)
def test_a_full_disk_is_not_called_unfit(tmp_path, monkeypatch, module, name, error):
    monkeypatch.setattr(getattr(fit_disk, module.__name__), name, raising(error))
    require_fit(tmp_path)
