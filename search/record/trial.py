"""The records of a search: what was asked for, what came out, and why something failed.

Everything here is frozen and holds plain data only, so that a record can cross a process border and be
written to the run store as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from search.budget import Deadline

Scalar = bool | int | float | str


class TrialKind(StrEnum):
    """Which part of a run asked for the trial."""

    SEARCH = "search"
    """Proposed by the oracle."""
    BASELINE = "baseline"
    """Named in the space file, trained under its own protocol."""
    EVIDENCE = "evidence"
    """Taken over from the run that this one was forked from."""
    CANDIDATE = "candidate"
    """One of the best configurations, trained again with a fresh seed to see whether its score holds."""
    WINNER = "winner"
    """The chosen configuration, trained for its best number of epochs: the model that is exported."""


class TrialState(StrEnum):
    """Where a trial stands in the store."""

    RUNNING = "running"
    """Asked for, not finished. It may carry the epochs and the checkpoint of an interrupted attempt."""
    COMPLETED = "completed"
    FAILED = "failed"


class FailureReason(StrEnum):
    """Why a configuration gave no score."""

    OVERSIZED = "oversized"
    """Over a limit of `constraints`; it was built, never trained."""
    OUT_OF_MEMORY = "out of memory"
    NAN = "nan"
    """The loss or the objective stopped being a finite number."""
    HUNG = "hung"
    """Over `limits.seconds_per_trial` or `limits.seconds_per_epoch`."""
    CRASHED = "crashed"
    """Its process ended without an answer."""
    DATA = "data"
    INVALID = "invalid"
    """The architecture cannot be built, for example pooling below one pixel."""
    ERROR = "error"
    """Anything else that building or training raised, the user's own code included."""


OF_THE_VALUES = frozenset({FailureReason.OVERSIZED, FailureReason.INVALID, FailureReason.NAN})
"""What lies in a configuration's own values."""


LARGEST_METRIC = 1e39
"""What a metric may be, above or below 0, unless it is infinite: training is done in numbers that end at 3.4e38."""


def metric(value: float) -> float:
    """A metric as it is recorded: one that is too large, as a measure of the user's may be, is infinite."""
    return value if abs(value) <= LARGEST_METRIC or math.isnan(value) else math.copysign(math.inf, value)


class Stop(StrEnum):
    """What ended the training of a trial."""

    LENGTH = "length"
    """The last epoch that was asked for."""
    EARLY_STOPPING = "early stopping"
    PAUSED = "paused"
    """Its first folds were so much worse than those of the best that the others were not trained."""
    TARGET = "target"
    """A `stop_when` target was reached."""
    INTERRUPTED = "interrupted"
    """Somebody asked it to stop; it goes on from its checkpoint when the run is resumed."""
    DEADLINE = "deadline"
    """The run's time was up; it counts with the epochs it has."""


ENDED_EARLY = frozenset({Stop.EARLY_STOPPING, Stop.PAUSED, Stop.TARGET})
"""What ends a training by itself: it would have no more epochs if it were asked for more."""


@dataclass(frozen=True)
class Failure:
    """A failed attempt.

    Attributes:
        reason: The class of the failure.
        message: One sentence for people.
        detail: The traceback or other material for the log; may be empty.
    """

    reason: FailureReason
    message: str
    detail: str = ""


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: Counted from 1 over the configuration's whole training.
        metrics: Name to value, training metrics under their names, validation metrics with `val_`.
        seconds: Wall time of the epoch, training and validation.
        train_seconds: The part of `seconds` spent in training steps.
    """

    number: int
    metrics: Mapping[str, float]
    seconds: float
    train_seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file in the run directory, as its writer described it.

    Attributes:
        file: Path relative to the run directory.
        bytes: Its size.
        digest: BLAKE2b hex digest of its bytes.
        epoch: The epoch (counted from 1) after which the weights were taken.
    """

    file: str
    bytes: int
    digest: str
    epoch: int


