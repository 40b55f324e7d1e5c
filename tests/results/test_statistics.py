"""Intervals and tests against published examples and scipy."""

import math

import pytest

from results.ranked import statistics as st


def test_wilson_worked_examples() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    for right, rows, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
                                   (1, 29, 0.0061, 0.1718)):  # fmt: skip
        found = st.wilson(right, rows)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert st.wilson(29, 29).high == 1.0
    assert st.wilson(190, 200, 0.99).low < st.wilson(190, 200, 0.95).low


@pytest.mark.parametrize(("right", "rows"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(right: int, rows: int) -> None:
    with pytest.raises(ValueError, match="right must be"):
        st.wilson(right, rows)


def test_mcnemar_is_the_exact_binomial_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert st.mcnemar(0, 0) == 1.0
    assert st.mcnemar(0, 6) == pytest.approx(2 / 64)
    assert st.mcnemar(5, 5) == 1.0
    for first, second in ((1, 9), (25, 40), (300, 371), (7, 0)):
        assert st.mcnemar(first, second) == pytest.approx(stats.binomtest(first, first + second).pvalue, rel=1e-9)
        assert st.mcnemar(first, second) == st.mcnemar(second, first)
    assert st.mcnemar(4000, 6000) < 1e-80
    with pytest.raises(ValueError, match="negative"):
        st.mcnemar(-1, 3)


def test_of_a_million_rows_they_are_told_at_once() -> None:
    # A normal approximation with the correction for continuity: 999 / 1000 standard deviations.
    assert st.mcnemar(500_500, 499_500) == pytest.approx(math.erfc(0.999 / math.sqrt(2)), rel=1e-4)
    assert st.mcnemar(30_000, 30_000) == 1.0
    assert st.mcnemar(100, 60_000) == 0.0
    assert st.t_quantile(0.975, 1_000_000) == pytest.approx(1.959966, abs=1e-5)
    assert st.t_quantile(0.025, 1_000_000) == -st.t_quantile(0.975, 1_000_000)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 31, 200])
def test_student_distribution(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for t in (-40.0, -2.5, -0.1, 0.0, 0.7, 1.96, 3.3, 12.0):
        assert st.t_probability(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)
    for p in (0.001, 0.05, 0.4, 0.5, 0.9, 0.975, 0.9995):
        assert st.t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9, abs=1e-9)


def test_student_refuses_what_is_outside() -> None:
    with pytest.raises(ValueError, match="freedom"):
        st.t_probability(1.0, 0)
    with pytest.raises(ValueError, match="probability"):
        st.t_quantile(1.0, 3)


def test_mean_interval() -> None:
    assert st.mean_interval([0.9]) is None
    assert st.spread([0.9]) is None
    found = st.mean_interval([2.0, 4.0, 6.0])
    # Mean 4, deviation 2, t(0.975, 2) = 4.302653.
    assert found is not None
    assert found.low == pytest.approx(4 - 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    assert found.high == pytest.approx(4 + 4.302653 * 2 / math.sqrt(3), abs=1e-5)
    with pytest.raises(ValueError, match="no values"):
        st.mean([])


def test_chance_of_hits_is_binomial() -> None:
    stats = pytest.importorskip("scipy.stats")
    for n, share, hits in ((10, 0.1, 5), (3, 0.25, 0), (4, 0.5, 4), (30_000, 0.1, 3100)):
        assert st.chance_of_hits(n, share, hits) == pytest.approx(stats.binom.sf(hits - 1, n, share), abs=1e-9)


def test_chance_of_none_is_hypergeometric() -> None:
    stats = pytest.importorskip("scipy.stats")
    assert st.chance_of_none(40, 10, 9) == pytest.approx(stats.hypergeom.pmf(0, 40, 9, 10))
    assert st.chance_of_none(5, 5, 1) == 0.0


def test_chance_of_as_many_is_hypergeometric() -> None:
    stats = pytest.importorskip("scipy.stats")
    for n, marked, drawn, hits in ((40, 10, 9, 4), (40, 30, 20, 0), (9000, 4000, 3000, 1370)):
        expected = stats.hypergeom.sf(hits - 1, n, marked, drawn)
        assert st.chance_of_as_many(n, marked, drawn, hits) == pytest.approx(expected)
    assert st.chance_of_as_many(40, 40, 9, 9) == 1.0
    assert st.chance_of_as_many(40, 3, 9, 4) == 0.0


def test_paired_means_and_shares() -> None:
    stats = pytest.importorskip("scipy.stats")
    for count in (20, 2000):
        values = [math.sin(i) + 0.3 for i in range(count)]
        interval, p = st.paired_mean(values)
        expected = stats.ttest_1samp(values, 0.0)
        assert p == pytest.approx(expected.pvalue, rel=0.02, abs=1e-6)
        told = expected.confidence_interval()
        assert (interval.low, interval.high) == pytest.approx((told.low, told.high), rel=2e-3)
    assert st.paired_mean([0.0, 0.0]) == (st.Interval(0.0, 0.0), 1.0)
    # Agresti, Min (2005): the difference is 0.0 of 100 rows that agree everywhere.
    even = st.paired_shares(0, 0, 100)
    assert even.high == pytest.approx(-even.low) == pytest.approx(1.959964 / 102, rel=1e-6)
    one = st.paired_shares(30, 10, 100)
    assert one.low < 0.2 < one.high
