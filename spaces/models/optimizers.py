"""The optimizers, with their learning-rate schedule where the rate changes."""

from __future__ import annotations

from typing import Any

import keras

from spaces.models.scheduled_rate import ScheduledRate
from spaces.models.settings import TrainingSettings
from spaces.outside.keras_names import PACKAGE


@keras.saving.register_keras_serializable(PACKAGE)
class Nadam(keras.optimizers.Nadam):  # type: ignore[misc]
    """Keras's Nadam, whose product of all momenta so far is among its variables, so that a training can be continued.

    What is stored is what the product has lost of 1: like all other variables of optimizers, it begins with 0.
    """

    def build(self, variables: Any) -> None:
        """Makes the variables."""
        if self.built:
            return
        super().build(variables)
        self._lost = self.add_variable(shape=(), name="momenta")

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        self.assign(self._u_product, 1.0 - self._lost)
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        self.assign(self._lost, 1.0 - self._u_product)


def make_optimizer(training: TrainingSettings, *, finished: bool = False) -> keras.optimizers.Optimizer:
    """The optimizer of these settings, not built.

    Args:
        training: the settings.
        finished: whether the training is over, so that nobody goes on with it.
    """
    optimizers, decay = keras.optimizers, training.weight_decay or None
    rate: Any = training.learning_rate
    if training.schedule != "constant" or training.warmup:
        rate = ScheduledRate(training.schedule, rate, training.warmup, training.epochs)
    elif training.learning_rate_decay:
        rate = optimizers.schedules.InverseTimeDecay(rate, 1, training.learning_rate_decay)
    common: dict[str, Any] = {"global_clipnorm": training.gradient_clip or None, "weight_decay": decay}
    if training.optimizer == "sgd":
        return optimizers.SGD(rate, momentum=training.momentum, nesterov=training.nesterov, **common)
    if training.optimizer == "muon":
        # Whatever is no matrix, and the output, it updates as AdamW does.
        return optimizers.Muon(rate, exclude_layers=["output"], adam_weight_decay=decay, **common)
    makers = {
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "lion": optimizers.Lion,
        "nadam": optimizers.Nadam if finished else Nadam,
        "rmsprop": optimizers.RMSprop,
    }
    if training.optimizer == "adamw":
        common["weight_decay"] = training.weight_decay
    return makers[training.optimizer](rate, **common)
