"""The seam between one training and what computes it: a protocol, and one factory.

Importing the module does not import Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from search.errors import RunError
from spaces import DataInfo, Settings, Split

if TYPE_CHECKING:
    from search.training.features import Features

Check = Callable[[], None]
"""Called between stretches of steps; it may raise to break off the epoch."""


class Engine(Protocol):
    """A model with what trains and evaluates it; `search.training.engine.Engine` says what each method does."""

    @property
    def model(self) -> Any: ...

    def prepare(self, rows: Any) -> None: ...

    def enter(self, epoch: int, rows: Any, validation: Any, check: Check) -> float: ...

    def train_epoch(self, rows: Any, epoch: int, checkpoint: Check = ..., ahead: int = 1) -> dict[str, float]: ...

    def evaluate(self, rows: Any, checkpoint: Check = ...) -> dict[str, float]: ...

    def pace(self, rows: Any, seconds: float) -> float: ...

    def predict(self, rows: Any) -> np.ndarray: ...

    def weights(self) -> list[np.ndarray]: ...

    def state(self) -> dict[str, list[np.ndarray]]: ...

    def restore(self, state: dict[str, list[np.ndarray]]) -> None: ...


class Engines(Protocol):
    """Makes engines on one of Keras's backends."""

    def rows(self, split: Split, part: str = "") -> Any:
        """The rows of one part of the data, as its engines want them; every training in the process shares them."""
        ...

    def of_model(self, model: Any, settings: Settings, info: DataInfo) -> Engine:
        """The engine of a compiled model of some settings, for evaluating and predicting."""
        ...

    def fresh(self, settings: Settings, info: DataInfo, seed: int) -> Engine:
        """The engine of a newly built model, as `spaces.build_model` makes it, not prepared."""
        ...

    def networks(self, info: DataInfo, features: Features) -> Any:
        """What keeps compiled functions between trainings, as `search.training.reuse.networks.Networks` does."""
        ...


class _TensorFlow:
    def rows(self, split: Split, part: str = "") -> Any:
        from search.training.engine import Rows

        return Rows(split, part)

    def of_model(self, model: Any, settings: Settings, info: DataInfo) -> Engine:
        from search.training.engine import Engine
        from spaces.models.own_measures import own_measures

        return Engine(model, 0, settings.training.batch_size, own=own_measures(settings, info, model))

    def fresh(self, settings: Settings, info: DataInfo, seed: int) -> Engine:
        from search.training.engine import fresh

        return fresh(settings, info, seed)

    def networks(self, info: DataInfo, features: Features) -> Any:
        from search.training.reuse.networks import Networks

        return Networks(info, features)


_ENGINES: dict[str, Engines] = {"tensorflow": _TensorFlow()}


def engines() -> Engines:
    """Those of the Keras backend in use.

    Raises:
        RunError: Nothing trains on this backend.
    """
    import keras

    name = keras.config.backend()
    if name not in _ENGINES:
        raise RunError(
            f"Keras runs on {name}; allowed: {', '.join(_ENGINES)}. Set KERAS_BACKEND or ~/.keras/keras.json"
        )
    return _ENGINES[name]
