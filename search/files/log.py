"""The run's log file: lines with the local time before them.

Written by hand: `logging` would wait at a pipe, and is set up by whoever calls this program from theirs.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from search.clock import Clock
from search.errors import not_written
from search.files import layout


class Log:
    """Appends to `log.txt` of a run; every line is written at once.

    Args:
        run: The run directory.
        clock: Tells the time of each line.

    Raises:
        DiskError: There is no room for it.
        RunError: It cannot be written for another reason.
    """

    def __init__(self, run: Path, clock: Clock) -> None:
        path = run / layout.LOG
        try:
            # Opening a pipe would wait for whoever reads it.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise not_written(path, error) from error
        # Names of files need not be UTF-8.
        self._stream = open(descriptor, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
        self._clock = clock

    def line(self, text: str) -> None:
        """Writes a line; on a full disk it is lost, which is no reason to lose anything else."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock.now()))
        with contextlib.suppress(OSError):
            self._stream.write(f"{stamp} {text}\n")

    def close(self) -> None:
        """Closes the file."""
        with contextlib.suppress(OSError):
            self._stream.close()
