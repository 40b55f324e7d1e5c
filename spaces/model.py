"""From settings to a compiled Keras model: preprocessing, hidden layers, output, optimizer, loss, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from spaces.data.types import DataInfo
from spaces.families import FAMILIES
from spaces.families.parts import Joined, connected
from spaces.loss import make_loss, make_metrics, output_units
from spaces.scheduled_rate import ScheduledRate, scheduled
from spaces.settings import Settings, TrainingSettings

_PYTHON = "python:"


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
    if settings.family.startswith(_PYTHON):
        from spaces.user_model import build, fit_to

        reference = settings.family.removeprefix(_PYTHON)
        with _computing_in(settings.training.precision):
            model = build(reference, settings.model)
        fit_to(model, reference, settings.training.loss, info)
        if model.compiled:
            return model, True
        output = "probabilities"
    else:
        model = architecture(settings, info)
        output = settings.model["output"]
    compile_model(model, settings.training, info, output)
    return model, False


def compile_model(model: keras.Model, training: TrainingSettings, info: DataInfo, output: str) -> None:
    """Gives a model its optimizer, loss and metrics; `output` is `probabilities` or `logits`."""
    model.compile(
        optimizer=make_optimizer(training),
        loss=make_loss(training.loss, info, output, training.label_smoothing),
        metrics=make_metrics(training.metrics, training.loss, info, output),
        # XLA makes small networks slower on a CPU and costs seconds of compilation.
        jit_compile=False,
    )
    let_only_kernels_decay(model)


def let_only_kernels_decay(model: keras.Model) -> None:
    """Keeps weight decay from biases and normalizations; of a compiled model whose optimizer has no variables yet."""
    model.optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if "kernel" not in v.name])


def architecture(settings: Settings, info: DataInfo) -> keras.Model:
    """The model of one configuration of our own families, not compiled. Raises what `build_model` raises."""
    own = getattr(FAMILIES[settings.family], "own_backbone", None)
    stack = layer_stack(settings, info)
    if own is not None:
        stack = [own(settings.model, part) if isinstance(part, keras.Model) else part for part in stack]
    return assembled(stack, settings, info)


def set_weights(model: keras.Model, weights: Sequence[Any]) -> None:
    """Gives a model the weights of a training; of a pretrained one the last of them, where the first never trained.

    Raises:
        ValueError: they do not fit the model.
    """
    if len(weights) < len(model.weights) and any(isinstance(layer, keras.Model) for layer in model.layers):
        weights = [*model.get_weights()[: -len(weights)], *weights]
    model.set_weights(weights)


def head_stack(settings: Settings, info: DataInfo) -> list[Any]:
    """The parts of `layer_stack` after the backbone of a pretrained network, which draw the same seeds."""
    family = FAMILIES[settings.family]
    with _computing_in(settings.training.precision):
        hidden = family.head_layers(settings.model)
    family.augmentation_layers(settings.model)
    return [*hidden, _output_layer(settings, info)]


def assembled(stack: list[Any], settings: Settings, info: DataInfo) -> keras.Model:
    """The model, not compiled, of a configuration's `layer_stack`, whose layers may have been replaced."""
    inputs = keras.Input(info.input_shape, name="rows")
    if not any(isinstance(part, Joined) for part in stack):
        return keras.Sequential([inputs, *stack], name=settings.family)
    return keras.Model(inputs, connected(stack, inputs), name=settings.family)


def layer_stack(settings: Settings, info: DataInfo) -> list[Any]:
    """The parts of `architecture` after its input, in order, not built; see `spaces.families.parts`."""
    family = FAMILIES[settings.family]
    # What brings the rows in and the output are float32 always: raw values and probabilities need their digits.
    with _computing_in(settings.training.precision):
        hidden = family.hidden_layers(settings.model, info)
    first = family.augmentation_layers(settings.model)
    prepared = getattr(family, "prepared", None)
    raw = info if prepared is None else prepared(info)
    return [
        *preprocessing_layers(raw, first, channels=settings.family != "mlp"),
        *hidden,
        _output_layer(settings, info),
    ]


def _output_layer(settings: Settings, info: DataInfo) -> keras.layers.Layer:
    units, activation = output_units(settings.training.loss, info, settings.model["output"])
    return keras.layers.Dense(units, activation=activation, name="output")


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    """Layers made in here compute in this precision; their weights are float32 whichever it is."""
    if precision == "float32":
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def preprocessing_layers(
    info: DataInfo, augmentation: list[keras.layers.Layer], *, channels: bool
) -> list[keras.layers.Layer]:
    """Layers that bring raw rows to what the hidden layers work on.

    Args:
        info: description of the data.
        augmentation: layers that come first.
        channels: whether grey images need an axis of channels.
    """
    layers = keras.layers
    resize = info.image_size is not None and info.image_size != info.input_shape[:2]
    made: list[keras.layers.Layer] = []
    if info.kind == "image" and len(info.input_shape) == 2 and (channels or resize or info.mean is not None):
        made.append(layers.Reshape((*info.input_shape, 1), name="channel"))
    made.extend(augmentation)
    if resize and info.image_size is not None:
        made.append(layers.Resizing(*info.image_size, name="resizing"))
    if info.scale is not None:
        made.append(layers.Rescaling(info.scale, name="rescaling"))
    if info.mean is not None and info.std is not None:
        variance = [deviation**2 for deviation in info.std]
        made.append(layers.Normalization(mean=list(info.mean), variance=variance, name="standardization"))
    return made


def make_optimizer(training: TrainingSettings) -> keras.optimizers.Optimizer:
    """The optimizer, with its learning-rate schedule where the rate changes."""
    optimizers = keras.optimizers
    rate: Any = training.learning_rate
    if training.schedule != "constant" or training.warmup:
        rate = ScheduledRate(training)
    elif training.learning_rate_decay:
        rate = optimizers.schedules.InverseTimeDecay(rate, 1, training.learning_rate_decay)
    common: dict[str, Any] = {"global_clipnorm": training.gradient_clip or None}
    if training.optimizer == "adamw":
        return optimizers.AdamW(rate, weight_decay=training.weight_decay, **common)
    common["weight_decay"] = training.weight_decay or None
    if training.optimizer == "sgd":
        return optimizers.SGD(rate, momentum=training.momentum, nesterov=training.nesterov, **common)
    if training.optimizer == "rmsprop":
        return optimizers.RMSprop(rate, **common)
    return optimizers.Adam(rate, **common)


def callbacks(training: TrainingSettings) -> list[keras.callbacks.Callback]:
    """Early stopping, targets and what a schedule has to know, as Keras callbacks."""
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
    return made


class _SpreadSchedule(keras.callbacks.Callback):  # type: ignore[misc]
    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        rate, updates = scheduled(self.model.optimizer), (self.params or {}).get("steps")
        if rate is not None and updates:
            rate.updates_per_epoch.assign(float(updates))


class _StopAtTarget(keras.callbacks.Callback):  # type: ignore[misc]
    def __init__(self, training: TrainingSettings) -> None:
        super().__init__()
        self.targets = training.stop_when

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        reported = logs or {}
        if any(target.reached(reported) for target in self.targets):
            self.model.stop_training = True
