"""Scores of configurations after equally many epochs, so that those trained longer have no advantage."""

from __future__ import annotations

import math
from dataclasses import dataclass

from results.reporting.facts import Facts
from results.verdicts.evidence import best_so_far
from search.record.configuration import Configuration
from search.record.trial import ENDED_EARLY

FEWEST = 20
"""Configurations below which nothing is said about hyperparameters."""


@dataclass(frozen=True)
class Comparable:
    """What configurations reached within the same number of epochs.

    Attributes:
        epochs: That number.
        longest: Of all trainings; far above `epochs` means that late winners may not show yet.
        scores: Each configuration with its best objective so far, best first.
    """

    epochs: int
    longest: int
    scores: tuple[tuple[Configuration, float], ...]


def comparable(facts: Facts) -> Comparable | None:
    """At the greatest length that half of the searched configurations, and `FEWEST`, have reached; None for fewer.

    One that ended by itself (early stopping, a target) counts at every length with its best.
    """
    sign = 1.0 if facts.maximize else -1.0
    curves = [(c, curve) for c in facts.searched if (curve := best_so_far(c, facts.objective, sign))]
    enough = max(FEWEST, math.ceil(len(curves) / 2))
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
    scores.sort(key=lambda pair: pair[1], reverse=facts.maximize)
    return Comparable(epochs, longest, tuple(scores))
