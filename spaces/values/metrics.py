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
    if loss == "auto" and metrics and all(metric in REGRESSION_METRICS for metric in metrics):
        return "regression"
    return "classification"


def history_names(metrics: tuple[str, ...]) -> tuple[str, ...]:
    """What a training with these metrics reports after every epoch."""
    names = ("loss", *metrics)
    return (*names, *(f"val_{name}" for name in names))


def direction_of(name: str) -> Direction | None:
    """Which direction of a reported value is better, as Keras Tuner infers it; None for an unknown one."""
    base = name.removeprefix("val_")
    return "min" if base == "loss" else METRICS.get(base)
