"""Names that become part of file names: of a space, of its baselines, and of a run's trials."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from spaces.section import refuse, shown

_LONGEST = 255
"""Bytes of a file name on every usual file system."""
_LONGEST_GIVEN = 180
"""Bytes that leave room for what is put around a name: `candidate-baseline-NAME-1`."""


def unfit(name: str, longest: int = _LONGEST) -> str | None:
    """Why a text cannot be the name of one file or folder, in words; None if it can.

    Args:
        name: The text.
        longest: Bytes that it may have in UTF-8.
    """
    if not name.strip():
        return "it is empty"
    if "/" in name or "\\" in name:
        return "it has a path separator"
    if name.startswith("."):
        return "it begins with a dot"
    if not name.isprintable():
        return "it has a character that cannot be printed"
    if len(name.encode()) > longest:
        return f"it is longer than {longest} bytes"
    return None


def _fit(name: str) -> str:
    if problem := unfit(name, _LONGEST_GIVEN):
        # As an escape where it cannot be printed: the message goes to a terminal.
        found = shown(name) if name.isprintable() else ascii(name[:60])
        raise refuse(f"found {found}; it names files, and {problem}")
    return name


Name = Annotated[str, Field(min_length=1), AfterValidator(_fit)]
"""A name in a space file."""
