"""Time as an argument, so that a simulated night passes in milliseconds."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Protocol

# What Python itself takes to start, on the busiest of machines.
_STARTS_WITHIN = 60.0


class Clock(Protocol):
    """Tells the time: as people see it, as it passes, and as this process works."""

    def now(self) -> float:
        """Unix time in seconds. It jumps whenever somebody sets the machine's clock."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, the same one for all processes of this machine. It never jumps."""
        ...

    def processor(self) -> float:
        """Seconds that processor cores have worked for this process."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Unix time in seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, the same one for all processes of this machine."""
        return time.monotonic()

    def processor(self) -> float:
        """Seconds that processor cores have worked for this process."""
        return time.process_time()


def process_began(known: float) -> float:
    """When this process began, on the clock that nobody sets; Linux tells.

    Args:
        known: A moment soon after it, which counts where the system does not say, or something else.
    """
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        # The name of the program, in brackets, may hold spaces; the 22nd value are clock ticks since the machine began.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        began = time.monotonic() - age
        if known - _STARTS_WITHIN <= began <= known:
            return began
    return known
