"""From settings to a compiled Keras model: what the family builds, with optimizer, loss, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from spaces.families import family_of_settings
from spaces.layers.layers import computing_in
from spaces.layers.loss import SoftCrossentropy, make_loss, make_metrics
from spaces.layers.random_layers import Mixup
from spaces.models.optimizers import make_optimizer
from spaces.models.scheduled_rate import scheduled
from spaces.models.settings import Settings, TrainingSettings
from spaces.models.user_callbacks import make_callbacks
from spaces.outside.keras_internals import give_weights, updating

if TYPE_CHECKING:
    from spaces.data.types import DataInfo

Array = np.ndarray[Any, np.dtype[Any]]


def build_model(settings: Settings, info: DataInfo, seed: int | None = None) -> keras.Model:
    """The compiled model of one configuration.

    It takes raw rows as the data source has them: augmentation (while training), resizing, rescaling and
    standardization are its first layers.

    Args:
        settings: the configuration.
        info: description of the data.
        seed: sets Python's, NumPy's and Keras's random state first, so that weights are always the same;
            None leaves it as it is.

    Raises:
        ValueError: the configuration cannot be built for these data; the message says why.
    """
    return trainable(settings, info, seed)[0]


def trainable(settings: Settings, info: DataInfo, seed: int | None = None) -> tuple[keras.Model, bool]:
    """As `build_model`; and whether the user's function compiled it, so that it expects labels as they came."""
    if seed is not None:
        keras.utils.set_random_seed(seed)
    family = family_of_settings(settings.family)
    with family.own_precision():
        model = family.build(settings, info)
    if model.compiled:
        return model, True
    compile_model(model, settings, info)
    return model, False


def compile_model(model: keras.Model, settings: Settings, info: DataInfo) -> None:
    """Gives a model its optimizer, loss and metrics.

    Whoever evaluates it, our engine or Keras, gets the loss of the labels as they are.
    """
    training, output = settings.training, family_of_settings(settings.family).output(settings.model)
    # The scale of the targets is for gradients only: the value of the loss is in their unit.
    scaled = replace(info, target=None) if settings.finished else info
    mixup = next((layer for layer in model.layers if isinstance(layer, Mixup)), None)
    metrics = make_metrics(training.metrics, training.loss, info, output)
    model.compile(
        optimizer=make_optimizer(training, finished=settings.finished),
        loss=make_loss(training.loss, scaled, output, training.label_smoothing, mixup, training.focal_gamma),
        # Weights of classes are for learning only; those of rows are what the user says that a row is worth.
        **{"weighted_metrics" if info.weighted else "metrics": metrics},
        # XLA makes small networks slower on a CPU and costs seconds of compilation.
        jit_compile=False,
    )
    let_only_kernels_decay(model)
    evaluate_plainly(model)


def evaluate_plainly(model: keras.Model) -> None:
    """Lets Keras evaluate a compiled model with the labels as they are; one from a file has forgotten it."""
    loss = getattr(model, "loss", None)
    if not isinstance(loss, SoftCrossentropy):
        return
    step = type(model).test_step

    def test_step(data: Any) -> Any:
        loss.training = False
        try:
            return step(model, data)
        finally:
            loss.training = True

    # Keras has no other place that tells a loss what it is computed for.
    model.test_step = test_step


def repeating(shape: tuple[int, ...], settings: Settings, info: DataInfo, ends_in: str = "linear") -> keras.Model:
    """A model that answers what it is given, compiled as one of these settings: it measures answers that are there.

    Args:
        shape: of one answer.
        settings: the configuration whose answers they are.
        info: description of the data.
        ends_in: its activation; it is given what that makes the answers of, see `before_activation`.
    """
    with computing_in("float32"):
        inputs = keras.Input(shape)
        model = keras.Model(inputs, keras.layers.Activation(ends_in)(inputs))
    compile_model(model, settings, info)
    return model


def last_activation(model: keras.Model) -> str:
    """Name of the activation that Keras looks behind for a model's loss, `softmax` or `sigmoid`; else `linear`.

    So the loss of a probability below 1e-7 has no bound. In half precision, and of answers that are averaged, it has.
    """
    last = model.layers[-1]
    name = getattr(getattr(last, "activation", None), "__name__", None)
    return name if name in ("softmax", "sigmoid") and last.compute_dtype == "float32" else "linear"


def before_activation(answers: Array, activation: str) -> Array:
    """What an activation that `last_activation` names makes these answers of, shape (n, outputs)."""
    if activation == "linear":
        return answers
    numbers = np.finfo(np.float32)
    found: Array = np.log(np.clip(answers, numbers.tiny, None, dtype=np.float64))
    if activation == "sigmoid":
        found -= np.log1p(-np.clip(answers, None, 1.0 - numbers.epsneg, dtype=np.float64))
    return found.astype(np.float32)


def let_only_kernels_decay(model: keras.Model) -> None:
    """Keeps weight decay from biases and normalizations; of a compiled model whose optimizer has no variables yet."""
    others = [variable for variable in model.trainable_variables if "kernel" not in variable.name]
    updating(model.optimizer).exclude_from_weight_decay(others)


def set_weights(model: keras.Model, weights: Sequence[Any]) -> None:
    """Gives a model the weights of a training; of a pretrained one the last of them, where the first never trained.

    Raises:
        ValueError: they do not fit the model.
    """
    if len(weights) < len(model.weights) and any(isinstance(layer, keras.Model) for layer in model.layers):
        weights = [*model.get_weights()[: -len(weights)], *weights]
    give_weights(model, weights)


def callbacks(training: TrainingSettings) -> list[keras.callbacks.Callback]:
    """Early stopping, targets, what a schedule has to know, and the user's own, as Keras callbacks."""
    made: list[keras.callbacks.Callback] = [_SpreadSchedule()]
    rule = training.early_stopping
    if rule is not None:
        made.append(
            keras.callbacks.EarlyStopping(
                monitor=rule.monitor, min_delta=rule.min_delta, patience=rule.patience, mode=rule.mode
            )
        )
    if training.stop_when:
        made.append(_StopAtTarget(training))
    return made + (make_callbacks(training.callbacks) if training.callbacks else [])


class _SpreadSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        rate, updates = scheduled(self.model.optimizer), (self.params or {}).get("steps")
        if rate is None:
            return
        if not updates:
            raise ValueError(
                "training.schedule and training.warmup need the number of updates in an epoch, which these data do not "
                "tell: give steps_per_epoch"
            )
        rate.updates_per_epoch.assign(float(updates))


class _StopAtTarget(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, training: TrainingSettings) -> None:
        super().__init__()
        self.targets = training.stop_when

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        reported = logs or {}
        if any(target.reached(reported) for target in self.targets):
            self.model.stop_training = True
