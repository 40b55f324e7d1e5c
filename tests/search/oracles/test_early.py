"""What short trainings say of long ones."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.early import EarlyTrend, Following
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points

GROUPS = np.arange(2)
PLACES = np.random.default_rng(0).random((14, 2))


def trend(scores):
    curves = [
        Curve(place, stage=Stage.PAUSED, epochs=2, scores={1: score - 1, 2: score})
        for place, score in zip(PLACES, scores, strict=True)
    ]
    return EarlyTrend.of(curves, PLACES, 2, GROUPS, np.random.default_rng(1))


def worth(places):
    return places[:, 0] - 0.5 * places[:, 1]


def test_early_scores_that_rank_the_wrong_way_round_are_followed_backwards():
    early = trend(-worth(PLACES))
    early.learn(PLACES[:6], worth(PLACES[:6]))
    assert early.factor < 0
    fresh = np.random.default_rng(2).random((20, 2))
    told = early.factor * early.mean(fresh)
    assert np.corrcoef(told, worth(fresh))[0, 1] > 0.95


def test_early_scores_that_have_nothing_to_do_with_the_last_ones_are_not_followed():
    early = trend(worth(PLACES))
    early.learn(PLACES[:6], np.array([0.1, -0.2, 0.15, -0.1, 0.2, -0.15]))
    assert early.factor == 0
    early.learn(PLACES[:2], worth(PLACES[:2]))
    assert early.factor == 0


def test_where_all_score_alike_or_few_are_known_there_is_no_trend():
    assert trend(np.ones(14)) is None
    one = Curve(PLACES[0], epochs=2, scores={2: 0.5})
    failed = Curve(PLACES[1], stage=Stage.FAILED, epochs=2, scores={2: 0.1})
    curves = [one, failed, failed, failed]
    assert EarlyTrend.of(curves, PLACES[:4], 2, GROUPS, np.random.default_rng(1)) is None


def test_a_trend_that_is_put_back_keeps_spread_and_slopes():
    early = trend(worth(PLACES))
    early.learn(PLACES[:6], worth(PLACES[:6]))
    rest = GaussianProcess(
        Points.full_length(PLACES[:6]), np.linspace(-1, 1, 6), Kernel(np.log([0.5, 0.5, 1.0, 0.01]), GROUPS)
    )
    model, asked = Following(rest, early), Points.full_length(PLACES[8:10])
    mean, deviation = model.predict(asked)
    joint, covariance = model.joint(asked)
    assert mean == pytest.approx(rest.predict(asked)[0] + early.factor * early.mean(asked.features))
    assert joint == pytest.approx(mean)
    assert np.sqrt(np.diag(covariance)) == pytest.approx(deviation, rel=1e-5)

    def at(place):
        return model.predict(Points.full_length(place[None, :]))[0][0]

    def slope(place):
        return model.slopes(Points.full_length(place[None, :]))[0][0]

    assert check_grad(at, slope, PLACES[8]) < 1e-5
