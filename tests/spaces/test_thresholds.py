"""The threshold between two classes suits the measure, and follows no single row."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from spaces.models import thresholds

RANDOM = np.random.default_rng(4)
LABELS = (RANDOM.random(3000) < 0.1).astype(np.int32)
PROBABILITIES = 1 / (1 + np.exp(-(RANDOM.normal(size=3000) + 2.0 * LABELS - 2.5)))
SCORES = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": lambda y, given: metrics.f1_score(y, given, average="macro"),
    "f1 of the second class": metrics.f1_score,
    "mcc": metrics.matthews_corrcoef,
}


@pytest.mark.parametrize("measure", SCORES)
def test_the_chosen_one_is_nearly_as_good_as_any(measure: str) -> None:
    found = thresholds.choose(measure, LABELS, PROBABILITIES)
    score = SCORES[measure]
    assert found.score == pytest.approx(score(LABELS, found.value <= PROBABILITIES))
    assert found.plain == pytest.approx(score(LABELS, PROBABILITIES >= 0.5))
    assert found.score == pytest.approx(thresholds.measured(measure, LABELS, PROBABILITIES, found.value))
    best = max(score(LABELS, cut <= PROBABILITIES) for cut in np.linspace(0.01, 0.99, 99))
    assert found.score >= best - 0.02


def test_rare_classes_want_a_lower_one_where_both_count_alike() -> None:
    assert thresholds.choose("balanced_accuracy", LABELS, PROBABILITIES).value < 0.35
    assert thresholds.choose("accuracy", LABELS, PROBABILITIES).value > 0.35


def test_weights_count() -> None:
    heavy = np.where(LABELS == 1, 9.0, 1.0)
    balanced = thresholds.choose("balanced_accuracy", LABELS, PROBABILITIES)
    weighted = thresholds.choose("accuracy", LABELS, PROBABILITIES, heavy)
    assert weighted.value == pytest.approx(balanced.value, abs=0.1)


def test_of_equals_the_one_nearest_to_one_half_is_taken() -> None:
    labels, certain = np.array([0] * 50 + [1] * 50), np.array([0.1] * 50 + [0.9] * 50)
    found = thresholds.choose("f1", labels, certain)
    assert (found.value, found.score, found.plain) == (0.5, 1.0, 1.0)


def test_one_class_alone_gives_a_number() -> None:
    for measure in SCORES:
        assert np.isfinite(thresholds.choose(measure, np.zeros(9, np.int32), np.linspace(0, 1, 9)).score)
