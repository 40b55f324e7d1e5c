"""Trials in brief: what it takes to count them, to time them and to say which configurations are the best.

A run of 100,000 trials is read so in a fraction of a second; the few trials that are shown are then read whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from search.record.trial import FailureReason, Stop, Trial, TrialKind, TrialState

COUNTED = (TrialKind.SEARCH, TrialKind.BASELINE, TrialKind.EVIDENCE)
"""The kinds whose trials make up the configurations of the table."""

_NONE = type(None)
_TYPES: dict[str, set[type]] = {
    "id": {str},
    "configuration": {str},
    "started": {float},
    "finished": {float, _NONE},
    "score": {float, _NONE},
    "parameters": {int, _NONE},
    "seconds": {float, _NONE},
    "build_seconds": {float, _NONE},
    "epochs": {int},
    "epochs_to": {int},
    "parent": {str, _NONE},
}
_WORDS: dict[str, frozenset[str | None]] = {
    "kind": frozenset(TrialKind),
    "state": frozenset(TrialState),
    "stopped": frozenset({*Stop, None}),
    "failure": frozenset({*FailureReason, None}),
}
_MOST = 1e39
_LEAST = {"score": -_MOST} | dict.fromkeys(
    ("started", "finished", "parameters", "seconds", "build_seconds", "epochs", "epochs_to"), 0.0
)


class Mark(NamedTuple):
    """One trial in brief.

    Attributes:
        id, configuration, kind, state, started, finished: As in `Trial`; `kind` and `state` as plain text.
        score, parameters, seconds, build_seconds: As in `Outcome`; None while there is none.
        stopped: As in `Outcome`, as plain text.
        failure: The reason of its failure as plain text, or None.
        epochs: Number of its epochs.
        epochs_to, parent: As in `Trial`.
    """

    id: str
    configuration: str
    kind: str
    state: str
    started: float
    finished: float | None
    score: float | None
    parameters: int | None
    seconds: float | None
    build_seconds: float | None
    stopped: str | None
    failure: str | None
    epochs: int
    epochs_to: int
    parent: str | None

    @property
    def late(self) -> bool:
        """Whether the time was up before its first epoch."""
        return self.stopped == Stop.DEADLINE and not self.epochs


class Standing(NamedTuple):
    """A configuration in brief.

    Attributes:
        baseline: Whether the space file names it.
        score, parameters: As in `Configuration`.
        late: Whether it was proposed when the time was nearly up, so that the table has no row for it.
    """

    baseline: bool
    score: float | None
    parameters: int | None
    late: bool


def mark(trial: Trial) -> Mark:
    """A trial in brief."""
    head = trial.id, trial.configuration, str(trial.kind), str(trial.state), trial.started, trial.finished
    outcome = trial.outcome
    if outcome is None:
        return Mark(*head, None, None, None, None, None, None, 0, trial.epochs_to, trial.parent)
    return Mark(
        *head,
        outcome.score,
        outcome.parameters,
        outcome.seconds,
        outcome.build_seconds,
        outcome.stopped,
        None if outcome.failure is None else outcome.failure.reason,
        len(outcome.epochs),
        trial.epochs_to,
        trial.parent,
    )


def standings(marks: Iterable[Mark]) -> dict[str, Standing]:
    """Configuration id to what is known of it, in the order of first trials: `configurations` in brief."""
    found: dict[str, Standing] = {}
    late: list[str] = []
    for one in marks:
        name, kind, score, parameters = one.configuration, one.kind, one.score, one.parameters
        if kind not in COUNTED:
            continue
        too_late = one.late and kind == TrialKind.SEARCH
        known = found.get(name)
        if known is None:
            found[name] = Standing(kind == TrialKind.BASELINE, score, parameters, too_late)
        else:
            found[name] = Standing(
                known.baseline,
                known.score if score is None else score,
                parameters if known.parameters is None else known.parameters,
                known.late and too_late,
            )
        if too_late:
            late.append(name)
    for name in late:
        if name in found and found[name].late:
            del found[name]
    return found


def best_first(found: Mapping[str, Standing], direction: str) -> list[str]:
    """Ids of the configurations that have a score in the order of `ranked`."""
    scored = [name for name, standing in found.items() if standing.score is not None]
    return sorted(scored, key=lambda name: _key(found[name], direction))


def best_of(found: Mapping[str, Standing], direction: str, baseline: bool) -> str | None:
    """Id of the first of the searched configurations, or of the baselines, in that order; None without a score."""
    scored = [(one.score, name) for name, one in found.items() if one.score is not None and one.baseline is baseline]
    if not scored:
        return None
    first, _ = (min if direction == "min" else max)(scored, key=itemgetter(0))
    return min((name for score, name in scored if score == first), key=lambda name: _key(found[name], direction))


def _key(standing: Standing, direction: str) -> tuple[float, float]:
    score, parameters = standing.score or 0.0, standing.parameters
    return (score if direction == "min" else -score), math.inf if parameters is None else parameters


def are_whole(rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether marks that were read from a store hold what they say; if not, reading whole trials tells why."""
    columns = dict(zip(Mark._fields, zip(*rows, strict=True), strict=True))
    return (
        all(set(map(type, columns[name])) <= allowed for name, allowed in _TYPES.items())
        and all(set(columns[name]) <= allowed for name, allowed in _WORDS.items())
        and all(_is_within(columns[name], least) for name, least in _LEAST.items())
    )


def _is_within(column: Iterable[float | None], least: float) -> bool:
    known = [value for value in column if value is not None]
    return not known or (least <= min(known) and max(known) <= _MOST)
