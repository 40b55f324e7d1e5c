"""Durations as people write them."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import datetime, timedelta, timezone
from numbers import Real

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LONGEST = 10 * 365 * 86400.0
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def budget_seconds(budget: str | float | timedelta) -> float:
    """Seconds of the option `--budget`.

    Raises:
        ValueError: It is not a duration above zero; the message names the option.
    """
    try:
        return seconds(budget)
    except ValueError as error:
        raise ValueError(f"--budget {budget}: {error}") from None


def seconds(text: str | float | timedelta) -> float:
    """A duration: a number of seconds, a `timedelta`, or text such as `90s`, `30m`, `8h`, `1h30m`, `2d`.

    Raises:
        ValueError: It is not a duration above zero, or longer than ten years, or text without a unit.
    """
    if isinstance(text, str):
        compact = text.strip().lower()
        parts = _PART.findall(compact)
        whole = parts and not _PART.sub("", compact).strip()
        if not whole and _NUMBER.fullmatch(compact) and float(compact) > 0:
            raise ValueError(f"{compact} what? Write {compact}s, {compact}m or {compact}h")
        found: object = sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else 0.0
    else:
        found = text.total_seconds() if isinstance(text, timedelta) else text
    wanted = _number(found)
    if not 0 < wanted < math.inf:
        raise ValueError("not a duration; write for example 90s, 30m, 8h or 1h30m")
    if wanted > _LONGEST:
        raise ValueError("longer than ten years")
    return wanted


def moment(until: float | datetime, now: float) -> float:
    """Unix time by which everything has to be there, as a program gives it.

    Raises:
        ValueError: It is no time that may be meant.
    """
    given: object = until
    found = given.timestamp() if isinstance(given, datetime) else given
    if now < _number(found) < now + _LONGEST:
        return _number(found)
    if isinstance(given, datetime):
        told = f"{given}: not a time of the next ten years"
    elif not math.isnan(_number(given)):
        told = f"{_number(given):g}: not a Unix time of the next ten years"
    else:
        told = f"{given!r}: give a time of day such as '07:00', a datetime or Unix time"
    raise ValueError(f"until {told}")


def _number(given: object) -> float:
    """What a program gives; NaN where that is no number, or none that a float can hold."""
    # A truth value counts as a number, and so does a length of NumPy's, in whatever unit it has.
    if isinstance(given, bool) or getattr(getattr(given, "dtype", None), "kind", "") == "m":
        return math.nan
    with contextlib.suppress(OverflowError):
        return float(given) if isinstance(given, Real) else math.nan
    return math.nan


def next_time(text: str, now: datetime) -> float:
    """Unix time of the next moment at which the local clock shows a time of day, also across a clock change.

    A time that the clock leaves out, when it is set forward over it, is over at the moment of the change.

    Args:
        text: A time of day such as `07:00`.
        now: The present. With the zone of a place it is that place's clock that counts, else the machine's.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        hour = datetime.strptime(text.strip(), "%H:%M").time()
    except ValueError:
        raise ValueError(f"--until {text}: not a time of day; write for example 07:00") from None
    # `astimezone` gives a fixed offset, which knows of no clock change.
    zone = None if isinstance(now.tzinfo, timezone) else now.tzinfo
    today = datetime.fromtimestamp(now.timestamp(), zone).date()
    found = (_shown(datetime.combine(today + timedelta(days=days), hour, zone)) for days in range(3))
    return min(moment for moments in found for moment in moments if moment > now.timestamp())


def _shown(local: datetime) -> list[float]:
    """When the clock shows a date and time: once, twice where it is set back over it, or when it jumps over it."""
    moments = sorted({local.replace(fold=fold).timestamp() for fold in (0, 1)})
    shown = [m for m in moments if _clock(m, local) == local.replace(tzinfo=None)]
    if shown:
        return shown
    before, after = moments
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _clock(middle, local) < local.replace(tzinfo=None) else (before, middle)
    return [after]


def _clock(moment: float, zoned: datetime) -> datetime:
    return datetime.fromtimestamp(moment, zoned.tzinfo).replace(tzinfo=None)
