"""Grid search."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from keras_tuner.engine.trial import TrialStatus

from ._base import BaseOracle
from ._space import Values

_MOST_SKIPPED = 10_000
"""Configurations that are not allowed, in a row, where others are: beyond them anything is visited."""


class GridOracle(BaseOracle):
    """Visits every configuration exactly once, the last hyperparameters changing fastest.

    A range with a step, linear or logarithmic, and a linear range of whole numbers give all their values. A range of
    real numbers without a step gives `GRID_POINTS` (10) values from its minimum to its maximum, even on its own scale;
    a logarithmic range of whole numbers without a step as many, rounded.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._visited = 0
        self._remaining: Iterator[Values] | None = None
        self._found = False

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self._remaining is None:
            self._visited = self._visited if self._visited_first() else 0
            self._remaining = islice(self._configurations(), self._visited, None)
        unwanted = self._unwanted(_MOST_SKIPPED) if self._has_found() else self._unwanted()
        for values in self._remaining:
            self._visited += 1
            if not unwanted(values):
                return {"status": TrialStatus.RUNNING, "values": values}
        # Nothing in the whole grid is allowed: one training says why.
        first = None if self.trials else self.new_random()
        return {"status": TrialStatus.RUNNING, "values": first} if first else {"status": TrialStatus.STOPPED}

    def _visited_first(self) -> bool:
        """Whether all that was proposed is among the first of the grid, as many as were visited.

        A function of the user's may by now ask for its hyperparameters in another order. Then the grid is gone through
        from its beginning: what was proposed is known by its values.
        """
        missing = {self._compute_values_hash(trial.hyperparameters.values) for trial in self.trials.values()}
        for values in islice(self._configurations(), self._visited):
            missing.discard(self._compute_values_hash(values))
        return not missing

    def _has_found(self) -> bool:
        """Whether something that is allowed was proposed: then a part of the grid that is not is passed over."""
        self._found = self._found or any(self._allows(t.hyperparameters.values) for t in self.trials.values())
        return self._found

    def _configurations(self) -> Iterator[Values]:
        grids = [column.grid() for column in self.space.columns]
        return self.space.enumerate(grids.__getitem__)

    def has_grown(self) -> None:
        # Another grid now: what was visited is known by its values.
        self._visited, self._remaining = 0, None

    def memory(self) -> dict[str, Any]:
        return {"visited": self._visited}

    def take_up(self, memory: Mapping[str, Any]) -> None:
        self._visited, self._remaining = memory["visited"], None
