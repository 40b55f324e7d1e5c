"""Measures that a function of the user's computes, from all validation rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import CodeError
from spaces.models.outputs import as_probabilities
from spaces.outside.references import call, load_function
from spaces.values.metrics import is_own, reported_name

if TYPE_CHECKING:
    from spaces.data import DataInfo
    from spaces.models.settings import Settings

Array = np.ndarray[Any, np.dtype[Any]]
OwnMeasures = Callable[[Array, Array], dict[str, float]]


def own_measures(settings: Settings, info: DataInfo, model: Any) -> OwnMeasures | None:
    """What computes them from labels and a compiled model's answers, as `Split.y` has and `Engine.predict` gives them.

    A function takes two arrays: labels, (n,) class numbers, or (n, labels) of 0 and 1, or (n,) or (n, targets) numbers;
    and probabilities (n, classes), or values of the labels' shape. It returns a number.

    Returns:
        None where the space has none.
    """
    references = [metric for metric in settings.training.metrics if is_own(metric)]
    if not references:
        return None

    def measures(y: Array, answers: Array) -> dict[str, float]:
        if info.task == "regression":
            answers = answers.reshape(y.shape)
        else:
            answers = as_probabilities(answers, settings, info, model)
            if answers.shape[1] == 1:
                answers = np.concatenate([1 - answers, answers], axis=1)
            if info.labels == "one-hot":
                y = y.argmax(axis=1)
        return {reported_name(reference): _number(reference, y, answers) for reference in references}

    return measures


def _number(reference: str, y: Array, answers: Array) -> float:
    found = call(reference, load_function(reference), y, answers)
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise CodeError(f"{reference}: returned {type(found).__name__}; a measure returns a number") from error
