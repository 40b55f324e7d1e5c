"""The user's own `build(hp)`: finding its hyperparameters, and building with given values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from spaces.dimensions import Choice, Range
from spaces.errors import Problem, SpaceError, problem
from spaces.families.python import PythonModel
from spaces.references import load_function
from spaces.space import Condition, Hyperparameter
from spaces.spec import SearchSpec

# Every scope needs a call or two.
_MAX_CALLS = 100

_COMPILATION = ("optimizer", "learning_rate", "momentum", "nesterov", "weight_decay", "learning_rate_decay")


def build(reference: str, values: Mapping[str, Any]) -> Any:
    """The model that the function makes of these values.

    Raises:
        ValueError: it returns something that is no Keras model. Its own errors come through.
    """
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return _called(reference, hp)


def _called(reference: str, hp: Any) -> Any:
    import keras

    model = load_function(reference)(hp)
    if not isinstance(model, keras.Model):
        raise ValueError(f"{reference} returned {type(model).__name__}; it has to return a keras.Model")
    return model


def hyperparameters_of_function(spec: SearchSpec) -> tuple[Hyperparameter, ...]:
    """The hyperparameters that the function asks for.

    Raises:
        SpaceError: one of them has the name of one of the training section, or the function compiles its
            model although the training section says how.
    """
    assert isinstance(spec.model, PythonModel)
    found, compiled = _explore(spec.model.family.python)
    problems: list[Problem] = []
    own = {hyperparameter.name for hyperparameter in spec.space.hyperparameters}
    for name in sorted(own & {hyperparameter.name for hyperparameter in found}):
        problems.append(problem(("training", name), "is also a hyperparameter of the model's function"))
    for name in _COMPILATION if compiled else ():
        if getattr(spec.training, name) is not None:
            problems.append(problem(("training", name), "has no effect: the model's function compiles the model"))
    if problems:
        raise SpaceError(problems)
    return found


@lru_cache(maxsize=8)
def _explore(reference: str) -> tuple[tuple[Hyperparameter, ...], bool]:
    """Calls the function until all its conditional scopes have been active once.

    A last call takes the largest values, for hyperparameters made in a loop over another one.
    """
    import keras_tuner

    space = keras_tuner.HyperParameters()
    never: list[list[Any]] = []
    once: list[list[Any]] = []
    largest = False
    for _ in range(_MAX_CALLS):
        hp = space.copy()
        for condition in never[0] if never else ():
            hp.values[condition.name] = condition.values[0]
        if largest:
            hp.values.update({one.name: _largest(one) for one in space.space})
        hp.ensure_active_values()
        compiled = bool(_called(reference, hp).compiled)
        known = len(space.space)
        space.merge(hp, overwrite=False)
        once += hp.active_scopes
        never = [scope for scope in never + hp.inactive_scopes if scope not in once]
        if largest and len(space.space) == known and not never:
            return tuple(_translated(one) for one in space.space if type(one).__name__ != "Fixed"), compiled
        largest = not never
    raise ValueError(f"{reference} still asks for new hyperparameters after {_MAX_CALLS} calls")


def _largest(hp: Any) -> Any:
    if hasattr(hp, "max_value"):
        return hp.max_value
    return hp.value if hasattr(hp, "value") else list(hp.values)[-1]


def _translated(hp: Any) -> Hyperparameter:
    conditions = tuple(Condition(one.name, tuple(one.values)) for one in hp.conditions)
    kind = type(hp).__name__
    dimension: Choice | Range
    if kind in ("Choice", "Boolean"):
        dimension = Choice(tuple(hp.values))
    elif hp.sampling == "reverse_log":
        raise ValueError(f"hyperparameter {hp.name}: sampling 'reverse_log' is not supported; allowed: linear, log")
    else:
        log = hp.sampling == "log"
        step = None if kind == "Int" and hp.step == 1 and not log else hp.step
        dimension = Range(hp.min_value, hp.max_value, kind == "Int", step, log)
    return Hyperparameter(hp.name, dimension, conditions)
