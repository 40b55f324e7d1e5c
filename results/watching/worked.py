"""Wall time of a run over all its sittings, and how much of it something was being done."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from search.files.store import Evaluation, RunReader, Work
from search.record.marks import Mark
from search.record.trial import Trial, TrialKind

Span = tuple[float, float]


def busy(trials: Iterable[Trial | Mark], evaluations: Iterable[Evaluation], work: Iterable[Work]) -> list[Span]:
    """The times (Unix) at which a trial ran, a model was evaluated or other work was done; workers' overlap."""
    spans = [(evaluation.at - evaluation.seconds, evaluation.at) for evaluation in evaluations]
    spans += [(done.started, done.ended) for done in work]
    spans += [span for trial in trials if (span := trial_span(trial)) is not None]
    return spans


def trial_span(trial: Trial | Mark) -> Span | None:
    """When a trial ran (Unix times); None while nothing of it is recorded."""
    seconds = trial.seconds if isinstance(trial, Mark) else trial.outcome.seconds if trial.outcome else None
    if seconds is None:
        return None
    # An interrupted trial has no end, and one that was resumed spans the pause as well.
    end = trial.finished if trial.finished is not None else trial.started + seconds
    return max(trial.started, end - seconds), end


def covered(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(spans):
        if end > reach:
            total += max(0.0, end - max(start, reach))
            reach = end
    return total


class WorkTime:
    """Turns Unix time into seconds of work since the run began, pauses between sittings left out."""

    def __init__(self, spans: Iterable[Span]) -> None:
        """Args:
        spans: Times at which the run was worked on; they may overlap. One in which the clock was set back further
            than it had come says nothing.
        """
        self._starts: list[float] = []
        self._ends: list[float] = []
        for start, end in sorted(span for span in spans if span[0] <= span[1]):
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


def worked(
    fact: Callable[[str], Any],
    trials: Sequence[Trial | Mark],
    evaluations: Iterable[Evaluation],
    work: Iterable[Work],
    now: float,
    active: bool,
) -> list[Span]:
    """The times (Unix) at which the run was worked on, pauses between sittings left out; they may overlap.

    A sitting is recorded when it ends. One that still goes on counts up to `now`, and one that was cut off as far
    as its trials show. What was taken over from another run took time there, not here.

    Args:
        fact: The run's facts by name: `sessions`, `started`, `sitting`, `exit`.
        trials: All its trials, whole or in brief.
        evaluations: All its evaluations.
        work: What was done besides trials and evaluations.
        now: Unix time.
        active: Whether a process is working on the run.
    """
    own = [trial for trial in trials if trial.kind != TrialKind.EVIDENCE]
    sittings = _sittings(fact("sessions"))
    done = busy(own, evaluations, work)
    if fact("exit") is None:
        end = now if active else max((end for _, end in done), default=float("-inf"))
        start = fact("sitting")
        if start is None:
            # Earlier versions did not record when a sitting began.
            last = max((end for _, end in sittings), default=None)
            begun = [trial.started for trial in own if last is not None and trial.started > last]
            start = fact("started") if last is None else min(begun, default=end)
        if start is not None and end > start:
            sittings.append((start, end))
    return [*sittings, *(_without_pauses(span, sittings) for span in done)]


def _without_pauses(span: Span, sittings: Sequence[Span]) -> Span:
    """What of a span lies in the sitting in which it ended: a training that went on had the rest before the pause.

    One that was interrupted again and again has no end yet: that is what lies in the sitting in which it began.
    """
    start, end = span
    begun = [first for first, last in sittings if first <= end <= last]
    if begun:
        return max(start, *begun), end
    return start, min([end, *(last for first, last in sittings if first <= start < last)])


def elapsed(reader: RunReader, trials: Sequence[Trial | Mark], now: float, active: bool) -> float:
    """Seconds that the run was being worked on, pauses between sittings left out; see `worked`."""
    return covered(worked(reader.meta, trials, reader.evaluations(), reader.work(), now, active))


def elapsed_in_all(reader: RunReader, now: float, active: bool) -> float:
    """`elapsed` of all trials, of which those of a long run are not all looked at.

    Args:
        reader: The run.
        now: Unix time.
        active: Whether a process is working on the run.
    """
    # A trial inside of a sitting adds nothing to it.
    sittings = _sittings(reader.meta("sessions"))
    if reader.meta("exit") is None:
        last = max((end for _, end in sittings), default=None)
        start = reader.meta("sitting")
        if start is None:
            start = reader.meta("started") if last is None else reader.first_start(last)
        if start is not None:
            sittings.append((start, now if active else math.inf))
    return elapsed(reader, reader.marks_outside(sittings), now, active)


def _sittings(recorded: Sequence[Mapping[str, Any]] | None) -> list[Span]:
    return [(one["started"], one["ended"]) for one in recorded or () if one.get("ended") is not None]
