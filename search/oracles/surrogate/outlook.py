"""What going on is expected to bring: how much better than the best so far the next configurations will be."""

import math
from collections.abc import Sequence

import numpy as np

from search.oracles._columns import Floats

_DRAWS = 256
_JITTER = 1e-9
MOST = 64
"""Configurations that are looked ahead, at most."""


class Outlook:
    """Expected gain of the best score by one, two and more full trainings, from a model's view of the next ones.

    The model's joint distribution of the configurations that promise most is drawn from, and the best of the first n is
    what n trainings bring: what is learned on the way would choose better ones, so this is rather too little.
    """

    def __init__(self, gains: Sequence[float]) -> None:
        """Args:
        gains: of the best score by 1, 2, ... full trainings, at least 0 and ascending.
        """
        self.gains = tuple(gains)

    @staticmethod
    def of(mean: Floats, covariance: Floats, best: float, unit: float, rng: np.random.Generator) -> "Outlook":
        """Args:
        mean: of the scores of the next configurations, the most promising first, shape (n,).
        covariance: of these scores, shape (n, n).
        best: the best score so far, on the same scale.
        unit: what 1 of that scale is in the objective.
        rng: draws.
        """
        values, vectors = np.linalg.eigh(covariance + _JITTER * np.eye(len(mean)))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        draws = mean + rng.normal(size=(_DRAWS, len(mean))) @ root.T
        gains = np.maximum(np.maximum.accumulate(draws, axis=1) - best, 0.0).mean(axis=0)
        return Outlook((unit * gains).tolist())

    def gain(self, trainings: float) -> float:
        """Of the best score by so many full trainings, above 0; between whole numbers, in proportion."""
        if trainings <= 1:
            return self.gains[0] * max(0.0, trainings)
        below = min(math.floor(trainings), len(self.gains))
        above = min(below + 1, len(self.gains))
        low, high = self.gains[below - 1], self.gains[above - 1]
        return low + (high - low) * min(1.0, trainings - below)
