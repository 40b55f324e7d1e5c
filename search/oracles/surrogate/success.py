"""Which configurations can be trained at all, learned from those that failed."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from search.oracles._columns import Floats, Ints
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, Stage, codes_of, latest
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points

_NEAR, _FAR = 0.5, 10.0
_DIMENSIONS = 7
_NOISE = 0.01
_LEAST = 1e-4
_COMPARED = 50
_CAUSES = 2
_CLEARLY = 3.0

RECENT = 500
"""Trainings that the model is made of, at most: the latest."""


class SuccessProbability:
    """A Gaussian process over 1 (trained) and 0 (failed).

    Failures often fill a region with a sharp border, so the length scales are short; where nothing is near, what counts
    is the share of all trainings that succeeded. Often one or two hyperparameters alone decide: where that explains
    what was seen clearly better, by the marginal likelihood, the others do not count.
    """

    def __init__(self, features: Floats, succeeded: Floats, groups: Ints) -> None:
        """Args:
        features: of configurations whose training has succeeded or failed, shape (n, f).
        succeeded: 1 or 0 for each, shape (n,). Without a failure every configuration succeeds.
        groups: hyperparameter of each feature, shape (f,).
        """
        self._model = None
        features, succeeded = features[-RECENT:], succeeded[-RECENT:]
        if succeeded.all():
            return
        self._mean = float((succeeded.sum() + 1) / (len(succeeded) + 1))
        targets, points = succeeded - self._mean, Points.full_length(features)
        compared = np.sort(np.concatenate([np.flatnonzero(succeeded == one)[-_COMPARED:] for one in (0, 1)]))
        kernel = self._explaining(points[compared], targets[compared], groups)
        self._model = GaussianProcess(points, targets, kernel)

    def _explaining(self, points: Points, targets: Floats, groups: Ints) -> Kernel:
        count = int(groups.max()) + 1
        variance = self._mean * (1.05 - self._mean)
        # Distances over all of them grow with the root of the dimensions.
        everywhere = _NEAR * math.sqrt(max(1.0, count / _DIMENSIONS))

        def kernel(lengths: Floats) -> tuple[float, Kernel]:
            made = Kernel(np.log([*lengths, variance, _NOISE]), groups)
            return _evidence(made, points, targets), made

        best, lengths = kernel(np.full(count, everywhere)), np.full(count, _FAR)
        few = False
        for _ in range(min(_CAUSES, count)):
            grown = [(kernel(tried), tried) for tried in _one_nearer(lengths)]
            found, lengths = max(grown, key=lambda pair: pair[0][0])
            if found[0] > best[0] + (0.0 if few else _CLEARLY):
                best, few = found, True
        return best[1]

    def log(self, features: Floats) -> Floats:
        """Logarithm of the probability, shape (n,); at least that of 1 in 10,000."""
        if self._model is None:
            return np.zeros(len(features))
        mean, _ = self._model.predict(Points.full_length(features))
        logs: Floats = np.log(np.clip(self._mean + mean, _LEAST, 1.0))
        return logs

    def log_slopes(self, features: Floats) -> Floats:
        """Gradient of `log` along the features, shape (n, f); 0 where the probability is at one of its limits."""
        if self._model is None:
            return np.zeros(features.shape)
        points = Points.full_length(features)
        mean, _ = self._model.predict(points)
        probability = self._mean + mean
        inside = (probability > _LEAST) & (probability < 1.0)
        slopes, _ = self._model.slopes(points)
        return np.where(inside[:, None], slopes / np.maximum(probability, _LEAST)[:, None], 0.0)


def _one_nearer(lengths: Floats) -> Iterator[Floats]:
    for index in np.flatnonzero(lengths == _FAR):
        tried = lengths.copy()
        tried[index] = _NEAR
        yield tried


def _evidence(kernel: Kernel, points: Points, targets: Floats) -> float:
    """Logarithm of the marginal likelihood, up to a constant."""
    covariance = kernel.between(points, points)
    covariance[np.diag_indices_from(covariance)] += kernel.noise
    factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
    half = solve_triangular(factor, targets, lower=True, check_finite=False)
    return -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())


def success_of(curves: Sequence[Curve], space: Space) -> SuccessProbability:
    """Where training succeeds, from the curves that have scores or have failed."""
    tried = latest([c for c in curves if c.scores or c.stage is Stage.FAILED], RECENT)
    trained = np.array([c.stage is not Stage.FAILED for c in tried], dtype=np.float64)
    return SuccessProbability(space.features(codes_of(tried, space)), trained, space.feature_groups)
