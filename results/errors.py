"""The errors of the reading side."""

from __future__ import annotations


class ResultError(Exception):
    """What was asked for cannot be shown or written; the message is one clear sentence for the user."""


class OptionError(ResultError):
    """An option cannot be meant as it is written, such as a column that does not exist."""
