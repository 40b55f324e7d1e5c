"""Where a process prints: a terminal, a file, or a pipe whose reader may be gone before everything is said."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, Any


def open_closed() -> None:
    """Opens to nowhere what this process was given closed, as by `2>&-`; those that it starts have it open too.

    A file would get its number, and in it would stand what libraries write there past Python, or nothing could be
    sent there at all.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest number that is free is that of the stream.
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)
            stream = os.fdopen(nowhere, mode, encoding="utf-8", errors="backslashreplace")
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def let_go(stream: IO[str]) -> None:
    """Lets what is still to be written to a stream go nowhere, also what waits in its buffer.

    Raises:
        OSError: It is no file of the system's.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


class Unheard:
    """A stream for those who know nothing of pipes: what nobody reads any more is lost, and no error of theirs.

    Args:
        stream: Where it is written.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes it, or loses it; gives the number of characters."""
        self._tried(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Writes what waits, or loses it."""
        self._tried(self._stream.flush)

    def _tried(self, write: Any) -> None:
        try:
            write()
        except BrokenPipeError:
            with suppress(OSError):
                let_go(self._stream)
        except OSError:
            # A terminal that is gone takes nothing with it.
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
