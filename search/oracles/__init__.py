"""The search algorithms, as `keras_tuner.Oracle` objects.

Importing this package imports neither TensorFlow nor Keras Tuner; making an oracle does.
"""

import operator
from typing import TYPE_CHECKING, Any

from spaces.basics.errors import CodeError
from spaces.basics.later import later
from spaces.sections.algorithms import ALGORITHMS, PlannedTrials

if TYPE_CHECKING:
    import keras_tuner

    from ._base import BaseOracle

__all__ = ["SECONDS_METRIC", "BaseOracle", "PlannedTrials", "oracle"]

SECONDS_METRIC = "seconds_per_epoch"
"""Name under which the loop may report, among the metrics of an epoch, the seconds that it took."""


def oracle(
    name: str,
    *,
    hyperparameters: "keras_tuner.HyperParameters",
    objective: "str | keras_tuner.Objective",
    min_epochs: int = 1,
    max_epochs: int,
    max_trials: int | None = None,
    seed: int = 0,
) -> "BaseOracle":
    """Makes an oracle.

    The loop tells it of a training by `update_trial(trial_id, {objective: value}, step=epoch)`, once or after every
    epoch, and by `end_trial`. Freeze-thaw learns most from every epoch, counted from 0 or from 1, over the whole
    training or in each trial by itself.

    Args:
        name: hyperband, bayesian, random, grid, freeze-thaw, or one of an installed package.
        hyperparameters: the space.
        objective: name of the metric to improve, its direction inferred as in Keras Tuner, or a
            `keras_tuner.Objective`.
        min_epochs: shortest training, at least 1. Hyperband and freeze-thaw set the epochs of each trial, and the
            loop must train from `tuner/initial_epoch` to `tuner/epochs` of its values, going on from the trial
            `tuner/trial_id` where there is one. A stock `keras_tuner.Tuner` does not: `docs/howto/python.md` has a
            subclass that does. The other algorithms leave the epochs to the caller.
        max_epochs: longest training, at least `min_epochs`.
        max_trials: number of trials after which the search stops; None: no limit, except that Hyperband then runs
            one whole iteration, and that a finite space ends every search.
        seed: at least 0. Equal seeds and results give equal proposals.

    Raises:
        ValueError: an unknown name, a number out of its range or not whole, an unknown metric or direction.
        TypeError: `hyperparameters` is not a `keras_tuner.HyperParameters`.
        CodeError: what an installed package gives is no `BaseOracle`.
    """
    if name not in ALGORITHMS:
        raise ValueError(f"unknown search algorithm {name!r}; known are {', '.join(ALGORITHMS.names())}")
    min_epochs = _whole("min_epochs", min_epochs, least=1)
    max_epochs = _whole("max_epochs", max_epochs, least=1)
    if min_epochs > max_epochs:
        raise ValueError(f"min_epochs must be at most max_epochs, which is {max_epochs}; received {min_epochs}")
    seed = _whole("seed", seed, least=0)
    if max_trials is not None:
        max_trials = _whole("max_trials", max_trials, least=1)

    import keras_tuner

    from ._base import BaseOracle

    if not isinstance(hyperparameters, keras_tuner.HyperParameters):
        received = type(hyperparameters).__name__
        raise TypeError(f"hyperparameters must be a keras_tuner.HyperParameters; received {received}")
    made: Any = ALGORITHMS[name].oracle(
        hyperparameters=hyperparameters,
        objective=objective,
        min_epochs=min_epochs,
        max_epochs=max_epochs,
        max_trials=max_trials,
        seed=seed,
    )
    if not isinstance(made, BaseOracle):
        raise CodeError(f"search algorithm {name}: it gave {type(made).__name__}, no search.oracles.BaseOracle")
    return made


__getattr__ = later(__name__, {"_base": ("BaseOracle",)})


def _whole(argument: str, value: Any, *, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(f"{argument} must be a whole number of at least {least}; received {value!r}")
    return number
