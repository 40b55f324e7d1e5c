"""Loss, metrics and output layer that fit the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from spaces.data.types import DataInfo
from spaces.metrics import BINARY_METRICS, REGRESSION_LOSSES, task_of

if TYPE_CHECKING:
    from spaces.families.random_layers import Mixup

_FOR_LABELS = {"integer": "sparse_categorical_crossentropy", "one-hot": "categorical_crossentropy", "number": "mse"}


def loss_name(loss: str, info: DataInfo) -> str:
    """The loss that is meant, `auto` resolved by the labels.

    Raises:
        ValueError: the loss does not fit the labels.
    """
    if loss == "auto":
        return _FOR_LABELS[info.labels]
    if loss == "binary_crossentropy":
        if info.labels != "integer" or info.outputs != 2:
            raise ValueError(
                f"loss binary_crossentropy needs labels 0 and 1, but the data have {info.labels} labels "
                f"with {info.outputs} outputs; use loss: auto"
            )
        return loss
    fits = loss in REGRESSION_LOSSES if info.labels == "number" else loss == _FOR_LABELS[info.labels]
    if not fits:
        raise ValueError(f"loss {loss} does not fit the {info.labels} labels of the data; use loss: auto")
    return loss


def output_units(loss: str, info: DataInfo, output: str) -> tuple[int, str | None]:
    """Width and activation of the output layer; `output` is `probabilities` or `logits`."""
    if info.task == "regression":
        return info.outputs, None
    if loss_name(loss, info) == "binary_crossentropy":
        return 1, None if output == "logits" else "sigmoid"
    return info.outputs, None if output == "logits" else "softmax"


class SoftCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with labels that are shared among classes.

    A share goes to all classes alike (Szegedy et al., arXiv:1512.00567), and where images were mixed, their labels are
    mixed in the same way.

    Args:
        name: of one of the cross-entropies.
        smoothing: the share that goes to all classes alike.
        logits: whether the model answers with logits.
        mixup: the layer of the model that mixes its images; None for none.

    Attributes:
        smoothing: the share.
        training: whether the share is taken; what is validated are the labels as they are, so that configurations
            with different shares can be compared.
    """

    def __init__(self, name: str, smoothing: float, *, logits: bool, mixup: Mixup | None = None) -> None:
        super().__init__(name=name)
        self.smoothing: Any = smoothing
        self.training = True
        self._logits = logits
        self._mixup = mixup

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of every row, shape (n,)."""
        ops = keras.ops
        smoothing = ops.cast(self.smoothing, y_pred.dtype) if self.training else 0.0
        if self.name == "binary_crossentropy":
            wanted = self._mixed(ops.reshape(y_true, (-1, 1))) * (1.0 - smoothing) + smoothing / 2
            return ops.mean(ops.binary_crossentropy(wanted, y_pred, from_logits=self._logits), axis=-1)
        classes = y_pred.shape[-1]
        if self.name.startswith("sparse"):
            y_true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes, dtype=y_pred.dtype)
        wanted = self._mixed(y_true) * (1.0 - smoothing) + smoothing / classes
        return ops.categorical_crossentropy(wanted, y_pred, from_logits=self._logits)

    def _mixed(self, labels: Any) -> Any:
        from spaces.families.random_layers import mixed

        share = None if self._mixup is None else self._mixup.share
        return labels if share is None else mixed(keras.ops.cast(labels, share.dtype), share)


def make_loss(
    loss: str, info: DataInfo, output: str, smoothing: float = 0.0, mixup: Mixup | None = None
) -> keras.losses.Loss:
    """The Keras loss.

    Args:
        loss: as in the space file.
        info: description of the data.
        output: `probabilities` or `logits`.
        smoothing: the share of a label that goes to all classes alike.
        mixup: the layer of the model that mixes its images; None for none.
    """
    name, logits = loss_name(loss, info), output == "logits"
    if (smoothing or mixup is not None) and info.task == "classification":
        return SoftCrossentropy(name, smoothing, logits=logits, mixup=mixup)
    losses = keras.losses
    makers: dict[str, Any] = {
        "sparse_categorical_crossentropy": lambda: losses.SparseCategoricalCrossentropy(from_logits=logits),
        "categorical_crossentropy": lambda: losses.CategoricalCrossentropy(from_logits=logits),
        "binary_crossentropy": lambda: losses.BinaryCrossentropy(from_logits=logits),
        "mse": losses.MeanSquaredError,
        "mae": losses.MeanAbsoluteError,
        "huber": losses.Huber,
        "log_cosh": losses.LogCosh,
    }
    return makers[name]()


def make_metrics(names: tuple[str, ...], loss: str, info: DataInfo, output: str) -> list[keras.metrics.Metric]:
    """The Keras metrics, each under its own name in the history.

    Raises:
        ValueError: a metric is not defined for these data.
    """
    return [_metric(name, loss_name(loss, info), info, output) for name in names]


def _metric(name: str, loss: str, info: DataInfo, output: str) -> keras.metrics.Metric:
    if task_of("auto", (name,)) != info.task:
        hint = "set loss: mse, or metrics: [mae]" if info.task == "regression" else "set metrics: [accuracy]"
        raise ValueError(f"metric {name} is not defined for {info.task}, which the data are for; {hint}")
    binary = loss == "binary_crossentropy"
    if name in BINARY_METRICS and not binary:
        raise ValueError(f"metric {name} needs two classes and loss: binary_crossentropy")
    metrics = keras.metrics
    # A logit of 0 is a probability of one half.
    threshold = 0.0 if output == "logits" else 0.5
    sparse = info.labels == "integer"
    makers: dict[str, Any] = {
        "accuracy": lambda: (
            metrics.BinaryAccuracy(name=name, threshold=threshold)
            if binary
            else (metrics.SparseCategoricalAccuracy if sparse else metrics.CategoricalAccuracy)(name=name)
        ),
        "top_5_accuracy": lambda: (
            metrics.SparseTopKCategoricalAccuracy if sparse else metrics.TopKCategoricalAccuracy
        )(k=5, name=name),
        "auc": lambda: metrics.AUC(name=name, from_logits=output == "logits"),
        "precision": lambda: metrics.Precision(name=name, thresholds=threshold),
        "recall": lambda: metrics.Recall(name=name, thresholds=threshold),
        "mae": lambda: metrics.MeanAbsoluteError(name=name),
        "mse": lambda: metrics.MeanSquaredError(name=name),
        "rmse": lambda: metrics.RootMeanSquaredError(name=name),
        "r2_score": lambda: metrics.R2Score(name=name),
    }
    return makers[name]()
