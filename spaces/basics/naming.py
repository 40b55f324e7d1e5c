"""Names that become part of file names: of a space, of its baselines, and of a run's trials."""

from __future__ import annotations

_LONGEST = 255
"""Bytes of a file name on every usual file system."""


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
