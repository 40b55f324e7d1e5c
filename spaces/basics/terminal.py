"""What a person reads, on a terminal or in a pipe that may be gone before everything is said."""

from __future__ import annotations

import errno
import os

from rich.console import Console as RichConsole


class Console(RichConsole):
    """Rich's console, for which a pipe that nobody reads any more is an error like any other of the terminal."""

    def on_broken_pipe(self) -> None:
        """Lets what is still to be said go nowhere; Rich would end the process.

        Raises:
            BrokenPipeError: Always.
        """
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
