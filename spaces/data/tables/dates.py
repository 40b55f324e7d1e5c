"""Dates as people write them, and what a model reads of them: their age and their parts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np

from spaces.data.tables.columns import Array
from spaces.data.tables.numbers import is_missing

ISO = "ISO8601"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
# The day of the week says nothing that the date does not, and moments without a time zone are in this one anyway.
# Digits alone behind it, as in `Mon 0900`, are no date: they would be a year.
_SPARE = re.compile(
    r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+(?!\s*\d+$)|(?<!\s)\s+(?:UTC|GMT)$",
    re.IGNORECASE,
)


def _timed(*days: str) -> tuple[str, ...]:
    return tuple(day + clock for day in days for clock in _CLOCKS)


_DAY_FIRST = _timed("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d-%m-%y")
_MONTH_FIRST = _timed("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
_CERTAIN = (
    ISO,
    *_timed("%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d"), "%Y.%m.%d", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %I:%M:%S %p",
    *_timed("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d %Y"),
    "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%m/%Y", "%m-%Y",
)  # fmt: skip
_NUMBERS = ("%Y%m%d", "%Y")
FORMATS = (*_CERTAIN, *_MONTH_FIRST, *_DAY_FIRST, *_NUMBERS)
"""All ways of writing a date that are known, for `strptime`; `ISO8601` is pandas' name for all of that norm."""

_DAY = 86_400.0


def find_format(cells: Sequence[str], *, day_first: bool, numbers: bool = False) -> tuple[str | None, int, bool]:
    """The way in which dates are written.

    Args:
        cells: different cells, none of them missing.
        day_first: whether 1/2/2020 is in February where no cell tells.
        numbers: whether 20240131 and 2024 are dates too.

    Returns:
        The format that reads most of them, None where none reads any; how many cells it does not read; and whether
        another one reads as many.
    """
    if not numbers and not any(any(c in cell for c in "-/.: ") and any(c.isdigit() for c in cell) for cell in cells):
        return None, len(cells), False
    unclear = (*_DAY_FIRST, *_MONTH_FIRST) if day_first else (*_MONTH_FIRST, *_DAY_FIRST)
    known = (*(_NUMBERS if numbers else ()), *_CERTAIN, *unclear)
    # Formats that no cell can have cost time.
    if not any("M" in cell.upper() for cell in cells):
        known = tuple(form for form in known if "%p" not in form)
    if not any(c.isalpha() for cell in cells for c in cell):
        known = tuple(form for form in known if "%b" not in form.lower())
    sample = cells[:: max(1, len(cells) // 50)]
    best: tuple[int, str] | None = None
    rival = False
    for form in known:
        if not np.isfinite(days(sample, form)).any():
            continue
        unread = int((~np.isfinite(days(cells, form))).sum())
        if best is None or unread < best[0]:
            best, rival = (unread, form), False
        elif unread == best[0] and {form, best[1]} & set(_DAY_FIRST) and {form, best[1]} & set(_MONTH_FIRST):
            rival = True
    return (None, len(cells), False) if best is None else (best[1], best[0], rival)


def days(cells: Sequence[str], form: str) -> Array:
    """Days since the beginning of 1970 for each cell; NaN where it is missing or not written in that format.

    An English day of the week before it, and `UTC` or `GMT` behind it, are passed over.
    """
    import pandas as pd

    texts = [None if is_missing(cell) else _SPARE.sub("", cell.strip()) for cell in cells]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on formats, which is not for our users
        read = pd.to_datetime(pd.Series(texts, dtype=object), format=form, errors="coerce", utc=True)
    moments = read.to_numpy(dtype="datetime64[us]")
    seconds = moments.astype("int64") / 1e6
    return np.where(np.isnat(moments), np.nan, seconds / _DAY)


def moments(column: Array) -> Array:
    """Days since the beginning of 1970, none of them NaN, as moments."""
    return np.rint(column * (_DAY * 1e6)).astype("int64").astype("datetime64[us]")


def written(moment: np.datetime64) -> str:
    """`2024-01-31`, with the time where it is not midnight: `2024-01-31 08:15`."""
    return str(np.datetime_as_string(moment, unit="m")).replace("T", " ").removesuffix(" 00:00")


def parts(column: Array, *, times: bool) -> list[tuple[str, Array]]:
    """What a model reads of dates: days since 1970 (the age), year, month, day, weekday (Monday 0), hour.

    Args:
        column: days since the beginning of 1970, none of them NaN.
        times: whether the dates have times, so that the hour says something.
    """
    whole = np.floor(column)
    day = whole.astype("int64").astype("datetime64[D]")
    month, year = day.astype("datetime64[M]"), day.astype("datetime64[Y]")
    found = [
        ("days since 1970", column),
        ("year", year.astype("int64") + 1970.0),
        ("month", month.astype("int64") % 12 + 1.0),
        ("day", (day - month.astype("datetime64[D]")).astype("int64") + 1.0),
        ("weekday", (whole + 3) % 7),
    ]
    return [*found, ("hour", (column - whole) * 24)] if times else found
