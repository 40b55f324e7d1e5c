"""What going on is expected to bring."""

import math

import numpy as np
import pytest

from search.oracles import oracle
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.full_length import FullLength
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points
from search.oracles.surrogate.observations import Observations
from search.oracles.surrogate.outlook import Outlook
from search.oracles.surrogate.standard import scale, standardised


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


@pytest.mark.parametrize("score", [0.1, 0.1135, 0.5, -3e5])
def test_equal_scores_have_no_deviation_whatever_their_mean_rounds_to(score, loop):
    space = Space.of_keras_tuner(loop.space())
    codes = space.draw(np.random.default_rng(0).random((13, len(space))))
    for count in range(8, 14):
        same = np.full(count, score)
        assert scale(same)[1] == 1.0
        assert np.abs(standardised(same)).max() < 1e-9
        curves = [Curve(codes[i], Stage.ENDED, epochs=9, scores={9: score}) for i in range(count)]
        assert Observations(curves, space, longest=9, first=9, shortest=0, most=100).unit == 1.0
    apart = np.array([score, score * (1 + 1e-9), score])
    assert scale(apart)[1] == apart.std() > 0


def test_curves_of_losses_with_a_heavy_tail_keep_the_differences_between_good_ones(loop):
    space = Space.of_keras_tuner(loop.space())
    losses = [0.10, 0.12, 0.15, 0.2, 0.3, 1e3, 5e3, 1e4, 5e4, 1e5, 1e6, 1e7]
    codes = space.draw(np.random.default_rng(0).random((len(losses), len(space))))
    curves = [Curve(code, Stage.ENDED, epochs=9, scores={9: -loss}) for code, loss in zip(codes, losses, strict=True)]
    view = Observations(curves, space, longest=9, first=9, shortest=0, most=100)
    assert view.targets[0] - view.targets[3] > 0.5


def test_of_very_many_observations_the_best_stay_and_the_newest_of_the_others(loop):
    space = Space.of_keras_tuner(loop.space())
    scores = [0.9, 0.1, 0.8, 0.3, 0.2, 0.7, 0.5, 0.4, 0.6]
    codes = space.draw(np.random.default_rng(0).random((len(scores), len(space))))
    curves = [Curve(code, Stage.ENDED, epochs=9, scores={9: score}) for code, score in zip(codes, scores, strict=True)]
    # Evidence stands last, and is older than what the search has trained itself.
    curves[-1].stage = Stage.KNOWN

    def shown(most):
        view = Observations(curves, space, longest=9, first=9, shortest=0, most=most)
        assert len(view.points) == len(view.targets) == most
        return sorted(round(float(view.score(target)), 6) for target in view.targets)

    # The floor draws in what is far below; here it is at 0.1 at most.
    assert shown(4) == [0.4, 0.5, 0.8, 0.9]
    assert shown(5) == [0.4, 0.5, 0.7, 0.8, 0.9]
    assert shown(9) == sorted(scores)


MODELS = ["bayesian", "freeze-thaw"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scale", [1e160, 1e308, 1e-310])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_scores_of_any_size_can_be_reckoned_with(name, scale, loop):
    searched, proposals = driven(name, loop, 0)
    # Such as the perplexity of trainings that have come to nothing.
    proposals = loop.drive(searched, 13, lambda v, e: -scale * v["learning_rate"] if v["layers"] > 1 else -0.5)
    assert len(proposals) == 13
    assert all(math.isfinite(gain) for gain in searched.outlook.gains)


def driven(name, loop, trials, **changes):
    space = changes.pop("space", loop.space)()
    searched = oracle(name, hyperparameters=space, objective="val_accuracy", min_epochs=3, max_epochs=27)
    for attribute, value in changes.items():
        setattr(searched, attribute, value)
    return searched, loop.drive(searched, trials)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_brought_is_more_than_the_best_of_all_and_proposals_are_the_same(name, loop):
    searched, proposals = driven(name, loop, 16)
    with_better, the_same = driven(name, loop, 16, incumbent=0.99)
    with_worse, _ = driven(name, loop, 16, incumbent=0.1)
    assert proposals == the_same
    assert with_worse.outlook.gains == searched.outlook.gains
    assert searched.outlook.gain(20) > with_better.outlook.gain(20)


@pytest.mark.parametrize("name", MODELS)
def test_few_are_asked_whether_they_are_allowed(name, loop):
    asked = []

    def allows(values):
        asked[-1] += 1
        return True

    searched, _ = driven(name, loop, 0)
    searched.only(allows)
    for _ in range(14):
        asked.append(0)
        loop.drive(searched, 1)
    assert 1 < max(asked) <= 25


@pytest.mark.parametrize("name", MODELS)
def test_only_what_is_allowed_is_looked_ahead_at(name, loop, monkeypatch):
    seen = []
    searched, _ = driven(name, loop, 0)
    if name == "bayesian":
        monkeypatch.setattr(FullLength, "outlook", lambda model, codes, to_beat: seen.extend(codes))
    else:
        monkeypatch.setattr(searched, "_look_ahead", lambda reference, found, *_: seen.extend(found))
    searched.only(lambda values: values["layers"] == 1)
    loop.drive(searched, 14)
    assert seen
    assert {searched.space.values(codes)["layers"] for codes in seen} == {1}
