"""Configurations made comparable: their scores after equally many epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.text import plural
from search.record.configuration import Configuration
from search.record.trial import ENDED_EARLY
from spaces.values.dimensions import Value

MIN_SAMPLES = 20


@dataclass(frozen=True)
class Evidence:
    """What each configuration reached within the same number of epochs.

    Attributes:
        epochs: That number.
        samples: Best first: the configuration, and its best objective so far, larger is better.
    """

    epochs: int
    samples: tuple[tuple[Configuration, float], ...]

    @property
    def count(self) -> int:
        """Number of configurations."""
        return len(self.samples)

    @property
    def length(self) -> str:
        """The number of epochs in words."""
        return plural(self.epochs, "epoch")

    def of(self, name: str) -> list[tuple[Value, float]] | None:
        """Value and score of the configurations that have this hyperparameter, best first; None below 20."""
        found = [(c.values[name], score) for c, score in self.samples if name in c.values]
        return found if len(found) >= MIN_SAMPLES else None


def collect(found: Sequence[Configuration], objective: str, direction: str) -> Evidence | None:
    """The evidence at the greatest length that at least 20 configurations have reached.

    An oracle that promotes trains the good ones longer: scores of different lengths would credit the oracle's
    patience to the hyperparameters. One that stopped early counts as having reached every length.

    Args:
        found: Scored configurations of the search.
        objective: The objective's name.
        direction: `min` or `max`.

    Returns:
        None for fewer than 20 configurations, or where that length is below a third of the longest training:
        what helps in a short training (little dropout, say) may hurt in a long one.
    """
    sign = 1.0 if direction == "max" else -1.0
    curves = [(c, curve) for c in found if (curve := _best_so_far(c, objective, sign))]
    if len(curves) < MIN_SAMPLES:
        return None
    longest = max(len(curve) for _, curve in curves)
    reached = sorted((longest if c.stopped in ENDED_EARLY else len(curve) for c, curve in curves), reverse=True)
    epochs = reached[MIN_SAMPLES - 1]
    if 3 * epochs < longest:
        return None
    samples = [
        (c, curve[min(epochs, len(curve)) - 1])
        for c, curve in curves
        if len(curve) >= epochs or c.stopped in ENDED_EARLY
    ]
    return Evidence(epochs, tuple(sorted(samples, key=lambda sample: -sample[1])))


def _best_so_far(configuration: Configuration, objective: str, sign: float) -> list[float]:
    best = -math.inf
    curve = []
    for epoch in configuration.epochs:
        value = epoch.metrics.get(objective)
        if value is not None and math.isfinite(value):
            best = max(best, sign * value)
        if best > -math.inf:
            curve.append(best)
    return curve
