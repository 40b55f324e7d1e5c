"""Enough of a long run to describe it."""

from __future__ import annotations

from search.files.store import RunReader
from search.record.marks import COUNTED, best_first
from search.record.trial import Trial, TrialState

MOST = 5_000
"""Configurations from which on a run is described by some of them."""

_BEST = 500


def sampled(reader: RunReader, direction: str) -> list[Trial]:
    """All trials of a run, or those of `MOST` of its configurations: the best, and an even choice of all others.

    The baselines, what is running and whatever was trained again are always among them.

    Args:
        reader: The run.
        direction: `min` or `max`, of the objective.
    """
    marks = reader.marks()
    found = reader.contenders()
    if len(found) <= MOST:
        return reader.trials()
    order = best_first(found, direction)
    chosen = set(order[:_BEST])
    others = [name for name in found if name not in chosen]
    step = len(others) / (MOST - len(chosen))
    chosen.update(others[int(i * step)] for i in range(MOST - len(chosen)))
    chosen.update(name for name, one in found.items() if one.baseline)
    winner = reader.meta("winner")
    for one in marks:
        if one.kind not in COUNTED or one.state == TrialState.RUNNING or one.id == winner:
            chosen.add(one.configuration)
    return reader.some(one.id for one in marks if one.configuration in chosen)
