"""Several names that are asked for at once: columns, formats."""

from __future__ import annotations

from collections.abc import Iterable


def named(given: str | Iterable[str]) -> list[str]:
    """The names in a text with commas between them, or in a list, each once: spaces and empty parts do not count."""
    parts = given.split(",") if isinstance(given, str) else given
    return list(dict.fromkeys(name.strip() for name in parts if name.strip()))
