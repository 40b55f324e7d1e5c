"""The Gaussian process, the acquisition, and the search with them."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from search.oracles import oracle
from search.oracles._acquisition import log_improvement
from search.oracles._gp import GaussianProcess, Kernel, Points, fit_kernel
from search.oracles.bayesian import standardised

GROUPS = np.array([0, 1, 2, 2])


def data(count=40, seed=0):
    """A function of two of three hyperparameters that rises with the training length."""
    rng = np.random.default_rng(seed)
    points = Points(rng.random((count, 4)), rng.integers(0, 4, count).astype(float))
    return points, np.sin(5 * points.features[:, 0]) + points.features[:, 2] - 0.2 * points.halvings


@pytest.mark.parametrize(
    "parameters",
    [[0.4, 0.9, 1.5, 1.2, 0.02], [0.4, 0.9, 1.5, 1.2, 0.7, 0.5, 1.1, 0.4, 2.2, 0.02]],
    ids=["without lengths", "with lengths"],
)
def test_the_gradient_of_the_likelihood_is_right(parameters):
    points, targets = data()

    def part(index):
        return lambda logs: Kernel(logs, GROUPS).likelihood(points, targets)[index]

    assert check_grad(part(0), part(1), np.log(parameters)) < 1e-3


def test_the_model_finds_what_matters_and_interpolates():
    points, targets = data(80)
    kernel = fit_kernel(points, targets, GROUPS, curves=True)
    model = GaussianProcess(points, targets, kernel)
    new_points, new_targets = data(200, seed=1)
    mean, deviation = model.predict(new_points)
    assert np.sqrt(np.mean((mean - new_targets) ** 2)) < 0.1
    assert model.predict(points)[1].max() < deviation.max()
    relevance = 1 / kernel.lengths[0]
    assert relevance[1] < relevance[0] / 1.5


def test_expected_results_sharpen_the_model_and_move_nothing():
    points, targets = data(30)
    model = GaussianProcess(points, targets, fit_kernel(points, targets, GROUPS, curves=True))
    pending = Points(np.full((1, 4), 0.1), np.zeros(1))
    before, after = model.predict(pending), model.expecting(pending).predict(pending)
    assert after[0] == pytest.approx(before[0], abs=1e-3)
    assert after[1] < 0.5 * before[1]


def test_log_improvement_agrees_with_sampling_and_never_overflows():
    rng = np.random.default_rng(0)
    mean, deviation = np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    samples = np.maximum(rng.normal(mean, deviation, size=(400_000, 3)) - 0.5, 0).mean(axis=0)
    # standard error of the means is below 0.002
    np.testing.assert_allclose(np.exp(log_improvement(mean, deviation, 0.5)), samples, atol=0.008)
    far = log_improvement(np.array([-5.9, -6.1, -100.0]), np.ones(3), 0.0)
    assert np.all(np.isfinite(far))
    assert np.all(np.diff(far) < 0)


def test_scores_far_below_the_median_are_drawn_in():
    scores = standardised(np.array([0.1, 0.88, 0.89, 0.9, 0.91, 0.92]))
    assert scores[-1] - scores[1] > 1
    assert np.all(np.isfinite(standardised(np.full(5, 0.3))))


def bayesian(space, **changes):
    return oracle("bayesian", hyperparameters=space, objective="val_accuracy", max_epochs=27, **changes)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_beats_random_search(loop, seed):
    searched = bayesian(loop.space(), seed=seed)
    chance = oracle("random", hyperparameters=loop.space(), objective="val_accuracy", max_epochs=27, seed=seed)
    loop.drive(searched, 30)
    loop.drive(chance, 30)
    assert searched.get_best_trials()[0].score >= chance.get_best_trials()[0].score
    # the optimum is 0.9 - 0.2 / 27 = 0.8926
    assert searched.get_best_trials()[0].score > 0.8915


def test_failed_configurations_are_kept_away_from(loop):
    searched = bayesian(loop.space())
    proposals = loop.drive(searched, 40, lambda v, e: None if v["optimizer"] == "sgd" else loop.score(v, e))
    later = [v["optimizer"] for v in proposals[-20:]]
    assert later.count("sgd") <= 2
