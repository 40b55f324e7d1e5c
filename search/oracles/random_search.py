"""Random search."""

from typing import Any

from keras_tuner.engine.trial import TrialStatus

from ._base import BaseOracle


class RandomOracle(BaseOracle):
    """Draws every configuration at random and none twice, until the space is used up.

    A hyperparameter is drawn from its own distribution (its scale, its step) among those that are active.

    Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13 (2012).
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        values = self.new_random()
        if values is None:
            return {"status": TrialStatus.STOPPED}
        return {"status": TrialStatus.RUNNING, "values": values}
