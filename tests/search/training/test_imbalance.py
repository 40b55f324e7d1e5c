"""Rows that count differently: weights of rows and of classes, rare classes more often, the focal loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

import spaces
from search.training.engine import Engine, Rows, fresh
from spaces import DataInfo, Settings, Split
from spaces.layers.loss import make_loss
from tests.search import small

INFO = DataInfo("tabular", (2,), "float32", "classification", "integer", 3)


def split(weights: Any = None) -> Split:
    """Twelve rows of three classes, of which one is rare."""
    generator = np.random.default_rng(0)
    y = np.array([0] * 8 + [1] * 3 + [2], np.int32)
    return Split(generator.normal(size=(12, 2)).astype(np.float32), y, weights)


def settings(**training: Any) -> Settings:
    made = Settings.from_json(small.settings(small.VALUES["adam with dropout"]))
    return replace(
        made, model={**made.model, "dropout": 0.0}, training=replace(made.training, batch_size=5, **training)
    )


def test_balanced_classes_count_alike() -> None:
    weights = Rows(split()).weights(balanced=True).numpy()
    assert weights.mean() == pytest.approx(1)
    assert [weights[split().y == label].sum() for label in range(3)] == pytest.approx([4, 4, 4])
    assert Rows(split()).weights(balanced=False) is None


def test_weights_of_rows_are_one_on_average_and_multiply_those_of_classes() -> None:
    given = np.arange(12, dtype=np.float32)
    rows = Rows(split(given))
    np.testing.assert_allclose(rows.weights(balanced=False), given / given.mean())
    balanced = Rows(split()).weights(balanced=True).numpy()
    np.testing.assert_allclose(rows.weights(balanced=True), balanced * given / given.mean(), rtol=1e-6)


def test_oversampling_brings_every_class_as_often_as_the_commonest_and_no_row_is_left_out() -> None:
    rows = Rows(split())
    order = rows.order(np.random.default_rng(1), oversample=True)
    assert np.bincount(split().y[order]).tolist() == [8, 8, 8]
    assert set(order) == set(range(12))
    assert order.tolist() == rows.order(np.random.default_rng(1), oversample=True).tolist()
    assert order.tolist() != rows.order(np.random.default_rng(2), oversample=True).tolist()


def test_one_hot_rows_are_weighted_and_oversampled_as_their_classes() -> None:
    plain = split()
    rows = Rows(Split(plain.x, np.eye(3, dtype=np.float32)[plain.y]))
    np.testing.assert_array_equal(rows.weights(balanced=True), Rows(plain).weights(balanced=True))
    assert len(rows.order(np.random.default_rng(0), oversample=True)) == 24


@pytest.mark.parametrize("weights", [None, np.linspace(0.2, 3, 12, dtype=np.float32)], ids=["alike", "weighted"])
def test_an_epoch_with_balanced_classes_is_one_of_fit_with_these_weights(weights: Any) -> None:
    part, info = split(weights), replace(INFO, weighted=weights is not None)
    ours, theirs = (spaces.build_model(settings(class_weight="balanced"), info, seed=3) for _ in range(2))
    engine, rows = Engine(ours, 4, 5, balanced=True), Rows(part)
    engine.prepare(rows)
    found = engine.train_epoch(rows, 1)
    order = np.random.default_rng([4, 1]).permutation(12)
    expected = theirs.fit(
        part.x[order], part.y[order], sample_weight=rows.weights(balanced=True).numpy()[order], batch_size=5,
        shuffle=False, verbose=0,
    ).history  # fmt: skip
    assert found == pytest.approx({name: expected[name][0] for name in found}, abs=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("weights", [None, np.linspace(0.2, 3, 12, dtype=np.float32)], ids=["alike", "weighted"])
def test_a_class_that_is_drawn_as_often_as_any_other_is_not_weighted_besides(weights: Any) -> None:
    rows, info = Rows(split(weights)), replace(INFO, weighted=weights is not None)

    def trained(**training: Any) -> dict[str, float]:
        engine = fresh(settings(**training), info, 3)
        engine.prepare(rows)
        return engine.train_epoch(rows, 1)

    assert trained(class_weight="balanced", oversample=True) == trained(oversample=True) != trained()


def test_what_is_validated_counts_rows_by_their_own_weights_only() -> None:
    weights = np.array([1.0] * 8 + [10.0] * 4, np.float32)
    part = split(weights)
    made = settings(class_weight="balanced", metrics=("accuracy", "f1", "auc"))
    engine = Engine(spaces.build_model(made, replace(INFO, weighted=True), seed=3), 0, 5, balanced=True)
    rows = Rows(part)
    engine.prepare(rows)
    found, answers = engine.evaluate(rows), engine.predict(rows)
    right = answers.argmax(axis=1) == part.y
    assert found["accuracy"] == pytest.approx(np.average(right, weights=weights))
    losses = -np.log(answers[np.arange(12), part.y])
    assert found["loss"] == pytest.approx(np.average(losses, weights=weights), abs=1e-5)
    assert found["accuracy"] != pytest.approx(right.mean())


def focal(p: np.ndarray, gamma: float) -> np.ndarray:
    return -((1 - p) ** gamma) * np.log(p)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_the_focal_loss_is_that_of_its_article_while_training_and_plain_while_validating(output: str) -> None:
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 2], np.int32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = logits if output == "logits" else probabilities
    loss = make_loss("focal", INFO, output, gamma=2.0)
    right = probabilities[np.arange(6), y]
    np.testing.assert_allclose(loss.call(y, keras.ops.array(answers)), focal(right, 2.0), rtol=1e-4)
    loss.training = False
    np.testing.assert_allclose(loss.call(y, keras.ops.array(answers)), focal(right, 0.0), rtol=1e-4)


def test_the_focal_loss_of_one_output_is_that_of_either_class() -> None:
    p, y = np.array([[0.1], [0.7], [0.4]], np.float32), np.array([0, 1, 1], np.int32)
    loss = make_loss("binary_crossentropy", replace(INFO, outputs=2), "probabilities", gamma=1.5)
    expected = focal(np.where(y == 1, p[:, 0], 1 - p[:, 0]), 1.5)
    np.testing.assert_allclose(loss.call(y, keras.ops.array(p)), expected, rtol=1e-4)


def test_trainings_that_share_a_network_train_as_those_with_one_of_their_own(tmp_path, digits) -> None:
    from search.clock import SystemClock
    from search.training.trainer import Trainer

    def train(trainer: Any, **training: Any) -> list[dict[str, float]]:
        made = replace(Settings.from_json(small.settings(small.VALUES["adam with dropout"])))
        made = replace(made, training=replace(made.training, epochs=2, **training))
        outcome = trainer.train(small.job(settings=made.to_json(), epochs_to=2))
        assert outcome.failure is None
        return [dict(epoch.metrics) for epoch in outcome.epochs]

    recipes: list[dict[str, Any]] = [
        {"class_weight": "balanced"}, {"oversample": True}, {"focal_gamma": 1.0}, {"focal_gamma": 3.0}, {},
    ]  # fmt: skip
    together = Trainer(tmp_path, digits, SystemClock())
    shared = [train(together, **recipe) for recipe in recipes]
    assert shared[2] == train(Trainer(tmp_path, digits, SystemClock()), focal_gamma=1.0)
    assert shared[3] == train(Trainer(tmp_path, digits, SystemClock()), focal_gamma=3.0)
    assert len({str(curve) for curve in shared}) == len(recipes), "each has an effect"
    assert train(together, class_weight="balanced", oversample=True) == shared[1]
