"""Fixed values, choices and ranges."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.values.dimensions import Choice, Fixed, PerLayer, Range, plain
from spaces.values.kinds import Kind

INTEGER = Kind("integer", ge=0, le=1000)
NUMBER = Kind("number", gt=0)


def test_a_scalar_is_fixed_a_list_a_choice_a_mapping_a_range() -> None:
    assert INTEGER.parse(3) == Fixed(3)
    assert INTEGER.parse([3, 5]) == Choice((3, 5))
    assert INTEGER.parse({"min": 3, "max": 5}) == Range(3, 5, integer=True)
    assert NUMBER.parse({"min": 1, "max": 8, "step": 2, "log": True}) == Range(1.0, 8.0, False, 2, True)


def test_one_possible_value_is_fixed() -> None:
    assert INTEGER.parse([3]) == Fixed(3)
    assert INTEGER.parse({"min": 3, "max": 3}) == Fixed(3)


def test_whole_numbers_of_a_number_kind_are_floats_and_the_reverse() -> None:
    assert isinstance(NUMBER.parse(1).value, float)  # type: ignore[union-attr]
    assert isinstance(INTEGER.parse(2.0).value, int)  # type: ignore[union-attr]


def test_per_layer_dimensions_know_whether_they_are_shared() -> None:
    units = Kind("integer", ge=1, per_layer=True)
    assert units.parse([8, 16]) == PerLayer(Choice((8, 16)), shared=False)
    assert units.parse({"shared": [8, 16]}) == PerLayer(Choice((8, 16)), shared=True)
    assert units.parse(8) == PerLayer(Fixed(8), shared=True)


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        (Range(1, 4, True), (1, 2, 3, 4)),
        (Range(32, 100, True, 32), (32, 64, 96)),
        (Range(2, 32, True, 2, True), (2, 4, 8, 16, 32)),
        (Range(1, 1000, True, 10, True), (1, 10, 100, 1000)),
        (Range(2, 5, True, None, True), (2, 3, 4, 5)),
        # Neither 0.30000000000000004 nor a lost last value.
        (Range(0.0, 0.5, False, 0.1), (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        (Range(0.001, 10.0, False, 10, True), (0.001, 0.01, 0.1, 1.0, 10.0)),
        (Range(0.0, 1.0, False), None),
    ],
)
def test_values_of_ranges(dimension: Range, values: tuple[float, ...] | None) -> None:
    assert dimension.values == values
    assert dimension.size == (None if values is None else len(values))
    if values is not None:
        rng = random.Random(0)
        assert {dimension.sample(rng) for _ in range(500)} == set(values)
        assert {type(value) for value in values} == {int if dimension.integer else float}


def test_what_belongs_to_a_range() -> None:
    steps = Range(0.0, 0.5, False, 0.1)
    assert steps.nearest(0.1 * 3) == 0.3
    assert steps.nearest(0.25) is None
    assert steps.nearest(0.6) is None
    whole = Range(1, 4, True)
    assert whole.nearest(2.0) == 2
    for outside in (0, 5, 2.5, True, "2", None, float("nan")):
        assert whole.nearest(outside) is None
    for step in (None, 10.0):
        assert Range(1e-10, 1.0, False, step, log=True).nearest(0) is None
    assert Range(1e-17, 1.0, False, reverse=True).nearest(1.0) == 1.0
    assert Choice((True, False)).nearest(1) is None
    assert Choice((1, 2)).nearest(True) is None
    assert Choice(("a", "b")).nearest("c") is None


limits = st.floats(1e-6, 1e6)


@given(limits, limits, st.booleans(), st.integers(0, 2**32))
def test_samples_of_continuous_ranges_belong_to_them(first: float, second: float, log: bool, seed: int) -> None:
    dimension = Range(min(first, second), max(first, second), False, None, log)
    value = dimension.sample(random.Random(seed))
    assert dimension.min <= value <= dimension.max
    assert dimension.nearest(value) == value


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 50), st.booleans(), st.integers(0, 2**32))
def test_samples_of_integer_ranges_belong_to_them(low: int, more: int, step: int, log: bool, seed: int) -> None:
    dimension = Range(low, low + more, True, step + 1 if log else step, log)
    value = dimension.sample(random.Random(seed))
    assert value in (dimension.values or ())
    assert dimension.nearest(value) == value


def test_logarithmic_samples_are_even_by_their_logarithm() -> None:
    rng = random.Random(1)
    dimension = Range(1e-4, 1e-2, False, None, True)
    below = sum(dimension.sample(rng) < 1e-3 for _ in range(2000))
    # Binomial with probability 1/2: standard deviation 22; five of them fail once in a million.
    assert abs(below - 1000) < 112


def test_integers_of_a_logarithmic_range_reach_both_ends() -> None:
    rng = random.Random(1)
    dimension = Range(1, 8, True, None, True)
    drawn = [dimension.sample(rng) for _ in range(2000)]
    assert min(drawn) == 1
    assert max(drawn) == 8


@pytest.mark.parametrize(
    "dimension",
    [
        Fixed(3),
        Fixed(3, (("layers", (1, 2)),)),
        Choice((1, 2)),
        Choice((1, 2), (("layers", (1,)),)),
        Range(1, 9, True),
        Range(1, 9, True, 2, False, (("layers", (1,)),)),
        Range(1, 9, True, 3, True),
    ],
)
def test_the_plain_form_is_read_back_as_the_same(dimension: Fixed | Choice | Range) -> None:
    assert INTEGER.parse(plain(dimension)) == dimension
    assert INTEGER.parse(dimension) == dimension


def test_a_range_is_not_spelt_out() -> None:
    huge = Range(0.0, 1.0, False, step=1e-12)
    values = huge.values
    assert values is not None
    assert len(values) == huge.size == 10**12 + 1
    assert (values[0], values[-1], values[3 * 10**11]) == (0.0, 1.0, 0.3)
    assert values[:2] == (0.0, 1e-12)
    assert 0.25 in values
    assert 0.25 + 1e-13 not in values
    assert values != (0.0,)
