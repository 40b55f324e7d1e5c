"""What is learned from trainings that failed."""

import numpy as np
import pytest

from search.oracles import oracle
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.success import RECENT, SuccessProbability, success_of
from spaces.values.dimensions import Range
from spaces.values.space import Hyperparameter

GROUPS = np.arange(2)


@pytest.fixture(scope="module")
def halved():
    """The half above x = 0.6 fails."""
    features = np.random.default_rng(0).random((60, 2))
    return SuccessProbability(features, (features[:, 0] < 0.6).astype(float), GROUPS)


def test_where_trainings_failed_others_probably_will(halved):
    new = np.random.default_rng(1).random((200, 2))
    logs = halved.log(new)
    assert logs[new[:, 0] > 0.75].max() < np.log(0.3)
    assert logs[new[:, 0] < 0.45].min() > np.log(0.6)
    assert np.log(1e-4) == pytest.approx(logs.min())
    assert logs.max() <= 0


def test_without_a_failure_every_training_succeeds():
    features = np.random.default_rng(0).random((5, 2))
    success = SuccessProbability(features, np.ones(5), GROUPS)
    assert not success.log(features).any()
    assert not success.log_slopes(features).any()


def test_many_of_an_earlier_night_leave_a_place_for_what_fails_in_this_one():
    space = Space([Hyperparameter("x", Range(0.0, 1.0, False))])
    elsewhere = [Curve(np.array([x]), Stage.KNOWN, epochs=1, scores={1: 0.5}) for x in np.linspace(0, 1, RECENT)]
    failed = [Curve(np.array([x]), Stage.FAILED) for x in np.linspace(0.7, 1, 60)]
    low, high = success_of([*failed, *elsewhere], space).log(np.array([[0.2], [0.9]]))
    assert high < low - 0.1


def test_the_slopes_are_those_of_the_logarithm(halved):
    points, step = np.array([[0.55, 0.4], [0.62, 0.7], [0.95, 0.5]]), 1e-6
    for axis in range(2):
        shift = step * np.eye(2)[axis]
        numeric = (halved.log(points + shift) - halved.log(points - shift)) / (2 * step)
        assert halved.log_slopes(points)[:, axis] == pytest.approx(numeric, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", ["freeze-thaw", "bayesian"])
def test_a_failing_region_beside_the_optimum_is_left_alone_and_the_rest_searched(name):
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for index in range(3):
        space.Float(f"x{index}", 0.0, 1.0)
    searched = oracle(name, hyperparameters=space, objective="val_accuracy", max_epochs=16, max_trials=1000, seed=3)
    failed, best = [], 0.0
    for _ in range(60):
        trial = searched.create_trial("worker")
        values = trial.hyperparameters.values
        distance = sum((values[f"x{index}"] - 0.5) ** 2 for index in range(3))
        failed.append(values["x0"] > 0.55)
        if failed[-1]:
            trial.status = "FAILED"
        else:
            epochs = values.get("tuner/epochs", 16)
            for epoch in range(values.get("tuner/initial_epoch", 0) + 1, epochs + 1):
                searched.update_trial(trial.trial_id, {"val_accuracy": 0.9 - distance - 0.2 / epoch}, step=epoch)
            best = max(best, 0.9 - distance)
            trial.status = "COMPLETED"
        searched.end_trial(trial)
    # the best of as many by chance is about 0.88, the optimum 0.9
    assert best > 0.895
    if name == "freeze-thaw":
        # by chance nine of 20 fail
        assert sum(failed[40:]) < 4


def test_a_hyperparameter_that_alone_decides_is_found_among_eight():
    rng, groups = np.random.default_rng(0), np.arange(8)
    features = rng.random((40, 8))
    success = SuccessProbability(features, (features[:, 3] < 0.7).astype(float), groups)
    new = rng.random((200, 8))
    assert success.log(new[new[:, 3] > 0.85]).max() < np.log(0.1)
    assert success.log(new[new[:, 3] < 0.55]).min() > np.log(0.8)
