"""From sections of a space file and values to complete `Settings`. Pure: no files, no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from spaces.families import ModelSection, family_of
from spaces.models.settings import EarlyStopping, Settings, TrainingSettings
from spaces.sections.training_section import EarlyStoppingRule, TrainingSection, epoch_limits, phase_settings
from spaces.sections.training_section import settings as training_settings
from spaces.values.dimensions import Fixed, Value
from spaces.values.metrics import direction_of
from spaces.values.setting import ByWord, Setting
from spaces.values.space import Space, holds

_PLAIN: dict[Callable[[Any], Any], tuple[str, ...]] = {
    str: ("optimizer", "schedule", "precision", "class_weight"),
    bool: ("nesterov", "oversample"),
    int: ("batch_size",),
    float: (
        "learning_rate", "momentum", "weight_decay", "learning_rate_decay", "warmup", "label_smoothing",
        "gradient_clip", "ema", "focal_gamma",
    ),
}  # fmt: skip
"""Settings of the training that are taken as they are, by their type."""


def all_settings(model: ModelSection | None, training: TrainingSection | None, *, epochs: bool) -> list[Setting]:
    """Every setting that may be a hyperparameter, in the order of the file; `epochs`: whether that is one."""
    made = [] if model is None else family_of(model).settings(model)
    if training is not None:
        made += training_settings(training, epochs=epochs)
        if model is not None and family_of(model).two_phases:
            made += phase_settings(training)
    return made


def configuration(model: ModelSection, training: TrainingSection, space: Space, values: Mapping[str, Any]) -> Settings:
    """The settings of one configuration.

    Args:
        model, training: the sections.
        space: their settings, compiled.
        values: a value for each active hyperparameter; further ones, such as those of inactive
            hyperparameters and the `tuner/...` entries of Keras Tuner, are passed over.

    Raises:
        ValueError: an active hyperparameter has no value, or one that the space does not contain.
    """
    active: dict[str, Value] = {}
    flat: dict[str, Value] = {}
    for setting in space.settings:
        name, dimension = setting.name, setting.dimension
        if dimension is None or not holds(space.conditions[name], active):
            continue
        if isinstance(dimension, Fixed):
            flat[name] = dimension.value
        else:
            if name not in values:
                raise ValueError(f"the configuration has no value for {name}")
            near = dimension.nearest(values[name])
            if near is None:
                raise ValueError(f"the configuration has {name} = {values[name]!r}, which is not in the space")
            flat[name] = active[name] = near
    if family_of(model).users_code:
        known = {hyperparameter.name for hyperparameter in space.hyperparameters}
        active |= {k: v for k, v in values.items() if k not in known and not k.startswith("tuner/")}
    fill_defaults(flat, all_settings(model, training, epochs=False))
    return complete(model, training, flat, active)


def fill_defaults(flat: dict[str, Value], settings: Iterable[Setting]) -> None:
    """Gives every setting without a value its default, where it has one."""
    for setting in settings:
        default = setting.default
        if setting.name not in flat and default is not None:
            flat[setting.name] = default.choose(flat) if isinstance(default, ByWord) else default


def complete(
    model: ModelSection,
    training: TrainingSection,
    flat: Mapping[str, Value],
    values: Mapping[str, Value],
    rule: EarlyStoppingRule | str | None = "space",
) -> Settings:
    """Settings from a value for every setting under its flat name; `rule` replaces the early stopping."""
    stopping = training.early_stopping if isinstance(rule, str) else rule
    family = family_of(model)
    return Settings(
        family=family.label(model),
        model=family.assemble(model, flat, values),
        training=TrainingSettings(
            **{name: kind(flat[name]) for kind, names in _PLAIN.items() for name in names},
            epochs=int(flat["epochs"]) if "epochs" in flat else epoch_limits(training.epochs)[1],
            loss=training.loss,
            metrics=training.metrics,
            early_stopping=None if stopping is None else _early_stopping(stopping),
            stop_when=training.stop_when,
            frozen_epochs=int(flat.get("frozen_epochs", 0)),
            fine_tune_rate=float(flat.get("fine_tune_rate", 1.0)),
            callbacks=training.callbacks or "",
        ),
        values=dict(values),
    )


def _early_stopping(rule: EarlyStoppingRule) -> EarlyStopping:
    return EarlyStopping(rule.monitor, rule.patience, rule.min_delta, direction_of(rule.monitor) or "min")
