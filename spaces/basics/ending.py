"""How the processes of this program end."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress


class Ending:
    """Ends this process without taking the interpreter apart, once everything else is done.

    With TensorFlow in memory that takes Python two to three seconds, more on a busy machine, and whoever started the
    process waits for them. Threads are waited for as ever, and what `atexit` is asked for from here on is done before.

    Attributes:
        code: The exit code; None as long as the program is not over: then the process ends as any other.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        # What is asked for last is done first.
        atexit.register(self._leave)

    def _leave(self) -> None:
        if self.code is None or "tensorflow" not in sys.modules:
            return
        for stream in (sys.stdout, sys.stderr):
            # They are None where a process has no such stream, and may be closed.
            with suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(self.code)
