"""Numbers and times as people read them."""

from __future__ import annotations

import pytest

from results.reporting import words


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.89341, "0.8934"), (0.0, "0.0000"), (1.0, "1.0000"), (12.345678, "12.346"), (0.00012345, "0.000123"),
        (2_345_678.0, "2.35e+06"), (-0.5, "-0.5000"), (None, "–"), (float("nan"), "not finite"),
    ],
)  # fmt: skip
def test_number(value: float | None, expected: str) -> None:
    assert words.number(value) == expected


@pytest.mark.parametrize(
    ("value", "score", "expected"),
    [
        (0.0123, 0.9, "+0.0123"), (-0.0008, 0.9, "−0.0008"), (0.0, 0.9, "±0"), (0.00001, 0.9, "+1e-05"),
        (0.0000021, 0.00012, "+2.1e-06"), (1.5, 12.3, "+1.500"),
    ],
)  # fmt: skip
def test_signed_has_the_decimals_of_its_score(value: float, score: float, expected: str) -> None:
    assert words.signed(value, score) == expected


@pytest.mark.parametrize(("length", "expected"), [(812, "812 B"), (1_340_000, "1.3 MB"), (543_000, "543 kB")])
def test_size(length: int, expected: str) -> None:
    assert words.size(length) == expected


def test_small_words() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.percent(0.004) == "0.4 %"
    assert words.percent(0.126) == "13 %"
    assert [words.percent(share) for share in (0, 1e-5, 0.9971, 0.9999, 1)] == [
        "0 %", "< 0.1 %", "99.7 %", "> 99.9 %", "100 %",
    ]  # fmt: skip
    assert words.shortened("one\ntwo three", 8) == "one two…"
    assert words.compact(20_000) == "20k"
    assert words.scalar(True) == "true"
    assert words.scalar(0.30000000000000004) == "0.3"


def test_distinct() -> None:
    long = [f"a rather long name number {i} of the article" for i in range(3)]
    labels = words.distinct([*long, "same", "same", "x" * 50, "x" * 49 + "y"], 20)
    assert len(set(labels)) == 7
    assert all(len(label) <= 20 for label in labels)
    assert labels[3:5] == ["same", "same (4)"]
