"""One process at a time works on a run directory.

The lock is the kernel's lock on an open file, so it vanishes with its holder however that ends; a file that is left
behind locks nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from search.errors import RunError, not_written
from search.files import layout
from search.files.plain import open_plain

# Bytes of a lock file that are read: it names one process.
_LONGEST = 4096
# Whoever asks whether a run is worked on holds its lock for a moment.
_TRIES = 3
_PAUSE = 0.05


@dataclass(frozen=True)
class Holder:
    """The process that a lock file names.

    Attributes:
        host: Name of its machine.
        pid: Its process id there.
    """

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def alive(self) -> bool:
        """Whether it is there; a process on another machine is believed to be."""
        return self.host != socket.gethostname() or is_alive(self.pid)


def holder(directory: Path) -> Holder | None:
    """Who locked a run directory last, going or gone; None where the lock file is missing or names nobody."""
    try:
        with open(open_plain(directory / layout.LOCK, os.O_RDONLY), "rb") as stream:
            held = json.loads(stream.read(_LONGEST))
        host, pid = held["host"], held["pid"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # Below 1 a process id stands for groups of processes, which are always there.
    return Holder(host, pid) if isinstance(host, str) and type(pid) is int and pid > 0 else None


def is_held(directory: Path) -> bool:
    """Whether a process works on a run directory, on this machine or on another one that shares the disk.

    The kernel is asked for the lock, which is given back at once. Only where it cannot be asked does the process count
    that the lock file names.
    """
    try:
        descriptor = open_plain(directory / layout.LOCK, os.O_RDONLY)
    except PermissionError:
        return _names_one_that_lives(directory)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return _names_one_that_lives(directory)
    finally:
        os.close(descriptor)
    return False


def _names_one_that_lives(directory: Path) -> bool:
    named = holder(directory)
    return named is not None and named.alive()


def is_taken(directory: Path) -> bool:
    """Whether another process of this machine works on a run directory."""
    named = holder(directory)
    if named is None or named.host != socket.gethostname() or named.pid == os.getpid():
        return False
    return is_held(directory)


def is_alive(pid: int) -> bool:
    """Whether this machine has a process with this id, which is above 0."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        # It is somebody else's.
        return True
    except (OSError, OverflowError):
        return False
    return True


class RunLock:
    """Holds a run directory while used as a context manager.

    Args:
        directory: The run directory; it exists.

    Raises:
        RunError: On entry, if another process holds it; names its host and process id.
        DiskError: On entry, if the disk is full.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / layout.LOCK
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = open_plain(self._path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise not_written(self._path.parent, error) from error
        try:
            self._lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, json.dumps(vars(Holder(socket.gethostname(), os.getpid()))).encode())
        except BlockingIOError as error:
            os.close(descriptor)
            first = holder(self._path.parent) or "another process"
            raise RunError(f"{self._path.parent}: already in use by {first}; it must end first") from error
        except OSError as error:
            os.close(descriptor)
            raise not_written(self._path.parent, error) from error
        self._descriptor = descriptor
        return self

    @staticmethod
    def _lock(descriptor: int) -> None:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not left:
                    raise
                time.sleep(_PAUSE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
