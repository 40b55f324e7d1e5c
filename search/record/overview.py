"""What `status` says of all trials of a run, in a few numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from search.record.marks import OWN, Mark, best_of, contenders
from search.record.trial import TrialKind, TrialState


@dataclass(frozen=True)
class Overview:
    """A run in brief.

    Attributes:
        done: Trials of the search and the baselines that have ended.
        failed: Those of them that failed.
        running: Those that have no end yet.
        epochs: Of all trials but those that were taken over from another run.
        configurations: Searched ones, as the table counts them.
        best: Ids of the trials of the best searched configuration; empty without a score.
        baseline: The same of the best baseline.
        open: Ids of all trials without an end, in order.
        improved: Unix time at which the best score of a finished trial of the search was first reached, or None.
    """

    done: int
    failed: int
    running: int
    epochs: int
    configurations: int
    best: tuple[str, ...]
    baseline: tuple[str, ...]
    open: tuple[str, ...]
    improved: float | None


def overview(marks: Iterable[Mark], direction: str) -> Overview:
    """The run in brief.

    Args:
        marks: All its trials, in the order in which they were asked for.
        direction: `min` or `max`, of the objective.
    """
    known = list(marks)
    states = [one.state for one in known if one.kind in OWN]
    failed = states.count(TrialState.FAILED)
    found = contenders(known)

    def trials(name: str | None) -> tuple[str, ...]:
        return tuple(one.id for one in known if name is not None and one.configuration == name)

    return Overview(
        done=states.count(TrialState.COMPLETED) + failed,
        failed=failed,
        running=states.count(TrialState.RUNNING),
        epochs=sum(one.epochs for one in known if one.kind != TrialKind.EVIDENCE),
        configurations=sum(not one.baseline for one in found.values()),
        best=trials(best_of(found, direction, baseline=False)),
        baseline=trials(best_of(found, direction, baseline=True)),
        open=tuple(one.id for one in known if one.state == TrialState.RUNNING),
        improved=_improved(known, direction),
    )


def _improved(marks: list[Mark], direction: str) -> float | None:
    sign = -1.0 if direction == "min" else 1.0
    ended = [
        (-sign * one.score, one.finished)
        for one in marks
        if one.kind == TrialKind.SEARCH and one.finished is not None and one.score is not None
    ]
    return min(ended)[1] if ended else None
