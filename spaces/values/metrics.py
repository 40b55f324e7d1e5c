"""Metrics and losses by name: which there are, for which task, and which direction is better."""

from __future__ import annotations

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

CLASSIFICATION_LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "focal")
REGRESSION_LOSSES = ("mse", "mae", "huber", "log_cosh")
LOSSES = ("auto", *CLASSIFICATION_LOSSES, *REGRESSION_LOSSES)


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
    """Which direction of a reported value is better, as Keras Tuner infers it; None for an unknown one."""
    base = name.removeprefix("val_")
    return "min" if base == "loss" else METRICS.get(base)
