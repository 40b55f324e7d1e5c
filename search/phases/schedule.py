"""What a search will train if nothing fails and no training ends early."""

from __future__ import annotations

from dataclasses import dataclass

from spaces import SearchSpec
from spaces.sections.algorithms import PlannedTrials

# Nobody trains more, and beyond 1e308 there is no float to reckon their time with.
_MOST_CONFIGURATIONS = 10**15


@dataclass(frozen=True)
class Planned:
    """Trials and their epochs together, baselines not counted; None where only time ends the search."""

    trials: int | None
    epochs: int | None


def groups(spec: SearchSpec, *, timed: bool = False) -> list[PlannedTrials]:
    """The oracle's schedule, in groups of equal trainings.

    Args:
        spec: The space file.
        timed: Whether the run has to be done by some hour. What is open-ended, or may begin anew, goes on until then,
            if no number of trials is given.
    """
    if timed and (spec.algorithm.open_ended or spec.algorithm.repeats) and spec.search.max_trials is None:
        return [PlannedTrials(None, 0, spec.max_epochs)]
    # Reading a run imports this module, and takes next to nothing of the configurations.
    from spaces.specs.configuring import hyperparameters_of

    hyperparameters = hyperparameters_of(spec)
    configurations = spec.algorithm.configurations(hyperparameters)
    return spec.algorithm.plan(
        min_epochs=spec.min_epochs,
        max_epochs=spec.max_epochs,
        max_trials=spec.search.max_trials,
        configurations=None if configurations is None else min(configurations, _MOST_CONFIGURATIONS),
        hyperparameters=len(hyperparameters),
    )


def planned(spec: SearchSpec, *, timed: bool = False) -> Planned:
    """Trials and epochs of the oracle's schedule; arguments as for `groups`."""
    found = groups(spec, timed=timed)
    if any(group.count is None for group in found):
        return Planned(None, None)
    return Planned(
        sum(group.count or 0 for group in found),
        sum((group.count or 0) * (group.epochs_to - group.epochs_from) for group in found),
    )


def endless(spec: SearchSpec) -> str | None:
    """What has to be given for a search that nothing but a time ends; None where its schedule does."""
    if planned(spec).trials is not None:
        return None
    return (
        f"algorithm {spec.search.algorithm} goes on for ever in this space: give a number of trials or a time "
        "(search.max_trials, --max-trials, --budget, --until)"
    )


def most_waiting(spec: SearchSpec) -> int:
    """Configurations, at most, that wait at the same time to be trained further."""
    most = spec.algorithm.most_waiting(spec.search.max_trials)
    if most is not None:
        return most
    return max((group.count or 0 for group in groups(spec) if group.epochs_to < spec.max_epochs), default=0)


def trial_limit(spec: SearchSpec, *, timed: bool) -> int | None:
    """Number of trials after which a search is ended; None where its oracle, or time, ends it."""
    if spec.search.max_trials is None and spec.algorithm.open_ended:
        return planned(spec, timed=timed).trials
    return spec.search.max_trials
