"""Bayesian search with a Gaussian process."""

from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from scipy.special import ndtr
from scipy.stats import qmc

from ._base import BaseOracle
from ._columns import Floats
from ._gp import GaussianProcess, fit_kernel
from ._space import Values

INITIAL_POINTS = 8
"""Quasi-random configurations before the model decides."""

_FIT_POINTS = 200
_RANDOM_CANDIDATES = 600
_NEIGHBOURS = 60
_REFINEMENTS = 3
_SCALES = (0.2, 0.05)


class BayesianOracle(BaseOracle):
    """Trains each configuration once, where a model of the score expects the largest improvement.

    Model: a Gaussian process with a Matérn 5/2 kernel over the active hyperparameters (see `_gp`, `_space`): categories
    one-hot, numbers on their own scale, countable values where they really lie. Scores far below the median are
    drawn in, so that a few collapsed trainings do not hide the differences at the top. Running trials count with
    the score that the model expects of them; failed ones with a score below the lowest, which keeps the search away
    from them.

    Acquisition: logarithm of the expected improvement over the best score (Jones et al., "Efficient Global
    Optimization of Expensive Black-Box Functions", 1998; its logarithm after Ament et al., "Unexpected Improvements
    to Expected Improvement", NeurIPS 2023), over random candidates and neighbours of the best configurations. The
    first configurations are a scrambled Sobol sequence.
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
        if not self.space.groups.size:
            return None
        if standing < INITIAL_POINTS or len(completed) < 2:
            return self._quasi_random()
        codes = self._codes(completed)
        targets = standardised(np.array([self.better(t) for t in completed]))
        best_first = codes[np.argsort(-targets, kind="stable")[:_FIT_POINTS]]
        failures = self._codes([t for t in self.trials.values() if t.status in failed])
        codes = np.vstack([codes, failures])
        targets = np.concatenate([targets, np.full(len(failures), targets.min() - 1)])
        model = self._model(codes, targets)
        return self._maximise(model, best_first, float(targets.max()))

    def _quasi_random(self) -> Values | None:
        points = qmc.Sobol(len(self.space), scramble=True, rng=np.random.default_rng(self.seed))
        uniform = points.random(1 << max(0, len(self.trials).bit_length()))[len(self.trials)]
        values = self.space.values(self.space.draw(uniform[None, :])[0])
        return None if self._duplicate(values) else values

    def _codes(self, trials: list[Trial]) -> Floats:
        rows = [self.space.codes(t.hyperparameters.values) for t in trials]
        return np.array(rows).reshape(len(rows), len(self.space))

    def _model(self, codes: Floats, targets: Floats) -> GaussianProcess:
        features = self.space.features(codes)
        # The numbering of the groups without the hyperparameters that have no features.
        groups = np.unique(self.space.groups, return_inverse=True)[1]
        chosen = np.arange(len(targets))
        if len(chosen) > _FIT_POINTS:
            # The best half and a random half carry the kernel's parameters; all observations carry the posterior.
            order = np.argsort(-targets, kind="stable")
            others = self.rng().permutation(order[_FIT_POINTS // 2 :])
            chosen = np.concatenate([order[: _FIT_POINTS // 2], others[: _FIT_POINTS - _FIT_POINTS // 2]])
        kernel = fit_kernel(features[chosen], targets[chosen], groups)
        model = GaussianProcess(features, targets, groups, kernel)
        pending = self.space.features(self._codes(self.running()))
        if len(pending):
            expected, _ = model.predict(pending)
            features, targets = np.vstack([features, pending]), np.concatenate([targets, expected])
            model = GaussianProcess(features, targets, groups, kernel)
        return model

    def _maximise(self, model: GaussianProcess, best_first: Floats, best: float) -> Values | None:
        rng = self.rng()
        parents = np.repeat(best_first[:5], _NEIGHBOURS, axis=0)
        candidates = np.vstack(
            [self.space.draw(rng.random((_RANDOM_CANDIDATES, len(self.space))))]
            + [self.space.near(parents, rng, scale) for scale in _SCALES]
        )
        scores = log_improvement(*model.predict(self.space.features(candidates)), best)
        for step in range(_REFINEMENTS):
            parents = np.repeat(candidates[np.argsort(-scores)[:5]], _NEIGHBOURS // 2, axis=0)
            found = self.space.near(parents, rng, _SCALES[0] / 3 ** (step + 1))
            candidates = np.vstack([candidates, found])
            found_scores = log_improvement(*model.predict(self.space.features(found)), best)
            scores = np.concatenate([scores, found_scores])
        for index in np.argsort(-scores, kind="stable"):
            values = self.space.values(candidates[index])
            if not self._duplicate(values):
                return values
        return None


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


def log_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Logarithm of the expected improvement over `best` of a normal distribution."""
    z = (mean - best) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    direct = density + z * ndtr(z)
    # Far below the best the two terms cancel; there the improvement is about density / z**2.
    tail = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(np.maximum(-z, 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: Floats = np.where(z > -6, np.log(np.maximum(direct, 1e-300)), tail)
    return logs + np.log(deviation)
