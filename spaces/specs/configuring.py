"""Configuring a space: complete settings, random ones, the extremes, and how many there are."""

from __future__ import annotations

import operator
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spaces.basics.errors import SpaceError, problem
from spaces.families import family_of
from spaces.models.settings import Settings
from spaces.sections.baseline import Baseline
from spaces.sections.training_section import SIZES as TRAINING_SIZES
from spaces.sections.training_section import EarlyStoppingRule
from spaces.specs.baseline_settings import baseline_settings
from spaces.specs.checks import undirected
from spaces.specs.objects import copied
from spaces.specs.resolve import all_settings, configuration
from spaces.specs.spec import SearchSpec
from spaces.values.dimensions import Fixed, Value
from spaces.values.setting import ByWord, Setting, field_of
from spaces.values.space import Hyperparameter, count, draw, extreme


def configure(spec: SearchSpec, values: Mapping[str, Any]) -> Settings:
    """The complete settings of one configuration; needs no TensorFlow.

    Args:
        spec: the space.
        values: a value for every active hyperparameter, also as a number of NumPy's. Others are passed over: values of
            inactive ones, and the `tuner/...` entries that Keras Tuner's oracles add.

    Raises:
        ValueError: an active hyperparameter has no value, or one that is not in the space.
    """
    chosen = copied(dict(values))
    return _in_folds(spec, _directed(spec, configuration(spec.model, spec.training, spec.space, chosen)))


def configure_baseline(spec: SearchSpec, baseline: Baseline) -> Settings:
    """The complete settings of a baseline: its own values, what the space fixes, then Keras's defaults.

    Args:
        spec: the space.
        baseline: one of `spec.baselines`, or another.

    Raises:
        SpaceError: the baseline does not fit the space; never for one of `spec.baselines`.
    """
    settings, problems = baseline_settings(spec.model, spec.training, baseline, ("baselines", baseline.name))
    if settings is None:
        raise SpaceError(problems)
    return _in_folds(spec, _directed(spec, settings))


def fixed(spec: SearchSpec, settings: Settings) -> dict[str, Any]:
    """What a configuration or baseline is besides its values, by name, as far as it is not the default.

    Args:
        spec: the space.
        settings: those of the configuration.
    """
    training = settings.training
    complete: dict[str, Any] = {
        **settings.model, **vars(training), "epochs": training.fold_epochs or training.epochs,
    }  # fmt: skip
    told = set(map(field_of, settings.values))
    found: dict[str, Any] = {}
    for setting in all_settings(spec.model, spec.training, epochs=True):
        name, default = setting.field, _default(setting, complete)
        value = complete.get(name, default)
        if name not in told and value not in (default, ()):
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def unsaid(spec: SearchSpec, settings: Settings) -> dict[str, Value]:
    """What a configuration of another space is besides its values, as far as this space does not say the same.

    Args:
        spec: the space.
        settings: those of the configuration. What a function of the user's asks for is not known, and of another
            family, or of how long it trains, nothing is told.

    Returns:
        Value by name, as a baseline has it: of all layers (`units`), or where these differ of each (`units_0`).
    """
    if settings.family != spec.family:
        return {}
    complete: dict[str, Any] = {**settings.model, **vars(settings.training)}
    told, users_code = set(map(field_of, settings.values)), family_of(spec.model).users_code
    found: dict[str, Value] = {}
    for setting in all_settings(spec.model, spec.training, epochs=False):
        name, dimension = setting.field, setting.dimension
        if name in told or name not in complete or (dimension is None and users_code):
            continue
        said = _default(setting, complete) if dimension is None else None
        if isinstance(dimension, Fixed) and not dimension.when:
            # What is left to each machine is no difference.
            said = dimension.value if dimension.asked is None else complete[name]
        layers = complete[name] if isinstance(complete[name], tuple) else (complete[name],)
        if all(value == said for value in layers):
            continue
        if all(value == layers[0] for value in layers):
            found[name] = layers[0]
        else:
            found |= {f"{name}_{index}": value for index, value in enumerate(layers)}
    return found


