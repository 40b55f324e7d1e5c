"""Errors of the running side, named by what the caller does next."""

from __future__ import annotations

import sqlite3

from spaces.basics.errors import OF_THE_DISK


class RunError(Exception):
    """The run directory cannot be used as asked; the message says why and what to do. Nothing was changed."""


class DamageWarning(UserWarning):
    """Part of a run's store is damaged; it is left out, and the rest is shown."""


class CheckpointError(Exception):
    """A checkpoint is missing, torn or not the one that was recorded. Train its configuration again."""


class DiskError(Exception):
    """A file of the run cannot be written, for example on a full disk. The run stops with what is committed."""


class SearchFailed(Exception):
    """The search ended without a usable configuration; all that is known is in the store."""


class NightEnded(Exception):
    """A night that was to go on in the background has ended at once; the message is what it printed.

    Attributes:
        code: Its exit code, as a shell shows it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NotReported(SearchFailed):
    """The space file names a value, such as the objective, that the trainings do not report."""


class ClusterError(RunError):
    """A Ray cluster cannot be used as asked. Nothing was changed."""


class ClusterLost(Exception):
    """The Ray cluster that trained is gone, or none of its nodes can train.

    What was committed is kept: the run goes on from there, anywhere.
    """


_DISK_OF_SQLITE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


def not_written(place: object, error: OSError | sqlite3.Error, otherwise: type[Exception] = RunError) -> Exception:
    """What to raise for a file that cannot be written: a `DiskError` where the disk is full or fails.

    Args:
        place: The file, or its folder, for the message.
        error: What the system said.
        otherwise: The error for whatever else it may be.
    """
    if isinstance(error, OSError):
        return (DiskError if error.errno in OF_THE_DISK else otherwise)(
            f"{place}: cannot be written ({error.strerror or error})"
        )
    # The lowest byte is the kind of the error.
    kind = DiskError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_OF_SQLITE else otherwise
    return kind(f"{place}: cannot be written ({error})")
