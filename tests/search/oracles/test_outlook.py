"""What going on is expected to bring."""

import math

import numpy as np
import pytest

from search.oracles import oracle
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points
from search.oracles.surrogate.outlook import Outlook


def test_one_training_brings_the_expected_improvement():
    certain = Outlook.of(np.array([3.0]), np.zeros((1, 1)), 2.0, 0.5, np.random.default_rng(0))
    assert certain.gain(1) == pytest.approx(0.5, abs=1e-3)
    assert Outlook.of(np.array([1.0]), np.zeros((1, 1)), 2.0, 1.0, np.random.default_rng(0)).gain(5) == 0.0
    even = Outlook.of(np.zeros(1), np.eye(1), 0.0, 1.0, np.random.default_rng(0))
    # 256 draws of a half normal distribution: four standard errors.
    assert even.gain(1) == pytest.approx(1 / math.sqrt(2 * math.pi), abs=4 * 0.58 / 16)


def test_more_trainings_bring_more_and_equal_ones_do_not():
    rng = np.random.default_rng(1)
    apart = Outlook.of(np.zeros(8), np.eye(8), 1.0, 1.0, rng)
    assert apart.gain(8) > apart.gain(2) > apart.gain(1) > apart.gain(0.5) > 0
    assert apart.gain(1.5) == pytest.approx((apart.gain(1) + apart.gain(2)) / 2)
    assert apart.gain(1000) == apart.gain(8)
    alike = Outlook.of(np.zeros(8), np.ones((8, 8)), 1.0, 1.0, rng)
    assert alike.gain(8) == pytest.approx(alike.gain(1), abs=1e-3)


def test_the_joint_prediction_agrees_with_the_single_ones():
    rng = np.random.default_rng(2)
    groups = np.arange(2)
    kernel = Kernel(np.log([0.5, 0.8, 1.0, 0.01]), groups)
    model = GaussianProcess(Points.full_length(rng.random((6, 2))), rng.normal(size=6), kernel)
    asked = Points.full_length(rng.random((4, 2)))
    mean, covariance = model.joint(asked)
    alone, deviation = model.predict(asked)
    assert mean == pytest.approx(alone)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(deviation, rel=1e-6)


@pytest.mark.parametrize("name", ["bayesian", "freeze-thaw"])
def test_less_is_expected_of_a_search_that_is_at_its_end(name, loop):
    searched = oracle(name, hyperparameters=loop.space(), objective="val_accuracy", min_epochs=3, max_epochs=27)
    assert searched.outlook is None
    loop.drive(searched, 12)
    early = searched.outlook.gain(5)
    loop.drive(searched, 58)
    assert early > searched.outlook.gain(5) >= 0
