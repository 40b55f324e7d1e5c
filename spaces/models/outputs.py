"""From what a model answers to probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.families import family_of_settings
from spaces.models.settings import Settings

if TYPE_CHECKING:
    from spaces.data import DataInfo

Array = np.ndarray[Any, np.dtype[Any]]


def as_probabilities(answers: Array, settings: Settings, info: DataInfo) -> Array:
    """Probabilities of shape (n, outputs) from a model's answers; the values themselves in regression.

    Args:
        answers: What the model gave, shape (n, outputs).
        settings: The configuration; a model with `output: logits` is followed by a softmax, or by a sigmoid where it
            has one output.
        info: The rows it is for.
    """
    if info.task != "classification" or family_of_settings(settings.family).output(settings.model) != "logits":
        return answers
    return from_logits(answers, independent=info.labels == "multi-label")


def from_logits(answers: Array, *, independent: bool = False) -> Array:
    """Probabilities of shape (n, outputs) from logits of that shape.

    The softmax of all; the sigmoid of a single output, or of each where they are `independent` labels.
    """
    if answers.shape[1] == 1 or independent:
        return np.asarray(1.0 / (1.0 + np.exp(-answers)))
    exponents = np.exp(answers - answers.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))
