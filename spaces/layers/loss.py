"""Loss, metrics and output layer that fit the labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import keras

from spaces.outside.keras_names import PACKAGE
from spaces.values.measures import CURVES, OF_CONFUSION, OF_EACH_LABEL, R2, Area, FromConfusion, OfEachLabel
from spaces.values.metrics import REGRESSION_LOSSES, is_own, task_of
from spaces.values.packing import side_by_side, single

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spaces.data.types import DataInfo, TargetScale
    from spaces.layers.random_layers import Mixup

_FOR_LABELS = {
    "integer": "sparse_categorical_crossentropy",
    "one-hot": "categorical_crossentropy",
    "multi-label": "binary_crossentropy",
    "number": "mse",
}

# Keras's functions, which take probabilities unless they are told otherwise; its objects say what they take.
_OF_PROBABILITIES = (
    keras.losses.sparse_categorical_crossentropy,
    keras.losses.categorical_crossentropy,
    keras.losses.categorical_focal_crossentropy,
    keras.losses.binary_crossentropy,
    keras.losses.binary_focal_crossentropy,
)


def loss_name(loss: str, info: DataInfo) -> str:
    """The loss that is meant, `auto` resolved by the labels.

    Raises:
        ValueError: the loss does not fit the labels.
    """
    if loss in ("auto", "focal") and info.labels != "number":
        return _FOR_LABELS[info.labels]
    if loss == "auto":
        return _FOR_LABELS[info.labels]
    if loss == "binary_crossentropy" and info.labels != "multi-label":
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


def compiled_loss(model: keras.Model) -> str | None:
    """Keras's name of the loss that a model is compiled with; None where it has none, several or an unknown one."""
    loss = _found(single(getattr(model, "loss", None)))
    # An object of Keras's may have another name; its function has not.
    name = getattr(getattr(loss, "fn", loss), "__name__", None) or getattr(loss, "name", None)
    return name if isinstance(name, str) else None


def takes_logits(loss: Any) -> bool | None:
    """Whether a loss that a model is compiled with takes logits.

    Args:
        loss: `model.loss`: one, or several in a dict or list.

    Returns:
        None where a loss of the user's own does not say it.
    """
    if isinstance(loss, Mapping | list | tuple):
        told = {takes_logits(one) for one in side_by_side(loss) if one is not None}
        return told.pop() if len(told) == 1 else None
    if isinstance(loss, partial):
        given = loss.keywords.get("from_logits")
        return takes_logits(loss.func) if given is None else bool(given)
    loss = _found(loss)
    if any(loss is one for one in _OF_PROBABILITIES):
        return False
    told_by_itself = getattr(loss, "from_logits", None)
    return None if told_by_itself is None else bool(told_by_itself)


def _found(loss: Any) -> Any:
    """The loss that a name stands for."""
    if not isinstance(loss, str):
        return loss
    try:
        return keras.losses.get(loss)
    except ValueError:
        # Training will say so.
        return None


def output_units(loss: str, info: DataInfo, output: str) -> tuple[int, str | None]:
    """Width and activation of the output layer; `output` is `probabilities` or `logits`."""
    if info.task == "regression":
        return info.outputs, None
    if info.labels == "multi-label":
        return info.outputs, None if output == "logits" else "sigmoid"
    if loss_name(loss, info) == "binary_crossentropy":
        return 1, None if output == "logits" else "sigmoid"
    return info.outputs, None if output == "logits" else "softmax"


