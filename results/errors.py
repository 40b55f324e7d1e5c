"""The errors of the reading side."""

from __future__ import annotations


class ResultError(Exception):
    """What was asked for cannot be shown or written; the message is one clear sentence, one line, for the user."""

    def __init__(self, message: str) -> None:
        # Here, for the process that checks exported files starts without the package.
        from spaces.printable import printable

        super().__init__(printable(message))


class OptionError(ResultError):
    """An option cannot be meant as it is written, such as a column that does not exist."""
