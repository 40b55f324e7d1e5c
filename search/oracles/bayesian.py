"""Bayesian search with a Gaussian process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from ._acquisition import log_improvement, log_improvement_slopes, maximise, quasi_random, refine
from ._base import BaseOracle
from ._columns import Floats, Ints
from ._gp import FIRM, YIELDING, GaussianProcess, Kernel, Points, fit_kernel
from ._space import Values
from ._success import SuccessProbability

INITIAL_POINTS = 8
"""Quasi-random configurations before the model decides."""

_FIT_POINTS = 200
_KERNEL_GRID = 256


class BayesianOracle(BaseOracle):
    """Trains each configuration once, where a model of the score expects the largest improvement.

    Model: a Gaussian process with a Matérn 5/2 kernel over the active hyperparameters (see `_gp`, `_space`):
    categories one-hot, numbers on their own scale, countable values where they really lie. Every other suggestion is
    of a model that takes what is rough for noise and follows the trend, the one between of a model that believes it
    (`FIRM` and `YIELDING`; `docs/decisions/0008-bayesian-prior.md` has figures). Scores far below the median are
    drawn in, so that a few collapsed trainings do not hide the differences at the top. Running trials count with the
    score that the model expects of them. Failed ones are left out of it: a model of its own learns where training
    succeeds (see `_success`).

    Acquisition: expected improvement over the best score, times the probability that the training
    succeeds, searched at random and then climbed by its gradient (see `_acquisition`). The first configurations are a
    scrambled Sobol sequence.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        values = self._propose() or self.new_random()
        if values is None:
            return {"status": TrialStatus.STOPPED}
        return {"status": TrialStatus.RUNNING, "values": values}

    def _propose(self) -> Values | None:
        failed = (TrialStatus.FAILED, TrialStatus.INVALID)
        completed = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        standing = sum(t.status not in failed for t in self.trials.values())
        if not self.space.width:
            return None
        if standing < INITIAL_POINTS or len(completed) < 2:
            return self.if_new(quasi_random(self.space, len(self.trials), self.seed))
        codes = self._codes(completed)
        targets = standardised(np.array([self.better(t) for t in completed]))
        best_first = codes[np.argsort(-targets, kind="stable")]
        observed = Points.full_length(self.space.features(codes))
        best = float(targets.max())
        ended = [t for t in self.trials.values() if t.status in (*failed, TrialStatus.COMPLETED)]
        trained = np.array([t.status not in failed for t in ended], dtype=np.float64)
        success = SuccessProbability(self.space.features(self._codes(ended)), trained, self.space.feature_groups)
        running = Points.full_length(self.space.features(self._codes(self.running())))
        model = self._fitted(observed, targets).expecting(running)

        def acquisition(candidates: Floats) -> Floats:
            features = self.space.features(candidates)
            return log_improvement(*model.predict(Points.full_length(features)), best) + success.log(features)

        def with_slopes(features: Floats) -> tuple[Floats, Floats]:
            points = Points.full_length(features)
            mean, deviation = model.predict(points)
            mean_slopes, deviation_slopes = model.slopes(points)
            along_mean, along_deviation = log_improvement_slopes(mean, deviation, best)
            slopes = along_mean[:, None] * mean_slopes + along_deviation[:, None] * deviation_slopes
            heights = log_improvement(mean, deviation, best) + success.log(features)
            return heights, slopes + success.log_slopes(features)

        found = maximise(acquisition, self.space, best_first, self.rng())
        candidates = refine(found, acquisition, with_slopes, self.space)
        return next((values for candidate, _ in candidates if (values := self.if_new(candidate)) is not None), None)

    def _codes(self, trials: Sequence[Trial]) -> Floats:
        rows = [self.space.codes(t.hyperparameters.values) for t in trials]
        return np.array(rows).reshape(len(rows), len(self.space))

    def _fitted(self, points: Points, targets: Floats) -> GaussianProcess:
        chosen = fit_sample(targets, _FIT_POINTS, self.rng())
        groups = self.space.feature_groups
        prior = FIRM if len(self.trials) % 2 else YIELDING
        fitted = fit_kernel(points[chosen], targets[chosen], groups, curves=False, prior=prior)
        # The last digits of a fit depend on the number of threads, the proposals must not.
        kernel = Kernel(np.round(fitted.logs * _KERNEL_GRID) / _KERNEL_GRID, groups)
        return GaussianProcess(points, targets, kernel)


def fit_sample(targets: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Indices of the observations that the kernel's parameters are fitted to: the best and some of the others.

    The fit takes time with the cube of their number; the posterior afterwards uses all observations.
    """
    if len(targets) <= size:
        return np.arange(len(targets))
    order = np.argsort(-targets, kind="stable")
    others = rng.permutation(order[size // 2 :])
    return np.concatenate([order[: size // 2], others[: size - size // 2]])


def standardised(scores: Floats) -> Floats:
    """Scores (more is better) with mean 0 and deviation 1, those far below the median drawn in.

    The lower limit lies as far below the median as twice the distance of the best above it: what is worse is
    equally uninteresting.
    """
    median, top = float(np.median(scores)), float(scores.max())
    drawn_in = np.maximum(scores, median - 2 * (top - median)) if top > median else scores
    deviation = float(drawn_in.std())
    centred: Floats = drawn_in - drawn_in.mean()
    return centred / (deviation if deviation > 0 else 1.0)
