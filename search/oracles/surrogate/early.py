"""What short trainings say of long ones where they do not rank them alike: the opposite, perhaps."""

import math
from collections.abc import Sequence

import numpy as np

from search.oracles._columns import Floats, Ints
from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.gp import FIRM, GaussianProcess, Points, fit_kernel
from search.oracles.surrogate.standard import fit_sample, modelled, standardised

_FIT_POINTS = 100
_FEW = 3
_SURE = 2.0
_DOUBT = 2.0


class EarlyTrend:
    """A model of the scores after a short length, and how final scores follow from it: `factor` times its mean.

    Scores after a few epochs that rank configurations the wrong way round tell as much as such that rank them right,
    and there are many of them. Whether they tell anything is for the finished configurations to say.
    """

    def __init__(self, model: GaussianProcess) -> None:
        self._model = model
        self.factor = 0.0

    @staticmethod
    def of(
        curves: Sequence[Curve], features: Floats, length: int, groups: Ints, rng: np.random.Generator
    ) -> "EarlyTrend | None":
        """Args:
        curves: what is known.
        features: of their configurations, shape (curves, f).
        length: the short length, in epochs.
        groups: hyperparameter of each feature, shape (f,).
        rng: chooses what the model is fitted to.

        Returns:
            None where there are too few scores, or all are the same.
        """
        known = [
            (i, s) for i, c in enumerate(curves) if c.stage is not Stage.FAILED and (s := c.best_by(length)) is not None
        ]
        scores = np.array([score for _, score in known])
        if len(known) < _FEW or np.ptp(scores) == 0:
            return None
        kept = modelled(scores)
        points = Points.full_length(features[[index for index, _ in known]][kept])
        targets = standardised(scores[kept])
        chosen = fit_sample(targets, _FIT_POINTS, rng)
        kernel = fit_kernel(points[chosen], targets[chosen], groups, curves=False, prior=FIRM)
        return EarlyTrend(GaussianProcess(points, targets, kernel))

    def learn(self, features: Floats, finals: Floats) -> None:
        """Finds out how final scores follow: not at all, unless the finished configurations say so clearly.

        Args:
            features: of the finished configurations, shape (n, f).
            finals: their scores, shape (n,).
        """
        early, self.factor = self.mean(features), 0.0
        if len(finals) < _FEW or np.ptp(early) == 0 or np.ptp(finals) == 0:
            return
        away, final = early - early.mean(), finals - finals.mean()
        correlation = float(away @ final / math.sqrt((away @ away) * (final @ final)))
        certainty = abs(correlation) * math.sqrt((len(finals) - 2) / max(1e-9, 1 - correlation**2))
        if certainty > _SURE:
            # Drawn towards 0 as if two further ones had shown nothing.
            self.factor = float(away @ final / (away @ away)) * len(finals) / (len(finals) + _DOUBT)

    def mean(self, features: Floats) -> Floats:
        """Expected score after the short length, standardised, shape (n,)."""
        return self._model.predict(Points.full_length(features))[0]

    def slopes(self, features: Floats) -> Floats:
        """Gradient of `mean` along the features, shape (n, f)."""
        return self._model.slopes(Points.full_length(features))[0]


class Following:
    """A Gaussian process for what is left of the scores when a trend is taken off, with the trend put back."""

    def __init__(self, model: GaussianProcess, trend: EarlyTrend) -> None:
        self._model, self._trend = model, trend

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        mean, deviation = self._model.predict(points)
        return mean + self._trend.factor * self._trend.mean(points.features), deviation

    def joint(self, points: Points) -> tuple[Floats, Floats]:
        mean, covariance = self._model.joint(points)
        return mean + self._trend.factor * self._trend.mean(points.features), covariance

    def slopes(self, points: Points) -> tuple[Floats, Floats]:
        mean, deviation = self._model.slopes(points)
        return mean + self._trend.factor * self._trend.slopes(points.features), deviation
