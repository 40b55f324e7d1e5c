"""Measures over all rows of an epoch: what Keras averages over batches, has for two classes only, or rounds away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from spaces.outside.keras_names import PACKAGE

Measure = Callable[[Any], Any]

_FARTHEST = 16
# Of a probability, where its logarithm is taken.
_LEAST = 1e-30


@keras.saving.register_keras_serializable(PACKAGE)
class FromConfusion(keras.metrics.Metric):  # type: ignore[misc]
    """A measure that follows from the confusion matrix, which is counted over all rows.

    Args:
        name: As the history has it, one of `OF_CONFUSION`.
        classes: Their number; with 2 the model may have one output, for the second of them.
        threshold: Above which such an output is the second class: 0.5 for a probability, 0 for a logit.
    """

    def __init__(self, name: str, classes: int, threshold: float) -> None:
        super().__init__(name=name)
        self._measure = OF_CONFUSION[name]
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
        rows = rows * _weights(sample_weight, rows)
        columns = ops.one_hot(chosen, self._classes, dtype=self.dtype)
        self.matrix.assign_add(ops.matmul(ops.transpose(rows), columns))

    def result(self) -> Any:
        """The measure of all rows so far; 0 before the first."""
        return self._measure(_share(self.matrix, keras.ops.sum(self.matrix)))

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        return {"name": self.name, "classes": self._classes, "threshold": self._threshold}


@keras.saving.register_keras_serializable(PACKAGE)
class OfEachLabel(keras.metrics.Metric):  # type: ignore[misc]
    """A measure of rows that may have several labels: the mean of what it is for each of them, over all rows.

    Args:
        name: As the history has it, one of `OF_EACH_LABEL`.
        labels: Their number.
        threshold: Above which a row is given a label: 0.5 for a probability, 0 for a logit.
    """

    def __init__(self, name: str, labels: int, threshold: float) -> None:
        super().__init__(name=name)
        self._measure = OF_EACH_LABEL[name]
        self._labels = labels
        self._threshold = threshold
        self.counts = self.add_variable((4, labels), "zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows; `y_true` are rows of 0 and 1."""
        ops = keras.ops
        found = ops.cast(y_true, self.dtype)
        given = ops.cast(y_pred > self._threshold, self.dtype)
        weight = _weights(sample_weight, found)
        cases = (found * given, (1 - found) * given, (1 - found) * (1 - given), found * (1 - given))
        self.counts.assign_add(ops.stack([ops.sum(case * weight, axis=0) for case in cases]))

    def result(self) -> Any:
        """The measure of all rows so far; 0 before the first."""
        return keras.ops.mean(self._measure(*(self.counts[index] for index in range(4))))

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        return {"name": self.name, "labels": self._labels, "threshold": self._threshold}


