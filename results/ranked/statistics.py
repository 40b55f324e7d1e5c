"""Intervals and tests for small numbers of seeds and for paired predictions, in plain arithmetic.

`scipy.stats` would need longer to import than the ranked table takes to be shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
_MANY = 500
_HUGE = 50_000
"""Rows from which on exact sums would take seconds to minutes, and tell no further digit that is shown."""


@dataclass(frozen=True)
class Interval:
    """A range that holds the true value with the stated confidence; `low <= high`."""

    low: float
    high: float

    def within(self, least: float, most: float) -> Interval:
        """The part of it that a value can be in which is known to be neither less nor more."""
        return Interval(max(least, self.low), min(most, self.high))


def wilson(right: int, rows: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion, such as an accuracy.

    Unlike the textbook interval it stays inside 0..1 and holds its confidence near both ends.
    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Args:
        right: Successes, 0 to `rows`.
        rows: Number of rows, at least 1.
        confidence: Above 0, below 1.

    Raises:
        ValueError: `rows` is not positive or `right` is outside 0..`rows`.
    """
    # It takes longer to load than the ranked table, which has no use for it.
    from statistics import NormalDist

    if rows < 1 or not 0 <= right <= rows:
        raise ValueError(f"right must be 0 to rows and rows at least 1, got {right} of {rows}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = right / rows
    scale = 1 + z * z / rows
    centre = (share + z * z / (2 * rows)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    # At the ends the exact bounds are 0 and 1; rounding would miss them by an ulp.
    low = 0.0 if right == 0 else max(0.0, centre - half)
    high = 1.0 if right == rows else min(1.0, centre + half)
    return Interval(low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of McNemar's exact test: are two models right equally often on the same rows?

    Only rows on which exactly one of them is right tell anything; under equality each falls to either side like
    a fair coin. Source: McNemar (1947), Psychometrika 12; exact form in Dietterich (1998), Neural Computation 10.

    Args:
        only_first: Rows that only the first model has right, at least 0.
        only_second: Rows that only the second model has right, at least 0.

    Raises:
        ValueError: A count is negative.
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"counts must not be negative, got {only_first} and {only_second}")
    rows = only_first + only_second
    if rows > _HUGE:
        return min(1.0, 2 * chance_of_hits(rows, 0.5, max(only_first, only_second)))
    term = tail = 1
    for i in range(min(only_first, only_second)):
        term = term * (rows - i) // (i + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << rows))


def paired_shares(only_first: int, only_second: int, rows: int) -> Interval:
    """95 % interval of the difference of two shares of the same rows: that of the first minus that of the second.

    It has a width where the two agree everywhere, too. Source: Agresti, Min, "Simple improved confidence intervals for
    comparing matched proportions", Statistics in Medicine 24 (2005).

    Args:
        only_first: Rows that count for the first alone.
        only_second: Rows that count for the second alone.
        rows: All of them, at least 1.
    """
    first, second, n = only_first + 0.5, only_second + 0.5, rows + 2.0
    centre = (first - second) / n
    half = _Z * math.sqrt(max(0.0, first + second - (first - second) ** 2 / n)) / n
    return Interval(max(-1.0, centre - half), min(1.0, centre + half))


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("the mean of no values")
    return math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float | None:
    """Sample standard deviation (n - 1 in the denominator); None for fewer than two values."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1))


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Student's 95 % t interval of the mean of few values, such as scores over seeds; None for fewer than two.

    The values are taken as independent and near normal. Equal values, such as two scores on a few hundred rows, say
    nothing about how far they would spread: they have no interval either.
    """
    deviation = spread(values)
    if not deviation:
        return None
    half = t_quantile(0.975, len(values) - 1) * deviation / math.sqrt(len(values))
    return Interval(mean(values) - half, mean(values) + half)


def paired_mean(values: Sequence[float]) -> tuple[Interval, float]:
    """95 % interval of the mean of differences in pairs, and the two-sided p that it is 0, by Student's t.

    Of more than 500 differences the normal distribution, which is the same to three digits.

    Raises:
        ValueError: There are fewer than two.
    """
    deviation = spread(values)
    if deviation is None:
        raise ValueError("an interval of fewer than two values")
    centre, n = mean(values), len(values)
    error = deviation / math.sqrt(n)
    if error == 0:
        return Interval(centre, centre), 1.0 if centre == 0 else 0.0
    if n > _MANY:
        return Interval(centre - _Z * error, centre + _Z * error), math.erfc(abs(centre / error) / math.sqrt(2))
    half = t_quantile(0.975, n - 1) * error
    return Interval(centre - half, centre + half), 2 * (1 - t_probability(abs(centre / error), n - 1))


def t_probability(t: float, freedom: int) -> float:
    """P(T <= t) of Student's distribution with a whole number of degrees of freedom.

    Source: the finite series of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Raises:
        ValueError: `freedom` is below 1.
    """
    if freedom < 1:
        raise ValueError(f"freedom must be at least 1, got {freedom}")
    angle = math.atan2(abs(t), math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = 0.0
    for i in range(2, freedom + 1, 2):
        total += term
        term *= cosine**2 * (i / (i + 1) if odd else (i - 1) / i)
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + math.copysign(inside / 2, t)


def t_quantile(probability: float, freedom: int) -> float:
    """The inverse of `t_probability`, to a relative precision of about 1e-12.

    Of more than 50,000 degrees of freedom that of the normal distribution, which is the same to four digits.

    Args:
        probability: Above 0, below 1.
        freedom: Degrees of freedom, at least 1.

    Raises:
        ValueError: `probability` or `freedom` is outside its range.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability must be above 0 and below 1, got {probability}")
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    if freedom > _HUGE:
        from statistics import NormalDist  # as in `wilson`

        return NormalDist().inv_cdf(probability)
    low, high = 0.0, 1.0
    while t_probability(high, freedom) < probability:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if t_probability(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def chance_of_hits(n: int, share: float, hits: int) -> float:
    """Probability of at least `hits` in `n` independent tries, of which each hits with the probability `share`.

    Args:
        n: Number of tries, of any size.
        share: Above 0 and below 1.
        hits: Hits among them.
    """

    some, others = math.log(share), math.log1p(-share)
    return math.fsum(math.exp(_log_ways(n, k) + k * some + (n - k) * others) for k in range(hits, n + 1))


def chance_of_none(n: int, marked: int, drawn: int) -> float:
    """Probability that `drawn` of `n` items, without putting back, hold none of the `marked` ones."""
    return math.comb(n - marked, drawn) / math.comb(n, drawn)


def chance_of_as_many(n: int, marked: int, drawn: int, hits: int) -> float:
    """Probability that at least `hits` of `drawn` things, chosen from `n` of which some are marked, are marked.

    Args:
        n: Number of things.
        marked: How many of them are marked.
        drawn: How many are chosen, without putting back.
        hits: Marked ones among them.
    """
    # Of thousands of things the ways have thousands of digits, and are as many numbers.
    possible = range(max(hits, drawn - (n - marked)), min(marked, drawn) + 1)
    every = _log_ways(n, drawn)
    return math.fsum(math.exp(_log_ways(marked, k) + _log_ways(n - marked, drawn - k) - every) for k in possible)


def _log_ways(n: int, k: int) -> float:
    """The logarithm of the number of ways to choose `k` of `n` things."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
