"""A learning rate that follows a schedule over the configuration's whole training, as Keras takes it."""

from __future__ import annotations

from typing import Any

import keras

from spaces.models.settings import TrainingSettings
from spaces.outside.keras_internals import rate_of
from spaces.values import rates


class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate before each update, see `spaces.values.rates`.

    Args:
        training: its schedule, with learning rate, warm-up and length. The length is always the configuration's own,
            wherever the training pauses, so that going on is never having stopped.

    Attributes:
        updates_per_epoch: set by whoever trains, for it depends on the number of rows.
    """

    def __init__(self, training: TrainingSettings) -> None:
        self.schedule = training.schedule
        self.warms_up = bool(training.warmup)
        self.learning_rate: Any = training.learning_rate
        self.warmup: Any = training.warmup
        self.epochs: Any = training.epochs
        self.updates_per_epoch = keras.Variable(1.0, trainable=False)

    def __call__(self, step: Any) -> Any:
        """The rate of the update that follows `step` updates."""
        ops = keras.ops
        updates = ops.cast(self.epochs, "float32") * ops.convert_to_tensor(self.updates_per_epoch)
        done = ops.minimum(ops.cast(step, "float32") / updates, 1.0)
        warmup = ops.cast(self.warmup, "float32")
        share = rates.falling(self.schedule, (done - warmup) / (1.0 - warmup), ops.cos)
        if self.warms_up:
            share = ops.where(done < warmup, rates.rising(self.schedule, done / warmup, ops.cos), share)
        return ops.cast(self.learning_rate, "float32") * share


def scheduled(optimizer: Any) -> ScheduledRate | None:
    """The schedule that an optimizer follows, if it is one of these."""
    rate = rate_of(optimizer)
    return rate if isinstance(rate, ScheduledRate) else None
