"""Configurations: the trials of a run, folded so that each choice of hyperparameters is one record.

Pure functions over the records of `search.record.trial`; the ranked table, the report and retraining all start here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search.record.prices import Price
from search.record.trial import Checkpoint, Epoch, Failure, Scalar, Stop, Trial, TrialKind, TrialState


def meant(name: str, ids: Iterable[str]) -> str | None:
    """The id that a name means: itself, or the one that is the same whole number, `07` for `7`; None: there is none."""
    known = tuple(ids)
    if name in known or not (name.isascii() and name.isdigit()):
        return name if name in known else None
    return next((one for one in known if one.isdigit() and one.lstrip("0") == name.lstrip("0")), None)


@dataclass(frozen=True)
class Configuration:
    """One choice of all hyperparameter values with everything that was trained of it during the search.

    Attributes:
        id: Id of its first trial; promotions belong to it.
        name: The baseline's name, else the id.
        baseline: Whether the space file names it.
        values: Active hyperparameter values.
        settings: `spaces.Settings.to_json()`.
        seed: The seed of all its trials.
        trials: Its trials, oldest first.
        epochs: Its learning curve over all trials.
        score: Best objective so far, also of a configuration that failed later on; None before the first epoch.
        best_epoch: The epoch (counted from 1) of `score`.
        parameters: Parameters of the model, if known.
        frozen: Those of them that training left as they were; None: none.
        seconds: Wall time spent on it.
        state: `failed` if its last trial failed, `running` if one is unfinished, else `completed`.
        stopped: What ended its last trial.
        failure: Why it failed, or None.
        best: Checkpoint of its best epoch, if it is kept.
        price: What a training of it with two phases takes, learned from it and others; None where there is one phase.
    """

    id: str
    name: str
    baseline: bool
    values: Mapping[str, Scalar]
    settings: Mapping[str, Any]
    seed: int
    trials: tuple[Trial, ...]
    epochs: tuple[Epoch, ...]
    score: float | None
    best_epoch: int | None
    parameters: int | None
    seconds: float
    state: TrialState
    stopped: Stop | None
    failure: Failure | None
    best: Checkpoint | None
    price: Price | None = None
    frozen: int | None = None

    @property
    def evidence(self) -> bool:
        """Whether another run has trained it, of which this one is a fork."""
        return any(trial.kind is TrialKind.EVIDENCE for trial in self.trials)


def configurations(trials: Iterable[Trial]) -> list[Configuration]:
    """Folds search, baseline and evidence trials into configurations, in the order of their first trials.

    Without those that the oracle proposed when the time was nearly up, and that had no epoch before it was.
    """
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.kind in (TrialKind.SEARCH, TrialKind.BASELINE, TrialKind.EVIDENCE):
            grouped.setdefault(trial.configuration, []).append(trial)
    return [_configuration(name, tuple(group)) for name, group in grouped.items() if not _came_too_late(group)]


def ranked(found: Iterable[Configuration], direction: str, least: int = 0) -> list[Configuration]:
    """Best score first; equal scores by fewer parameters, then older first; those without a score last.

    Args:
        found: The configurations.
        direction: `min` or `max`, of the objective.
        least: Those with fewer epochs come after all others.
    """
    return sorted(found, key=lambda one: (len(one.epochs) < least, *rank_key(one, direction)))


def rank_key(configuration: Configuration, direction: str) -> tuple[bool, float, float]:
    """What `ranked` sorts by; equal ones stay in the order in which they came."""
    sign = 1.0 if direction == "min" else -1.0
    parameters = configuration.parameters
    return (
        configuration.score is None,
        sign * (configuration.score or 0.0),
        parameters if parameters is not None else float("inf"),
    )


def fresh_scores(trials: Iterable[Trial]) -> dict[str, list[float]]:
    """Scores of whole trainings from fresh seeds by configuration id; what failed or was cut short is left out."""
    scores: dict[str, list[float]] = {}
    for trial in trials:
        score = trial.outcome.score if trial.outcome is not None and trial.outcome.whole else None
        if trial.kind is TrialKind.CANDIDATE and score is not None and math.isfinite(score):
            scores.setdefault(trial.configuration, []).append(score)
    return scores


def _came_too_late(trials: list[Trial]) -> bool:
    return all(
        trial.kind is TrialKind.SEARCH
        and trial.outcome is not None
        and trial.outcome.stopped is Stop.DEADLINE
        and not trial.outcome.epochs
        for trial in trials
    )


def _configuration(name: str, trials: tuple[Trial, ...]) -> Configuration:
    first, last = trials[0], trials[-1]
    outcomes = [trial.outcome for trial in trials if trial.outcome is not None]
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    failed = last.state is TrialState.FAILED
    state = last.state
    if any(trial.state is TrialState.RUNNING for trial in trials):
        state = TrialState.RUNNING
    # A later trial's score covers the earlier epochs too, so the last scored one speaks for all of them.
    best = scored[-1] if scored else None
    return Configuration(
        id=name,
        name=first.name or name,
        baseline=first.kind is TrialKind.BASELINE,
        values=first.values,
        settings=first.settings,
        seed=first.seed,
        trials=trials,
        epochs=tuple(epoch for outcome in outcomes for epoch in outcome.epochs),
        score=best.score if best else None,
        best_epoch=best.best_epoch if best else None,
        parameters=next((o.parameters for o in outcomes if o.parameters is not None), None),
        seconds=sum(outcome.seconds for outcome in outcomes),
        state=state,
        stopped=outcomes[-1].stopped if outcomes else None,
        failure=last.outcome.failure if failed and last.outcome else None,
        best=best.best if best else None,
        frozen=next((outcome.frozen for outcome in reversed(outcomes) if outcome.parameters is not None), None),
    )
