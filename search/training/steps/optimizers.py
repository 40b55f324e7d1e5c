"""Optimizers that a user's own model has beside the one that it is compiled with, such as those of two players."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from spaces.models.packed import Packed
from spaces.outside.keras_internals import built_on, updating

_GROUP = "optimizer {}"
# Lists and dicts within each other: what holds an optimizer is no deeper.
_DEEPEST = 3


def further_state(model: Any) -> dict[str, list[np.ndarray]]:
    """The variables of each that has made a step, for a checkpoint; before them the places of the weights it changes.

    One whose variables cannot be made again from the model's weights is left out, with a warning.
    """
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    found: dict[str, list[np.ndarray]] = {}
    for name, optimizer in _further(model).items():
        if not optimizer.built:
            continue
        changed = [places.get(id(variable)) for variable in built_on(optimizer)]
        if not changed or None in changed:
            warnings.warn(
                f"{type(_own(model)).__name__}.{name} changes variables that are none of the model's weights: what it "
                "has learnt is not kept, and a training that goes on begins with it anew",
                stacklevel=2,
            )
            continue
        found[_GROUP.format(name)] = [np.array(changed), *(np.asarray(variable) for variable in optimizer.variables)]
    return found


def restore_further(model: Any, state: Mapping[str, list[np.ndarray]]) -> None:
    """Brings back what `further_state` gave; one that it says nothing of stays as it is.

    Raises:
        ValueError: The arrays do not fit this model.
    """
    weights = model.weights
    for name, optimizer in _further(model).items():
        if (kept := state.get(_GROUP.format(name))) is None:
            continue
        places, *values = kept
        if not optimizer.built:
            optimizer.build([weights[place] for place in places])
        variables = optimizer.variables
        if len(variables) != len(values):
            raise ValueError(f"the optimizer {name} has {len(variables)} variables, not {len(values)}")
        for variable, value in zip(variables, values, strict=True):
            variable.value.assign(value)


def _further(model: Any) -> dict[str, Any]:
    """The optimizers by where the model has them, such as `d_optimizer` or `optimizers[0]`, each once."""
    seen = {id(model.optimizer), id(updating(model.optimizer))}
    found: dict[str, Any] = {}

    def look(name: str, value: Any, depth: int) -> None:
        if isinstance(value, keras.optimizers.Optimizer):
            if id(value) not in seen:
                seen.add(id(value))
                found[name] = value
        elif depth < _DEEPEST and isinstance(value, Mapping | list | tuple):
            for key, part in (value if isinstance(value, Mapping) else dict(enumerate(value))).items():
                if isinstance(part, keras.optimizers.Optimizer | Mapping | list | tuple):
                    look(f"{name}[{key!r}]", part, depth + 1)

    for name, value in sorted(vars(_own(model)).items()):
        look(name, value, 0)
    return found


def _own(model: Any) -> Any:
    """The user's model itself."""
    return model.inner if isinstance(model, Packed) else model
