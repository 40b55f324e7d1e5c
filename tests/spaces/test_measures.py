"""Measures of classes are those of all rows together, however they come in batches, as scikit-learn computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from spaces.data.types import DataInfo
from spaces.layers.loss import make_metrics
from spaces.values.metrics import direction_of

NAMES = ("f1", "balanced_accuracy", "mcc", "precision", "recall", "auc", "pr_auc")


def info(classes: int, labels: Any) -> DataInfo:
    return DataInfo("tabular", (3,), "float32", "classification", labels, classes)


def rows(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which some are rare, and logits that know a little of them."""
    generator = np.random.default_rng(classes)
    y = generator.choice(classes, 300, p=np.array([0.7, *[0.3 / (classes - 1)] * (classes - 1)]))
    logits = generator.normal(size=(300, classes)) + 1.5 * np.eye(classes)[y]
    return y.astype(np.int32), logits.astype(np.float32)


def measured(made: list[Any], y: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    for metric in made:
        for start in (0, 7, 130):
            stop = {0: 7, 7: 130, 130: 300}[start]
            metric.update_state(y[start:stop], answers[start:stop])
    return {metric.name: float(metric.result()) for metric in made}


def expected(y: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    chosen = probabilities.argmax(axis=1)
    one_hot = np.eye(probabilities.shape[1])[y]
    two = probabilities.shape[1] == 2
    macro: dict[str, Callable[..., float]] = {
        "f1": metrics.f1_score, "precision": metrics.precision_score, "recall": metrics.recall_score,
    }  # fmt: skip
    return {
        **{name: score(y, chosen, average="macro") for name, score in macro.items()},
        "balanced_accuracy": metrics.balanced_accuracy_score(y, chosen),
        "mcc": metrics.matthews_corrcoef(y, chosen),
        "auc": metrics.roc_auc_score(y, probabilities[:, 1]) if two else metrics.roc_auc_score(one_hot, probabilities),
        "pr_auc": metrics.average_precision_score(
            one_hot[:, 1] if two else one_hot, probabilities[:, 1] if two else probabilities
        ),
    }


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("labels", ["integer", "one-hot"])
@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_they_are_those_of_all_rows(classes: int, labels: Any, output: str) -> None:
    y, logits = rows(classes)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    made = make_metrics(NAMES, "auto", info(classes, labels), output)
    given = np.eye(classes, dtype=np.float32)[y] if labels == "one-hot" else y
    found = measured(made, given, logits if output == "logits" else probabilities)
    wanted = expected(y, probabilities)
    for name in NAMES:
        # Areas are sums over 200 thresholds.
        assert found[name] == pytest.approx(wanted[name], abs=0.02 if name.endswith("auc") else 1e-5), name
    for metric in made:
        metric.reset_state()
    again = measured(made, given[::-1], (logits if output == "logits" else probabilities)[::-1])
    assert again == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_one_output_is_for_the_second_of_two_classes(output: str) -> None:
    y, logits = rows(2)
    single = (logits[:, 1] - logits[:, 0])[:, None]
    probabilities = 1 / (1 + np.exp(-single))
    made = make_metrics(("f1", "mcc", "balanced_accuracy"), "binary_crossentropy", info(2, "integer"), output)
    found = measured(made, y, single if output == "logits" else probabilities)
    wanted = expected(y, np.concatenate([1 - probabilities, probabilities], axis=1))
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-5)


def test_a_class_that_never_occurs_counts_in_no_mean() -> None:
    y, answers = np.array([0, 0, 1, 1]), np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]
    made = make_metrics(("f1", "balanced_accuracy", "mcc"), "auto", info(3, "integer"), "probabilities")
    for metric in made:
        assert float(metric.result()) == 0
        metric.update_state(y, answers)
    chosen = answers.argmax(axis=1)
    assert [float(metric.result()) for metric in made] == pytest.approx([
        metrics.f1_score(y, chosen, average="macro"), 0.75, metrics.matthews_corrcoef(y, chosen),
    ])  # fmt: skip


def test_their_directions_are_known() -> None:
    assert {direction_of(f"val_{name}") for name in (*NAMES, "top_k", "r2")} == {"max"}
    assert {direction_of(f"val_{name}") for name in ("mape", "rmse", "mae")} == {"min"}
