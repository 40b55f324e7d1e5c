from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from search.durations import next_time, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90), ("30m", 1800), ("8h", 28800), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400),
        (" 8 H ", 28800), ("1h 30m", 5400), (30, 30), (0.5, 0.5),
    ],
)  # fmt: skip
def test_durations_as_people_write_them(text, expected):
    assert seconds(text) == expected
    assert isinstance(seconds(text), float)


NOT_DURATIONS = ["", "0", "0s", "-5", "-5m", "8 hours", "h", "1x", "nan", "inf", "07:00", 0, -1, True]


@pytest.mark.parametrize("text", [*NOT_DURATIONS, *(np.timedelta64(30, unit) for unit in ("m", "ns"))])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["99999999h", "3651d", 1e11, 1e300])
def test_what_nobody_lives_to_see_is_refused(text):
    with pytest.raises(ValueError, match="longer than ten years"):
        seconds(text)
    assert seconds("3650d") == 3650 * 86400


def test_a_number_without_a_unit_is_refused_in_text():
    with pytest.raises(ValueError, match=r"3 what\? Write 3s, 3m or 3h"):
        seconds("3")


BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = [
    ("2026-11-26 22:00", "07:00", "2026-11-27 07:00+01:00"),
    ("2026-11-26 06:59", "07:00", "2026-11-26 07:00+01:00"),
    ("2026-11-26 07:00", "07:00", "2026-11-27 07:00+01:00"),
    # Set forward from 02:00 to 03:00 in the night.
    ("2026-03-28 22:00", "07:00", "2026-03-29 07:00+02:00"),
    ("2026-03-28 22:00", "01:30", "2026-03-29 01:30+01:00"),
    ("2026-03-28 22:00", "02:30", "2026-03-29 03:00+02:00"),
    ("2026-03-29 03:30", "02:30", "2026-03-30 02:30+02:00"),
    # Set back from 03:00 to 02:00 in the night.
    ("2026-10-24 22:00", "07:00", "2026-10-25 07:00+01:00"),
    ("2026-10-24 22:00", "02:30", "2026-10-25 02:30+02:00"),
    ("2026-10-25 02:30+02:00", "02:30", "2026-10-25 02:30+01:00"),
    ("2026-10-25 02:30+01:00", "02:30", "2026-10-26 02:30+01:00"),
]


def in_berlin(text):
    moment = datetime.fromisoformat(text)
    return moment.astimezone(BERLIN) if moment.tzinfo else moment.replace(tzinfo=BERLIN)


@pytest.mark.parametrize(("now", "until", "expected"), NIGHTS)
def test_an_hour_is_the_next_time_that_the_clock_shows_it(now, until, expected):
    assert next_time(until, in_berlin(now)) == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize(("now", "until", "expected"), NIGHTS)
def test_the_machines_own_zone_counts_where_the_present_has_a_fixed_offset(monkeypatch, now, until, expected):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        # What `datetime.now().astimezone()` gives: the offset of today, which need not be that of tomorrow.
        present = datetime.fromtimestamp(in_berlin(now).timestamp()).astimezone()
        assert next_time(until, present) == datetime.fromisoformat(expected).timestamp()
        assert next_time(until, datetime.fromtimestamp(present.timestamp())) == next_time(until, present)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["7", "24:00", "07:60", "7 am", "", "07:00:00", "-1:00"])
def test_an_hour_that_no_clock_shows_is_refused(text):
    with pytest.raises(ValueError, match="not a time of day"):
        next_time(text, datetime.now())
