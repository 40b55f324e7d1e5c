"""What all oracles share: Keras Tuner's `Oracle` without its faults.

Against the one of Keras Tuner 1.4.8: it touches the disk only inside a stock tuner; seed 0 is a seed; its randomness
is a function of the seed and the number of trials, so that a stopped search goes on as if it never had; failed trials
never end the search; no configuration is proposed twice; a finite space is used up before the search stops;
unfinished trials are never among the best.
"""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles.surrogate.outlook import Outlook

from ._columns import Floats
from ._space import Space, Values

OF_KERAS_TUNER = (
    "_tried_so_far", "_id_to_hash", "_run_times", "_seed_state", "_duplicate", "_record_values", "_save_trial",
    "_compute_values_hash", "_check_consecutive_failures",
)  # fmt: skip
"""What of its `Oracle` is used here, and in subclasses, that Keras Tuner does not promise."""

TUNER_PREFIX = "tuner/"
"""Names of values that steer the training (`tuner/epochs`) and are no hyperparameters."""

_REFUSALS = 500
"""Configurations that are not allowed, in a row, after which anything is proposed."""


class BaseOracle(keras_tuner.Oracle):  # type: ignore[misc]  # Keras Tuner has no types
    """An oracle for this project's loop and for a stock `keras_tuner.Tuner`.

    A subclass implements `populate_space(trial_id)` and, where it knows more than its trials tell, extends
    `get_state` and `set_state`, `memory` and `recall`.

    Restoring: fill `trials` with `keras_tuner.engine.trial.Trial` objects (in the order they were created), then call
    `set_state`, or `recall`. The oracle then proposes exactly what it would have proposed without the interruption.

    Attributes:
        tried_first: how many configurations are to be tried before one is trained on, where the later epochs of a
            training are known to be far dearer than the first; 0: as the oracle thinks best.
        endless: whether a schedule that has come to its end begins anew, since somebody else ends the search.
    """

    def __init__(
        self,
        *,
        hyperparameters: keras_tuner.HyperParameters,
        objective: str | keras_tuner.Objective,
        max_trials: int | None = None,
        seed: int = 0,
    ) -> None:
        """Args:
        hyperparameters: the space.
        objective: a metric's name, its direction inferred as in Keras Tuner, or a `keras_tuner.Objective`.
        max_trials: number of trials after which the oracle answers STOPPED; None: no limit.
        seed: integer of at least 0; equal seeds give equal searches.
        """
        super().__init__(objective=objective, max_trials=max_trials, hyperparameters=hyperparameters, seed=seed)
        # The base class replaces a seed of 0 by a random one.
        self.seed = self._seed_state = seed
        self.verbose = 0
        self._directory: str | None = None
        self._project_name: str | None = None
        self._space: Space | None = None
        self.tried_first = 0
        self.endless = False
        self._allows: Callable[[Values], bool] = lambda _: True
        self.outlook: Outlook | None = None
        """What going on was expected to bring when the last trial was proposed; None where no model says it."""

    def only(self, allows: Callable[[Values], bool]) -> None:
        """Proposes only configurations (values) of which `allows` is true, as long as such can be found.

        Where hardly any is, others are proposed: it is for their training to say what is wrong with them.
        """
        self._allows = allows

    def has_noted(self, trial_id: str) -> bool:
        """Whether the oracle knows which values a trial has."""
        return self._id_to_hash[trial_id] is not None

    def note(self, trial: Trial) -> None:
        """Takes note of a trial's values, so that they are not proposed again."""
        self._record_values(trial)

    # --- for subclasses ---------------------------------------------------------------------------------------

    @property
    def space(self) -> Space:
        """The space as columns; it grows when a model asks for hyperparameters that were not declared."""
        if self._space is None or len(self._space) != len(self.hyperparameters.space):
            self._space = Space(self.hyperparameters)
        return self._space

    def rng(self) -> np.random.Generator:
        """The random numbers of the next proposal: asking twice, or in another process, gives the same."""
        return np.random.default_rng([self.seed, len(self.trials)])

    def new_random(self) -> Values | None:
        """A random configuration that was never proposed, or None if there is none left."""
        found = self.space.unused(self.rng(), self._unwanted())
        return found if found is not None or self.trials else self.space.unused(self.rng(), self._duplicate)

    def if_new(self, codes: Floats) -> Values | None:
        """The configuration with these codes, or None if it was proposed before."""
        values = self.space.values(codes)
        return None if self._duplicate(values) or not self._allows(values) else values

    def _unwanted(self) -> Callable[[Values], bool]:
        """Tells what is not to be proposed: what was before, and of the rest what is not allowed, to a limit."""
        left = _REFUSALS

        def unwanted(values: Values) -> bool:
            nonlocal left
            if self._duplicate(values):
                return True
            if left and not self._allows(values):
                left -= 1
                return True
            return False

        return unwanted

    def better(self, trial: Trial) -> float:
        """The trial's score such that more is better."""
        return float(trial.score) if self.objective.direction == "max" else -float(trial.score)

    def running(self) -> list[Trial]:
        """The trials that have begun and not ended."""
        return list(self.ongoing_trials.values())

    def continuable(self) -> set[str]:
        """Ids of the ended trials that a later trial may go on from: their checkpoints must be kept."""
        return set()

    def memory(self) -> dict[str, Any]:
        """What does not follow from the trials, as JSON-able data: little, however long the search.

        Under `log` is what only ever grows: entries are appended to that list and never changed.
        """
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Takes up a `memory`; `trials` must already hold the trials, and all else that is known is forgotten."""
        for known in (self._tried_so_far, self._id_to_hash, self._run_times, self.ongoing_trials):
            known.clear()
        self.start_order, self.end_order = [], []
        for number, (trial_id, trial) in enumerate(self.trials.items()):
            known = self._compute_values_hash(trial.hyperparameters.values)
            self._tried_so_far.add(known)
            self._id_to_hash[trial_id] = known
            self.start_order.append(trial_id)
            if trial.status == TrialStatus.RUNNING:
                self.ongoing_trials[f"restored-{number}"] = trial
            else:
                self.end_order.append(trial_id)
                self._run_times[trial_id] = 1

    # --- Keras Tuner's interface ------------------------------------------------------------------------------

    def score_trial(self, trial: Trial) -> None:
        """Scores a trial with its best finite value; without one the score is NaN and the trial has failed."""
        name = self.objective.name
        history = trial.metrics.get_history(name) if trial.metrics.exists(name) else []
        observed = [(float(o.mean()), o.step) for o in history if math.isfinite(o.mean())]
        trial.score, trial.best_step = math.nan, 0
        if observed:
            best = max if self.objective.direction == "max" else min
            trial.score, trial.best_step = best(observed, key=lambda pair: pair[0])

    def end_trial(self, trial: Trial) -> None:
        """Records the end of a trial; a failed or invalid trial never raises."""
        super().end_trial(trial)
        ended = self.trials[trial.trial_id]
        if ended.status != TrialStatus.COMPLETED:
            ended.score = None

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """At most `num_trials` completed trials, best first; of equal ones the earlier first."""
        completed = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        return sorted(completed, key=self.better, reverse=True)[:num_trials]

    def get_state(self) -> dict[str, Any]:
        """Everything but the trials, as JSON-able data."""
        state = super().get_state()
        state["tried_so_far"] = sorted(state["tried_so_far"])
        return copy.deepcopy(state)

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes up a state of `get_state`; `trials` must already hold the trials."""
        super().set_state(copy.deepcopy(state))

    def save(self) -> None:
        if self._directory is not None:
            super().save()

    def _save_trial(self, trial: Trial) -> None:
        if self._directory is not None:
            super()._save_trial(trial)

    def _check_consecutive_failures(self) -> None:
        """Failures say nothing about the configurations that follow: they do not end the search."""

    def _compute_values_hash(self, values: Values) -> str:
        chosen = {name: value for name, value in values.items() if not name.startswith(TUNER_PREFIX)}
        return str(super()._compute_values_hash(chosen))
