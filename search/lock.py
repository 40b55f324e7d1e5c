"""One process at a time works on a run directory.

The lock is the kernel's lock on an open file, so it vanishes with its holder however that ends; a file that is left
behind locks nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from search import layout
from search.errors import RunError


class RunLock:
    """Holds a run directory while used as a context manager.

    Args:
        directory: The run directory; it exists.

    Raises:
        RunError: On entry, if another process holds it; names its host and process id.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / layout.LOCK
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunError(f"{self._path.parent}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._holder()
            os.close(descriptor)
            raise RunError(f"{self._path.parent}: already in use by {holder}; it must end first") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _holder(self) -> str:
        try:
            held = json.loads(self._path.read_text())
            return f"process {held['pid']} on {held['host']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"
