"""The searched hyperparameters as columns: which values there are, in which order and on which scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from results.reporting.facts import Facts
from results.reporting.words import scalar
from search.record.trial import Scalar
from spaces.values.dimensions import Range


@dataclass(frozen=True)
class Column:
    """One hyperparameter over the searched configurations.

    Attributes:
        name: Its flat name, for example `units_0`.
        values: Configuration id to value, active ones only.
        log: Whether the space spreads it by its logarithm.
        low, high: Ends of the range: the space's, else of the values seen; both 0 for categories.
        categories: The values of a choice without an order, in order of the space; empty for numbers.
        whole: Whether all values are whole numbers.
    """

    name: str
    values: dict[str, Scalar]
    log: bool
    low: float
    high: float
    categories: tuple[Scalar, ...]
    whole: bool

    def position(self, value: Scalar) -> float:
        """Where a value lies, 0 to 1; values beyond the range, as baselines may have them, are moved to its end."""
        if self.categories:
            return (self.categories.index(value) + 0.5) / len(self.categories) if value in self.categories else 0.5
        if self.high <= self.low:
            return 0.5
        at = min(max(float(value), self.low), self.high)
        if self.log:
            return math.log(at / self.low) / math.log(self.high / self.low)
        return (at - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Positions and texts of a few marks."""
        if self.categories:
            return tuple((self.position(value), scalar(value)) for value in self.categories)
        if self.high <= self.low:
            return ((0.5, scalar(self._number(self.low))),)
        marks = marks_between(self.low, self.high, log=self.log, whole=self.whole)
        return tuple((self.position(mark), scalar(self._number(mark))) for mark in marks)

    def _number(self, value: float) -> int | float:
        return round(value) if self.whole else value


def marks_between(low: float, high: float, *, log: bool = False, whole: bool = False) -> list[float]:
    """Both ends and a few round numbers between them that do not come close to the ends.

    Args:
        low, high: The ends, `low` below `high`.
        log: Powers of ten instead of even steps, where there are any.
        whole: Whole numbers only.
    """
    if log:
        powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
        inner = [10.0**power for power in powers if low * 1.5 < 10.0**power < high / 1.5]
        return [low, *inner, high]
    step = round_step((high - low) / 4, whole=whole)
    inner = [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    near = 0.09 * (high - low)
    return [low, *(mark for mark in inner if low + near < mark < high - near), high]


def round_step(least: float, *, whole: bool = False) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    if whole and least <= 1:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(least))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * 0.999)


def columns(facts: Facts) -> list[Column]:
    """The hyperparameters that took at least two values, in the order of the space."""
    ranges: dict[str, Range] = {}
    if facts.spec is not None:
        for hyperparameter in facts.spec.space.hyperparameters:
            if isinstance(hyperparameter.dimension, Range):
                ranges[hyperparameter.name] = hyperparameter.dimension
    found = []
    for name in facts.hyperparameters:
        values = {c.id: c.values[name] for c in facts.searched if name in c.values}
        if len(set(values.values())) >= 2:
            found.append(_column(name, values, ranges.get(name)))
    return found


def _column(name: str, values: dict[str, Scalar], dimension: Range | None) -> Column:
    seen = list(dict.fromkeys(values.values()))
    if any(isinstance(value, bool | str) for value in seen):
        return Column(name, values, False, 0.0, 0.0, tuple(sorted(seen, key=str)), False)
    numbers = [float(value) for value in seen]
    low, high = min(numbers), max(numbers)
    log = dimension is not None and dimension.log and low > 0
    if dimension is not None:
        low, high = min(low, float(dimension.min)), max(high, float(dimension.max))
    return Column(name, values, log, low, high, (), all(number.is_integer() for number in numbers))
