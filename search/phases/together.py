"""Whether several models answer measurably better together than one alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

# One-sided, at a level of 5 %.
_ENOUGH = 1.645
_LEAST = 1e-7


@dataclass(frozen=True)
class Together:
    """What a comparison on the same rows found.

    Attributes:
        measure: `accuracy`, `cross-entropy` or `mse`.
        together: Mean over the rows for what all answer together.
        alone: The same for the one model.
        certainty: The difference, in its own standard errors; above 0 where they are better together.
    """

    measure: str
    together: float
    alone: float
    certainty: float

    @property
    def better(self) -> bool:
        """Whether so large a difference is no chance, at a level of 5 %."""
        return self.certainty >= _ENOUGH


def compare(
    together: Array, alone: Array, y: Array, weight: Array | None = None, *, classes: bool, accuracy: bool
) -> Together:
    """Compares row by row, so that rows which are hard for all count on both sides.

    Args:
        together: What all answer together: probabilities, or values, of shape (n, outputs). A single output of classes
            is the probability of the second of two.
        alone: The same of the one model.
        y: What is right: class numbers or values of shape (n,), or (n, k) with classes one-hot.
        weight: How much each row counts, shape (n,); None: all alike.
        classes: Whether the outputs are of classes.
        accuracy: Whether right and wrong are counted; otherwise the loss decides.
    """
    measure = ("accuracy" if accuracy else "cross-entropy") if classes else "mse"
    many, one = (_points(np.asarray(answers, np.float64), y, measure) for answers in (together, alone))
    gains = many - one

    def mean(values: Array) -> float:
        return float(np.average(values, weights=weight))

    error = _standard_error(gains, weight)
    certainty = mean(gains) / error if error > 0 else 0.0
    sign = 1.0 if measure == "accuracy" else -1.0
    return Together(measure, sign * mean(many), sign * mean(one), certainty)


def _standard_error(gains: Array, weight: Array | None) -> float:
    """Of their mean; 0 where fewer than two rows count."""
    rows = len(gains) if weight is None else int(np.count_nonzero(weight))
    if rows < 2:
        return 0.0
    if weight is None:
        return float(gains.std(ddof=1)) / math.sqrt(rows)
    terms = weight * (gains - np.average(gains, weights=weight)) / weight.sum()
    return math.sqrt(float(np.sum(terms**2)) * rows / (rows - 1))


def _points(answers: Array, y: Array, measure: str) -> Array:
    """One number a row, more is better."""
    if measure == "mse":
        return np.asarray(-((answers - np.reshape(y, answers.shape)) ** 2).mean(axis=1))
    if answers.shape[1] == 1:
        answers = np.hstack([1 - answers, answers])
    labels = (y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.reshape(y, -1)).astype(np.int64)
    if measure == "accuracy":
        return np.asarray(answers.argmax(axis=1) == labels, np.float64)
    return np.asarray(np.log(np.maximum(answers[np.arange(len(labels)), labels], _LEAST)))
