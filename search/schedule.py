"""What a search will train if nothing fails and no training ends early."""

from __future__ import annotations

from dataclasses import dataclass

import spaces
from search.oracles import PlannedTrials, planned_trials
from spaces import SearchSpec


@dataclass(frozen=True)
class Planned:
    """Trials and their epochs together, baselines not counted; None where only time ends the search."""

    trials: int | None
    epochs: int | None


def groups(spec: SearchSpec) -> list[PlannedTrials]:
    """The oracle's schedule, in groups of equal trainings."""
    return planned_trials(
        spec.search.algorithm,
        min_epochs=spec.min_epochs,
        max_epochs=spec.max_epochs,
        max_trials=spec.search.max_trials,
        configurations=spaces.size(spec),
    )


def planned(spec: SearchSpec) -> Planned:
    """Trials and epochs of the oracle's schedule."""
    found = groups(spec)
    if any(group.count is None for group in found):
        return Planned(None, None)
    return Planned(
        sum(group.count or 0 for group in found),
        sum((group.count or 0) * (group.epochs_to - group.epochs_from) for group in found),
    )