def _default(setting: Setting, complete: Mapping[str, Any]) -> Any:
    """The default of a setting beside all others; None: it has none, or none for this word."""
    default = setting.default
    return default.defaults.get(str(complete.get(default.setting))) if isinstance(default, ByWord) else default


def require_directions(spec: SearchSpec) -> None:
    """Refuses to begin with an early stopping of which nobody knows which way its monitor improves.

    Only where the user's code reports the monitor the space file itself is legal: runs that began before are read.

    Raises:
        SpaceError: there is one.
    """
    rules: list[tuple[tuple[str | int, ...], Any]] = [(("training",), spec.training.early_stopping)]
    rules += [(("baselines", index), one.early_stopping) for index, one in enumerate(spec.baselines)]
    found = [
        problem((*path, "early_stopping", "monitor"), undirected(rule.monitor))
        for path, rule in rules
        if isinstance(rule, EarlyStoppingRule) and spec.search.direction_of(rule.monitor) is None
    ]
    if found:
        raise SpaceError(found)


def require_asked(spec: SearchSpec) -> None:
    """Refuses to begin with values of baselines that a function of the user's asks for nowhere.

    Only calling it tells which these are: the space file itself is legal, and runs that began before are read.

    Raises:
        CodeError: The function cannot be used.
        SpaceError: There are such values.
    """
    family = family_of(spec.model)
    trained = {setting.name for setting in all_settings(spec.model, spec.training, epochs=True)}
    found = [
        problem(("baselines", index, "values", name), message)
        for index, baseline in enumerate(spec.baselines)
        for name, message in family.unasked(spec, configure_baseline(spec, baseline).values, trained).items()
        if name in baseline.values
    ]
    if found:
        raise SpaceError(found)


def _directed(spec: SearchSpec, settings: Settings) -> Settings:
    """The settings with an early stopping that goes the way of the objective, where it monitors that."""
    rule = settings.training.early_stopping
    mode = None if rule is None else spec.search.direction_of(rule.monitor)
    if rule is None or mode is None or mode == rule.mode:
        return settings
    return replace(settings, training=replace(settings.training, early_stopping=replace(rule, mode=mode)))


def _in_folds(spec: SearchSpec, settings: Settings) -> Settings:
    """The settings of a cross-validation, if the space asks for one: what they count as epochs are folds."""
    if spec.data.folds is None:
        return settings
    count, training = spec.data.folds.folds, settings.training
    return replace(settings, training=replace(training, folds=count, fold_epochs=training.epochs, epochs=count))


def size(spec: SearchSpec) -> int | None:
    """Number of different configurations; None where a continuous range makes it infinite.

    Args:
        spec: the space; a function of the user's in it is called.
    """
    return count(hyperparameters_of(spec))


def extremes(spec: SearchSpec) -> tuple[dict[str, Value], dict[str, Value]]:
    """Values of the smallest and of the largest configuration, each hyperparameter taken by itself.

    Args:
        spec: the space; a function of the user's in it is called.
    """
    found = hyperparameters_of(spec)
    sizes = {**TRAINING_SIZES, **family_of(spec.model).sizes}
    return extreme(found, sizes, largest=False), extreme(found, sizes, largest=True)


def sample(spec: SearchSpec, seed: int, count: int) -> list[dict[str, Value]]:
    """Random configurations, drawn independently: the values of their active hyperparameters.

    Args:
        spec: the space; a function of the user's in it is called.
        seed: any whole number; equal ones give the same configurations.
        count: so many.
    """
    rng = random.Random(operator.index(seed))
    found = hyperparameters_of(spec)
    return [draw(found, rng) for _ in range(count)]


def hyperparameters_of(spec: SearchSpec) -> tuple[Hyperparameter, ...]:
    """What the search decides, parents before those that depend on them.

    For a function of the user's it is imported and called, since only it knows its hyperparameters.
    """
    return (*family_of(spec.model).hyperparameters(spec), *spec.space.hyperparameters)
