"""From settings to a compiled Keras model: preprocessing, hidden layers, output, optimizer, loss, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from spaces.data.types import DataInfo
from spaces.families import FAMILIES
from spaces.families.augmentation import augmentation_layers
from spaces.families.parts import Joined, connected
from spaces.families.random_layers import Mixup
from spaces.loss import make_loss, make_metrics, output_units
from spaces.optimizers import make_optimizer
from spaces.scheduled_rate import scheduled
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
    mixup = next((layer for layer in model.layers if isinstance(layer, Mixup)), None)
    model.compile(
        optimizer=make_optimizer(training),
        loss=make_loss(training.loss, info, output, training.label_smoothing, mixup),
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
    return assembled(layer_stack(settings, info), settings, info)


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
    first = augmentation_layers(settings.model, info)
    units, activation = output_units(settings.training.loss, info, settings.model["output"])
    return [
        *preprocessing_layers(info, first, channels=settings.family == "cnn" or bool(first)),
        *hidden,
        keras.layers.Dense(units, activation=activation, name="output"),
    ]


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
