"""Values as people read them."""

import pytest

from results.text import cell, number, plural, visible
from spaces.basics.figures import amount, duration, score


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (0.00012, "0.12 ms"), (0.05, "50 ms"), (0.5, "0.5 s"), (9.94, "9.9 s"), (9.96, "10 s"),
        (59.4, "59 s"), (59.6, "1 min 00 s"), (100, "1 min 40 s"), (3599.7, "1 h 00 min"), (29_700, "8 h 15 min"),
    ],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2.0, "2"), (1234567, "1,234,567"), (0.1 + 0.2, "0.3"), (1e-4, "0.0001"), (3.14159e-7, "3.142e-07"),
     (1e300, "1e+300"), (-0.5, "-0.5"), (234_121.37, "234,121"), (9999.7, "10,000"), (9999.4, "9999"),
     (-15e9 - 0.5, "-15,000,000,000")],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.91234, "0.9123"),
        (0.0, "0.0000"),
        (0.00012345, "0.0001234"),
        (1234.56, "1235"),
        (9999.7, "10000"),
        (-45678.9, "-45679"),
        (2_345_678.0, "2.346e+06"),
    ],
)
def test_score(value: float, text: str) -> None:
    assert score(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (540_088.123, "540088"), (7_712_345.6, "7712346"), (1e20, "1e+20")]
)
def test_amount(value: float, text: str) -> None:
    assert amount(value) == text


def test_cells() -> None:
    assert [cell("x", value) for value in (None, True, False, "a\nb", 0.5)] == ["", "yes", "no", "a b", "0.5"]
    assert [cell("seconds", 90), cell("hours", 1.5), cell("spread", 0.00312)] == ["1 min 30 s", "1 h 30 min", "0.0031"]
    assert [cell("fold_spread", value) for value in (3.21e-8, 0.0, 1234.5678)] == ["3.2e-08", "0", "1235"]


def test_control_characters_are_replaced() -> None:
    assert visible("a\x1b[2J\x07\u202eb\tc") == "a\ufffd[2J\ufffd\ufffdb c"


def test_plural() -> None:
    assert [plural(1, "epoch"), plural(1200, "epoch")] == ["1 epoch", "1,200 epochs"]
    assert [plural(1, "ending", "ending so"), plural(2, "other", "others still")] == ["1 ending", "2 others still"]
