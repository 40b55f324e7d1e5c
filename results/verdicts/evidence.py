"""What all configurations of a search say, though not all were trained as long: carried on, or after as many epochs."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.text import plural
from search.record import folds
from search.record.configuration import Configuration
from search.record.trial import ENDED_EARLY
from spaces.values.dimensions import Value

MIN_SAMPLES = 20
_APART = 1.5


@dataclass(frozen=True)
class Evidence:
    """What each configuration would have reached in the longest training, as far as can be told.

    Attributes:
        longest: Its epochs.
        shorter: How many configurations were trained for less, and were carried on.
        samples: Best first: the configuration, and its objective, larger is better.
    """

    longest: int
    shorter: int
    samples: tuple[tuple[Configuration, float], ...]

    @property
    def count(self) -> int:
        """Number of configurations."""
        return len(self.samples)

    @property
    def basis(self) -> str:
        """What it rests on, in words."""
        text = plural(self.count, "configuration")
        if self.shorter:
            text += (
                f", {self.shorter:,} of them trained for less than {plural(self.longest, 'epoch')} and carried on by "
                "what others gained from there"
            )
        return text

    def of(self, name: str) -> list[tuple[Value, float]] | None:
        """Value and score of the configurations that have this hyperparameter, best first; None below 20."""
        found = [(c.values[name], score) for c, score in self.samples if name in c.values]
        return found if len(found) >= MIN_SAMPLES else None


def collect(found: Sequence[Configuration], objective: str, direction: str) -> Evidence | None:
    """The evidence of all configurations; None for fewer than 20.

    A search that trains the good ones longer leaves a choice of its own making: those that were given up count too.
    One that was trained for e epochs gets what the others gained between e and the longest training: the sum, over
    lengths that lie a factor of 1.5 apart, of the median gain of those that went on.

    Args:
        found: Scored configurations of the search.
        objective: The objective's name.
        direction: `min` or `max`.
    """
    curves = _curves(found, objective, 1.0 if direction == "max" else -1.0)
    if len(curves) < MIN_SAMPLES:
        return None
    longest = max(len(curve) for _, curve in curves)
    rungs = _rungs(sorted({len(curve) for _, curve in curves}))
    gains = _gains([curve for _, curve in curves], rungs)
    samples, shorter = [], 0
    for configuration, curve in curves:
        whole = configuration.stopped in ENDED_EARLY or len(curve) == longest
        shorter += not whole
        more = 0.0 if whole else sum(gain for rung, gain in zip(rungs, gains, strict=False) if rung >= len(curve))
        samples.append((configuration, curve[-1] + more))
    return Evidence(longest, shorter, tuple(sorted(samples, key=lambda sample: -sample[1])))


def at_equal_length(
    found: Sequence[Configuration], objective: str, direction: str
) -> tuple[int, list[tuple[Configuration, float]]] | None:
    """Scores after equally many epochs, so that those trained longer have no advantage; None for fewer than 20.

    That is the greatest length that half of the configurations, and 20, have reached. One that ended by itself (early
    stopping, a target) counts at every length with its best.

    Args:
        found: Scored configurations of the search.
        objective: The objective's name.
        direction: `min` or `max`.

    Returns:
        The number of epochs, and each configuration with its score, best first.
    """
    sign = 1.0 if direction == "max" else -1.0
    curves = _curves(found, objective, sign)
    enough = max(MIN_SAMPLES, math.ceil(len(curves) / 2))
    if len(curves) < enough:
        return None
    longest = max(len(curve) for _, curve in curves)
    lengths = sorted((longest if c.stopped in ENDED_EARLY else len(curve) for c, curve in curves), reverse=True)
    epochs = lengths[enough - 1]
    scores = [
        (c, sign * curve[min(epochs, len(curve)) - 1])
        for c, curve in curves
        if len(curve) >= epochs or c.stopped in ENDED_EARLY
    ]
    return epochs, sorted(scores, key=lambda pair: pair[1], reverse=direction == "max")


def _curves(found: Sequence[Configuration], objective: str, sign: float) -> list[tuple[Configuration, list[float]]]:
    return [(c, curve) for c in found if (curve := _best_so_far(c, objective, sign))]


def _rungs(lengths: Sequence[int]) -> list[int]:
    """Lengths a factor of 1.5 apart, from the shortest on; what lies between counts from the next one on."""
    rungs = [lengths[0]]
    for length in lengths[1:]:
        if length >= _APART * rungs[-1]:
            rungs.append(length)
    return rungs


def _gains(curves: Sequence[Sequence[float]], rungs: Sequence[int]) -> list[float]:
    """For each two neighbouring rungs what those that reached the second gained; one fewer than rungs."""
    return [
        statistics.median(curve[high - 1] - curve[low - 1] for curve in curves if len(curve) >= high)
        for low, high in itertools.pairwise(rungs)
    ]


def _best_so_far(configuration: Configuration, objective: str, sign: float) -> list[float]:
    """Its best objective after each epoch, times `sign`, which makes more of it better; from its first number on.

    Of a cross-validation what it is worth after each fold: the mean over the folds so far, and its score at the end.
    """
    in_folds = any(folds.LENGTH in epoch.metrics for epoch in configuration.epochs)
    best = -math.inf
    curve = []
    for epoch in configuration.epochs:
        value = epoch.metrics.get(objective)
        if value is not None and math.isfinite(value):
            best = sign * value if in_folds else max(best, sign * value)
        if best > -math.inf:
            curve.append(best)
    if in_folds and curve and configuration.score is not None and math.isfinite(configuration.score):
        # It makes up for the folds that were left out, which may be harder or easier than these.
        curve[-1] = sign * configuration.score
    return curve
