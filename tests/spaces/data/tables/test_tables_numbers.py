"""Numbers as people write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spaces.data.tables.numbers import parse, surrounding


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


@pytest.mark.parametrize("cell", ["\\N", "(null)", "[NULL]", "<NA>", "#N/A N/A", "-nan", "1.#IND"])
def test_what_programs_write_for_no_value_is_missing(cell: str) -> None:
    read = parse([cell, "5"], None)
    assert (read.values.tolist()[1], read.misfits.tolist()) == (5, [False, False])


@pytest.mark.parametrize(
    "cell", ["1-2", "A1", "12B", "1.2.3", "1,2,3", "10:30", "%", "$", "inf", "1_00", "0x10", "1 2"]
)
def test_what_only_looks_like_a_number_is_none(cell: str) -> None:
    read = parse([cell, "5"], None)
    assert read.misfits.tolist() == [True, False]


def test_a_number_in_another_unit_does_not_fit() -> None:
    read = parse(["75%", "44%", "0.75"], None)
    assert read.misfits.tolist() == read.foreign.tolist() == [False, False, True]
    assert parse(["75%", "0.44", "0.75"], None).misfits.tolist() == [True, False, False]
    assert parse(["75%", "44"], None, sign="").misfits.tolist() == [True, False]
    assert parse(["$5", "€6", "$7", "8"], ".", sign="").misfits.tolist() == [False, True, False, False]


def test_cells_of_a_known_decimal_sign_have_it_all_or_none() -> None:
    read = parse(["5.5", "1,5", "1.500"], ",")
    np.testing.assert_array_equal(read.values, [np.nan, 1.5, 1500])
    assert (read.mixed.tolist(), read.foreign.tolist()) == ([True, False, False], [False] * 3)
    assert parse(["5.5", "1.500"], ",").values.tolist() == [5.5, 1.5]
    assert parse(["1,5"], ".").mixed.tolist() == [True]
    assert parse(["5.5", "1,5", "1.500"], ",", literal=True).values.tolist() == [5.5, 1.5, 1500]


def test_a_unit_that_stands_behind_all_numbers_is_no_word() -> None:
    read = parse(["3 kg", "4.5kg", "?"], None)
    assert (read.values[:2].tolist(), read.unit) == ([3, 4.5], "kg")
    assert parse(["3 kg", "4.5", "5 g"], None).misfits.tolist() == [True, False, True]
    assert parse(["3 kg", "4.5", "12B"], ".", unit="kg").misfits.tolist() == [False, False, True]
    assert parse(["3 kg"], ".", unit="").misfits.tolist() == [True]


@pytest.mark.parametrize(
    ("cells", "expected", "carried"),
    [
        (["50 km/h", "60km/h"], [50, 60], "km/h"),
        (["10.5°C", "-3 °C"], [10.5, -3], "°C"),
        (["3 m²", "1,250.5 m²"], [3, 1250.5], "m²"),
        (["10 sq ft", "20 sq ft"], [10, 20], "sq ft"),
        (["65+", "7+"], [65, 7], "+"),
        (["~3", "4"], [3, 4], "~"),
        (["10 zł", "1 200 zł"], [10, 1200], "zł"),
        (["10 Kč"], [10], "Kč"),
        (["Rs. 10", "Rs. 1,00,000"], [10, 100_000], "Rs."),
        (["US$ 10", "US$1,000"], [10, 1000], "US$"),
        (["₺10", "-₺7"], [10, -7], "₺"),
        (["kr 10"], [10], "kr"),
        (["$10K", "$2.5K"], [10, 2.5], "$ K"),
        (["$10K", "$11K", "$2M"], [10, 11, np.nan], "$ K"),
        (["50 bhp", "51 bhp", "bhp", "12"], [50, 51, np.nan, np.nan], "bhp"),
        (["19M", "15M", "14k"], [19, 15, np.nan], "M"),
        (["10 sq ft", "20", "30"], [np.nan, 20, 30], ""),
    ],
)
def test_what_stands_around_most_numbers_is_their_unit(cells: list[str], expected: list[float], carried: str) -> None:
    read = parse(cells, None)
    np.testing.assert_array_equal(read.values, expected)
    assert read.carried == carried


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (['="100"', '="7"'], [100, 7]),
        (["'1.5'", "'NA'"], [1.5, np.nan]),
        (["'100", "7"], [100, 7]),
        (['"1.5"', "“2.5”"], [1.5, 2.5]),
        (["1_000", "12_000.5"], [1000, 12000.5]),
        (["5.--", "7.50"], [5, 7.5]),
        (["1.234,-", "7,50"], [1234, 7.5]),
        (["CHF 5.--", "CHF 7.-"], [5, 7]),
        (["1.5D+03", "2.5D-01"], [1500, 0.25]),
        (["[12]", "[13.5]"], [12, 13.5]),
        (["\u200b1.5", "\u200e2.5\ufeff"], [1.5, 2.5]),
    ],
)
def test_what_programs_put_around_numbers_leaves_them_numbers(cells: list[str], expected: list[float]) -> None:
    read = parse(cells, None)
    np.testing.assert_array_equal(read.values, expected)
    assert not read.misfits.any()
    assert parse(cells[:1], None, literal=True).misfits.all()


@pytest.mark.parametrize(
    ("cells", "expected", "sign"),
    [
        (["08:15", "9:30"], [8.25, 9.5], "h:mm"),
        (["08:07:30", "100:30:00", "-1:30:00"], [8.125, 100.5, -1.5], "h:mm:ss"),
        (["3:45 PM", "12:30 a.m.", "12:00 pm"], [15.75, 0.5, 12], "h:mm am/pm"),
    ],
)
@pytest.mark.parametrize("otherwise", [".", ","])
def test_clocks_are_hours(cells: list[str], expected: list[float], sign: str, otherwise: Any) -> None:
    read = parse(cells, None, otherwise)
    assert (read.values.tolist(), read.sign, read.unsure) == (expected, sign, False)
    assert parse([*cells, "7", "1:2"], None).misfits.tolist() == [False] * len(cells) + [True, True]


@pytest.mark.parametrize(
    ("cell", "around"),
    [
        ("Level 5", ("Level", "")),
        ("ca. 5.5 kg", ("ca.", "kg")),
        ("#12", ("#", "")),
        ("<5", ("<", "")),
        ("$5", ("$", "")),
        ("10 sq ft", ("", "sq ft")),
        ("12-", ("", "-")),
        ("12", ("", "")),
        ("A12", None),
        ("ID-12", None),
        ("1 of 2", None),
        ("order number 12", None),
    ],
)
def test_what_stands_around_a_number(cell: str, around: Any) -> None:
    assert surrounding(cell) == around
