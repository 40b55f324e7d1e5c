"""Where a model of the score at full length alone, without learning curves, promises most."""

from collections.abc import Callable, Sequence

import numpy as np

from search.oracles._columns import Floats
from search.oracles._space import Space
from search.oracles.surrogate.acquisition import log_improvement, log_improvement_slopes, maximise, refine
from search.oracles.surrogate.early import EarlyTrend, Following
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points, Prior, fit_kernel
from search.oracles.surrogate.outlook import MOST, Outlook
from search.oracles.surrogate.standard import fit_sample, modelled, scale, standardised
from search.oracles.surrogate.success import SuccessProbability

_FIT_POINTS = 200
_KERNEL_GRID = 256


class FullLength:
    """A Gaussian process over configurations, and expected improvement times the probability of success.

    Scores far below the median are drawn in, so that a few collapsed trainings do not hide the differences at the top.
    Running trials count with the score that the model expects of them.

    Attributes:
        follows_early: whether scores after a short training tell final ones, one way round or the other.
    """

    def __init__(
        self,
        space: Space,
        codes: Floats,
        scores: Floats,
        *,
        running: Floats,
        success: SuccessProbability,
        prior: Prior,
        rng: Callable[[], np.random.Generator],
        trend: EarlyTrend | None = None,
    ) -> None:
        """Args:
        space: the space, with at least one feature.
        codes: configurations that were trained, in their order, shape (n, columns), n at least 2. Of very many the
            best and the latest count.
        scores: their scores, shape (n,), more is better.
        running: configurations that are being trained, shape (m, columns).
        success: where training succeeds.
        prior: of length scales and noise.
        rng: makes the random numbers of this proposal, the same ones at each call.
        trend: what shorter trainings say, or None.
        """
        self._space, self._success, self._rng = space, success, rng
        kept = modelled(scores)
        codes, scores = codes[kept], scores[kept]
        self._centre, self._unit = scale(scores)
        targets = standardised(scores)
        self._best = float(targets.max())
        self._parents = codes[np.argsort(-targets, kind="stable")]
        observed = Points.full_length(space.features(codes))
        if trend is not None:
            trend.learn(observed.features, targets)
            targets = targets - trend.factor * trend.mean(observed.features)
        chosen = fit_sample(targets, _FIT_POINTS, rng())
        groups = space.feature_groups
        fitted = fit_kernel(observed[chosen], targets[chosen], groups, curves=False, prior=prior)
        # The last digits of a fit depend on the number of threads, the proposals must not.
        kernel = Kernel(np.round(fitted.logs * _KERNEL_GRID) / _KERNEL_GRID, groups)
        model = GaussianProcess(observed, targets, kernel).expecting(Points.full_length(space.features(running)))
        self._model = model if trend is None else Following(model, trend)
        self.follows_early = trend is not None and trend.factor != 0

    def promise(self, codes: Floats) -> Floats:
        """Logarithm of the expected improvement times the probability of success, shape (n,)."""
        features = self._space.features(codes)
        mean, deviation = self._model.predict(Points.full_length(features))
        return log_improvement(mean, deviation, self._best) + self._success.log(features)

    def expected(self, codes: Floats) -> tuple[float, float]:
        """Score that is expected of a configuration, shape (columns,), and its standard deviation."""
        mean, deviation = self._model.predict(Points.full_length(self._space.features(codes[None, :])))
        return float(mean[0]) * self._unit + self._centre, float(deviation[0]) * self._unit

    def outlook(self, codes: Floats, to_beat: float) -> Outlook:
        """What training configurations one after the other is expected to bring.

        Args:
            codes: the configurations, the most promising first, shape (n, columns).
            to_beat: a score that counts as reached, like the best one of the model's; minus infinity: there is none.
        """
        points = Points.full_length(self._space.features(codes[:MOST]))
        best = max(self._best, (to_beat - self._centre) / self._unit)
        return Outlook.of(*self._model.joint(points), best, self._unit, self._rng())

    def proposals(self) -> Sequence[tuple[Floats, float]]:
        """Configurations (codes) and their `promise`, the most promising first."""
        found = maximise(self.promise, self._space, self._parents, self._rng())
        return refine(found, self.promise, self._with_slopes, self._space)

    def _with_slopes(self, features: Floats) -> tuple[Floats, Floats]:
        points = Points.full_length(features)
        heights, slopes = improvement_with_slopes(self._model, points, self._best)
        return heights + self._success.log(features), slopes + self._success.log_slopes(features)


def improvement_with_slopes(
    model: GaussianProcess | Following, points: Points, best: float, wider: float = 1.0
) -> tuple[Floats, Floats]:
    """Logarithm of the expected improvement over `best`, and its gradient along the features.

    Args:
        model: of the score.
        points: where, n points.
        best: what is to be improved.
        wider: factor of the model's standard deviation.

    Returns:
        Shapes (n,) and (n, features).
    """
    mean, deviation = model.predict(points)
    mean_slopes, deviation_slopes = model.slopes(points)
    along_mean, along_deviation = log_improvement_slopes(mean, wider * deviation, best)
    slopes = along_mean[:, None] * mean_slopes + wider * along_deviation[:, None] * deviation_slopes
    return log_improvement(mean, wider * deviation, best), slopes
