"""The three forms of a setting in a space file: fixed, a choice, a range."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import eq
from typing import Any, Literal, overload

Value = bool | int | float | str
When = tuple[tuple[str, tuple[Value, ...]], ...]

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fixed:
    """One value: never a hyperparameter.

    Attributes:
        value: the value.
        when: hyperparameter values under which it holds.
        asked: what the space file says where the value follows from that and from this machine, such as `auto`.
    """

    value: Value
    when: When = ()
    asked: Value | None = field(default=None, compare=False, repr=False)

    @property
    def values(self) -> tuple[Value, ...]:
        """The one value."""
        return (self.value,)


@dataclass(frozen=True)
class Choice:
    """One of several values, in the order of the file.

    Attributes:
        choices: the values.
        when: hyperparameter values under which the choice is made.
        ordered: whether a smaller value is nearer to a middle one than a larger one is; None: numbers are ordered.
    """

    choices: tuple[Value, ...]
    when: When = ()
    ordered: bool | None = None

    @property
    def values(self) -> tuple[Value, ...]:
        """All values."""
        return self.choices

    @property
    def in_order(self) -> bool:
        """Whether the values are ordered."""
        if self.ordered is not None:
            return self.ordered
        return all(isinstance(c, int | float) and not isinstance(c, bool) for c in self.choices)

    def nearest(self, value: Any) -> Value | None:
        """The choice that `value` means, None where it means none."""
        return next((c for c in self.choices if c == value and isinstance(c, bool) == isinstance(value, bool)), None)

    def sample(self, rng: random.Random) -> Value:
        """A choice, all equally likely."""
        return rng.choice(self.choices)


@dataclass(frozen=True)
class Range:
    """Numbers from `min` to `max`, both included.

    Attributes:
        min: smallest value.
        max: largest value; with a step it is reached only where a whole number of steps leads there.
        integer: whether only whole numbers are meant.
        step: distance between values, or their ratio where `log` is set; None for any value between
            (any whole one in a range of integers).
        log: whether values are spread evenly by their logarithm.
        when: hyperparameter values under which the range holds.
        reverse: whether they are spread by the logarithm of their distance from `max`, closest near `max`, where `log`
            is not set: Keras Tuner's `reverse_log`, which a function of the user's may ask for.
    """

    min: int | float
    max: int | float
    integer: bool
    step: int | float | None = None
    log: bool = False
    when: When = ()
    reverse: bool = False

    @property
    def scale(self) -> Literal["linear", "log", "reverse_log"]:
        """Along what values are spread evenly, by Keras Tuner's name."""
        return "log" if self.log else "reverse_log" if self.reverse else "linear"

    @property
    def values(self) -> Sequence[Value] | None:
        """All values, smallest first, each made when it is asked for; None for a continuous range."""
        return None if self.size is None else _Steps(self)

    @property
    def size(self) -> int | None:
        """Number of values; None for a continuous range.

        Raises:
            OverflowError: the step is so small that they cannot be counted.
        """
        if self.step is None:
            return int(self.max) - int(self.min) + 1 if self.integer else None
        if self.scale != "linear":
            return int(math.log(self.max / self.min, self.step) + _TOLERANCE) + 1
        return int((self.max - self.min) / self.step + _TOLERANCE) + 1

    @property
    def middle(self) -> float:
        """A number inside, away from both ends unless they are the same."""
        return (self.min + self.max) / 2

    def nearest(self, value: Any) -> Value | None:
        """The value of this range that `value` means up to rounding, None where it is outside."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if self.log and value <= 0:
            # The slack beside a large maximum reaches it, and it has no logarithm.
            return None
        slack = _TOLERANCE * max(abs(self.min), abs(self.max))
        if not self.min - slack <= value <= self.max + slack:
            return None
        if self.reverse:
            near = self._upright.nearest(max(self.min, self.min + self.max - value))
            return None if near is None else self._mirrored(near)
        if self.step is None:
            if self.integer:
                return int(value) if value == int(value) else None
            return min(max(float(value), float(self.min)), float(self.max))
        ratio = math.log(value / self.min, self.step) if self.log else (value - self.min) / self.step
        index = round(ratio)
        found = self.at(index)
        close = math.isclose(float(found), value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE * self.step)
        return found if close and 0 <= index < (self.size or 0) else None

    def sample(self, rng: random.Random) -> Value:
        """A value, spread evenly over the range or over its logarithm."""
        if self.reverse:
            return self._mirrored(self._upright.sample(rng))
        count = self.size
        if self.step is not None and count is not None:
            return self.at(rng.randrange(count))
        if self.integer:
            if not self.log:
                return rng.randint(int(self.min), int(self.max))
            # One more than the largest, so that the largest gets its share.
            drawn = math.exp(rng.uniform(math.log(self.min), math.log(self.max + 1)))
            return min(max(int(drawn), int(self.min)), int(self.max))
        if self.log:
            drawn = math.exp(rng.uniform(math.log(self.min), math.log(self.max)))
            return min(max(drawn, float(self.min)), float(self.max))
        return rng.uniform(self.min, self.max)

    def at(self, index: int) -> int | float:
        """The value so many steps above the lowest."""
        if self.reverse:
            return self._mirrored(self._upright.at((self.size or 0) - 1 - index))
        step = 1 if self.step is None else self.step
        value = self.min * step**index if self.log and self.step else self.min + index * step
        # Twelve digits: 0.1 * 3 shall be 0.3 in tables and files.
        return int(value) if self.integer else float(f"{value:.12g}")

    @property
    def _upright(self) -> Range:
        """The range whose values, taken from the sum of both ends, are those of a `reverse` one."""
        return replace(self, log=True, reverse=False)

    def _mirrored(self, value: Any) -> int | float:
        found = min(max(self.min + self.max - value, self.min), self.max)
        return int(found) if self.integer else float(f"{found:.12g}")


class _Steps(Sequence[Value]):
    """The values of a range, of which there may be too many to spell out."""

    def __init__(self, spread: Range) -> None:
        self._range = spread
        self.size = spread.size or 0
        self._indices = range(self.size)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Value, ...]: ...
    def __getitem__(self, index: int | slice) -> Value | tuple[Value, ...]:
        found = self._indices[index]
        return self._range.at(found) if isinstance(found, int) else tuple(self._range.at(i) for i in found)

    def __iter__(self) -> Iterator[Value]:
        return (self._range.at(index) for index in self._indices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Steps | tuple) and self.size == number_of(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(self._range)

    def __contains__(self, value: object) -> bool:
        near = self._range.nearest(value)
        return near is not None and near == value


def number_of(values: Sequence[Value]) -> int:
    """How many values there are; `len` cannot say more than `sys.maxsize`."""
    return values.size if isinstance(values, _Steps) else len(values)


Dimension = Fixed | Choice | Range


@dataclass(frozen=True)
class PerLayer:
    """A dimension of the layers of a stack: one hyperparameter for all of them, or one for each."""

    dimension: Dimension
    shared: bool


def plain(dimension: Dimension | PerLayer, *, asked: bool = False) -> Any:
    """The form that a space file has for `dimension`; `asked`: with the word instead of what follows from it."""
    if isinstance(dimension, PerLayer):
        inner = plain(dimension.dimension)
        return {"shared": inner} if dimension.shared else inner
    when = {name: list(values) if len(values) > 1 else values[0] for name, values in dimension.when}
    if isinstance(dimension, Range):
        written: dict[str, Any] = {"min": dimension.min, "max": dimension.max}
        if dimension.step is not None:
            written["step"] = dimension.step
        if dimension.log:
            written["log"] = True
        return {**written, "when": when} if when else written
    if isinstance(dimension, Choice):
        return {"choices": list(dimension.choices), "when": when} if when else list(dimension.choices)
    value = dimension.value if dimension.asked is None or not asked else dimension.asked
    return {"value": value, "when": when} if when else value
