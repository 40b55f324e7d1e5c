"""What an algorithm of the search says about itself. Everything else asks it, and never for its name."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from spaces.basics.errors import CodeError
from spaces.basics.registry import Registry

if TYPE_CHECKING:
    import keras_tuner

    from spaces.values.space import Hyperparameter


@dataclass(frozen=True)
class PlannedTrials:
    """A group of equal trainings.

    Attributes:
        count: number of trials, at least 1; None where only the budget or the user ends the search.
        epochs_from: epochs the configuration has behind it when the trial begins.
        epochs_to: epochs it has behind it at most when the trial ends.
    """

    count: int | None
    epochs_from: int
    epochs_to: int


class Algorithm:
    """How configurations are chosen: what a space file may say with it, its plan, and the oracle that does it.

    A stateless object, registered below or under the entry points `nightshift.oracles`. Its module is imported by
    commands that only read, so it imports Keras Tuner in functions only.

    Attributes:
        name: What the space file has under `search.algorithm`.
        multi_fidelity: Whether it decides itself how long each training is, between the limits `training.epochs`, in
            trials that go on from earlier ones; otherwise that is an ordinary hyperparameter.
        takes_evidence: Whether its oracle has `add_evidence(values, curve, seconds_per_epoch)`, as that of freeze-thaw
            has, so that `search.warm_start` has an effect.
        foresees_gain: Whether its oracle says what going on is expected to bring, so that
            `search.stop_when_gain_below` has an effect.
        open_ended: Whether it goes on for as long as it is let: its plan says how long a search without a number of
            trials and without an hour is to be, and is only about right.
        repeats: Whether its plan begins anew where only an hour ends the search: its oracle has `endless`.
        compares_equal_starts: Whether it compares only configurations whose first trainings were equally long.
    """

    name: ClassVar[str]
    multi_fidelity: ClassVar[bool] = False
    takes_evidence: ClassVar[bool] = False
    foresees_gain: ClassVar[bool] = False
    open_ended: ClassVar[bool] = False
    repeats: ClassVar[bool] = False
    compares_equal_starts: ClassVar[bool] = False

    def plan(
        self,
        *,
        min_epochs: int,
        max_epochs: int,
        max_trials: int | None,
        configurations: int | None,
        hyperparameters: int = 0,
    ) -> list[PlannedTrials]:
        """What the search trains if nothing fails and no configuration stops early, in the order of training.

        Args:
            min_epochs: shortest training, at least 1.
            max_epochs: longest training, at least `min_epochs`.
            max_trials: largest number of trials, or None for as many as the algorithm itself plans.
            configurations: what the method of this name says of the space.
            hyperparameters: number of them.
        """
        limits = [limit for limit in (max_trials, configurations) if limit is not None]
        return [PlannedTrials(min(limits, default=None), 0, max_epochs)]

    def configurations(self, hyperparameters: Iterable[Hyperparameter]) -> int | None:
        """Number of different configurations that it may try in a space; None when it is not finite."""
        # Reading a run imports this module, and takes nothing of the configurations.
        from spaces.values.space import count

        return count(hyperparameters)

    def most_waiting(self, max_trials: int | None) -> int | None:
        """Configurations, at most, that wait at the same time to be trained further; None: as many as the plan says."""
        return None

    def oracle(
        self,
        *,
        hyperparameters: keras_tuner.HyperParameters,
        objective: str | keras_tuner.Objective,
        min_epochs: int,
        max_epochs: int,
        max_trials: int | None,
        seed: int,
    ) -> keras_tuner.Oracle:
        """The oracle, a `search.oracles.BaseOracle`. Arguments as for `search.oracle`, and checked."""
        raise NotImplementedError


# By name, as those of installed packages are: this package imports nothing of the project.
ALGORITHMS: Registry[Algorithm] = Registry(
    "nightshift.oracles",
    {
        "hyperband": "search.oracles.algorithms:HYPERBAND",
        "bayesian": "search.oracles.algorithms:BAYESIAN",
        "random": "search.oracles.algorithms:RANDOM",
        "grid": "search.oracles.algorithms:GRID",
        "freeze-thaw": "search.oracles.algorithms:FREEZE_THAW",
    },
    Algorithm,
)


def those_that(capability: str) -> list[str]:
    """The algorithms of which an attribute of `Algorithm` is true; what cannot be imported is none."""
    found = []
    for name in ALGORITHMS.names():
        with suppress(CodeError):
            found += [name] if getattr(ALGORITHMS[name], capability) else []
    return found


def compares_equal_starts(name: str) -> bool:
    """See `Algorithm`; of a run's algorithm, which may no longer be installed."""
    try:
        return ALGORITHMS[name].compares_equal_starts
    except (KeyError, CodeError):
        return False
