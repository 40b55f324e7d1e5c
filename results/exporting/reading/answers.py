"""From what a model answers to the probabilities of its classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from results.errors import ResultError
from spaces import DataInfo
from spaces.models.outputs import OutputKind, from_logits

Array = np.ndarray[Any, np.dtype[Any]]


def units(info: DataInfo) -> tuple[float, ...]:
    """What the outputs of a model are exact in proportion to, however near 0 they are: at least 1 each.

    A regression that is learnt on a standardized target is as exact as its spread allows.
    """
    target = info.target
    if target is None or target.scale != "standard":
        return (1.0,)
    return tuple(max(1.0, deviation) for deviation in target.std)


def probabilities(answers: Array, output: OutputKind, *, independent: bool = False) -> Array:
    """Probabilities of all classes, shape (n, classes); a single output is the probability of the second of two.

    Args:
        answers: Of the model, shape (n, outputs).
        output: What they are.
        independent: Whether a row may have several labels.

    Raises:
        ResultError: They are not finite.
    """
    answers = answers.astype(np.float64)
    if not np.isfinite(answers).all():
        raise ResultError("the model predicts NaN or infinity; it is of no use")
    shares = from_logits(answers, independent=independent) if output == "logits" else answers
    return np.concatenate([1.0 - shares, shares], axis=1) if shares.shape[1] == 1 else shares
