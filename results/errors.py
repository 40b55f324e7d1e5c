"""The errors of the reading side."""

from __future__ import annotations

import errno


class ResultError(Exception):
    """What was asked for cannot be shown or written; the message is one clear sentence, one line, for the user."""

    def __init__(self, message: str) -> None:
        # Imported here, as below, for the process that checks exported files starts without the other packages.
        from spaces.basics.printable import printable

        super().__init__(printable(message))


class OptionError(ResultError):
    """An option cannot be meant as it is written, such as a column that does not exist."""


# No space, over the quota, file too large, an error of the device: nothing that the user has asked for wrongly.
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def not_written(place: object, error: OSError) -> Exception:
    """What to raise for a file that cannot be written: a `DiskError` where the disk is full or fails."""
    from search.errors import DiskError

    kind = DiskError if error.errno in _DISK else ResultError
    return kind(f"{place}: cannot be written ({error.strerror or error})")
