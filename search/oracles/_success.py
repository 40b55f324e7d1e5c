"""Which configurations can be trained at all, learned from those that failed."""

import math

import numpy as np

from ._columns import Floats, Ints
from ._gp import GaussianProcess, Kernel, Points

_LENGTH = 0.5
_DIMENSIONS = 7
_NOISE = 0.01
_LEAST = 1e-4
_RECENT = 500


class SuccessProbability:
    """A Gaussian process over 1 (trained) and 0 (failed), with fixed length scales.

    Failures often fill a region with a sharp border, so the length scales are short; where nothing is near, what counts
    is the share of all trainings that succeeded.
    """

    def __init__(self, features: Floats, succeeded: Floats, groups: Ints) -> None:
        """Args:
        features: of configurations whose training has succeeded or failed, shape (n, f).
        succeeded: 1 or 0 for each, shape (n,). Without a failure every configuration succeeds.
        groups: hyperparameter of each feature, shape (f,).
        """
        self._model = None
        features, succeeded = features[-_RECENT:], succeeded[-_RECENT:]
        if succeeded.all():
            return
        count = int(groups.max()) + 1
        # Distances grow with the root of the dimensions.
        length = _LENGTH * math.sqrt(max(1.0, count / _DIMENSIONS))
        self._mean = float((succeeded.sum() + 1) / (len(succeeded) + 1))
        kernel = Kernel(np.log([*[length] * count, self._mean * (1.05 - self._mean), _NOISE]), groups)
        self._model = GaussianProcess(Points.full_length(features), succeeded - self._mean, kernel)

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
