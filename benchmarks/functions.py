"""Test functions with a known maximum, over the kinds of hyperparameters that searches have.

Each takes a configuration's values as Keras Tuner hands them out, so that any `keras_tuner.Oracle` can look for its
maximum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lcbench
import numpy as np

Values = dict[str, Any]


@dataclass(frozen=True)
class Function:
    """A function to maximise.

    Attributes:
        space: makes its hyperparameters, a `keras_tuner.HyperParameters`.
        score: its value for the active values of a configuration.
        maximum: the largest value in the space, up to rounding.
    """

    space: Callable[[], Any]
    score: Callable[[Values], float]
    maximum: float


def bowl(values: Values) -> float:
    """Minus the squared distance from an optimum, over LCBench's hyperparameters.

    Distances are measured linearly also where the hyperparameter's scale is logarithmic: on its own scale the optimum
    is a narrow valley near the upper end.
    """
    total = 0.0
    for (low, high, _, _), name in zip(lcbench.RANGES.values(), lcbench.RANGES, strict=True):
        total += ((values[name] - low) / (high - low) - 0.6) ** 2
    return -total


def branin(values: Values) -> float:
    """Two variables, three equal maxima; Branin, in Dixon and Szegő, "Towards Global Optimisation 2" (1978)."""
    x, y = values["x"], values["y"]
    valley: float = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return -(valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def _branin_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Float("x", -5.0, 10.0)
    space.Float("y", 0.0, 15.0)
    return space


_HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_WIDTHS = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRES = np.array(
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ]
)


def hartmann(values: Values) -> float:
    """Six variables, a few hills; Hartmann, in Dixon and Szegő, "Towards Global Optimisation 2" (1978)."""
    point = np.array([values[f"x{index}"] for index in range(6)])
    return float(_HEIGHTS @ np.exp(-(_WIDTHS * (point - _CENTRES) ** 2).sum(axis=1)))


def _hartmann_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for index in range(6):
        space.Float(f"x{index}", 0.0, 1.0)
    return space


def network(values: Values) -> float:
    """A dense network's accuracy made up: layers with units each, and an optimizer with a momentum of its own.

    The best learning rate depends on the optimizer and the depth, the best units on the layer. The maximum is 0, of
    sgd with momentum 0.92, a learning rate of 10 ** -1.9, dropout 0.2, and layers of 384, 256 and 128 units.
    """
    layers = values["layers"]
    total: float = {1: 0.6, 2: 0.2, 3: 0.0, 4: 0.1}[layers]
    for layer in range(layers):
        total += 2 * ((values[f"units_{layer}"] - (384, 256, 128, 96)[layer]) / 480) ** 2
    best_rate = {"adam": -3.1, "rmsprop": -3.4, "sgd": -1.9}[values["optimizer"]] - 0.2 * (layers - 3)
    total += {"adam": 0.05, "rmsprop": 0.15, "sgd": 0.0}[values["optimizer"]]
    total += 0.3 * (math.log10(values["learning_rate"]) - best_rate) ** 2
    if values["optimizer"] == "sgd":
        total += 10 * (values["momentum"] - 0.92) ** 2
    total += (values["dropout"] - 0.2) ** 2
    return -total


def _network_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Int("layers", 1, 4)
    for layer in range(4):
        with space.conditional_scope("layers", list(range(layer + 1, 5))):
            space.Int(f"units_{layer}", 32, 512, step=32)
    space.Choice("optimizer", ["adam", "rmsprop", "sgd"])
    with space.conditional_scope("optimizer", ["sgd"]):
        space.Float("momentum", 0.5, 0.99)
    space.Float("learning_rate", 1e-5, 1e-1, sampling="log")
    space.Float("dropout", 0.0, 0.5, step=0.1)
    return space


FUNCTIONS = {
    # The nearest that three and a half layers can be: a tenth of their range away.
    "bowl": Function(lcbench.hyperparameters, bowl, -0.01),
    "branin": Function(_branin_space, branin, -0.397887),
    "hartmann": Function(_hartmann_space, hartmann, 3.32237),
    "network": Function(_network_space, network, 0.0),
}
