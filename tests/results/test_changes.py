"""Changes to a dimension of a space."""

import pytest

from results.verdicts.changes import Piece, ordered, position, widened
from spaces.families.common import DEPTH, FRACTION, WIDTH
from spaces.sections.training_section import MOMENTUM, RATE
from spaces.values.dimensions import Choice, Dimension, Fixed, Range
from spaces.values.kinds import Kind

RATES = Range(1e-4, 1e-1, False, log=True)
WHEN = (("optimizer", ("sgd",)),)


@pytest.mark.parametrize(
    ("dimension", "kind", "end", "expected"),
    [
        # Half the decades more on either side.
        (RATES, RATE, "high", (1e-4, 3.16)),
        (RATES, RATE, "low", (3.16e-6, 1e-1)),
        (Range(0.0, 0.4, False), FRACTION, "high", (0.0, 0.6)),
        (Range(0.2, 0.4, False), FRACTION, "low", (0.1, 0.4)),
        # Only as far as the setting allows: below 1, at least 0.
        (Range(0.5, 0.9, False), FRACTION, "high", (0.5, 0.95)),
        (Range(0.1, 0.9, False, step=0.2), FRACTION, "high", None),
        (Range(0.1, 0.7, False, step=0.1), FRACTION, "high", (0.1, 0.9)),
        (Range(0.1, 0.9, False), FRACTION, "low", (0.0, 0.9)),
        (Range(0.0, 0.5, False), FRACTION, "low", None),
        (Range(16, 128, True, step=16), WIDTH, "high", (16, 192)),
        (Range(16, 128, True, step=16), WIDTH, "low", None),
        (Range(1, 3, True), DEPTH, "high", (1, 4)),
        (Range(1, 3, True), DEPTH, "low", (0, 3)),
        (Range(16, 128, True, step=2, log=True), WIDTH, "high", (16, 512)),
        (Range(16, 128, True, step=2, log=True), WIDTH, "low", (4, 128)),
        # A whole number of steps, with as many digits as these have.
        (Range(0.3, 0.9, False, step=0.1), FRACTION, "low", (0.0, 0.9)),
        (Range(0.15, 0.5, False, step=0.05), FRACTION, "low", (0.0, 0.5)),
        (Range(0.2125, 0.2625, False, step=0.0125), FRACTION, "low", (0.1875, 0.2625)),
        (Range(12, 96, True, step=2, log=True), WIDTH, "low", (3, 96)),
        (Range(13, 104, True, step=2, log=True), WIDTH, "low", None),
        (Range(0.8, 0.99, False, when=WHEN), MOMENTUM, "high", (0.8, 0.995)),
        # With as many digits as it takes.
        (Range(0.9, 0.999, False), MOMENTUM, "high", (0.9, 0.9995)),
        (Range(0.9990, 0.9998, False), MOMENTUM, "low", (0.9986, 0.9998)),
    ],
)
def test_wider_ranges(dimension: Range, kind: Kind, end: str, expected: tuple[float, float] | None) -> None:
    found = widened(dimension, kind, end)  # type: ignore[arg-type]
    if expected is None:
        assert found is None
        return
    assert isinstance(found, Range)
    assert (found.min, found.max) == pytest.approx(expected)
    assert (found.step, found.log, found.when) == (dimension.step, dimension.log, dimension.when)
    # What could be chosen before still can.
    assert all(found.nearest(value) is not None for value in dimension.values or ())
    assert kind.parse(found) == found


@pytest.mark.parametrize(
    ("choices", "end", "expected"),
    [
        ((32, 64, 128), "high", (32, 64, 128, 256)),
        ((128, 64, 32), "low", (16, 128, 64, 32)),
        ((1, 2), "low", None),
        (("adam", "sgd"), "high", None),
        ((True, False), "high", None),
    ],
)
def test_wider_choices(choices: tuple[int, ...], end: str, expected: tuple[int, ...] | None) -> None:
    found = widened(Choice(choices, WHEN), WIDTH, end)  # type: ignore[arg-type]
    assert found == (None if expected is None else Choice(expected, WHEN))


def test_a_fixed_value_has_no_end() -> None:
    assert widened(Fixed(3), DEPTH, "high") is None


@pytest.mark.parametrize(
    ("dimension", "end", "expected"),
    [
        (RATES, "low", Range(1e-3, 1e-1, False, log=True)),
        (RATES, "high", Range(1e-4, 1e-2, False, log=True)),
        (Range(0.0, 0.5, False, step=0.1), "high", Range(0.0, 0.3, False, step=0.1)),
        (Range(0.0, 0.9, False, when=WHEN), "low", Range(0.3, 0.9, False, when=WHEN)),
        (Range(1, 3, True), "low", Range(2, 3, True)),
        (Range(1, 2, True, when=WHEN), "low", Fixed(2, WHEN)),
        # With as many digits as it takes.
        (Range(0.999, 0.9999, False), "low", Range(0.9993, 0.9999, False)),
        (Range(0.999, 0.9999, False), "high", Range(0.999, 0.9996, False)),
    ],
)
def test_ranges_without_a_third(dimension: Range, end: str, expected: Dimension) -> None:
    assert Piece(dimension, end=end).cut_from(dimension) == expected  # type: ignore[arg-type]


def test_both_thirds_can_go() -> None:
    low, high = Piece(RATES, end="low"), Piece(RATES, end="high")
    left = low.cut_from(RATES)
    assert left is not None
    assert high.cut_from(left) == Range(1e-3, 1e-2, False, log=True)
    few = Range(1, 2, True)
    assert Piece(few, end="high").cut_from(Fixed(2)) is None


def test_choices_lose_a_value() -> None:
    three, two = Choice(("a", "b", "c"), WHEN), Choice(("a", "b"), WHEN)
    assert Piece(three, choice="c").cut_from(three) == two
    assert Piece(three, choice="a").cut_from(two) == Fixed("b", WHEN)
    assert Piece(three, choice="a").cut_from(Fixed("a")) is None


def test_pieces_hold_their_values() -> None:
    third = Piece(RATES, end="high")
    assert [third.holds(value) for value in (1e-4, 9e-3, 1.1e-2, 1e-1)] == [False, False, True, True]
    assert Piece(Choice((0, 1)), choice=1).holds(1)
    assert third.label == "the highest third"
    assert Piece(Choice(("a", "b")), choice="a").label == "a"


def test_position_and_order() -> None:
    assert position(RATES, 1e-4) == 0
    assert position(RATES, 1e-3) == pytest.approx(1 / 3)
    assert position(Range(2, 6, True), 3) == 0.25
    assert ordered(Choice((3, 1, 2))) == (1, 2, 3)
    assert ordered(Choice(("a", "b"))) is None
    assert ordered(RATES) is None
    assert ordered(Range(1, 3, True)) == (1, 2, 3)
