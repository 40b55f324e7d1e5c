"""Numbers as people write them."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.data.tables.numbers import parse


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,3", "2,5"], [1.3, 2.5]),
        (["1.234,5", "2.000"], [1234.5, 2000]),
        (["1,234.5", "2,000"], [1234.5, 2000]),
        (["12,34,567"], [1234567]),
        (["1 234", "12\u00a0345,6"], [1234, 12345.6]),
        (["1'234.50"], [1234.5]),
        (["75%", "4.5 %"], [75, 4.5]),
        (["$1,200.50", "$ -5", "-$7"], [1200.5, -5, -7]),
        (["5.1 €", "7 EUR"], [5.1, np.nan]),
        (["(12)", "−5", "+3"], [-12, -5, 3]),
        (["1e5", "2E-3", ".5", "7."], [1e5, 2e-3, 0.5, 7]),
        (["0,123", "1,2"], [0.123, 1.2]),
        (["?", "n/a", "3"], [np.nan, np.nan, 3]),
    ],
)
def test_numbers_are_read(cells: list[str], expected: list[float]) -> None:
    np.testing.assert_array_equal(parse(cells, None).values, expected)


@pytest.mark.parametrize(
    "cell", ["1-2", "A1", "12B", "1.2.3", "1,2,3", "10:30", "%", "$", "inf", "1_000", "0x10", "1 2"]
)
def test_what_only_looks_like_a_number_is_none(cell: str) -> None:
    read = parse([cell, "5"], None)
    assert read.misfits.tolist() == [True, False]


def test_a_number_in_another_unit_does_not_fit() -> None:
    assert parse(["75%", "44%", "0.75"], None).misfits.tolist() == [False, False, True]


def test_cells_of_a_known_decimal_sign_may_be_written_with_a_point() -> None:
    assert parse(["5.5", "1,5", "1.500"], ",").values.tolist() == [5.5, 1.5, 1500]


def test_a_unit_that_stands_behind_all_numbers_is_no_word() -> None:
    read = parse(["3 kg", "4.5kg", "?"], None)
    assert (read.values[:2].tolist(), read.sign) == ([3, 4.5], "kg")
    assert parse(["3 kg", "4.5", "5 g"], None).misfits.tolist() == [True, False, True]
    assert parse(["3 kg", "4.5", "12B"], ".", unit="kg").misfits.tolist() == [False, False, True]
    assert parse(["3 kg"], ".", unit="").misfits.tolist() == [True]
