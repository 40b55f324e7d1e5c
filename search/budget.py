"""The time that a sitting has: from the command that began it to the last page of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta

from search import durations
from search.clock import Clock, SystemClock


@dataclass(frozen=True)
class Deadline:
    """A moment, named by either or both of the clocks; the one that comes first counts.

    Attributes:
        monotonic: On the clock that nobody sets, see `Clock.monotonic`; for a length of time that was promised.
        unix: On the clock that people read; for an hour that was promised.
        grace: Seconds by which the first epoch of a training may end later.
        first_epoch: Seconds that a first epoch is expected to take: with less left, no training begins from scratch.
    """

    monotonic: float | None = None
    unix: float | None = None
    grace: float = 0.0
    first_epoch: float = 0.0

    def left(self, clock: Clock, first: bool = False) -> float:
        """Seconds until then; below 0 once it is over.

        Args:
            clock: Tells the time.
            first: For a training without an epoch.
        """
        return (self.grace if first else 0.0) + min(
            float("inf") if self.monotonic is None else self.monotonic - clock.monotonic(),
            float("inf") if self.unix is None else self.unix - clock.now(),
        )

    def is_too_late_to_begin(self, clock: Clock) -> bool:
        """Whether there is no time for the first epoch of a training."""
        return self.left(clock, first=True) <= self.first_epoch

    def earlier(self, seconds: float) -> Deadline:
        """The moment so many seconds before."""
        return replace(
            self,
            monotonic=None if self.monotonic is None else self.monotonic - seconds,
            unix=None if self.unix is None else self.unix - seconds,
        )


class MovingDeadline(Deadline):
    """A deadline that may yet move: where it is now is asked for whenever somebody looks. It is pickled as it is then.

    Args:
        ask: Tells where it is.
    """

    _ask: Callable[[], Deadline]

    def __init__(self, ask: Callable[[], Deadline]) -> None:
        super().__init__()
        object.__setattr__(self, "_ask", ask)

    def left(self, clock: Clock, first: bool = False) -> float:
        """As `Deadline.left`."""
        return self._ask().left(clock, first)

    def is_too_late_to_begin(self, clock: Clock) -> bool:
        """As `Deadline.is_too_late_to_begin`."""
        return self._ask().is_too_late_to_begin(clock)

    def earlier(self, seconds: float) -> Deadline:
        """As `Deadline.earlier`; that moment does not move."""
        return self._ask().earlier(seconds)

    def __reduce__(self) -> tuple[Callable[..., Deadline], tuple[float | None, ...]]:
        return Deadline, astuple(self._ask())


class Budget:
    """How much time there is, how much of it is kept for the end, and what is left.

    Args:
        end: When everything has to be there; None: no limit.
        clock: Tells the time.
        began: The moment on the clock that nobody sets from which a length of time counts; None: now.

    Attributes:
        clock: Tells the time.
        end: When everything has to be there; None: no limit.
        length: Seconds that were given as a length of time; None where an hour was given, or nothing.
    """

    def __init__(self, end: Deadline | None = None, clock: Clock | None = None, began: float | None = None) -> None:
        self.clock = clock or SystemClock()
        self.end = end
        self._began = self.clock.monotonic()
        self._worked = self.clock.processor()
        self._total = None if end is None else max(0.0, end.left(self.clock))
        self._reserve = 0.0
        counted_from = self._began if began is None else began
        self.length = None if end is None or end.monotonic is None else end.monotonic - counted_from

    @classmethod
    def given(
        cls,
        budget: str | float | timedelta | None = None,
        until: str | float | datetime | None = None,
        clock: Clock | None = None,
        began: float | None = None,
    ) -> Budget:
        """From what a user says; the earlier end holds if both are given.

        Args:
            budget: A length of time, see `durations.seconds`. Setting the machine's clock does not change it.
            until: A local time of day such as `07:00`, the next time that the local clock shows it, or a moment to
                come, as a `datetime` (without a zone a local one) or Unix time.
            clock: Tells the time.
            began: The moment on the clock that nobody sets from which a length of time counts; None: now.

        Raises:
            ValueError: One of them cannot be read; the message names its option.
        """
        clock = clock or SystemClock()
        if budget is None and until is None:
            return cls(None, clock)
        if isinstance(until, str):
            until = durations.next_time(until, datetime.fromtimestamp(clock.now()))
        elif until is not None:
            until = durations.moment(until, clock.now())
        began = clock.monotonic() if began is None else began
        monotonic = None if budget is None else began + durations.budget_seconds(budget)
        return cls(Deadline(monotonic, until), clock, began)

    @property
    def limited(self) -> bool:
        """Whether there is an end."""
        return self.end is not None

    @property
    def total(self) -> float | None:
        """Seconds from the beginning of the sitting to the end; None without an end."""
        return self._total

    @property
    def spent(self) -> float:
        """Seconds since the beginning of the sitting."""
        return self.clock.monotonic() - self._began

    @property
    def worked(self) -> float:
        """Processor seconds of this process since then."""
        return self.clock.processor() - self._worked

    @property
    def left(self) -> float | None:
        """Seconds until the end, below 0 once it is over; None without an end."""
        return None if self.end is None else self.end.left(self.clock)

    @property
    def promised(self) -> float | None:
        """The end as Unix time, as the clocks stand now; None without an end."""
        left = self.left
        return None if left is None else self.clock.now() + left

    @property
    def ends_by(self) -> str | None:
        """`promised` as people write it, in this machine's time zone."""
        promised = self.promised
        return None if promised is None else datetime.fromtimestamp(round(promised)).astimezone().isoformat()

    @property
    def reserve(self) -> float:
        """Seconds that are kept for what follows the last training: evaluation, export and report."""
        return self._reserve

    def keep(self, seconds: float) -> None:
        """Sets `reserve`."""
        self._reserve = seconds

    @property
    def training_left(self) -> float | None:
        """Seconds until the last training has to be over; None without an end."""
        left = self.left
        return None if left is None else left - self._reserve

    @property
    def training_end(self) -> Deadline | None:
        """When the last training has to be over; None without an end."""
        return None if self.end is None else self.end.earlier(self._reserve)
