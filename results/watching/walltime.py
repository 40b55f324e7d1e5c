"""Wall time of a run over all its sittings, and how much of it something was being done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from search.files.store import Evaluation, RunReader, Work
from search.record.marks import Mark
from search.record.trial import Trial

Span = tuple[float, float]


def busy(trials: Iterable[Trial | Mark], evaluations: Iterable[Evaluation], work: Iterable[Work] = ()) -> list[Span]:
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


def elapsed(reader: RunReader, trials: Sequence[Trial | Mark], now: float, active: bool) -> float:
    """Seconds that the run was being worked on, pauses between sittings left out.

    A sitting is recorded when it ends. One that still goes on counts up to `now`, and one that was cut off as far
    as its trials show.

    Args:
        reader: The run.
        trials: All its trials, whole or in brief.
        now: Unix time.
        active: Whether a process is working on the run.
    """
    sittings = _sittings(reader)
    work = busy(trials, reader.evaluations(), reader.work())
    open_end = now if active else max((end for _, end in work), default=float("-inf"))
    unrecorded: list[Span] = []
    if reader.meta("exit") is None:
        last = max((end for _, end in sittings), default=None)
        begun = [trial.started for trial in trials if last is not None and trial.started > last]
        start = reader.meta("started") if last is None else min(begun, default=open_end)
        unrecorded = [(start, max(start, open_end))]
    return covered([*sittings, *work, *unrecorded])


def elapsed_in_all(reader: RunReader, now: float, active: bool) -> float:
    """`elapsed` of all trials, of which those of a long run are not all looked at.

    Args:
        reader: The run.
        now: Unix time.
        active: Whether a process is working on the run.
    """
    # A trial inside of a sitting adds nothing to it.
    sittings = _sittings(reader)
    if reader.meta("exit") is None:
        last = max((end for _, end in sittings), default=None)
        start = reader.meta("started") if last is None else reader.first_start(last)
        if start is not None:
            sittings.append((start, now if active else math.inf))
    return elapsed(reader, reader.marks_outside(sittings), now, active)


def _sittings(reader: RunReader) -> list[Span]:
    recorded = reader.meta("sessions", [])
    return [(sitting["started"], sitting["ended"]) for sitting in recorded if sitting["ended"] is not None]
