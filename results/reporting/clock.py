"""The run's own time: a clock that stands still while nobody works on the run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from results.watching.walltime import Span, busy
from search.files.store import Evaluation, Work
from search.record.marks import Mark
from search.record.trial import Trial


class WorkClock:
    """Turns Unix time into seconds of work since the run began, pauses between sittings left out."""

    def __init__(self, spans: Iterable[Span]) -> None:
        """Args:
        spans: Times at which the run was worked on; they may overlap.
        """
        self._starts: list[float] = []
        self._ends: list[float] = []
        for start, end in sorted(spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)
        lengths = (end - start for start, end in zip(self._starts, self._ends, strict=True))
        self._before = [0.0, *accumulate(lengths)]

    def seconds(self, time: float) -> float:
        """Seconds of work up to `time`."""
        k = bisect_right(self._starts, time)
        if k == 0:
            return 0.0
        return self._before[k - 1] + min(time, self._ends[k - 1]) - self._starts[k - 1]

    @property
    def total(self) -> float:
        """Seconds of work in all."""
        return self._before[-1]


def work_clock(
    meta: Mapping[str, Any],
    trials: Sequence[Trial | Mark],
    evaluations: Iterable[Evaluation],
    now: float,
    active: bool,
    other: Iterable[Work] = (),
) -> WorkClock:
    """The clock of a run.

    A sitting is recorded when it ends. One that still goes on counts up to `now`; one that was cut off, as far as
    its trials show.

    Args:
        meta: The run's facts: `sessions`, `started`, `exit`.
        trials: All its trials, whole or in brief.
        evaluations: All its evaluations.
        now: Unix time.
        active: Whether a process is working on the run.
        other: What was done besides trials and evaluations.
    """
    sittings = [(s["started"], s["ended"]) for s in meta["sessions"] or [] if s.get("ended") is not None]
    work = busy(trials, evaluations, other)
    spans = [*sittings, *work]
    if meta["exit"] is None:
        last = max((end for _, end in sittings), default=None)
        end = now if active else max((end for _, end in work), default=float("-inf"))
        begun = [trial.started for trial in trials if last is not None and trial.started > last]
        start = meta["started"] if last is None else min(begun, default=end)
        if start is not None and end > start:
            spans.append((start, end))
    return WorkClock(spans)
