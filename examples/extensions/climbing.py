"""A search algorithm of one's own: a random step away from the best so far.

In a package it is registered by two lines of its pyproject.toml:

    [project.entry-points."nightshift.oracles"]
    climbing = "climbing:CLIMBING"
"""

from __future__ import annotations

from typing import Any

from spaces.sections.algorithms import Algorithm

_STEP = 0.2


class _Climbing(Algorithm):
    name = "climbing"

    def oracle(self, *, min_epochs: int, max_epochs: int, **arguments: Any) -> Any:
        """Keras Tuner is imported here and not above: whoever reads a space file should not wait for it."""
        from keras_tuner.engine.trial import TrialStatus

        from search.oracles import BaseOracle

        class ClimbingOracle(BaseOracle):
            """`self.rng()` gives the same numbers to whoever asks for the same trial."""

            def populate_space(self, trial_id: str) -> dict[str, Any]:
                best = self.get_best_trials()
                values = None
                if best and self.space.width:
                    codes = self.space.codes(best[0].hyperparameters.values)[None]
                    values = self.if_new(self.space.near(codes, self.rng(), _STEP)[0])
                values = values or self.new_random()
                if values is None:
                    return {"status": TrialStatus.STOPPED}
                return {"status": TrialStatus.RUNNING, "values": values}

        return ClimbingOracle(**arguments)


CLIMBING = _Climbing()
