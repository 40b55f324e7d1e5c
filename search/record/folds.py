"""Cross-validation in a configuration's curve: each of its epochs is then a fold, trained from the start to its end.

What a fold reports are the means over the folds so far, so that the curve of a configuration says how good it looks
after one fold, two, all of them, and whatever pauses a training after few epochs pauses it after few folds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from search.record.trial import Epoch
from spaces import Target

_OWN = "fold_"
LENGTH = "fold_epochs"
"""Name of the number of epochs after which a fold was best."""


def joined(curve: Sequence[Epoch], own: Mapping[str, float], length: int) -> dict[str, float]:
    """What a fold reports: means over all folds with it under their names, its own values under `fold_...`.

    Args:
        curve: The folds before it.
        own: Its own values, of its best epoch.
        length: The number of that epoch.
    """
    before = len(curve)
    means = {
        name: value if not before else (before * curve[-1].metrics.get(name, value) + value) / (before + 1)
        for name, value in own.items()
    }
    validated = {f"{_OWN}{name}": value for name, value in own.items() if name.startswith("val_")}
    return {**means, **validated, LENGTH: float(length)}


def values(curve: Sequence[Epoch], objective: str) -> list[float]:
    """The objective of each fold by itself; empty where the epochs of the curve are no folds."""
    return [epoch.metrics[_OWN + objective] for epoch in curve if _OWN + objective in epoch.metrics]


def spread(curve: Sequence[Epoch], objective: str) -> float | None:
    """Standard deviation of the objective over folds; None for fewer than two."""
    found = values(curve, objective)
    return statistics.stdev(found) if len(found) > 1 else None


def mean_length(curve: Sequence[Epoch]) -> int:
    """Epochs after which the folds were best, on average, at least 1."""
    found = [epoch.metrics[LENGTH] for epoch in curve if LENGTH in epoch.metrics]
    return max(1, round(statistics.fmean(found))) if found else 1


class Bars:
    """How good a configuration has to be after each fold to be worth the others.

    The bar is the mean of the best configuration over the same folds, less what the folds to come may make up: its
    standard deviation over folds, times the root of 1/k - 1/n after k of n folds.

    Args:
        objective: What decides.
        direction: `min` or `max`.
        folds: Their number.
    """

    def __init__(self, objective: str, direction: str, folds: int) -> None:
        self._objective = objective
        self._sign = 1.0 if direction == "max" else -1.0
        self._folds = folds
        self._best: list[float] = []

    def take(self, curve: Sequence[Epoch]) -> None:
        """Takes up a configuration; only one with all its folds is a measure for others."""
        found = values(curve, self._objective)
        if len(found) != self._folds:
            return
        if not self._best or self._sign * statistics.fmean(found) > self._sign * statistics.fmean(self._best):
            self._best = found

    def settings(self) -> dict[str, Any]:
        """What of `TrainingSettings` a configuration that is proposed now gets of it."""
        return {"fold_bars": self.targets(), "fold_offsets": self.offsets()}

    def offsets(self) -> tuple[float, ...]:
        """For each bar by how much the best configuration's mean over all folds is above that over the same folds.

        By it, what another one has after few folds becomes comparable with what others have after all: some folds are
        harder than others.
        """
        whole = statistics.fmean(self._best) if self._best else 0.0
        return tuple(whole - statistics.fmean(self._best[:k]) for k in range(1, self._folds)) if self._best else ()

    def targets(self) -> tuple[Target, ...]:
        """After each fold but the last the value that ends a training; () while nothing is known."""
        if not self._best:
            return ()
        deviation = statistics.stdev(self._best)
        made = []
        for k in range(1, self._folds):
            margin = deviation * math.sqrt(1 / k - 1 / self._folds)
            bar = statistics.fmean(self._best[:k]) - self._sign * margin
            made.append(Target(self._objective, bar if self._sign > 0 else None, bar if self._sign < 0 else None))
        return tuple(made)
