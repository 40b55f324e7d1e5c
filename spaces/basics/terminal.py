"""What a person reads, in colour where that is a terminal."""

from __future__ import annotations

import errno
import os

from rich.console import Console as RichConsole

from spaces.basics.streams import let_go


class Console(RichConsole):
    """Rich's console, for which a pipe that nobody reads any more is an error like any other of the terminal."""

    def on_broken_pipe(self) -> None:
        """Lets what is still to be said go nowhere; Rich would end the process.

        Raises:
            BrokenPipeError: Always.
        """
        let_go(self.file)
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
