"""The folder that a search has on each node: data, and checkpoints until they are sent home.

Whoever uses it holds a lock on it. A folder that nobody holds belongs to a search that was killed, and goes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from spaces.data.stored.store import temporary_folder

_PREFIX = "nightshift-node-"
_LOCK = "lock"


class Swept(Exception):
    """The folder that was to be shared is gone: nobody held it for a while, and another search tidied up."""


class NodeFolder:
    """A folder on this node, shared with the other trainings of the same search here.

    Args:
        folder: The folder that another one has made, or None: a new one.

    Raises:
        OSError, RowsNotWritten: It cannot be made.
        Swept: It is gone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        if folder is None:
            _sweep()
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=temporary_folder()))
            (folder / _LOCK).touch()
        self.path = folder
        try:
            self._lock = os.open(folder / _LOCK, os.O_RDWR)
        except FileNotFoundError as error:
            raise Swept(f"{folder} is gone") from error
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        if not (folder / _LOCK).exists():
            # It went between the two.
            os.close(self._lock)
            raise Swept(f"{folder} is gone")

    def leave(self) -> None:
        """Lets go of it; the last one removes it."""
        _remove_if_free(self.path, self._lock)


def _sweep() -> None:
    for folder in temporary_folder().glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:
            # Just being made, or somebody else's.
            continue
        _remove_if_free(folder, lock)


def _remove_if_free(folder: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        # Another search may have tidied up just before.
        with contextlib.suppress(OSError):
            for entry in folder.iterdir():
                if entry.name != _LOCK:
                    shutil.rmtree(entry, ignore_errors=True)
        # The lock goes last: by it, who is cut off meanwhile leaves the rest to the next search.
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
