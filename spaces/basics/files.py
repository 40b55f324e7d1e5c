"""Whether a path of a stranger's is a plain file: opening a pipe waits for ever, and a device has no end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from spaces.basics.errors import DataError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def unreadable(path: str | Path) -> str | None:
    """Why a path cannot be read as a file, such as `is not a file but a pipe`; None if it is a file.

    Links are followed; nothing is opened.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ENOENT and os.path.islink(path):
            return f"is a link that leads nowhere: {error.strerror}"
        return "is a link that leads to itself" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
    except ValueError:  # a zero byte, which no name has
        return f"cannot be read: {os.strerror(errno.ENOENT)}"
    if stat.S_ISREG(mode):
        return None
    return f"is not a file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"


def check_file(path: str | Path) -> None:
    """Refuses data that are no plain file.

    Raises:
        DataError: names the path and what it is.
    """
    if (reason := unreadable(path)) is not None:
        raise DataError(f"{path}: {reason if reason.startswith('cannot') else f'cannot be read: it {reason}'}")
