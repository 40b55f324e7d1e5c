"""The border to Keras Tuner's hyperparameters: the only module that knows their kinds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spaces.values.dimensions import Choice, Range
from spaces.values.space import Condition, Hyperparameter

if TYPE_CHECKING:
    import keras_tuner


def to_keras_tuner(hyperparameters: Iterable[Hyperparameter]) -> keras_tuner.HyperParameters:
    """A space as Keras Tuner's own, with conditional scopes. Imports keras_tuner, and so TensorFlow.

    Ranges of numbers with a step, and ranges of integers with a ratio, become an ordered `Choice` of exactly
    their values, 0.3 and not 0.30000000000000004; everything else keeps its own type.
    """
    import keras_tuner

    made = keras_tuner.HyperParameters()
    made.merge([_declared(hyperparameter) for hyperparameter in hyperparameters])
    return made


def from_keras_tuner(hp: Any) -> Hyperparameter:
    """The hyperparameter that one of Keras Tuner's is. A `Fixed` is a choice of one value."""
    conditions = tuple(Condition(condition.name, tuple(condition.values)) for condition in hp.conditions)
    return Hyperparameter(hp.name, _dimension(hp), conditions)


def _declared(hyperparameter: Hyperparameter) -> Any:
    from keras_tuner.engine import hyperparameters as kinds

    dimension = hyperparameter.dimension
    # As plain configs: nested conditional_scope() calls only find a parent that stands in the same scopes.
    parents = [{"name": c.name, "values": list(c.values)} for c in hyperparameter.conditions]
    common: dict[str, Any] = {
        "name": hyperparameter.name,
        "conditions": [{"class_name": "Parent", "config": parent} for parent in parents],
    }
    if isinstance(dimension, Choice):
        if all(isinstance(choice, bool) for choice in dimension.choices):
            if len(set(dimension.choices)) > 1:
                return kinds.Boolean.from_config(common)
            # A `Choice` would take it for 1 or 0.
            return kinds.Fixed.from_config({"value": dimension.choices[0], **common})
        ordered = {"ordered": dimension.in_order}
        return kinds.Choice.from_config({"values": list(dimension.choices), **ordered, **common})
    scale = dimension.scale
    if dimension.step is not None and (scale != "linear" or not dimension.integer):
        return kinds.Choice.from_config({"values": list(dimension.values or ()), "ordered": True, **common})
    limits = {"min_value": dimension.min, "max_value": dimension.max, "sampling": scale}
    if dimension.integer:
        return kinds.Int.from_config({"step": dimension.step, **limits, **common})
    return kinds.Float.from_config({**limits, **common})


def _dimension(hp: Any) -> Choice | Range:
    kind = type(hp).__name__
    if kind == "Fixed":
        return Choice((hp.value,))
    if kind == "Boolean":
        return Choice(tuple(hp.values))
    if kind == "Choice":
        # One that is listed twice would be two configurations that are the same.
        found = Choice(tuple(dict.fromkeys(hp.values)))
        return found if found.in_order == bool(hp.ordered) else replace(found, ordered=bool(hp.ordered))
    log = hp.sampling == "log"
    step = None if kind == "Int" and hp.step == 1 and hp.sampling == "linear" else hp.step
    return Range(hp.min_value, hp.max_value, kind == "Int", step, log, reverse=hp.sampling == "reverse_log")
