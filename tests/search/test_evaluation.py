"""What a final model is measured with: what it answered, once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spaces
from search.phases import evaluation

MLP = {"family": "mlp", "layers": 1, "units": 8}


@pytest.mark.parametrize(
    "training",
    [
        {"metrics": ["accuracy", "f1", "auc"], "label_smoothing": 0.3},
        {"metrics": ["accuracy", "balanced_accuracy"], "focal_gamma": 2, "class_weight": "balanced"},
        {"metrics": ["accuracy"], "optimizer": "adamw", "weight_decay": 0.1, "precision": "bfloat16"},
    ],
)
def test_the_answers_are_measured_as_the_model_is(training: dict[str, Any], tensorflow: None) -> None:
    from search.training.engines import engines

    spec = spaces.load({
        "name": "x", "data": {"source": "digits", "limit": 400}, "model": MLP, "training": {"epochs": 1, **training},
    })  # fmt: skip
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {})
    rows = engines().rows(data.test)
    engine = engines().fresh(settings, data.info, seed=3)
    engine.prepare(rows)
    # So that it is sure of what is wrong, too.
    engine.model.set_weights([4 * array for array in engine.model.get_weights()])
    answered = engine.predict(rows)
    assert answered.min() < 1e-8
    engine.evaluate = None  # the rows are read once
    found = evaluation._measured(engine, rows, answered, settings, data.info)
    del engine.evaluate
    expected = engine.evaluate(rows)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.isfinite(value)
        assert found[name] == pytest.approx(value, rel=1e-5), name


def test_a_probability_of_one_half_is_the_first_class_as_keras_counts() -> None:
    classes, confidence = evaluation.decided(np.array([[0.5], [0.51], [0.25]]))
    assert classes.tolist() == [0, 1, 0]
    assert confidence.tolist() == [0.5, 0.51, 0.75]
