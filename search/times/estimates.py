"""What trainings are expected to take, by what has been measured so far.

Pure functions; all times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from search.record.configuration import Configuration
from search.record.environment import SLOWEST
from search.record.trial import ENDED_EARLY, Trial, TrialKind
from spaces import Settings

# What was compiled for the search trains much faster when it comes again; what was not does not.
_FASTEST = 0.5
# A training that has ended early ends earlier or later from another seed.
_OTHER_SEED = 1.25
# A final training over less of its length than this gives a worse model than a checkpoint of the search.
_LEAST_ANNEALED = 1 / 3
# The same of the epochs that train the backbone too.
_LEAST_TUNED = 1 / 2


@dataclass(frozen=True)
class Pace:
    """How the machine trains now, against how it trained during the search.

    Attributes:
        factor: Seconds that an epoch takes now, as a multiple of what it took then.
        epochs: Epochs that this was measured on; 0: nothing is known.
        alone: Seconds of an epoch of a training that has the machine to itself, as a multiple of what it takes beside
            others: that of the final training.
    """

    factor: float = 1.0
    epochs: int = 0
    alone: float = 1.0

    @property
    def training(self) -> float:
        """What an expected training time is multiplied with, to plan with."""
        return self.factor * (1.25 if self.epochs == 0 else 1.1)

    @property
    def winner(self) -> float:
        """The same for the final training, which nothing may cut short: twice as slow has to be possible."""
        return self.factor * self.alone * (2.0 if self.epochs == 0 else 1.25)

    @property
    def annealed(self) -> float:
        """The same for a final training that has as many epochs as there is time for."""
        return self.factor * self.alone * (1.15 if self.epochs == 0 else 1.05)


UNKNOWN_PACE = Pace()


def pace(trials: Sequence[Trial], searched: Mapping[str, Configuration], alone: float = 1.0) -> Pace:
    """How fast the trainings after the search were.

    Args:
        trials: Candidates and winners with their outcomes.
        searched: Configurations of the search by id.
        alone: See `Pace`.
    """
    now = then = 0.0
    epochs = 0
    for trial in trials:
        before = searched.get(trial.configuration)
        if trial.outcome is None or before is None or not before.epochs or _counts_otherwise(trial):
            continue
        count = len(trial.outcome.epochs)
        beside = alone if trial.kind is TrialKind.WINNER else 1.0
        now += sum(epoch.seconds for epoch in trial.outcome.epochs)
        then += beside * sum(epoch_seconds(before, epoch.number) for epoch in trial.outcome.epochs)
        epochs += count
    if not (now > 0 and then > 0):
        return replace(UNKNOWN_PACE, alone=alone)
    return Pace(min(max(_FASTEST, now / then), SLOWEST), epochs, alone)


def _counts_otherwise(trial: Trial) -> bool:
    """Whether its epochs are none of those that the search has timed: after a cross-validation these were folds."""
    return trial.kind is TrialKind.WINNER and bool(trial.settings["training"].get("folds"))


def is_annealed(configuration: Configuration) -> bool:
    """Whether a final training can be as long as there is time for: its rate goes to its end then."""
    training = Settings.from_json(configuration.settings).training
    return training.schedule != "constant" and not training.folds and configuration.price is None


def schedule_end(settings: Mapping[str, Any]) -> int | None:
    """Epochs after which the learning rate of a training is at its end; None where it stays as it is.

    Args:
        settings: As a trial has them, of any version.
    """
    return None if settings["training"].get("schedule", "constant") == "constant" else whole_length(settings)


def whole_length(settings: Mapping[str, Any]) -> int:
    """Epochs of a whole training, or of a whole fold.

    Args:
        settings: As a trial has them, of any version.
    """
    training = settings["training"]
    return int(training.get("fold_epochs") or training["epochs"])


def epoch_seconds(configuration: Configuration, number: int = 1) -> float:
    """Expected time of an epoch; the configuration has at least one.

    Args:
        configuration: Its mean counts, or that of a phase where it has two.
        number: Which epoch, counted from 1.
    """
    price = configuration.price
    of_phase = [
        e for e in configuration.epochs if price is None or (e.number > price.frozen) == (number > price.frozen)
    ]
    if of_phase or price is None:
        return sum(epoch.seconds for epoch in of_phase) / len(of_phase)
    return price.epoch


def epochs_seconds(configuration: Configuration, count: int) -> float:
    """Expected time of the first epochs; the configuration has at least one.

    Args:
        configuration: See `epoch_seconds`.
        count: So many.
    """
    price = configuration.price
    if price is None or count <= price.frozen:
        return count * epoch_seconds(configuration)
    later = price.once + (count - price.frozen) * epoch_seconds(configuration, count)
    return price.frozen * epoch_seconds(configuration) + later


def training_seconds(configuration: Configuration, epochs: int | None = None) -> float:
    """Expected time to train a configuration from scratch, at the pace of the search.

    Args:
        configuration: It has at least one finished epoch.
        epochs: For so many epochs; None: to the end of its settings, or to where early stopping is likely to end it.
    """
    if not configuration.epochs:
        return 0.0
    count = _likely_epochs(configuration) if epochs is None else epochs
    return build_seconds(configuration) + epochs_seconds(configuration, count)


def final_training_seconds(configuration: Configuration, epochs: int | None = None) -> float:
    """As `training_seconds`, of a final training.

    After a cross-validation it is a single one, on the rows of all folds. A rate that falls goes to its end, wherever
    early stopping has ended the training in the search.
    """
    training = Settings.from_json(configuration.settings).training
    if training.folds:
        once = 0.0 if configuration.price is None else configuration.price.once
        return once + training_seconds(configuration, 1) * training.folds / (training.folds - 1)
    if epochs is None and training.schedule != "constant":
        epochs = training.epochs
    return training_seconds(configuration, epochs)


def annealed_epochs(
    configuration: Configuration, seconds: float | None, pace: Pace, length: int | None = None
) -> int | None:
    """Epochs of a final training whose rate goes to its end: all of them, or as many as there is time for.

    Args:
        configuration: It has at least one finished epoch.
        seconds: Time that is left; None: no limit.
        pace: How the machine trains now.
        length: Epochs that are all of them; None: those of its settings.

    Returns:
        The number; None if it would be less than a third of its length, or half of what comes after frozen epochs.
    """
    whole = Settings.from_json(configuration.settings).training.epochs if length is None else length
    if seconds is None or not configuration.epochs:
        return whole
    frozen = 0 if configuration.price is None else configuration.price.frozen
    share, least = (_LEAST_TUNED, frozen) if 0 < frozen < whole else (_LEAST_ANNEALED, 0)
    least += math.ceil(share * (whole - least))
    fitting = (n for n in range(whole, least - 1, -1) if pace.annealed * training_seconds(configuration, n) <= seconds)
    return next(fitting, None)


def build_seconds(configuration: Configuration) -> float:
    """Time to build a model of a configuration, as the slowest of its trials took."""
    outcomes = [trial.outcome for trial in configuration.trials if trial.outcome is not None]
    return max((outcome.build_seconds for outcome in outcomes), default=0.0)


def first_epoch_seconds(configuration: Configuration) -> float:
    """Expected time until a configuration that begins from scratch has its first epoch; 0 if nothing is known."""
    return build_seconds(configuration) + epoch_seconds(configuration) if configuration.epochs else 0.0


def _likely_epochs(configuration: Configuration) -> int:
    training, seen = Settings.from_json(configuration.settings).training, len(configuration.epochs)
    if training.folds:
        return training.folds
    if configuration.stopped in ENDED_EARLY:
        return min(training.epochs, math.ceil(_OTHER_SEED * seen))
    if training.early_stopping is None or configuration.best_epoch is None:
        return training.epochs
    likely = configuration.best_epoch + training.early_stopping.patience + 1
    # A best epoch at the very end of the curve says nothing about where it would have stopped.
    return training.epochs if likely > seen else min(training.epochs, 2 * likely)
