"""The errors of the reading side."""

from __future__ import annotations


class ResultError(Exception):
    """What was asked for cannot be shown or written; the message is one clear sentence, one line, for the user."""

    def __init__(self, message: str) -> None:
        # Imported here, as below, for the process that checks exported files starts without the other packages.
        from spaces.basics.printable import printable

        super().__init__(printable(message))


class UnfitError(ResultError):
    """A model cannot be expressed in a file format."""


class OptionError(ResultError):
    """An option cannot be meant as it is written, such as a column that does not exist."""


def not_written(place: object, error: OSError) -> Exception:
    """What to raise for a file that cannot be written: a `DiskError` where the disk is full or fails."""
    from search import errors

    return errors.not_written(place, error, ResultError)