@keras.saving.register_keras_serializable(PACKAGE)
class SoftCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with labels that are shared among classes, or that counts less what is known already.

    A share goes to all classes alike (Szegedy et al., arXiv:1512.00567), and where images were mixed, their labels are
    mixed in the same way. With a focal exponent each term is multiplied by how far its probability is from the label,
    to this power (Lin et al., arXiv:1708.02002, equation 4).

    Args:
        name: of one of the cross-entropies.
        smoothing: the share that goes to all classes alike.
        logits: whether the model answers with logits.
        mixup: the layer of the model that mixes its images; None for none.
        gamma: the focal exponent; 0 for none.

    Attributes:
        smoothing: the share.
        gamma: the exponent.
        from_logits: whether the model answers with logits, under the name that Keras's own losses have for it.
        training: whether share and exponent are taken; what is validated is the plain cross-entropy of the labels as
            they are, so that configurations with different ones can be compared.
    """

    def __init__(
        self, name: str, smoothing: float, *, logits: bool, mixup: Mixup | None = None, gamma: float = 0.0
    ) -> None:
        super().__init__(name=name)
        self.smoothing: Any = smoothing
        self.gamma: Any = gamma
        self.training = True
        self._focal = bool(gamma)
        self.from_logits = logits
        self._mixup = mixup

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of every row, shape (n,)."""
        ops = keras.ops
        smoothing = ops.cast(self.smoothing, y_pred.dtype) if self.training else 0.0
        focal = self._focal and self.training
        if self.name == "binary_crossentropy":
            y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
            wanted = self._mixed(y_true) * (1.0 - smoothing) + smoothing / 2
            if focal:
                known = self._bounded(ops.sigmoid(y_pred) if self.from_logits else y_pred)
                terms = wanted * self._term(known) + (1.0 - wanted) * self._term(1.0 - known)
                return ops.mean(terms, axis=-1)
            return ops.mean(ops.binary_crossentropy(wanted, y_pred, from_logits=self.from_logits), axis=-1)
        classes = y_pred.shape[-1]
        if self.name.startswith("sparse"):
            y_true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), classes, dtype=y_pred.dtype)
        wanted = self._mixed(y_true) * (1.0 - smoothing) + smoothing / classes
        if focal:
            return ops.sum(
                wanted * self._term(self._bounded(ops.softmax(y_pred) if self.from_logits else y_pred)), axis=-1
            )
        return ops.categorical_crossentropy(wanted, y_pred, from_logits=self.from_logits)

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it.

        Raises:
            ValueError: It has to know a layer of the model.
        """
        if self._mixup is not None:
            raise ValueError(
                "augmentation.mixup: a model that mixes its images cannot be saved as a whole while it is trained, for "
                "its loss has to know the layer that mixes them; save_weights() keeps what it has learnt"
            )
        return {
            "name": self.name,
            "smoothing": float(self.smoothing),
            "logits": self.from_logits,
            "gamma": float(self.gamma),
        }

    def _term(self, known: Any) -> Any:
        """What a probability of the right answer costs."""
        ops = keras.ops
        return -ops.power(1.0 - known, ops.cast(self.gamma, known.dtype)) * ops.log(known)

    def _bounded(self, probabilities: Any) -> Any:
        epsilon = keras.config.epsilon()
        return keras.ops.clip(probabilities, epsilon, 1.0 - epsilon)

    def _mixed(self, labels: Any) -> Any:
        from spaces.layers.random_layers import mixed

        share = None if self._mixup is None else self._mixup.share
        return labels if share is None else mixed(keras.ops.cast(labels, share.dtype), share)


@keras.saving.register_keras_serializable(PACKAGE)
class ScaledLoss(keras.losses.Loss):  # type: ignore[misc]
    """A loss of regression whose value is in the unit of the targets, and whose gradient that of scaled targets.

    So a learning rate means the same whatever the unit is, and a score what the user can read.

    Args:
        loss: takes targets and answers.
        scale, mean, std: as in `TargetScale`.
    """

    def __init__(self, loss: keras.losses.Loss, scale: str, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(name=loss.name)
        self._loss = loss
        self._scale = scale
        self._mean = tuple(mean)
        self._std = tuple(std)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of every row, shape (n,)."""
        ops = keras.ops
        y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
        learnt = self._loss.call(self._scaled(y_true), self._scaled(y_pred))
        # The difference is exactly 0: in a sum with what is learnt, the loss of targets in a small unit has no digits.
        return ops.stop_gradient(self._loss.call(y_true, y_pred)) + (learnt - ops.stop_gradient(learnt))

    def _scaled(self, values: Any) -> Any:
        ops = keras.ops
        if self._scale == "log":
            values = ops.log(ops.maximum(values, keras.config.epsilon() ** 4))
        return (values - ops.array(self._mean, values.dtype)) / ops.array(self._std, values.dtype)

    def get_config(self) -> dict[str, Any]:
        """What a model's file says of it."""
        loss = keras.losses.serialize(self._loss)
        return {"loss": loss, "scale": self._scale, "mean": list(self._mean), "std": list(self._std)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ScaledLoss:
        """The loss that a model's file tells of."""
        return cls(**{**config, "loss": keras.losses.deserialize(config["loss"])})


def output_scaling(target: TargetScale) -> list[keras.layers.Layer]:
    """Layers after the output that bring it from the scale that is learnt to the unit of the targets."""
    many = len(target.mean) > 1
    std: Any = list(target.std) if many else target.std[0]
    mean: Any = list(target.mean) if many else target.mean[0]
    made: list[keras.layers.Layer] = [keras.layers.Rescaling(std, mean, name="target_scale")]
    if target.scale == "log":
        made.append(keras.layers.Activation("exponential", name="target_exponential"))
    return made


def make_loss(
    loss: str, info: DataInfo, output: str, smoothing: float = 0.0, mixup: Mixup | None = None, gamma: float = 0.0
) -> keras.losses.Loss:
    """The Keras loss.

    Args:
        loss: as in the space file.
        info: description of the data.
        output: `probabilities` or `logits`.
        smoothing: the share of a label that goes to all classes alike.
        mixup: the layer of the model that mixes its images; None for none.
        gamma: the focal exponent; 0 for none.
    """
    made, target = _plain_loss(loss, info, output, smoothing, mixup, gamma), info.target
    return made if target is None else ScaledLoss(made, target.scale, target.mean, target.std)


def _plain_loss(
    loss: str, info: DataInfo, output: str, smoothing: float, mixup: Mixup | None, gamma: float
) -> keras.losses.Loss:
    name, logits = loss_name(loss, info), output == "logits"
    if (smoothing or gamma or mixup is not None) and info.task == "classification":
        return SoftCrossentropy(name, smoothing, logits=logits, mixup=mixup, gamma=gamma)
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
    return [_metric(name, loss_name(loss, info), info, output) for name in names if not is_own(name)]


def _metric(name: str, loss: str, info: DataInfo, output: str) -> keras.metrics.Metric:
    if task_of("auto", (name,)) != info.task:
        hint = "set loss: mse, or metrics: [mae]" if info.task == "regression" else "set metrics: [accuracy]"
        raise ValueError(f"metric {name} is not defined for {info.task}, which the data are for; {hint}")
    binary = loss == "binary_crossentropy"
    metrics = keras.metrics
    # A logit of 0 is a probability of one half.
    threshold = 0.0 if output == "logits" else 0.5
    sparse = info.labels == "integer"
    if info.labels == "multi-label" and name in OF_EACH_LABEL:
        return OfEachLabel(name, info.outputs, threshold)
    if info.labels == "multi-label" and name in ("top_k", "top_5_accuracy"):
        raise ValueError(f"metric {name} is for rows of one class each; the rows have several labels")
    if name in CURVES:
        several = info.labels == "multi-label"
        return Area(name, CURVES[name], info.outputs, several=several, logits=output == "logits")
    if name in OF_CONFUSION:
        return FromConfusion(name, info.outputs, threshold)
    top_5 = metrics.SparseTopKCategoricalAccuracy if sparse else metrics.TopKCategoricalAccuracy
    makers: dict[str, Any] = {
        "accuracy": lambda: (
            metrics.BinaryAccuracy(name=name, threshold=threshold)
            if binary
            else (metrics.SparseCategoricalAccuracy if sparse else metrics.CategoricalAccuracy)(name=name)
        ),
        "top_5_accuracy": lambda: top_5(k=5, name=name),
        "top_k": lambda: top_5(k=5, name=name),
        "mae": lambda: metrics.MeanAbsoluteError(name=name),
        "mse": lambda: metrics.MeanSquaredError(name=name),
        "rmse": lambda: metrics.RootMeanSquaredError(name=name),
        "mape": lambda: metrics.MeanAbsolutePercentageError(name=name),
        "r2_score": lambda: R2(name, info.outputs),
        "r2": lambda: R2(name, info.outputs),
    }
    return makers[name]()
