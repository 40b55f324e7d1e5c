from __future__ import annotations

import pytest

from search.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90), ("30m", 1800), ("8h", 28800), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("45", 45),
        (" 8 H ", 28800), ("1h 30m", 5400), (30, 30), (0.5, 0.5),
    ],
)  # fmt: skip
def test_durations_as_people_write_them(text, expected):
    assert seconds(text) == expected
    assert isinstance(seconds(text), float)


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "-5m", "8 hours", "h", "1x", "nan", "inf", "07:00", 0, -1])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)
