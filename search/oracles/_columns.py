"""One hyperparameter as numbers: how it is drawn, ordered, compared and read back.

A column holds a configuration's value as one float, its *code*: an index into the values where they can be counted,
else the position on the hyperparameter's own scale, 0 to 1. Codes are what the oracles compute with; values are what
a trial receives.
"""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from spaces.values.dimensions import Choice, Range, number_of

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

GRID_POINTS = 10
"""Points of a grid over a range that has no step: from its minimum to its maximum, even on its own scale."""

_MOST_LISTED = 100_000
"""Values of a range that are listed; of a range of more they are computed."""


class Column(Protocol):
    """What the oracles need of a hyperparameter.

    Attributes:
        count: number of values, or None for a continuous range, and for so many values that nobody tries all.
        width: number of features that describe the value to a model; 0 for a value that never changes.
    """

    count: int | None
    width: int

    def draw(self, uniform: Floats) -> Floats:
        """Codes for uniform numbers in [0, 1), after the hyperparameter's own distribution."""

    def value(self, code: float) -> Any:
        """The value that a trial receives for a code."""

    def code(self, value: Any) -> float:
        """The code of a value, the nearest one for a value outside the range; NaN for what cannot be one of it.

        That is an unknown category, and in a range whatever is no number.
        """

    def features(self, codes: Floats) -> Floats:
        """Features of shape (n, width), each 0 to 1, for codes of shape (n,) without NaN."""

    def near(self, codes: Floats, uniform: Floats, normal: Floats) -> Floats:
        """Codes a step away: `normal` is the step where values are ordered, `uniform` draws a new category."""

    def end(self, uniform: Floats) -> Floats:
        """Codes of the lowest value for numbers below 0.5, else the highest; of any category."""

    def grid(self) -> Sequence[Any]:
        """The values that a grid search visits, ascending, or in the order given."""


class Category:
    """Values without an order: every pair is equally far apart."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)
        self.count: int | None = len(self.values)
        self.width = len(self.values) if len(self.values) > 1 else 0

    def draw(self, uniform: Floats) -> Floats:
        return np.floor(uniform * len(self.values))

    def value(self, code: float) -> Any:
        return self.values[int(code)]

    def code(self, value: Any) -> float:
        return float(self.values.index(value)) if value in self.values else math.nan

    def features(self, codes: Floats) -> Floats:
        one_hot = codes[:, None] == np.arange(self.width)
        # Scaled so that two different categories are one unit apart, as the two ends of a range are.
        return np.where(one_hot, math.sqrt(0.5), 0.0)

    def near(self, codes: Floats, uniform: Floats, normal: Floats) -> Floats:
        return self.draw(uniform)

    def end(self, uniform: Floats) -> Floats:
        return self.draw(uniform)

    def grid(self) -> list[Any]:
        return list(self.values)


class Ordered:
    """Countable values in ascending order, each with a position on the hyperparameter's scale."""

    def __init__(self, values: Sequence[Any], positions: Floats, edges: Floats | None = None, coarse: bool = False):
        """Args:
        values: the values, ascending, at least 2.
        positions: their positions, 0 to 1, ascending.
        edges: upper ends of the values' shares of [0, 1) in a random draw; None: equal shares.
        coarse: a grid visits `GRID_POINTS` of the values only.
        """
        self.values = values
        self._numbers = np.asarray(values)
        self.positions = positions
        self.count: int | None = len(values)
        self.width = 1
        self._edges = np.arange(1, len(values) + 1) / len(values) if edges is None else edges
        self._coarse = coarse

    def draw(self, uniform: Floats) -> Floats:
        codes = np.searchsorted(self._edges, uniform, side="right")
        return np.minimum(codes, len(self.values) - 1).astype(np.float64)

    def value(self, code: float) -> Any:
        return self.values[int(code)]

    def code(self, value: Any) -> float:
        if not _is_number(value):
            return math.nan
        above = int(np.searchsorted(self._numbers, value))
        near = [index for index in (above - 1, above) if 0 <= index < len(self.values)]
        return float(min(near, key=lambda index: abs(self.values[index] - value)))

    def features(self, codes: Floats) -> Floats:
        return self.positions[codes.astype(np.intp)][:, None]

    def near(self, codes: Floats, uniform: Floats, normal: Floats) -> Floats:
        target = np.clip(self.positions[codes.astype(np.intp)] + normal, 0.0, 1.0)
        above = np.clip(np.searchsorted(self.positions, target), 1, len(self.values) - 1)
        nearer_below = target - self.positions[above - 1] < self.positions[above] - target
        return (above - nearer_below).astype(np.float64)

    def end(self, uniform: Floats) -> Floats:
        return np.where(uniform < 0.5, 0.0, len(self.values) - 1.0)

    def grid(self) -> list[Any]:
        if not self._coarse or len(self.values) <= GRID_POINTS:
            return list(self.values)
        nearest = np.abs(self.positions[:, None] - np.linspace(0, 1, GRID_POINTS)).argmin(axis=0)
        return [self.values[int(index)] for index in np.unique(nearest)]


