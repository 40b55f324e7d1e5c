"""Durations as people write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

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


def deadline(budget: str | None, until: str | None, now: datetime) -> float | None:
    """The moment by which everything has to be there, as Unix time; the earlier one if both are given.

    Args:
        budget: A duration, see `seconds`.
        until: A local time of day such as `07:00`: the next time that the clock shows it.
        now: The present, with its time zone.

    Raises:
        ValueError: One of them cannot be read; the message names its option.
    """
    ends = []
    if budget is not None:
        try:
            ends.append(now.timestamp() + seconds(budget))
        except ValueError as error:
            raise ValueError(f"--budget {budget}: {error}") from None
    if until is not None:
        try:
            hour = datetime.strptime(until, "%H:%M")
        except ValueError:
            raise ValueError(f"--until {until}: not a time of day; write for example 07:00") from None
        moment = now.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
        ends.append((moment if moment > now else moment + timedelta(days=1)).timestamp())
    return min(ends, default=None)
