"""Changes to a dimension of a space: wider, narrower, without a value. Pure; conditions (`when`) are kept."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from spaces.values.dimensions import Choice, Dimension, Fixed, Range, Value
from spaces.values.kinds import Kind

End = Literal["low", "high"]

_DIGITS = 3
_MOST_DIGITS = 17


def position(dimension: Range, value: float) -> float:
    """Where a value lies in a range, 0 at `min` to 1 at `max`, by logarithm where the range is logarithmic.

    What lies outside, as a configuration of a forked run may, is as good as the nearer end.
    """
    value = min(max(value, dimension.min), dimension.max)
    if dimension.log:
        return math.log(value / dimension.min) / math.log(dimension.max / dimension.min)
    return (value - dimension.min) / (dimension.max - dimension.min)


def ordered(dimension: Dimension) -> tuple[float, ...] | None:
    """The values of a choice of numbers or of a range with steps, smallest first; None for anything else."""
    values = dimension.values if isinstance(dimension, Choice | Range) else None
    if values is None or any(isinstance(value, bool | str) for value in values):
        return None
    return tuple(sorted(float(value) if isinstance(value, float) else int(value) for value in values))


def widened(dimension: Dimension, kind: Kind, end: End) -> Dimension | None:
    """The dimension reaching half its width further at one end, or a choice with one more number.

    Returns None where the kind of setting allows no value beyond, or the dimension has no order.
    """
    if isinstance(dimension, Range):
        return _wider_range(dimension, kind, end)
    values = ordered(dimension)
    if not isinstance(dimension, Choice) or values is None:
        return None
    edge, next_to = (values[0], values[1]) if end == "low" else (values[-1], values[-2])
    # 32, 64, 128 goes on by the ratio; a choice with zero or a sign by the difference.
    beyond = edge * edge / next_to if edge > 0 and next_to > 0 else 2 * edge - next_to
    value = _allowed(kind, _rounded(beyond, kind.type == "integer"))
    if value is None or not (value < edge if end == "low" else value > edge):
        return None
    return replace(dimension, choices=(value, *dimension.choices) if end == "low" else (*dimension.choices, value))


@dataclass(frozen=True)
class Piece:
    """A part of a dimension that can be left out: one of its choices, or the third at one end of a range.

    Attributes:
        of: The dimension.
        choice: The choice, if `of` is one.
        end: The end, if `of` is a range.
    """

    of: Choice | Range
    choice: Value | None = None
    end: End | None = None

    @property
    def label(self) -> str:
        """The piece in words."""
        return str(self.choice) if self.end is None else f"the {'lowest' if self.end == 'low' else 'highest'} third"

    def holds(self, value: Any) -> bool:
        """Whether a value belongs to it."""
        if isinstance(self.of, Choice):
            return bool(value == self.choice)
        where = position(self.of, value)
        return where <= 1 / 3 if self.end == "low" else where >= 2 / 3

    def cut_from(self, dimension: Dimension) -> Dimension | None:
        """`dimension`, which is `of` or what another cut has left of it, without the piece.

        Returns None where nothing would be left, or nothing left out.
        """
        if isinstance(dimension, Choice):
            return _one_or_more(tuple(c for c in dimension.choices if not self.holds(c)), dimension)
        if not isinstance(dimension, Range) or not isinstance(self.of, Range):
            return None
        values = dimension.values
        if values is not None:
            return _one_or_more(tuple(v for v in values if not self.holds(v)), dimension)
        share = 1 / 3 if self.end == "low" else 2 / 3
        low, high = self.of.min, self.of.max
        cut = _between(low * (high / low) ** share if self.of.log else low + share * (high - low), low, high)
        return replace(dimension, min=cut) if self.end == "low" else replace(dimension, max=cut)


def _one_or_more(left: tuple[Value, ...], dimension: Choice | Range) -> Dimension | None:
    if not left or left == dimension.values:
        return None
    if len(left) == 1:
        return Fixed(left[0], dimension.when)
    if isinstance(dimension, Choice):
        return replace(dimension, choices=left)
    ends = [value for value in (left[0], left[-1]) if isinstance(value, int | float)]
    return replace(dimension, min=ends[0], max=ends[-1])


def _wider_range(dimension: Range, kind: Kind, end: End) -> Range | None:
    down = end == "low"
    edge = dimension.min if down else dimension.max
    step = dimension.step
    limit = _freely(dimension, kind, end) if step is None else _in_steps(dimension, step, kind, end)
    if limit is None or (dimension.log and limit <= 0) or not (limit < edge if down else limit > edge):
        return None
    return replace(dimension, min=limit) if down else replace(dimension, max=limit)


def _freely(dimension: Range, kind: Kind, end: End) -> float | None:
    """The new end of a range without steps: half its width further, or as far as the kind of setting allows."""
    down = end == "low"
    edge = dimension.min if down else dimension.max
    if dimension.log:
        factor = math.sqrt(dimension.max / dimension.min)
        beyond = edge / factor if down else edge * factor
    else:
        half = (dimension.max - dimension.min) / 2
        width = max(1, round(half)) if dimension.integer else half
        beyond = edge - width if down else edge + width
    outside = (-math.inf, edge) if down else (edge, math.inf)
    limit = _allowed(kind, round(beyond) if dimension.integer else _between(beyond, *outside))
    return _towards(dimension, kind, end) if limit is None else limit


def _in_steps(dimension: Range, step: float, kind: Kind, end: End) -> float | None:
    """The new end of a range with steps: half as many further as it has, or as many as the kind of setting allows.

    Steps are counted from `min`, so a new end has to lie on them to leave the old values where they are.
    """
    down = end == "low"
    width = math.log(dimension.max / dimension.min, step) if dimension.log else (dimension.max - dimension.min) / step
    # As people write them: in binary numbers, 0.3 less three times 0.1 is below 0.
    edge, each = Decimal(str(dimension.min if down else dimension.max)), Decimal(str(step))

    def beyond(steps: int) -> Decimal:
        if dimension.log:
            return edge / each**steps if down else edge * each**steps
        return edge - steps * each if down else edge + steps * each

    further = range(1, max(1, round(width / 2)) + 1)
    steps = bisect_left(further, True, key=lambda steps: not kind.within(float(beyond(steps))))
    while steps and dimension.integer and beyond(steps) % 1:
        steps -= 1
    if not steps:
        return None
    return int(beyond(steps)) if dimension.integer else float(beyond(steps))


def _towards(dimension: Range, kind: Kind, end: End) -> float | None:
    """As far as the kind of setting allows: to its bound, or half-way where the bound itself is excluded."""
    if end == "low":
        bound, excluded, edge = (kind.ge, False, dimension.min) if kind.gt is None else (kind.gt, True, dimension.min)
    else:
        bound, excluded, edge = (kind.le, False, dimension.max) if kind.lt is None else (kind.lt, True, dimension.max)
    if bound is None:
        return None
    if excluded and not dimension.integer:
        return _allowed(kind, _between((edge + bound) / 2, *sorted((edge, bound))))
    return _allowed(kind, _rounded((edge + bound) / 2 if excluded else bound, dimension.integer))


def _allowed(kind: Kind, value: float) -> float | None:
    return value if kind.within(value) else None


def _rounded(value: float, whole: bool) -> int | float:
    """Whole, or to three significant digits: a space file is read by people."""
    return round(value) if whole else float(f"{value:.{_DIGITS}g}")


def _between(value: float, low: float, high: float) -> float:
    """A number between two others, with three significant digits or as many as it takes to stay between them."""
    tried = (float(f"{value:.{digits}g}") for digits in range(_DIGITS, _MOST_DIGITS))
    return next((found for found in tried if low < found < high), value)
