"""How long an epoch of a configuration takes, learned from those that were trained."""

import numpy as np

from ._columns import Floats, Ints
from ._gp import GaussianProcess, Kernel, Points

_LENGTH = 2.0
_NOISE = 0.01
_ENOUGH = 4
_RECENT = 200


class EpochSeconds:
    """A Gaussian process over the logarithm of the seconds, with fixed length scales.

    Times vary by factors (units, layers, batch size) and smoothly: a fixed, smooth kernel does, and needs no fit.
    """

    def __init__(self, features: Floats, seconds: Floats, groups: Ints) -> None:
        """Args:
        features: shape (n, f).
        seconds: of an epoch, shape (n,), above 0. With fewer than 4 every configuration counts the same.
        groups: hyperparameter of each feature, shape (f,).
        """
        self._model = None
        if len(seconds) < _ENOUGH:
            return
        logs = np.log(seconds[-_RECENT:])
        self._mean, self._deviation = float(logs.mean()), float(logs.std())
        if self._deviation < 1e-9:
            return
        count = int(groups.max()) + 1
        kernel = Kernel(np.log([*[_LENGTH] * count, 1.0, _NOISE]), groups)
        targets = (logs - self._mean) / self._deviation
        self._model = GaussianProcess(Points.full_length(features[-_RECENT:]), targets, kernel)

    def log_seconds(self, features: Floats) -> Floats:
        """Expected logarithm of the seconds, shape (n,); all 0 where nothing is known."""
        if self._model is None:
            return np.zeros(len(features))
        mean, _ = self._model.predict(Points.full_length(features))
        return self._mean + self._deviation * mean
