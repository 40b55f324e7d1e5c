"""Whether a disk can hold a run: file locks, mapped memory, files that replace others, and SQLite's write-ahead log.

Disks that are mounted from a cloud, such as those of hosted notebooks, may lack one of these, and then lose or mix what
is written, long after a night has begun.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from search.errors import RunError

_PAGE = mmap.PAGESIZE
_FULL = (errno.ENOSPC, errno.EDQUOT)
# What SQLite says of one; its processes share a file beside the log, for which there may be no room either.
_FULL_OF_SQLITE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def require_fit(directory: Path) -> None:
    """Tries everything that a run directory needs, in a folder that is removed again.

    Raises:
        RunError: Something is not there; it says what, and what to do.
    """
    tried: tuple[tuple[str, Callable[[Path], bool]], ...] = (
        ("file locks", _locks),
        ("mapped memory", _maps),
        ("files that replace others", _replaces),
        ("SQLite's write-ahead log", _logs),
    )
    try:
        with tempfile.TemporaryDirectory(prefix=".fit-", dir=directory, ignore_cleanup_errors=True) as folder:
            for what, works in tried:
                reason = _why_not(works, Path(folder))
                if reason is not None:
                    raise RunError(
                        f"{directory}: this disk has no {what} ({reason}), without which a run could be lost: choose a "
                        "run directory on a disk of this machine (--run-dir, run_dir=), and copy it when it is done"
                    )
    except OSError as error:
        # A full disk is told by whoever writes to it: it may have room again soon.
        if error.errno not in _FULL:
            raise RunError(f"{directory}: cannot be written ({error.strerror or error})") from error


def _why_not(works: Callable[[Path], bool], folder: Path) -> str | None:
    try:
        return None if works(folder) else "not as they should be"
    except (OSError, ValueError, sqlite3.Error) as error:
        if getattr(error, "errno", None) in _FULL:
            raise
        if getattr(error, "sqlite_errorcode", None) in _FULL_OF_SQLITE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        return str(getattr(error, "strerror", None) or error)


def _locks(folder: Path) -> bool:
    file = folder / "lock"
    # Both for writing, without which network disks lock nothing for one alone.
    with open(file, "wb") as first, open(file, "r+b") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _maps(folder: Path) -> bool:
    file = folder / "mapped"
    file.write_bytes(bytes(_PAGE))
    with open(file, "r+b") as stream, mmap.mmap(stream.fileno(), _PAGE) as mapped:
        mapped[:3] = b"yes"
        mapped.flush()
    return file.read_bytes()[:3] == b"yes"


def _replaces(folder: Path) -> bool:
    old, new = folder / "old", folder / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    os.replace(new, old)
    return old.read_bytes() == b"new" and not new.exists()


def _logs(folder: Path) -> bool:
    file = folder / "store"
    with contextlib.closing(sqlite3.connect(file)) as writer, contextlib.closing(sqlite3.connect(file)) as reader:
        (mode,) = writer.execute("PRAGMA journal_mode = WAL").fetchone()
        with writer:
            writer.execute("CREATE TABLE seen (number)")
            writer.execute("INSERT INTO seen VALUES (1)")
        return bool(mode == "wal" and reader.execute("SELECT number FROM seen").fetchall() == [(1,)])
