"""What a final model answered on the rows that were kept back, as the run recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.files import arrays
from search.files.store import Evaluation


@dataclass(frozen=True)
class Answers:
    """Predictions beside their labels.

    Attributes:
        predictions: float (rows, outputs): probabilities, or values.
        labels: int (rows,) for classes, int (rows, labels) of 0 and 1 for rows with several labels, else float
            (rows, outputs).
        index: int (k,): rows of the examples.
        examples: Raw inputs (k, *input_shape).
    """

    predictions: NDArray[np.float64]
    labels: NDArray[Any]
    index: NDArray[np.int64]
    examples: NDArray[Any]

    @property
    def classes(self) -> NDArray[np.int64]:
        """int (rows,): the predicted class; one output is the probability of class 1. Of several labels as `labels`."""
        if self.labels.ndim == 2:
            return np.asarray(self.predictions >= 0.5, dtype=np.int64)
        if self.predictions.shape[1] == 1:
            return np.asarray(self.predictions[:, 0] > 0.5, dtype=np.int64)
        return np.asarray(self.predictions.argmax(axis=1), dtype=np.int64)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """float (rows,): the probability of the predicted class, 0 to 1."""
        if self.predictions.shape[1] == 1:
            return np.maximum(self.predictions[:, 0], 1 - self.predictions[:, 0])
        return np.asarray(self.predictions.max(axis=1))

    @property
    def right(self) -> NDArray[np.bool_]:
        """bool (rows,): whether the predicted class is the label, or all labels are as predicted."""
        if self.labels.ndim == 2:
            return np.asarray((self.classes == self.labels).all(axis=1))
        return np.asarray(self.classes == self.labels, dtype=np.bool_)

    @property
    def errors(self) -> NDArray[np.float64]:
        """float (rows, outputs): prediction minus label, of a regression."""
        return np.asarray(self.predictions - self.labels)


def read_answers(directory: Path, evaluation: Evaluation | None, info: Mapping[str, Any]) -> Answers | None:
    """The answers of an evaluation, or None where there are none that can be read.

    Args:
        directory: The run directory.
        evaluation: What was measured.
        info: What the rows are, as `spaces.DataInfo.to_json` tells it; empty: classes.
    """
    if evaluation is None:
        return None
    path = directory / evaluation.file
    if not path.resolve().is_relative_to(directory.resolve()):
        return None
    try:
        # What does not fit is refused, not warned of.
        with np.errstate(invalid="ignore", over="ignore"):
            return _answers(arrays.load(path, "predictions", "labels"), info)
    except (OSError, ValueError, TypeError, IndexError):
        return None


def _answers(stored: dict[str, NDArray[Any]], info: Mapping[str, Any]) -> Answers | None:
    classification = info.get("task", "classification") == "classification"
    multi_label = info.get("labels") == "multi-label"
    labels = stored["labels"]
    rows = len(labels)
    if not rows:
        return None
    predictions = stored["predictions"].astype(np.float64).reshape(rows, -1)
    if not classification:
        labels = labels.astype(np.float64).reshape(predictions.shape)
    elif multi_label:
        labels = labels.reshape(predictions.shape).astype(np.int64)
    elif labels.ndim == 2 and labels.shape[1] > 1:  # one-hot
        labels = labels.argmax(axis=1)
    else:
        labels = labels.reshape(rows).astype(np.int64)
    if not (np.isfinite(predictions).all() and np.isfinite(labels).all() and predictions.shape[1]):
        return None
    # Classes are counted and drawn by their numbers.
    classes = 2 if labels.ndim == 2 else max(2, predictions.shape[1], info.get("outputs") or 0)
    if classification and not ((labels >= 0) & (labels < classes)).all():
        return None
    index = stored.get("examples_index", np.zeros(0, np.int64)).astype(np.int64)
    examples = stored.get("examples", np.zeros(0))
    usable = index.ndim == 1 and examples.dtype.kind in "biuf" and 0 not in examples.shape[1:]
    if not usable or len(index) != len(examples) or not ((index >= 0) & (index < rows)).all():
        index, examples = np.zeros(0, np.int64), np.zeros(0)
    return Answers(predictions, labels, index, examples)