class Spaced:
    """Evenly spaced values, too many to be listed; the code is the number of the value, as of `Ordered`."""

    def __init__(self, values: Sequence[Any], scale: str, coarse: bool) -> None:
        """Args:
        values: the values, ascending and evenly spaced, computed when they are asked for.
        scale: scale of their positions.
        coarse: they are whole numbers, each with the share of the scale up to the next one in a random draw, and a grid
            visits `GRID_POINTS` of them only; otherwise all have equal shares.
        """
        self.values = values
        self.count: int | None = None
        self.width = 1
        self._number = number_of(values)
        self._low, self._high = float(values[0]), float(values[-1])
        self._step = (self._high - self._low) / (self._number - 1)
        self._scale = scale
        self._coarse = coarse

    def draw(self, uniform: Floats) -> Floats:
        if self._coarse:
            return self._before(uniform, self._high + self._step)
        return self._inside(np.floor(uniform * float(self._number)))

    def value(self, code: float) -> Any:
        # Of more than 2**53 values the number of the last one may be rounded up.
        return self.values[min(int(code), self._number - 1)]

    def code(self, value: Any) -> float:
        if not _is_number(value):
            return math.nan
        # Of two that are as near, the lower one.
        return float(self._inside(np.ceil((np.float64(value) - self._low) / self._step - 0.5)))

    def features(self, codes: Floats) -> Floats:
        return self._positions(codes)[:, None]

    def near(self, codes: Floats, uniform: Floats, normal: Floats) -> Floats:
        target = np.clip(self._positions(codes) + normal, 0.0, 1.0)
        below = self._before(target, self._high)
        above = self._inside(below + 1)
        nearer_below = target - self._positions(below) < self._positions(above) - target
        return np.where(nearer_below, below, above)

    def end(self, uniform: Floats) -> Floats:
        return np.where(uniform < 0.5, 0.0, float(self._number) - 1.0)

    def grid(self) -> Sequence[Any]:
        if not self._coarse:
            return self.values
        zeros = np.zeros(GRID_POINTS)
        return [self.value(code) for code in np.unique(self.near(zeros, zeros, np.linspace(0, 1, GRID_POINTS)))]

    def _before(self, positions: Floats, high: float) -> Floats:
        """The last values that are not above positions, 0 to 1, of the scale from the lowest value to `high`."""
        numbers = np.array([_at(float(position), self._low, high, self._scale) for position in positions])
        return self._inside(np.floor((numbers - self._low) / self._step))

    def _positions(self, codes: Floats) -> Floats:
        return _positions(self._low + codes * self._step, self._low, self._high, self._scale)

    def _inside(self, codes: Floats) -> Floats:
        return np.clip(codes, 0.0, float(self._number) - 1.0)


class Continuous:
    """A range of real numbers; the code is the position on its scale."""

    def __init__(self, low: float, high: float, scale: str) -> None:
        self.low, self.high, self.scale = low, high, scale
        self.count: int | None = None
        self.width = 1

    def draw(self, uniform: Floats) -> Floats:
        return uniform

    def value(self, code: float) -> Any:
        # The ends exactly: rounding must not carry a value out of its range.
        if code <= 0:
            return self.low
        if code >= 1:
            return self.high
        return float(min(max(_at(code, self.low, self.high, self.scale), self.low), self.high))

    def code(self, value: Any) -> float:
        if not _is_number(value):
            return math.nan
        inside = min(max(float(value), self.low), self.high)
        return float(_positions(np.array([inside]), self.low, self.high, self.scale)[0])

    def features(self, codes: Floats) -> Floats:
        return codes[:, None]

    def near(self, codes: Floats, uniform: Floats, normal: Floats) -> Floats:
        return np.clip(codes + normal, 0.0, 1.0)

    def end(self, uniform: Floats) -> Floats:
        return np.where(uniform < 0.5, 0.0, 1.0)

    def grid(self) -> list[Any]:
        return [self.value(code) for code in np.linspace(0, 1, GRID_POINTS)]


def column(dimension: Choice | Range) -> Column:
    """The column of a hyperparameter. A range of one value, and a choice of one, never changes."""
    if isinstance(dimension, Choice):
        values = list(dict.fromkeys(dimension.choices))
        if dimension.in_order and len(values) > 1:
            return Ordered(sorted(values), np.linspace(0, 1, len(values)))
        return Category(sorted(values) if all(isinstance(value, bool) for value in values) else values)
    if dimension.min == dimension.max:
        return Category([dimension.min])
    if dimension.values is None:
        return Continuous(dimension.min, dimension.max, dimension.scale)
    return _countable(dimension, dimension.values)


def _countable(dimension: Range, values: Sequence[Any]) -> Column:
    scale, number = dimension.scale, number_of(values)
    if number == 1:
        return Category(values)
    # Every whole number has the share of the scale up to the next one.
    coarse = dimension.step is None and scale != "linear"
    if number > _MOST_LISTED and (coarse or scale == "linear"):
        return Spaced(values, scale, coarse)
    values = list(values)
    numbers = np.asarray(values, dtype=np.float64)
    edges = _positions(numbers + 1, numbers[0], numbers[-1] + 1, scale) if coarse else None
    return Ordered(values, _positions(numbers, numbers[0], numbers[-1], scale), edges, coarse)


def _is_number(value: Any) -> bool:
    """Whether a value is a number, and no gap."""
    return isinstance(value, Real) and not math.isnan(value)


def _at(position: float, low: float, high: float, scale: str) -> float:
    if scale == "log":
        return low * math.pow(high / low, position)
    if scale == "reverse_log":
        return high + low - low * math.pow(high / low, 1 - position)
    return low + position * (high - low)


def _positions(values: Floats, low: float, high: float, scale: str) -> Floats:
    if scale == "log":
        return np.log(values / low) / math.log(high / low)
    if scale == "reverse_log":
        return 1 - np.log((high + low - values) / low) / math.log(high / low)
    return (values - low) / (high - low)
