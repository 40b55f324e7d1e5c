"""Trials in brief: what it takes to count them, to time them and to say which configurations are the best.

A run of 100,000 trials is read so in a fraction of a second; the few trials that are shown are then read whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from search.record.trial import LARGEST_METRIC, FailureReason, Stop, Trial, TrialKind, TrialState

OWN = (TrialKind.SEARCH, TrialKind.BASELINE)
"""The kinds whose trials the search itself has asked for."""
COUNTED = (*OWN, TrialKind.EVIDENCE)
"""The kinds whose trials make up the configurations of the table."""

_NUMBERS = {
    "started": (False, 0.0),
    "finished": (False, 0.0),
    "score": (False, -LARGEST_METRIC),
    "parameters": (True, 0.0),
    "seconds": (False, 0.0),
    "build_seconds": (False, 0.0),
    "epochs": (True, 0.0),
    "epochs_to": (True, 0.0),
}
"""Whether it is a whole number, and the least it may be."""
_TEXTS = ("id", "configuration", "parent")
_WORDS: dict[str, type[StrEnum]] = {"kind": TrialKind, "state": TrialState, "stopped": Stop, "failure": FailureReason}
_MISSING = frozenset({"finished", "score", "parameters", "seconds", "build_seconds", "stopped", "failure", "parent"})
"""What a trial may be without."""


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


class Contender(NamedTuple):
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


def contenders(marks: Iterable[Mark]) -> dict[str, Contender]:
    """Configuration id to what is known of it, in the order of first trials: `configurations` in brief."""
    found: dict[str, Contender] = {}
    late: list[str] = []
    for one in marks:
        name, kind, score, parameters = one.configuration, one.kind, one.score, one.parameters
        if kind not in COUNTED:
            continue
        # Asked for only where it can be so: this is done for each of very many.
        too_late = one.stopped is not None and kind == TrialKind.SEARCH and one.late
        known = found.get(name)
        if known is None:
            found[name] = Contender(kind == TrialKind.BASELINE, score, parameters, too_late)
        else:
            found[name] = Contender(
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


def best_first(found: Mapping[str, Contender], direction: str) -> list[str]:
    """Ids of the configurations that have a score in the order of `ranked`."""
    scored = [name for name, one in found.items() if one.score is not None]
    return sorted(scored, key=lambda name: _key(found[name], direction))


def best_of(found: Mapping[str, Contender], direction: str, baseline: bool) -> str | None:
    """Id of the first of the searched configurations, or of the baselines, in that order; None without a score."""
    scored = [(one.score, name) for name, one in found.items() if one.score is not None and one.baseline is baseline]
    if not scored:
        return None
    first, _ = (min if direction == "min" else max)(scored, key=itemgetter(0))
    return min((name for score, name in scored if score == first), key=lambda name: _key(found[name], direction))


def _key(contender: Contender, direction: str) -> tuple[float, float]:
    score, parameters = contender.score or 0.0, contender.parameters
    return (score if direction == "min" else -score), math.inf if parameters is None else parameters


def whole() -> str:
    """The SQL condition under which the columns of a trial hold what a mark says.

    Where it is not true, reading the whole trial tells why. It does not look at the bytes of ids.
    """
    # It is asked of very many rows: comparisons cost less than functions. Texts come after all numbers and before all
    # blobs, and what stands in a column of real numbers is one of them or none at all.
    conditions = {name: f"{name} >= '' AND {name} < x''" for name in _TEXTS}
    for name, (whole, least) in _NUMBERS.items():
        kind = f"typeof({name}) = 'integer' AND " if whole else ""
        conditions[name] = f"{kind}{name} BETWEEN {least} AND {LARGEST_METRIC}"
    for name, words in _WORDS.items():
        conditions[name] = " OR ".join(f"{name} = '{word}'" for word in words)
    return " AND ".join(
        f"({name} IS NULL OR ({holds}))" if name in _MISSING else f"({holds})" for name, holds in conditions.items()
    )
