"""Whether there is time for one more format, when a promised hour comes nearer."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence

from results.exporting.formats import Format

Left = Callable[[], float]
"""Tells how many seconds are left."""

# Starting the process that checks the files, and checking one of them, on an idle machine.
_START, _CHECK = 4.0, 0.7
# What formats take is said of models of so many layers; that of deeper ones grows with their number.
_LAYERS = 30
# Writing a step of a recurrent layer takes about so long where a format has each of them.
_STEP = 0.3
# The machine is taken to be this many times slower than an idle one at most.
_SLOWEST = 5.0


def forever() -> float:
    """For whoever has not promised anything."""
    return math.inf


class Pressure:
    """Weighs what formats take against the time that is left, on a machine as busy as it has been since.

    Args:
        left: Tells how many seconds are left.
        reserve: Seconds that something else will need then, on an idle machine.
    """

    def __init__(self, left: Left, reserve: float = 0.0) -> None:
        self._left = left
        self._reserve = reserve
        self._began, self._worked = time.monotonic(), _worked()
        self._depth = 1.0
        self._steps = 0

    def weigh(self, layers: int, steps: int = 0) -> None:
        """Reckons from now on with a model of so many layers, whose recurrent ones go so many steps in all."""
        self._depth = max(1.0, layers / _LAYERS)
        self._steps = steps

    def allows(self, formats: Sequence[Format], reading: float = 0.0) -> bool:
        """Whether the last of these formats can still be written and all of them be checked.

        Args:
            formats: Those that were begun, and one more.
            reading: Seconds that it takes this machine to read rows that some of them still need.
        """
        model = self._depth * (formats[-1].seconds + _CHECK * len(formats))
        steps = _STEP * self._steps if formats[-1].unrolls else 0.0
        needed = model + steps + _START + self._reserve
        return self._slowness() * needed + reading <= self._left()

    def _slowness(self) -> float:
        spent, worked = time.monotonic() - self._began, _worked() - self._worked
        return min(max(1.0, spent / worked), _SLOWEST) if worked > 0 else 1.0


def _worked() -> float:
    """Processor seconds of this process, and of those that it has waited for, as of the one that checks the files."""
    return sum(os.times()[:4])
