"""Opening what lies in a run directory: plain files alone, whoever has put them there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from spaces.basics.files import unreadable


def open_plain(path: Path, flags: int) -> int:
    """The descriptor of a plain file. At a pipe or a device, opening, reading or writing could wait for ever.

    Args:
        path: The file; a link is not followed.
        flags: As for `os.open`; a file that is made belongs to its user alone for writing.

    Raises:
        OSError: It cannot be opened, or is no plain file.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it {unreadable(path)}", str(path))
    return descriptor
