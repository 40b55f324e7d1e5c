"""The seam between one training and what computes it: a protocol, and one factory.

Importing the module does not import Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from search.errors import RunError
from spaces import DataInfo, Settings, Split
from spaces.basics.registry import Registry

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


class Networks(Protocol):
    """Gives engines for trainings, and keeps between them what it may; one for each trainer."""

    def parameters(self, settings: Settings) -> int:
        """Parameters of a configuration's model, trainable or not; raises what `spaces.count_parameters` raises."""
        ...

    def engine(self, settings: Settings, seed: int, rows: Any, parameters: int) -> Any:
        """An `Engine`, prepared, whose model is in the state of `spaces.build_model(settings, info, seed)`."""
        ...

    def tidy(self) -> None:
        """Called after each training: gives up what it left behind."""
        ...

    def forget(self) -> None:
        """Gives up all that it keeps: a training went wrong."""
        ...


@runtime_checkable
class Engines(Protocol):
    """Makes engines on one of Keras's backends.

    A stateless object, registered below or under the entry points `nightshift.engines`, by the name of the backend.
    Its module imports Keras in functions only.
    """

    def rows(self, split: Split, part: str = "") -> Any:
        """The rows of one part of the data, as its engines want them; every training in the process shares them."""
        ...

    def of_model(self, model: Any, settings: Settings, info: DataInfo) -> Engine:
        """The engine of a compiled model of some settings, for evaluating and predicting."""
        ...

    def fresh(self, settings: Settings, info: DataInfo, seed: int) -> Engine:
        """The engine of a newly built model, as `spaces.build_model` makes it, not prepared."""
        ...

    def networks(self, info: DataInfo, features: Features) -> Networks:
        """What gives engines for trainings, as `search.training.reuse.networks.Networks` does.

        Args:
            info: The rows that all of them are for.
            features: What frozen backbones make of these rows.
        """
        ...


class TensorFlowEngines:
    """Those of this program; what they give shares compiled functions."""

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

    def networks(self, info: DataInfo, features: Features) -> Networks:
        from search.training.reuse import networks

        return networks.Networks(info, features)


TENSORFLOW = TensorFlowEngines()

# By the name of the backend, as Keras has it.
_ENGINES: Registry[Engines] = Registry(
    "nightshift.engines", {"tensorflow": "search.training.engines:TENSORFLOW"}, Engines
)


def engines() -> Engines:
    """Those of the Keras backend in use.

    Raises:
        RunError: Nothing trains on this backend.
        CodeError: The package that declares its engines cannot be imported, or declares something else.
    """
    import keras

    name = keras.config.backend()
    if name not in _ENGINES:
        raise RunError(
            f"Keras runs on {name}; allowed: {', '.join(_ENGINES.names())}. Set KERAS_BACKEND or ~/.keras/keras.json"
        )
    return _ENGINES[name]
