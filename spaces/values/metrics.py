"""Metrics and losses by name: which there are, for which task, and which direction is better."""

from __future__ import annotations

import math
from typing import Literal

Direction = Literal["min", "max"]
Task = Literal["classification", "regression"]

CLASSIFICATION_METRICS: dict[str, Direction] = {
    "accuracy": "max",
    "top_5_accuracy": "max",
    "top_k": "max",
    "f1": "max",
    "balanced_accuracy": "max",
    "auc": "max",
    "pr_auc": "max",
    "precision": "max",
    "recall": "max",
    "mcc": "max",
}
REGRESSION_METRICS: dict[str, Direction] = {
    "mae": "min",
    "mse": "min",
    "rmse": "min",
    "mape": "min",
    "r2_score": "max",
    "r2": "max",
}
METRICS: dict[str, Direction] = {**CLASSIFICATION_METRICS, **REGRESSION_METRICS}
USUAL: dict[Task, str] = {"classification": "accuracy", "regression": "mae"}
"""The metric of a space that names none."""

_BETTER_ABOVE = (
    "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "f1_score", "fbeta_score", "true_positives", "true_negatives",
    "precision_at_recall", "recall_at_precision", "sensitivity_at_specificity", "specificity_at_sensitivity",
    "mean_io_u", "binary_io_u", "io_u", "one_hot_io_u", "one_hot_mean_io_u", "pearson_correlation",
    "concordance_correlation",
)  # fmt: skip
_BETTER_BELOW = (
    "loss", "crossentropy", "ce", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy",
    "binary_focal_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "hinge", "squared_hinge", "categorical_hinge",
    "kl_divergence", "kullback_leibler_divergence", "kld", "poisson", "false_positives", "false_negatives",
    "mean_squared_error", "root_mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error", "msle", "log_cosh", "logcosh", "huber", "huber_loss",
)  # fmt: skip
# What Keras reports under its own names where a function of the user's compiles its model.
_OF_KERAS: dict[str, Direction] = {**dict.fromkeys(_BETTER_ABOVE, "max"), **dict.fromkeys(_BETTER_BELOW, "min")}

CLASSIFICATION_LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "focal")
REGRESSION_LOSSES = ("mse", "mae", "huber", "log_cosh")
LOSSES = ("auto", *CLASSIFICATION_LOSSES, *REGRESSION_LOSSES)


def bounds_of(metric: str) -> tuple[float, float]:
    """The least and the most that a metric can be, as far as its name tells."""
    if metric == "mcc":
        return -1.0, 1.0
    if metric in CLASSIFICATION_METRICS or "accuracy" in metric:
        return 0.0, 1.0
    if REGRESSION_METRICS.get(metric) == "max":
        return -math.inf, 1.0
    return (0.0 if metric in REGRESSION_METRICS else -math.inf), math.inf


def task_of(loss: str, metrics: tuple[str, ...] | None) -> Task:
    """The task that a loss and metrics are for; classification where they leave it open."""
    if loss in REGRESSION_LOSSES:
        return "regression"
    known = [metric for metric in metrics or () if not is_own(metric)]
    if loss == "auto" and known and all(metric in REGRESSION_METRICS for metric in known):
        return "regression"
    return "classification"


def is_own(metric: str) -> bool:
    """Whether a metric is a function of the user's, `module:function`."""
    return ":" in metric


def reported_name(metric: str) -> str:
    """The name of a metric in the history, with or without `val_` before it: of a function's reference its own name."""
    if not is_own(metric):
        return metric
    validated = "val_" if metric.startswith("val_") else ""
    return validated + metric.rpartition(":")[2]


def history_names(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """What a training with these metrics reports after every epoch; functions of the user's are for validation only."""
    names = ("loss", *(metric for metric in metrics if not is_own(metric)))
    validated = ("loss", *map(reported_name, metrics))
    return (*names, *(f"val_{name}" for name in validated))


def direction_of(name: str) -> Direction | None:
    """Which direction of a reported value is better; None for an unknown one."""
    base = name.removeprefix("val_").removeprefix("weighted_")
    return METRICS.get(base) or _OF_KERAS.get(base)
