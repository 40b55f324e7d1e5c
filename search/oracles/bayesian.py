"""Bayesian search with a Gaussian process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from threadpoolctl import threadpool_limits

from search.oracles.surrogate.acquisition import quasi_random
from search.oracles.surrogate.full_length import FullLength
from search.oracles.surrogate.gp import FIRM, YIELDING
from search.oracles.surrogate.standard import bounded, modelled
from search.oracles.surrogate.success import RECENT, SuccessProbability

from ._base import BaseOracle
from ._columns import Floats
from ._space import Values

INITIAL_POINTS = 8
"""Quasi-random configurations before the model decides."""


class BayesianOracle(BaseOracle):
    """Trains each configuration once, where a model of the score expects the largest improvement.

    Model: a Gaussian process with a Matérn 5/2 kernel over the active hyperparameters (see `gp`, `_space`):
    categories one-hot, numbers on their own scale, countable values where they really lie. Every other suggestion is
    of a model that takes what is rough for noise and follows the trend, the one between of a model that believes it
    (`FIRM` and `YIELDING`; `docs/decisions/0008-bayesian-prior.md` has figures). Scores far below the median are
    drawn in, so that a few collapsed trainings do not hide the differences at the top. Running trials count with the
    score that the model expects of them. Failed ones are left out of it: a model of its own learns where training
    succeeds (see `success`).

    Acquisition: expected improvement over the best score, times the probability that the training
    succeeds, searched at random and then climbed by its gradient (see `acquisition`). The first configurations are a
    scrambled Sobol sequence.
    """

    # The matrices are small, and the other cores are there to train.
    @threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]  # it has no types
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        values = self._propose() or self.new_random()
        if values is None:
            return {"status": TrialStatus.STOPPED}
        return {"status": TrialStatus.RUNNING, "values": values}

    def _propose(self) -> Values | None:
        failed = (TrialStatus.FAILED, TrialStatus.INVALID)
        # The score of a training that the time cut short is not that of a whole one.
        blameless = self.blameless
        whole = [t for t in self.trials.values() if t.trial_id not in blameless]
        completed = [t for t in whole if t.status == TrialStatus.COMPLETED]
        standing = sum(t.status not in failed for t in whole)
        if not self.space.width:
            return None
        if standing < INITIAL_POINTS or len(completed) < 2:
            return self.if_new(quasi_random(self.space, len(self.trials), self.seed))
        scores = np.array([bounded(self.better(t)) for t in completed])
        # Of very many trials only those are encoded that the models are made of.
        kept = modelled(scores)
        ended = [t for t in whole if t.status in (*failed, TrialStatus.COMPLETED)][-RECENT:]
        trained = np.array([t.status not in failed for t in ended], dtype=np.float64)
        model = FullLength(
            self.space,
            self._codes([completed[index] for index in kept]),
            scores[kept],
            running=self._codes(self.running()),
            success=SuccessProbability(self.space.features(self._codes(ended)), trained, self.space.feature_groups),
            prior=FIRM if len(self.trials) % 2 else YIELDING,
            rng=self.rng,
        )
        found = self.foremost(model.proposals())
        if not found:
            return None
        self.outlook = model.outlook(np.array([codes for codes, *_ in found]), self._to_beat)
        return found[0][1]

    def _codes(self, trials: Sequence[Trial]) -> Floats:
        rows = [self._row(trial) for trial in trials]
        return np.array(rows).reshape(len(rows), len(self.space))

    def _row(self, trial: Trial) -> Floats:
        values, key = trial.hyperparameters.values, self._id_to_hash.get(trial.trial_id)
        # The values of a running one may still change, and of one that a loop has put in nothing was noted.
        if trial.status == TrialStatus.RUNNING or key is None:
            return self.space.codes(values)
        return self.space.encoded(key, values)
