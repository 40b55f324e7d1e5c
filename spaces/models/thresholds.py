"""The probability from which on a row belongs to the second of two classes: the one that suits a measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
PLAIN = 0.5
_CUTS = 200
_RESAMPLES = 100


@dataclass(frozen=True)
class Threshold:
    """A choice.

    Attributes:
        value: Probability of the second class from which on a row belongs to it.
        score: The measure of the rows that it was chosen on.
        plain: The same at one half.
    """

    value: float
    score: float
    plain: float


def choose(measure: str, labels: Array, probabilities: Array, weights: Array | None = None) -> Threshold:
    """The threshold whose measure is best on average over resampled rows, so that it follows no single row.

    Args:
        measure: one of the values of `SUITS`.
        labels: 0 or 1, shape (n,).
        probabilities: of the second class, shape (n,).
        weights: how much each row counts, shape (n,); None: all alike.
    """
    cuts = np.unique([*np.quantile(probabilities, np.linspace(0, 1, _CUTS)), PLAIN])
    cells = np.searchsorted(cuts, probabilities, side="right")
    weights = np.ones(len(labels)) if weights is None else weights * (len(labels) / weights.sum())
    counts = np.stack([np.bincount(cells[labels == k], weights[labels == k], len(cuts) + 1) for k in (0, 1)])
    resampled = np.random.default_rng(0).poisson(counts, (_RESAMPLES, *counts.shape)).astype(np.float64)
    means = np.mean([_curve(measure, one) for one in resampled], axis=0)
    best = np.flatnonzero(means >= means.max() - 1e-9)
    chosen = int(best[np.argmin(abs(cuts[best] - PLAIN))])
    scores = _curve(measure, counts)
    return Threshold(float(cuts[chosen]), float(scores[chosen]), float(scores[np.searchsorted(cuts, PLAIN)]))


def measured(measure: str, labels: Array, probabilities: Array, threshold: float) -> float:
    """A measure of the answers that a threshold gives."""
    given = probabilities >= threshold
    return float(_MEASURES[measure](*(float(np.sum(case)) for case in _cases(labels == 1, given))))


def _cases(found: Array, given: Array) -> tuple[Array, Array, Array, Array]:
    return found & given, ~found & given, ~found & ~given, found & ~given


def _curve(measure: str, counts: Array) -> Array:
    """The measure at every cut, of rows counted by class and cell between the cuts."""
    total = counts.sum(axis=1, keepdims=True)
    below = np.cumsum(counts, axis=1)[:, :-1]
    above = total - below
    return np.asarray(_MEASURES[measure](above[1], above[0], below[0], below[1]))


def _share(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


def _f1_of_both(tp: Any, fp: Any, tn: Any, fn: Any) -> Any:
    return (_share(2 * tp, 2 * tp + fp + fn) + _share(2 * tn, 2 * tn + fp + fn)) / 2


def _mcc(tp: Any, fp: Any, tn: Any, fn: Any) -> Any:
    return _share(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn)))


_MEASURES: dict[str, Callable[..., Any]] = {
    "accuracy": lambda tp, fp, tn, fn: _share(tp + tn, tp + fp + tn + fn),
    "balanced_accuracy": lambda tp, fp, tn, fn: (_share(tp, tp + fn) + _share(tn, tn + fp)) / 2,
    "f1": _f1_of_both,
    "f1 of the second class": lambda tp, fp, tn, fn: _share(2 * tp, 2 * tp + fp + fn),
    "mcc": _mcc,
}
SUITS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1": "f1",
    "mcc": "mcc",
    "auc": "balanced_accuracy",
    "pr_auc": "f1 of the second class",
}
"""By metric the measure that a threshold is chosen for. Areas know no threshold: the balanced accuracy goes with that
under the ROC curve, F1 with that under precision and recall. A loss, and what a threshold of 0 or 1 would make best,
precision and recall, leave it at one half."""