@keras.saving.register_keras_serializable(PACKAGE)
class Area(keras.metrics.Metric):  # type: ignore[misc]
    """The area under a curve over all thresholds: of each class against all others, or of each label; their mean.

    Answers are counted by their logits, from -16 to 16 in steps of 1/512, coarser for many classes. By their
    probabilities, as `keras.metrics.AUC` counts them, nearly all answers about a rare class are in one step.

    Args:
        name: As the history has it.
        curve: `ROC`, or `PR` for the average precision.
        classes: Their number, or that of the labels; of two classes the area is that of the second.
        several: Whether a row may have several labels.
        logits: Whether the model answers with logits.
    """

    def __init__(self, name: str, curve: str, classes: int, *, several: bool, logits: bool) -> None:
        super().__init__(name=name)
        self._curve = curve
        self._classes = classes
        self._several = several
        self._logits = logits
        self._areas = classes if several or classes > 2 else 1
        self._a_logit = min(512, max(32, 4096 // self._areas))
        self._steps = 2 * _FARTHEST * self._a_logit + 1
        self.counts = self.add_variable((2, self._areas, self._steps), "zeros", name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows; `y_true` are class numbers or one-hot rows, or rows of 0 and 1 for several labels."""
        ops = keras.ops
        found = y_true if self._several else ops.one_hot(_classes(y_true, self._classes), self._classes)
        found = ops.cast(found, "float32")[:, -self._areas :]
        given = self._as_logits(ops.cast(y_pred, "float32"))
        step = ops.floor((ops.clip(given, -_FARTHEST, _FARTHEST) + _FARTHEST) * self._a_logit + 0.5)
        place = ops.cast(step, "int32") + self._steps * ops.arange(self._areas, dtype="int32")
        weight = _weights(sample_weight, found)
        counted = [
            ops.segment_sum(ops.reshape(rows * weight, (-1,)), ops.reshape(place, (-1,)), self._areas * self._steps)
            for rows in (1 - found, found)
        ]
        self.counts.assign_add(ops.reshape(ops.stack(counted), self.counts.shape))

    def result(self) -> Any:
        """The mean over the classes that some rows belong to and others do not; 0 if there is none."""
        ops = keras.ops
        # From the highest answers down: what a lower and lower threshold finds.
        without, having = (ops.cumsum(ops.flip(one, axis=-1), axis=-1) for one in (self.counts[0], self.counts[1]))
        both = having[:, -1] * without[:, -1]
        if self._curve == "ROC":
            right = ops.flip(self.counts[0], axis=-1) * (having - ops.flip(self.counts[1], axis=-1) / 2)
            return _mean(_share(ops.sum(right, axis=-1), both), both)
        precise = ops.flip(self.counts[1], axis=-1) * _share(having, having + without)
        return _mean(_share(ops.sum(precise, axis=-1), having[:, -1]), both)

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        return {
            "name": self.name,
            "curve": self._curve,
            "classes": self._classes,
            "several": self._several,
            "logits": self._logits,
        }

    def _as_logits(self, y_pred: Any) -> Any:
        """The logit of each class or label, shape (n, areas)."""
        ops = keras.ops
        if self._logits and (self._several or y_pred.shape[-1] == 1):
            return y_pred
        if self._logits and self._areas == 1:
            return y_pred[:, 1:] - y_pred[:, :1]
        known = ops.log_softmax(y_pred) if self._logits else ops.log(ops.maximum(y_pred, _LEAST))
        known = known[:, -self._areas :]
        return known - ops.log(ops.maximum(-ops.expm1(known), _LEAST))


@keras.saving.register_keras_serializable(PACKAGE)
class R2(keras.metrics.Metric):  # type: ignore[misc]
    """The coefficient of determination of each target over all rows; their mean.

    What is summed is how far targets are from the mean of the first rows. Squares of targets whose mean is large beside
    their spread have no digits left for it in float32: `keras.metrics.R2Score` of degrees of latitude means nothing.

    Args:
        name: As the history has it.
        targets: Their number.
    """

    def __init__(self, name: str, targets: int) -> None:
        super().__init__(name=name)
        self._targets = targets
        self.rows = self.add_variable((), "zeros", name="rows")
        self.origin = self.add_variable((targets,), "zeros", name="origin")
        self.sums = self.add_variable((3, targets), "zeros", name="sums")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts rows."""
        ops = keras.ops
        wanted, given = (ops.reshape(ops.cast(one, self.dtype), (-1, self._targets)) for one in (y_true, y_pred))
        weight = _weights(sample_weight, wanted)
        # Targets that are all alike are exactly at the origin.
        mean = wanted[0] + ops.mean(wanted - wanted[:1], axis=0)
        origin = ops.where(self.rows > 0, self.origin, mean)
        apart = wanted - origin
        terms = (apart, apart**2, (given - wanted) ** 2)
        self.origin.assign(origin)
        self.sums.assign_add(ops.stack([ops.sum(term * weight, axis=0) for term in terms]))
        self.rows.assign_add(ops.sum(weight))

    def result(self) -> Any:
        """The mean over the targets; of one that is the same in all rows 1 where it is met, else 0; 0 without rows."""
        ops = keras.ops
        apart, squares, errors = (self.sums[index] for index in range(3))
        spread = squares - apart * _share(apart, self.rows)
        met = ops.cast(errors == 0, self.dtype)
        scores = ops.where(spread > 0, 1 - _share(errors, spread), met)
        return ops.where(self.rows > 0, ops.mean(scores), 0.0)

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        return {"name": self.name, "targets": self._targets}


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


def _weights(sample_weight: Any, rows: Any) -> Any:
    """Of each row, shape (n, 1), in the type of the rows; 1 where there are none."""
    ops = keras.ops
    if sample_weight is None:
        return ops.ones_like(rows[:, :1])
    return ops.reshape(ops.cast(sample_weight, rows.dtype), (-1, 1))


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
