"""A compiled network that is trained again and again: fresh weights and other numbers, the same compiled functions.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from search.training.engine import Engine, Rows
from search.training.reuse import sharing
from search.training.reuse.adjustable import AdjustableDense, AdjustableDropout, AdjustableNumber
from search.training.reuse.normalization import FusedBatchNormalization
from spaces import DataInfo, Settings
from spaces.layers.parts import layers_of, replaced
from spaces.models.model import compile_model, let_only_kernels_decay
from spaces.models.own_measures import own_measures
from spaces.models.scheduled_rate import scheduled
from spaces.outside.keras_internals import open_shape, rate_of


class Network:
    """A network of a family whose configurations share compiled functions, with its engine.

    Args:
        settings: A configuration; all others of the same `sharing.signature` can follow.
        info: The rows it is for.
        rows: Some of them.
        parts: Makes the parts whose weights are drawn; None: those of the family.
        body: Parts before them, which begin every training with the weights that they have now.
    """

    def __init__(
        self,
        settings: Settings,
        info: DataInfo,
        rows: Rows,
        parts: Callable[[Settings, DataInfo], list[Any]] | None = None,
        body: Sequence[Any] = (),
    ) -> None:
        self._info = info
        free = sharing.widths_are_free(settings)
        family = sharing.layered(settings)
        self._parts = parts or family.parts
        self._given = {layer.name: layer.get_weights() for layer in layers_of(body) if layer.weights}
        stack = replaced([*body, *self._parts(settings, info)], partial(_stand_in, free=free))
        model = family.assembled(stack, settings, info)
        compile_model(model, settings, info)
        self._dropouts = [layer for layer in model.layers if isinstance(layer, AdjustableDropout)]
        self._numbers = _adjustable_numbers(model, settings)
        if free:
            _free_weights(model)
            let_only_kernels_decay(model)
        own = own_measures(settings, info, model)
        self.engine = Engine(model, 0, settings.training.batch_size, ema=settings.training.ema, own=own)
        self.engine.prepare(rows)
        self._slots = _slots(model)
        if free:
            for variable in model.optimizer.variables:
                open_shape(variable, [None] * len(variable.shape))

    def begin(self, settings: Settings, seed: int) -> Engine:
        """The engine, in the state of a newly built model of these settings.

        Args:
            settings: A configuration of this network's signature.
            seed: As in `spaces.build_model`, whose weights it gets, and of shuffling and the random layers.
        """
        self._set_weights(settings, seed)
        self._set_optimizer(settings)
        for dropout in self._dropouts:
            dropout.adjust(settings.model["dropout"])
        for name, number in self._numbers:
            number.assign(_value(settings, name))
        training = settings.training
        self.engine.begin(
            seed,
            training.batch_size,
            training.ema,
            balanced=training.weighs_classes,
            oversample=training.oversample,
        )
        return self.engine

    def _set_weights(self, settings: Settings, seed: int) -> None:
        """Draws as `spaces.build_model` does: layers take their seeds in the order in which they are made."""
        # Keras draws seeds from here. Its own `set_random_seed` makes TensorFlow forget its executable functions.
        random.seed(seed)
        fresh = {layer.name: layer for layer in layers_of(self._parts(settings, self._info))}
        free = sharing.widths_are_free(settings)
        inputs = None
        for layer in self.engine.model.layers:
            if layer.name in self._given:
                for variable, value in zip(layer.weights, self._given[layer.name], strict=True):
                    variable.value.assign(value)
                continue
            for variable in layer.weights:
                shape = tuple(variable.shape)
                if free:
                    units = fresh[layer.name].units
                    shape = (inputs or shape[0], units) if variable.name == "kernel" else (units,)
                    inputs = units if variable.name == "bias" else inputs
                draw = _initializer(fresh[layer.name], variable.name)
                variable.value.assign(draw(shape, dtype=variable.dtype))

    def _set_optimizer(self, settings: Settings) -> None:
        optimizer = self.engine.model.optimizer
        for variable in optimizer.variables:
            slot_of = self._slots.get(variable.path)
            variable.value.assign(tf.zeros_like(variable.value if slot_of is None else slot_of.value))
        if isinstance(optimizer.learning_rate, keras.Variable):
            optimizer.learning_rate = settings.training.learning_rate


def _initializer(layer: Any, weight: str) -> Any:
    """What draws a weight; separable convolutions leave the word kernel out of its name."""
    name = f"{weight}_initializer"
    return getattr(layer, name) if hasattr(layer, name) else getattr(layer, name.replace("_kernel", ""))


def _stand_in(layer: Any, free: bool) -> Any:
    """The layer that trains in place of one of Keras's."""
    if isinstance(layer, keras.layers.Dropout):
        return AdjustableDropout.from_config(layer.get_config())
    if free and isinstance(layer, keras.layers.Dense) and layer.name != "output":
        return AdjustableDense.from_config(layer.get_config())
    if isinstance(layer, keras.layers.BatchNormalization):
        return FusedBatchNormalization.from_config(layer.get_config())
    return layer


def _adjustable_numbers(model: Any, settings: Settings) -> list[tuple[str, Any]]:
    """Replaces numbers of the settings, which Keras would compile as constants, by variables; their names and these."""
    made: list[tuple[str, Any]] = []

    def number(name: str) -> Any:
        asked_for_zero = name in ("momentum", "gradient_clip")
        made.append((name, AdjustableNumber() if asked_for_zero else tf.Variable(0.0, trainable=False)))
        return made[-1][1]

    optimizer, training = model.optimizer, settings.training
    if training.momentum:
        optimizer.momentum = number("momentum")
    if training.weight_decay:
        optimizer.weight_decay = number("weight_decay")
        if hasattr(optimizer, "adam_weight_decay"):
            optimizer.adam_weight_decay = optimizer.weight_decay
    if training.gradient_clip:
        optimizer.global_clipnorm = number("gradient_clip")
    if training.label_smoothing:
        model.loss.smoothing = number("label_smoothing")
    if training.focal_gamma:
        model.loss.gamma = number("focal_gamma")
    if (rate := scheduled(optimizer)) is not None:
        rate.learning_rate, rate.warmup, rate.epochs = map(number, ("learning_rate", "warmup", "epochs"))
    elif training.learning_rate_decay:
        schedule = rate_of(optimizer)
        schedule.initial_learning_rate, schedule.decay_rate = number("learning_rate"), number("learning_rate_decay")
    for layer in model.layers:
        for name in ("kernel_regularizer", "depthwise_regularizer", "pointwise_regularizer"):
            penalty = getattr(layer, name, None)
            if penalty is not None:
                penalty.l2 = number("l2")
    return made


def _value(settings: Settings, name: str) -> float:
    return float(settings.model["l2"] if name == "l2" else getattr(settings.training, name))


def _free_weights(model: Any) -> None:
    """Lets the hidden layers' weights take values of any width; before the optimizer is built upon them."""
    *hidden, kernel, _ = model.trainable_variables
    for variable in hidden:
        open_shape(variable, [None] * len(variable.shape))
    # The outputs keep their number: Keras looks at it when it compiles the loss.
    open_shape(kernel, [None, kernel.shape[1]])


def _slots(model: Any) -> dict[str, Any]:
    """Path of each of the optimizer's variables that belongs to a weight, and that weight."""
    weights = {weight.path.replace("/", "_"): weight for weight in model.trainable_variables}
    return {
        variable.path: weight
        for variable in model.optimizer.variables
        for name, weight in weights.items()
        if variable.name.startswith(f"{name}_")
    }