@dataclass(frozen=True)
class TrialJob:
    """Everything that the outcome of a trial depends on.

    Attributes:
        trial_id: Id of the trial; names its checkpoint folder.
        settings: `spaces.Settings.to_json()`.
        seed: Seed of weights, shuffling and dropout; at least 0, below 2**31.
        objective: Name of the metric that scores the trial, for example `val_accuracy`.
        direction: `min` or `max`.
        epochs_from: Epochs already trained (0: from scratch).
        epochs_to: Train until this many epochs are done, at most.
        resume: Checkpoint to go on from; None when `epochs_from` is 0.
        history: The epochs before `epochs_from`, so that early stopping remembers.
        best: Checkpoint of the best epoch so far, which is kept if no better epoch comes.
        keep: Which checkpoints to write: any of `state` (weights and optimizer after the last epoch, for a trial
            that may be continued), `best` (weights of the best epoch), `last` (weights after the last
            epoch, unless early stopping ended the training: then `best` counts).
        data: Which rows train: `train`, or `train+validation` (then there is no validation).
        max_parameters: Limit on the model's parameters, or None.
        deadline: No epoch is begun that is not expected to end before it, nor anything after it. None: no such limit.
            It may move while the job waits or is trained.
        whole: Whether the training counts at its end only: it stops, and leaves a `state`, as soon as the rest of it
            does not fit before the deadline.
        seconds_per_trial: Limit on the wall time of the trial, or None.
        seconds_per_epoch: Limit on the wall time of one epoch, or None.
    """

    trial_id: str
    settings: Mapping[str, Any]
    seed: int
    objective: str
    direction: str
    epochs_from: int
    epochs_to: int
    resume: Checkpoint | None = None
    history: tuple[Epoch, ...] = ()
    best: Checkpoint | None = None
    keep: tuple[str, ...] = ("best",)
    data: str = "train"
    max_parameters: int | None = None
    deadline: Deadline | None = None
    whole: bool = False
    seconds_per_trial: float | None = None
    seconds_per_epoch: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a trial gave.

    Attributes:
        epochs: The epochs of this trial alone, in order.
        score: Best objective over the configuration's whole training, or None if it failed.
        best_epoch: The epoch (counted from 1) of `score`.
        stopped: What ended it; None if it failed.
        parameters: Parameters of the model, trainable or not; None if it could not be built.
        seconds: Wall time of the whole trial, building and checkpoints included.
        build_seconds: The part of `seconds` spent before the first training step.
        failure: Set if and only if it failed.
        state: Checkpoint to continue from (weights, optimizer), if it was kept.
        best: Checkpoint of the best epoch's weights.
        last: Checkpoint of the last epoch's weights, where that differs from `best` and is needed.
        once_seconds: The part of `seconds` spent on what no later training of the run has to do again.
        frozen: Parameters of the model that a training of its length leaves as they were; None where it trains all.
    """

    epochs: tuple[Epoch, ...] = ()
    score: float | None = None
    best_epoch: int | None = None
    stopped: Stop | None = None
    parameters: int | None = None
    seconds: float = 0.0
    build_seconds: float = 0.0
    failure: Failure | None = None
    state: Checkpoint | None = None
    best: Checkpoint | None = None
    last: Checkpoint | None = None
    once_seconds: float = 0.0
    frozen: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is what its settings ask for: neither failed nor cut short by time or on request."""
        return self.failure is None and (self.stopped is Stop.LENGTH or self.stopped in ENDED_EARLY)


@dataclass(frozen=True)
class Trial:
    """One row of the store: a configuration trained from one epoch to another.

    Attributes:
        id: Unique in the run, for example `0007` or `baseline-article-dense-128`.
        configuration: Id of the configuration's first trial; promotions share it.
        kind: Which part of the run asked for it.
        name: The baseline's name, else empty.
        values: Active hyperparameter values, what the table shows.
        settings: `spaces.Settings.to_json()`, everything that training needs.
        seed: See `TrialJob.seed`.
        epochs_from: Epochs the configuration had before.
        epochs_to: Epochs it was asked to reach.
        parent: Id of the trial it continues, or None.
        state: Where it stands.
        outcome: None while it has not produced anything.
        started: Unix time of its start.
        finished: Unix time of its end, or None.
        oracle: Keras Tuner's own record of the trial (JSON data), for the oracle's resumption.
        note: Why the oracle chose it, in words; may be empty.
    """

    id: str
    configuration: str
    kind: TrialKind
    name: str
    values: Mapping[str, Scalar]
    settings: Mapping[str, Any]
    seed: int
    epochs_from: int
    epochs_to: int
    parent: str | None
    state: TrialState
    outcome: Outcome | None
    started: float
    finished: float | None
    oracle: Mapping[str, Any] | None = field(default=None, repr=False)
    note: str = ""

    @property
    def epochs_before(self) -> int:
        """Epochs that the configuration has when this trial begins, or goes on after an interruption."""
        # One that has ended is trained again from its start.
        had = self.outcome.epochs if self.outcome is not None and self.state is TrialState.RUNNING else ()
        return had[-1].number if had else self.epochs_from


def checkpoints(outcome: Outcome | None) -> list[Checkpoint]:
    """The checkpoints that an outcome holds."""
    if outcome is None:
        return []
    return [c for c in (outcome.state, outcome.best, outcome.last) if c is not None]
