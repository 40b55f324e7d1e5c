"""Durations as people write them."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds(text: str | float) -> float:
    """A duration: a number of seconds, or text such as `90s`, `30m`, `8h`, `1h30m`, `2d`.

    Raises:
        ValueError: It is not a duration above zero.
    """
    if isinstance(text, str):
        compact = text.strip().lower()
        parts = _PART.findall(compact)
        if parts and not _PART.sub("", compact).strip():
            text = sum(float(number) * _UNITS[unit] for number, unit in parts)
        else:
            try:
                text = float(compact)
            except ValueError:
                text = 0.0
    if not 0 < text < float("inf"):
        raise ValueError("not a duration; write for example 90s, 30m, 8h or 1h30m")
    return float(text)
