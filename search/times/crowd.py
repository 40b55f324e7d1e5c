"""How much slower than alone this program runs beside others, from what its threads have waited for a core.

The load of the machine counts other programs' threads whatever their priority; what its own threads had to wait says
what these take of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from search.record import environment
from search.times.estimates import SLOWEST

# Seconds between two readings, and after which one counts 1/e of a new one.
_EVERY, _MEMORY = 5.0, 60.0
# What ran for less says nothing.
_LEAST = 1.0


class Crowd:
    """Follows the threads of this program and of the processes that it has started.

    Args:
        read: What each thread has run and waited so far; see `environment.thread_times`.
        moment: A clock in seconds, of any origin.
    """

    def __init__(
        self,
        read: Callable[[], Mapping[int, tuple[float, float]]] = environment.thread_times,
        moment: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_times, self._moment = read, moment
        self._last: Mapping[int, tuple[float, float]] = read()
        self._read_at = moment()
        self._ran = self._waited = 0.0

    def slowness(self) -> float | None:
        """Times as long as alone, from 1 to 4, over the last minute or so; None where that is not known."""
        now = self._moment()
        if now - self._read_at >= _EVERY:
            fading = math.exp((self._read_at - now) / _MEMORY)
            self._ran, self._waited = fading * self._ran, fading * self._waited
            times = self._read_times()
            for thread, (ran, waited) in times.items():
                ran_before, waited_before = self._last.get(thread, (0.0, 0.0))
                self._ran += max(0.0, ran - ran_before)
                self._waited += max(0.0, waited - waited_before)
            self._last, self._read_at = times, now
        return min(1.0 + self._waited / self._ran, SLOWEST) if self._ran >= _LEAST else None
