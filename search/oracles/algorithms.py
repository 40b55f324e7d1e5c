"""This program's algorithms: what each can do, its plan, and its oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from search.oracles import plan
from spaces.sections.algorithms import Algorithm, PlannedTrials

if TYPE_CHECKING:
    from collections.abc import Iterable

    from search.oracles._base import BaseOracle
    from spaces.values.space import Hyperparameter


class _Hyperband(Algorithm):
    name = "hyperband"
    multi_fidelity = True
    repeats = True
    compares_equal_starts = True

    def plan(
        self,
        *,
        min_epochs: int,
        max_epochs: int,
        max_trials: int | None,
        configurations: int | None,
        hyperparameters: int = 0,
    ) -> list[PlannedTrials]:
        return plan.hyperband(plan.rung_epochs(min_epochs, max_epochs), max_trials, configurations)

    def oracle(self, **arguments: Any) -> BaseOracle:
        from search.oracles.hyperband import HyperbandOracle

        return HyperbandOracle(**arguments)


class _FreezeThaw(Algorithm):
    name = "freeze-thaw"
    multi_fidelity = True
    takes_evidence = True
    foresees_gain = True
    open_ended = True

    def plan(
        self,
        *,
        min_epochs: int,
        max_epochs: int,
        max_trials: int | None,
        configurations: int | None,
        hyperparameters: int = 0,
    ) -> list[PlannedTrials]:
        return plan.freeze_thaw(plan.first_length(min_epochs, max_epochs), max_epochs, max_trials, hyperparameters)

    def most_waiting(self, max_trials: int | None) -> int:
        return min(plan.MOST_PAUSED, max_trials or plan.MOST_PAUSED)

    def oracle(self, **arguments: Any) -> BaseOracle:
        from search.oracles.freeze_thaw import FreezeThawOracle

        return FreezeThawOracle(**arguments)


class _Bayesian(Algorithm):
    name = "bayesian"
    foresees_gain = True

    def oracle(self, *, min_epochs: int, max_epochs: int, **arguments: Any) -> BaseOracle:
        from search.oracles.bayesian import BayesianOracle

        return BayesianOracle(**arguments)


class _Random(Algorithm):
    name = "random"

    def oracle(self, *, min_epochs: int, max_epochs: int, **arguments: Any) -> BaseOracle:
        from search.oracles.random_search import RandomOracle

        return RandomOracle(**arguments)


class _Grid(Algorithm):
    name = "grid"

    def configurations(self, hyperparameters: Iterable[Hyperparameter]) -> int | None:
        from search.oracles._columns import column
        from spaces.values.space import count

        return count(hyperparameters, lambda dimension: column(dimension).grid())

    def oracle(self, *, min_epochs: int, max_epochs: int, **arguments: Any) -> BaseOracle:
        from search.oracles.grid_search import GridOracle

        return GridOracle(**arguments)


HYPERBAND, FREEZE_THAW, BAYESIAN, RANDOM, GRID = _Hyperband(), _FreezeThaw(), _Bayesian(), _Random(), _Grid()
