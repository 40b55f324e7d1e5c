"""Measures of classes over all rows of an epoch: what Keras would average over batches, or has for two classes only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Measure = Callable[[Any], Any]


class FromConfusion(keras.metrics.Metric):  # type: ignore[misc]
    """A measure that follows from the confusion matrix, which is counted over all rows.

    Args:
        name: As the history has it.
        measure: Takes the matrix, shape (classes, classes), rows for the labels, entries as shares of all rows.
        classes: Their number; with 2 the model may have one output, for the second of them.
        threshold: Above which such an output is the second class: 0.5 for a probability, 0 for a logit.
    """

    def __init__(self, name: str, measure: Measure, classes: int, threshold: float) -> None:
        super().__init__(name=name)
        self._measure = measure
        self._classes = classes
        self._threshold = threshold
        self.matrix = self.add_variable((classes, classes), "zeros", name="confusion")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows; `y_true` are class numbers or one-hot rows."""
        ops = keras.ops
        found = _classes(y_true, self._classes)
        if y_pred.shape[-1] == 1:
            chosen = ops.cast(ops.reshape(y_pred, (-1,)) > self._threshold, "int32")
        else:
            chosen = ops.argmax(y_pred, axis=-1)
        rows = ops.one_hot(found, self._classes, dtype=self.dtype)
        if sample_weight is not None:
            rows = rows * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        columns = ops.one_hot(chosen, self._classes, dtype=self.dtype)
        self.matrix.assign_add(ops.matmul(ops.transpose(rows), columns))

    def result(self) -> Any:
        """The measure of all rows so far; 0 before the first."""
        return self._measure(_share(self.matrix, keras.ops.sum(self.matrix)))

    def reset_state(self) -> None:
        """Forgets all rows."""
        self.matrix.assign(keras.ops.zeros_like(self.matrix))


class OfEachLabel(keras.metrics.Metric):  # type: ignore[misc]
    """A measure of rows that may have several labels: the mean of what it is for each of them, over all rows.

    Args:
        name: As the history has it.
        measure: Takes four vectors, one entry per label: rows rightly and wrongly given it, rows rightly and wrongly
            not given it, as weights.
        labels: Their number.
        threshold: Above which a row is given a label: 0.5 for a probability, 0 for a logit.
    """

    def __init__(self, name: str, measure: Callable[..., Any], labels: int, threshold: float) -> None:
        super().__init__(name=name)
        self._measure = measure
        self._threshold = threshold
        self.counts = self.add_variable((4, labels), "zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows; `y_true` are rows of 0 and 1."""
        ops = keras.ops
        found = ops.cast(y_true, self.dtype)
        given = ops.cast(y_pred > self._threshold, self.dtype)
        weight = ops.ones_like(found)
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        cases = (found * given, (1 - found) * given, (1 - found) * (1 - given), found * (1 - given))
        self.counts.assign_add(ops.stack([ops.sum(case * weight, axis=0) for case in cases]))

    def result(self) -> Any:
        """The measure of all rows so far; 0 before the first."""
        return keras.ops.mean(self._measure(*(self.counts[index] for index in range(4))))

    def reset_state(self) -> None:
        """Forgets all rows."""
        self.counts.assign(keras.ops.zeros_like(self.counts))


class OneAgainstTheRest(keras.metrics.AUC):  # type: ignore[misc]
    """The area under a curve of each class against all others, their mean; of two classes that of the second.

    Args:
        name: As the history has it.
        curve: `ROC` or `PR`.
        classes: Their number.
        logits: Whether the model answers with logits.
    """

    def __init__(self, name: str, curve: str, classes: int, *, logits: bool) -> None:
        several = {"multi_label": True, "num_labels": classes} if classes > 2 else {}
        super().__init__(name=name, curve=curve, **several)
        self._classes = classes
        self._with_softmax = logits

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows; `y_true` are class numbers or one-hot rows."""
        ops = keras.ops
        found = ops.one_hot(_classes(y_true, self._classes), self._classes, dtype="float32")
        given = ops.softmax(y_pred) if self._with_softmax else y_pred
        if self._classes == 2:
            found, given = found[:, 1], given[:, 1]
        super().update_state(found, given, sample_weight=sample_weight)


def f1(matrix: Any) -> Any:
    """The mean over all classes that occur, as label or answer, of the harmonic mean of precision and recall."""
    right, labels, answers = _sums(matrix)
    return _mean(_share(2 * right, labels + answers), labels + answers)


def precision(matrix: Any) -> Any:
    """The mean over all classes that occur of the share of answers that are right."""
    right, labels, answers = _sums(matrix)
    return _mean(_share(right, answers), labels + answers)


def recall(matrix: Any) -> Any:
    """The mean over all classes that occur of the share of labels that are found."""
    right, labels, answers = _sums(matrix)
    return _mean(_share(right, labels), labels + answers)


def balanced_accuracy(matrix: Any) -> Any:
    """The mean over the classes among the labels of the share of each that is found."""
    right, labels, _ = _sums(matrix)
    return _mean(_share(right, labels), labels)


def mcc(matrix: Any) -> Any:
    """Matthews' correlation coefficient for any number of classes (Gorodkin 2004, equation 9)."""
    ops = keras.ops
    right, labels, answers = _sums(matrix)
    together = ops.sum(right) - ops.sum(labels * answers)
    return _share(together, ops.sqrt((1 - ops.sum(labels**2)) * (1 - ops.sum(answers**2))))


def _mcc_of_labels(tp: Any, fp: Any, tn: Any, fn: Any) -> Any:
    ops = keras.ops
    return _share(tp * tn - fp * fn, ops.sqrt((tp + fp) * (tp + fn)) * ops.sqrt((tn + fp) * (tn + fn)))


def _classes(y_true: Any, classes: int) -> Any:
    ops = keras.ops
    if len(y_true.shape) == 2 and y_true.shape[-1] == classes and classes > 1:
        return ops.argmax(y_true, axis=-1)
    return ops.cast(ops.reshape(y_true, (-1,)), "int32")


def _sums(matrix: Any) -> tuple[Any, Any, Any]:
    ops = keras.ops
    return ops.diagonal(matrix), ops.sum(matrix, axis=1), ops.sum(matrix, axis=0)


def _share(part: Any, whole: Any) -> Any:
    """The quotient, 0 where there is nothing to divide by."""
    ops = keras.ops
    return ops.where(whole > 0, part / ops.where(whole > 0, whole, ops.ones_like(whole)), ops.zeros_like(part))


def _mean(values: Any, occurs: Any) -> Any:
    ops = keras.ops
    present = ops.cast(occurs > 0, values.dtype)
    return _share(ops.sum(values * present), ops.sum(present))


OF_CONFUSION: dict[str, Measure] = {
    "f1": f1,
    "balanced_accuracy": balanced_accuracy,
    "mcc": mcc,
    "precision": precision,
    "recall": recall,
}
CURVES = {"auc": "ROC", "pr_auc": "PR"}
OF_EACH_LABEL: dict[str, Callable[..., Any]] = {
    "f1": lambda tp, fp, tn, fn: _share(2 * tp, 2 * tp + fp + fn),
    "precision": lambda tp, fp, tn, fn: _share(tp, tp + fp),
    "recall": lambda tp, fp, tn, fn: _share(tp, tp + fn),
    "balanced_accuracy": lambda tp, fp, tn, fn: (_share(tp, tp + fn) + _share(tn, tn + fp)) / 2,
    "mcc": _mcc_of_labels,
}
