"""Time as an argument, so that a simulated night passes in milliseconds."""

from __future__ import annotations

import time
from typing import Protocol


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
