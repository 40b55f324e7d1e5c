"""What a person reads, in colour where that is a terminal."""

from __future__ import annotations

import errno
import os
from typing import Any

from rich.console import Console as RichConsole

from spaces.basics.streams import let_go


class Console(RichConsole):
    """Rich's console, for which a pipe that nobody reads any more is an error like any other of the terminal.

    Attributes:
        is_interactive: Whether what was drawn can be drawn anew in its place.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # FORCE_COLOR asks for colours in a file or a pipe, not for what is drawn there again and again.
        self.is_interactive = self.is_interactive and self.file.isatty()

    def on_broken_pipe(self) -> None:
        """Lets what is still to be said go nowhere; Rich would end the process.

        Raises:
            BrokenPipeError: Always.
        """
        let_go(self.file)
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
