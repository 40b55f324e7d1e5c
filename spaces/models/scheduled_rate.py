"""A learning rate that follows a schedule over the configuration's whole training, as Keras takes it."""

from __future__ import annotations

from typing import Any

import keras

from spaces.outside.keras_internals import rate_of
from spaces.outside.keras_names import PACKAGE
from spaces.values import rates


@keras.saving.register_keras_serializable(PACKAGE)
class ScheduledRate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate before each update, see `spaces.values.rates`.

    Args:
        schedule: one of `SCHEDULES`.
        learning_rate: the largest rate.
        warmup: part of the training over which the rate rises.
        epochs: length of the training. It is always the configuration's own, wherever the training pauses, so that
            going on is never having stopped.
        updates_per_epoch: updates in each of them.

    Attributes:
        updates_per_epoch: set by whoever trains, for it depends on the number of rows.
    """

    def __init__(
        self, schedule: str, learning_rate: float, warmup: float, epochs: float, updates_per_epoch: float = 1.0
    ) -> None:
        self.schedule = schedule
        self.warms_up = bool(warmup)
        self.learning_rate: Any = learning_rate
        self.warmup: Any = warmup
        self.epochs: Any = epochs
        self.updates_per_epoch = keras.Variable(updates_per_epoch, trainable=False)

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

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        return {
            "schedule": self.schedule,
            "learning_rate": float(self.learning_rate),
            "warmup": float(self.warmup),
            "epochs": float(self.epochs),
            "updates_per_epoch": float(self.updates_per_epoch.numpy()),
        }


def scheduled(optimizer: Any) -> ScheduledRate | None:
    """The schedule that an optimizer follows, if it is one of these."""
    rate = rate_of(optimizer)
    return rate if isinstance(rate, ScheduledRate) else None
