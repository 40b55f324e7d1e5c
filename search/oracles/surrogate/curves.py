"""Configurations with their learning curves, put together from an oracle's trials."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles._columns import Floats
from search.oracles._space import Space


class Stage(Enum):
    """What can become of a configuration."""

    PAUSED = auto()
    """It can be trained on."""
    RUNNING = auto()
    """A trial of it has not ended."""
    ENDED = auto()
    """Its training is over: fully trained, stopped early, or cut short by something outside it."""
    FAILED = auto()
    KNOWN = auto()
    """It was trained elsewhere: its curve informs the model."""


@dataclass
class Curve:
    """One configuration and what is known of its training.

    Attributes:
        codes: the configuration, shape (columns,).
        stage: what can become of it.
        trial_id: its last trial; empty for `Stage.KNOWN`.
        epochs: epochs trained so far; for a running one those that it is being trained to.
        scores: epoch, counted from 1, to score, more is better.
        stopped: whether it ended before the epochs it was asked for.
        seconds: seconds of an epoch, or None if nobody measured.
        timed: of each trial that was measured the epoch it went on from, and the seconds of an epoch.
        last_counts: whether the last score is what the configuration is worth, not the best: of means over folds, the
            one over the most folds.
    """

    codes: Floats
    stage: Stage = Stage.PAUSED
    trial_id: str = ""
    epochs: int = 0
    scores: dict[int, float] = field(default_factory=dict)
    stopped: bool = False
    seconds: float | None = None
    timed: list[tuple[int, float]] = field(default_factory=list)
    last_counts: bool = False

    def best_by(self, epoch: int) -> float | None:
        """What it was worth after `epoch` epochs: the best score by then, or the last; None if none is known."""
        known = {number: score for number, score in self.scores.items() if number <= epoch}
        if self.last_counts and known:
            return known[max(known)]
        return max(known.values(), default=None)

    @property
    def latest(self) -> float:
        """What it is worth by all that is known; minus infinity where nothing is."""
        score = self.best_by(max(self.scores, default=0))
        return -math.inf if score is None else score

    def until(self, epochs: int) -> "Curve":
        """The configuration as it was when it had been paused after `epochs`."""
        scores = {epoch: score for epoch, score in self.scores.items() if epoch <= epochs}
        return replace(self, stage=Stage.PAUSED, epochs=epochs, scores=scores, stopped=False)

    def add(
        self, trial: Trial, scores: Mapping[int, float], seconds: float | None, by_epoch: bool, blameless: bool
    ) -> None:
        """Takes up the next trial of the configuration.

        Args:
            trial: it; its values say from and to which epoch it was to train.
            scores: step to score of what was reported during it.
            seconds: seconds of an epoch, or None.
            by_epoch: whether the loop reports every epoch, with its number from 1 as the step. If not, or if all steps
                lie beyond its last epoch, as those of batches do, a trial has one score, for all its epochs.
            blameless: whether its end says nothing of the configuration: time was up, or it failed for another reason;
                its values then ask for no more epochs than it had.
        """
        start, target = stretch(trial)
        self.trial_id = trial.trial_id
        self.seconds = self.seconds if seconds is None else seconds
        if seconds:
            self.timed.append((start, seconds))
        if trial.status == TrialStatus.RUNNING:
            self.stage, self.epochs = Stage.RUNNING, target
            return
        if trial.status != TrialStatus.COMPLETED:
            self.stage = Stage.ENDED if blameless else Stage.FAILED
            return
        beyond = bool(scores) and min(scores) > target
        if by_epoch and not beyond:
            self.scores.update(scores)
            self.epochs = max([start, *(step for step in scores if step <= target)])
            self.stopped = self.epochs < target
        else:
            self.scores[target] = max(scores.values())
            self.epochs = target
        self.stage = Stage.ENDED if self.stopped or blameless else Stage.PAUSED


def stretch(trial: Trial) -> tuple[int, int]:
    """The epochs from which and to which a trial was to train."""
    values = trial.hyperparameters.values
    return int(values["tuner/initial_epoch"]), int(values["tuner/epochs"])


def latest(curves: Sequence[Curve], most: int) -> Sequence[Curve]:
    """The last `most` of the curves, in their order.

    Where these are more, what is known from elsewhere is older than all of the search's own, wherever it stands: or
    many of an earlier night would leave no place for anything that this one finds out.
    """
    if len(curves) <= most:
        return curves
    return sorted(curves, key=lambda curve: curve.stage is not Stage.KNOWN)[-most:]


def codes_of(curves: Sequence[Curve], space: Space) -> Floats:
    """The configurations of curves, shape (curves, columns)."""
    return np.array([curve.codes for curve in curves]).reshape(len(curves), len(space))
