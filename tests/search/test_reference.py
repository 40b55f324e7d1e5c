"""What another method reaches on the rows of a table is measured once, on the same parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from search.record.first import reference as module
from search.record.first.reference import reference
from spaces.data.types import DataInfo
from spaces.layers.loss import make_loss, make_metrics
from spaces.values.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS


def table(tmp_path: Path, **training: Any) -> spaces.SearchSpec:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(300, 2))
    target = x[:, 0] * 1000 if training else (x[:, 0] > 0).astype(int)
    rows = "\n".join(f"{a:.4f},{b:.4f},{y}" for (a, b), y in zip(x, target, strict=True))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    return spaces.load({
        "name": "t", "data": {"source": {"csv": str(tmp_path / "t.csv")}},
        "model": {"family": "mlp", "layers": 0}, "training": {"epochs": 1, **training},
    })  # fmt: skip


def test_classes_have_accuracy_loss_and_auc(tmp_path: Path) -> None:
    spec = table(tmp_path)
    found = reference(spec, spaces.load_data(spec))
    assert found is not None
    assert found["name"] == "gradient boosting"
    for part in ("validation", "test"):
        assert set(found["scores"][part]) == {*CLASSIFICATION_METRICS, "loss"}
        assert found["scores"][part]["accuracy"] > 0.9


def test_numbers_have_errors_in_the_unit_of_the_target(tmp_path: Path) -> None:
    spec = table(tmp_path, loss="mse")
    data = spaces.load_data(spec)
    found = reference(spec, data)
    assert found is not None
    scores = found["scores"]["validation"]
    assert scores["r2"] == pytest.approx(1 - scores["mse"] / data.validation.y.var(), rel=1e-4)
    assert scores["loss"] == scores["mse"]
    assert 10 < scores["mae"] < 300


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh"])
@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, 50, dtype=np.float32)], ids=["alike", "weighted"])
def test_numbers_are_measured_as_those_of_models(loss: str, weight: Any) -> None:
    generator = np.random.default_rng(0)
    y = generator.normal(size=50).astype(np.float32)
    answers = y + generator.normal(size=50).astype(np.float32)
    found = module._of_numbers(loss, spaces.Split(y[:, None], y, weight), answers)
    info = DataInfo("tabular", (1,), "float32", "regression", "number", 1)
    assert set(found) == {*REGRESSION_METRICS, "loss"}
    for metric in make_metrics(tuple(REGRESSION_METRICS), loss, info, "probabilities"):
        metric.update_state(y[:, None], answers[:, None], None if weight is None else weight)
        assert found[metric.name] == pytest.approx(float(metric.result()), rel=1e-4), metric.name
    losses = make_loss(loss, info, "probabilities").call(y[:, None], answers[:, None])
    assert found["loss"] == pytest.approx(np.average(losses, weights=weight), rel=1e-4)


@pytest.mark.parametrize("count", [2, 7])
@pytest.mark.parametrize("weight", [None, np.linspace(0, 2, 90, dtype=np.float32)], ids=["alike", "weighted"])
def test_classes_are_measured_as_those_of_models(count: int, weight: Any) -> None:
    generator = np.random.default_rng(count)
    y = generator.integers(0, count, 90).astype(np.int32)
    answers = generator.dirichlet(np.ones(count), 90) * 0.7 + 0.3 * np.eye(count)[y]
    found = module._of_classes(y, answers, weight)
    assert set(found) == set(CLASSIFICATION_METRICS)
    info = DataInfo("tabular", (1,), "float32", "classification", "integer", count)
    for metric in make_metrics(tuple(CLASSIFICATION_METRICS), "auto", info, "probabilities"):
        metric.update_state(y, answers.astype(np.float32), weight)
        near = 0.002 if metric.name.endswith("auc") else 1e-4
        assert found[metric.name] == pytest.approx(float(metric.result()), abs=near), metric.name


def classes(y: Any, form: str = "integer") -> spaces.Split:
    y = np.asarray(y, np.int32)
    x = np.random.default_rng(len(y)).normal(size=(len(y), 2)).astype(np.float32) + 3 * y[:, None]
    return spaces.Split(x, np.eye(3, dtype=np.float32)[y] if form == "one-hot" else y)


def of_parts(spec: spaces.SearchSpec, train: spaces.Split, validation: spaces.Split, **changes: Any) -> dict[str, Any]:
    data = spaces.load_data(spec)
    info = replace(data.info, outputs=3, class_names=("a", "b", "c"), **changes)
    found = reference(spec, replace(data, info=info, train=train, validation=validation, test=None))
    assert found is not None
    return found


def test_a_class_that_training_never_saw_has_no_loss(tmp_path: Path) -> None:
    found = of_parts(table(tmp_path), classes([0, 1] * 30), classes([0, 1, 2] * 5))
    assert set(found["scores"]["validation"]) == set(CLASSIFICATION_METRICS)
    assert "failed" not in found


def test_one_hot_labels_are_classes(tmp_path: Path) -> None:
    found = of_parts(
        table(tmp_path), classes([0, 1, 2] * 30, "one-hot"), classes([0, 1, 2] * 9, "one-hot"), labels="one-hot"
    )
    assert found["scores"]["validation"]["accuracy"] > 0.5


def test_a_class_of_one_row_among_many(tmp_path: Path) -> None:
    found = of_parts(table(tmp_path), classes([0, 1] * 5050 + [2]), classes([0, 1] * 20))
    assert found["scores"]["validation"]["accuracy"] > 0.5


def test_where_it_cannot_be_fitted_it_says_so_and_the_run_goes_on(tmp_path: Path) -> None:
    found = of_parts(table(tmp_path), classes([1] * 60), classes([0, 1] * 9))
    assert found["scores"] == {}
    assert found["failed"] == "gradient boosting has no score to compare with: all its training rows are of one class"


def test_what_is_no_table_or_would_take_long_has_none(tmp_path: Path, monkeypatch: Any) -> None:
    spec = table(tmp_path)
    data = spaces.load_data(spec)
    monkeypatch.setattr(module, "_MOST_VALUES", 100)
    assert reference(spec, data) is None
    digits = spaces.load("digits")
    assert reference(digits, spaces.load_data(digits)) is None
