from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import spaces
from search.phases import evaluation
from search.phases.evaluation import FinalModel, compared
from search.phases.together import compare
from search.record.trial import Checkpoint, Trial, TrialKind, TrialState
from spaces import DataInfo, Split


def answers(right, rows):
    """Probabilities of two classes whose larger one is right in the rows named; the truth is class 1."""
    found = np.full((rows, 2), (0.6, 0.4))
    found[list(right)] = (0.3, 0.7)
    return found


def test_models_that_err_in_different_rows_are_better_together():
    rows = 300
    members = [answers(set(range(rows)) - set(range(k, rows, 3)), rows) for k in range(3)]
    found = compare(np.mean(members, axis=0), members[0], np.ones(rows), classes=True, accuracy=True)
    assert (found.measure, found.together, found.better) == ("accuracy", 1.0, True)
    assert found.alone == pytest.approx(2 / 3)
    # Of the 300 differences 100 are 1 and 200 are 0.
    deviation = math.sqrt((100 * (1 - 1 / 3) ** 2 + 200 * (1 / 3) ** 2) / 299)
    assert found.certainty == pytest.approx((1 / 3) / (deviation / math.sqrt(300)))


def test_a_difference_of_two_rows_is_no_difference():
    rows = 300
    first = answers(range(2, rows), rows)
    others = [answers(range(rows), rows)] * 2
    found = compare(np.mean([first, *others], axis=0), first, np.ones(rows), classes=True, accuracy=True)
    assert found.together > found.alone
    assert not found.better


def test_equal_models_and_worse_company_are_not_better():
    same = answers(range(10), 20)
    assert compare(same, same, np.ones(20), classes=True, accuracy=True).certainty == 0
    worse = np.mean([same, *[answers((), 20)] * 2], axis=0)
    assert compare(worse, same, np.ones(20), classes=True, accuracy=True).certainty < 0


def test_losses_are_compared_where_the_objective_is_one():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    members = [(y + rng.normal(scale=0.5, size=200))[:, None] for _ in range(3)]
    mean = np.mean(members, axis=0)
    found = compare(mean, members[0], y, classes=False, accuracy=False)
    assert found.measure == "mse"
    assert found.alone == pytest.approx(((members[0][:, 0] - y) ** 2).mean())
    assert found.together == pytest.approx(((mean[:, 0] - y) ** 2).mean())
    assert found.better


@pytest.mark.parametrize("one_hot", [False, True])
def test_cross_entropy_of_one_output_and_of_several(one_hot):
    y = np.array([1, 0, 1, 1])
    single = np.array([[0.9], [0.2], [0.6], [0.5]])
    several = np.hstack([1 - single, single])
    labels = np.eye(2)[y] if one_hot else y
    expected = -np.log([0.9, 0.8, 0.6, 0.5]).mean()
    for found in (single, several):
        assert compare(found, found, labels, classes=True, accuracy=False).alone == pytest.approx(expected)


@pytest.mark.parametrize("accuracy", [True, False])
def test_rows_count_by_their_weights(accuracy):
    def numbers(found):
        return found.together, found.alone, found.certainty

    rng = np.random.default_rng(0)
    right, wrong = answers(range(60), 60), answers((), 60)
    together = np.where(rng.random((60, 1)) < 0.6, right, wrong)
    alone = np.where(rng.random((60, 1)) < 0.5, right, wrong)
    weight = np.repeat(np.float32([0, 1, 2]), 20)
    found = compare(together, alone, np.ones(60), weight, classes=True, accuracy=accuracy)
    # A row of weight 0 might as well be missing.
    others = compare(together[20:], alone[20:], np.ones(40), weight[20:], classes=True, accuracy=accuracy)
    assert numbers(found) == pytest.approx(numbers(others))
    gains = (together[20:] - alone[20:])[:, 1] / 0.3 if accuracy else np.log(together[20:, 1] / alone[20:, 1])
    shares = np.repeat([1 / 60, 2 / 60], 20)
    mean = shares @ gains
    error = math.sqrt(((shares * (gains - mean)) ** 2).sum() * 40 / 39)
    assert found.certainty == pytest.approx(mean / error, rel=1e-5)
    weights = None, np.full(60, 3)
    plain, alike = (compare(together, alone, np.ones(60), w, classes=True, accuracy=accuracy) for w in weights)
    assert numbers(plain) == pytest.approx(numbers(alike))


class Answering:
    """An engine whose model gives the same answer to all rows."""

    model = SimpleNamespace(loss=None)

    def __init__(self, answer):
        self._answer = answer

    def predict(self, rows):
        return np.tile(np.float32(self._answer), (rows, 1))


@pytest.mark.parametrize(("output", "right"), [("logits", 1.0), ("probabilities", 0.0)])
def test_what_is_averaged_is_what_the_exported_model_averages(monkeypatch, output, right):
    """Of logits a model that is very sure outweighs two others; of probabilities it does not."""
    logits = {"a": (10.0, 0.0), "b": (-1.0, 1.0), "c": (-1.0, 1.0)}
    given = {n: v if output == "logits" else np.exp(v) / np.exp(v).sum() for n, v in logits.items()}
    spec = spaces.load({
        "name": "x", "data": {"source": "digits"}, "model": {"family": "mlp", "layers": 0, "output": output},
        "training": {"epochs": 1},
    })  # fmt: skip
    settings = spaces.configure(spec, {})
    monkeypatch.setattr(
        evaluation, "_ready", lambda run, data, model, part: (Answering(given[model.trial.id]), len(part), settings)
    )
    info = DataInfo("image", (2, 2), "uint8", "classification", "integer", 2)
    part = Split(np.zeros((5, 2, 2)), np.zeros(5, np.int64))
    data = SimpleNamespace(info=info, validation=part)
    models = [
        FinalModel(
            Trial(n, n, TrialKind.SEARCH, "", {}, settings.to_json(), 0, 0, 1, None, TrialState.COMPLETED, None, 0, 1),
            Checkpoint("weights.npz", 1, "", 1),
        )
        for n in logits
    ]
    found, times = compared(None, data, models, models[1], accuracy=True)
    assert (found.together, found.alone) == (right, 0.0)
    assert times > 0
