"""What all oracles share: Keras Tuner's `Oracle` without its faults.

Against the one of Keras Tuner 1.4.8: it touches the disk only inside a stock tuner; seed 0 is a seed; its randomness
is a function of the seed and the number of trials, so that a stopped search goes on as if it never had; failed trials
never end the search, unless none of a stock tuner's has completed; trials are in their order again after they were read
from files; the older `end_trial(trial_id, status)` keeps the trial's values; no configuration is proposed twice; a
finite space is used up before the search stops; unfinished trials are never among the best; hyperparameters in several
scopes may have one name; the last step of a training takes no longer to be told than the first.
"""

import copy
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, SupportsFloat, SupportsIndex

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles.surrogate.outlook import MOST, Outlook

from ._columns import Floats
from ._space import Space, Values

OF_KERAS_TUNER = (
    "_tried_so_far", "_id_to_hash", "_run_times", "_seed_state", "_duplicate", "_record_values", "_save_trial",
    "_compute_values_hash", "_check_consecutive_failures", "_check_objective_found",
)  # fmt: skip
"""What of its `Oracle` is used here, and in subclasses, that Keras Tuner does not promise."""

TUNER_PREFIX = "tuner/"
"""Names of values that steer the training (`tuner/epochs`) and are no hyperparameters."""

_PARENT = f"{TUNER_PREFIX}trial_id"
"""Name of the value that says which trial another one goes on from."""

_BATCHES = 10
"""Random draws of 50 configurations each, where not all are allowed, before one is looked for systematically."""

_REFUSALS = 1000
"""Configurations that are not allowed, in a row, after which anything is proposed: half of them are drawn."""

_LOOKED_AT = 24
"""Configurations besides the first that are looked at for the outlook, where telling what is allowed takes time."""

_ENDINGS = (TrialStatus.COMPLETED, TrialStatus.FAILED, TrialStatus.INVALID)
"""What a trial can end as."""

_SEVERAL = 3
"""Unexplained failures for one reason from which on they count."""


class BaseOracle(keras_tuner.Oracle):  # type: ignore[misc]  # Keras Tuner has no types
    """An oracle for this project's loop and for a stock `keras_tuner.Tuner`.

    A subclass implements `populate_space(trial_id)` and, where it knows more than its trials tell, `memory` and
    `take_up`.

    Restoring: fill `trials` with `keras_tuner.engine.trial.Trial` objects, then call `set_state`; or fill it in the
    order in which they were created, then call `recall`. The oracle then proposes exactly what it would have proposed
    without the interruption.

    Attributes:
        becomes_dearer: whether the later epochs of a training may be far dearer than the first; None: nobody knows, and
            what epochs take has to show it.
        tried_first: how many configurations are to be tried before one is trained on, where the later epochs of a
            training are known to be far dearer than the first; 0: as the oracle thinks best.
        incumbent: the best score of all that is known, baselines included, which is what `outlook` has to improve on;
            None: the best that its model knows.
        endless: whether a schedule that has come to its end begins anew, since somebody else ends the search.
        last_counts: whether the last score of a training is what it is worth, not the best, see `Curve`.
        cut_short: ids of the trials that the end of the time ended. What they scored until then counts; that they have
            no more epochs, or none, says nothing of their values.
        unexplained: ids of the trials that failed for a reason that need not lie in their values, with that reason.
    """

    trials: dict[str, Trial]

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

        Raises:
            ValueError: the direction of a metric is neither known nor `min` or `max`.
        """
        super().__init__(objective=objective, max_trials=max_trials, hyperparameters=hyperparameters, seed=seed)
        # Keras Tuner finds out behind its lock when the first value comes; of several objectives it never does.
        for one in getattr(self.objective, "objectives", [self.objective]):
            if one.direction not in ("min", "max"):
                raise ValueError(f"the direction of {one.name} must be min or max; received {one.direction!r}")
        # The base class replaces a seed of 0 by a random one.
        self.seed = self._seed_state = seed
        self.verbose = 0
        self._directory: str | None = None
        self._project_name: str | None = None
        self._space: Space | None = None
        self.becomes_dearer: bool | None = None
        self.tried_first = 0
        self.incumbent: float | None = None
        self.endless = False
        self.last_counts = False
        self.cut_short: set[str] = set()
        self.unexplained: dict[str, str] = {}
        self._allows: Callable[[Values], bool] = lambda _: True
        self._batches = 1
        self._looked_at: int | None = None
        self.outlook: Outlook | None = None
        """What going on was expected to bring when the last trial was proposed; None where no model says it."""

    def only(self, allows: Callable[[Values], bool]) -> None:
        """Proposes only configurations (values) of which `allows` is true, as long as such can be found.

        Where hardly any is, others are proposed: it is for their training to say what is wrong with them.
        """
        self._allows, self._batches, self._looked_at = allows, _BATCHES, _LOOKED_AT

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
            self._space = Space.of_keras_tuner(self.hyperparameters)
        return self._space

    def rng(self) -> np.random.Generator:
        """The random numbers of the next proposal: asking twice, or in another process, gives the same."""
        return np.random.default_rng([self.seed, len(self.trials)])

    def new_random(self) -> Values | None:
        """A random configuration that was never proposed, or None if there is none left."""
        found = self.space.unused(self.rng(), self._unwanted(), self._batches)
        return found if found is not None or self.trials else self.space.unused(self.rng(), self._duplicate)

    def if_new(self, codes: Floats) -> Values | None:
        """The configuration with these codes, or None if it was proposed before."""
        values = self.space.values(codes)
        return None if self._duplicate(values) or not self._allows(values) else values

    def new_ones(self, found: Iterable[tuple[Floats, float]]) -> Iterator[tuple[Floats, Values, float]]:
        """Of configurations (codes) with what they promise, those that may be proposed, with their values."""
        for codes, promise in found:
            values = self.if_new(codes)
            if values is not None:
                yield codes, values, promise

    def foremost(self, found: Iterable[tuple[Floats, float]]) -> list[tuple[Floats, Values, float]]:
        """The first of the configurations that may be proposed, and after it others for the outlook; see `new_ones`."""
        left = iter(found)
        first = list(islice(self.new_ones(left), 1))
        return first + list(islice(self.new_ones(islice(left, self._looked_at)), MOST - 1))

    def _unwanted(self, most: int = _REFUSALS) -> Callable[[Values], bool]:
        """Tells what is not to be proposed: what was before, and of the rest what is not allowed, `most` times."""
        left = most

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
        return self._sign * float(trial.score)

    @property
    def _sign(self) -> int:
        """What makes more of a score better."""
        return 1 if self.objective.direction == "max" else -1

    @property
    def _to_beat(self) -> float:
        """`incumbent` such that more is better, minus infinity where it is not known."""
        return -math.inf if self.incumbent is None else self._sign * self.incumbent

    @property
    def blameless(self) -> set[str]:
        """Ids of the trials whose end says nothing of their values.

        Those are what the time cut short, and what failed for a reason that need not lie in the values: unless several
        did for the same one, which then has to do with them after all.
        """
        counts = Counter(self.unexplained.values())
        return self.cut_short | {one for one, reason in self.unexplained.items() if counts[reason] < _SEVERAL}

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

    def take_up(self, memory: Mapping[str, Any]) -> None:
        """Sets what `memory` has told, when the trials and what follows from them are there again."""

    def has_grown(self) -> None:
        """Is called when a model has asked for hyperparameters that the space did not have."""

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
        self.take_up(memory)

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

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        """Takes up what was measured after a step of a trial, and returns the trial.

        Raises:
            ValueError: the objective is not among the metrics.
        """
        # What is wrong with them is said first: whoever raises behind Keras Tuner's lock leaves it locked.
        self._check_objective_found(metrics)
        trial, told = self.trials[trial_id], {metric: float(value) for metric, value in metrics.items()}
        # What several objectives together come to has a name that no loop knows.
        told.setdefault(self.objective.name, float(self.objective.get_value(told)))
        self._updated(trial, told, _plain_step(step))
        return trial

    @keras_tuner.synchronized  # type: ignore[untyped-decorator]  # Keras Tuner has no types
    def _updated(self, trial: Trial, told: Mapping[str, float], step: float) -> None:
        for metric, value in told.items():
            if not trial.metrics.exists(metric):
                own = self.objective.direction if metric == self.objective.name else None
                trial.metrics.register(metric, direction=own)
            # Keras Tuner's own looks through all steps for the best, before and after each.
            trial.metrics.metrics[metric].update(value, step=step)
        self._save_trial(trial)

    def end_trial(
        self,
        trial: Trial | str | None = None,
        status: str = TrialStatus.COMPLETED,
        *,
        trial_id: str | None = None,
    ) -> None:
        """Records the end of a trial; a failed or invalid trial does not raise.

        Args:
            trial: the trial, with its status; or its id, as before Keras Tuner 1.2.
            status: the status, with an id or a trial that still says that it is running.
            trial_id: the id, by the name that it had.

        Raises:
            KeyError: the oracle has no such trial.
            TypeError: neither a trial nor an id is given.
            ValueError: with such a status no trial ends.
        """
        ended = trial if trial_id is None else trial_id
        if ended is None:
            raise TypeError("end_trial takes a trial or its id")
        # As in `update_trial`, what is wrong is said before the lock.
        own = self.trials[ended if isinstance(ended, str) else ended.trial_id]
        ending = status if isinstance(ended, str) or ended.status == TrialStatus.RUNNING else ended.status
        if ending not in _ENDINGS:
            raise ValueError(f"a trial ends as {', '.join(_ENDINGS)}; received {ending!r}")
        if isinstance(ended, str):
            # Keras Tuner itself would make a trial of it that has the space's default values.
            ended = copy.copy(own)
        ended.status = ending
        self._ended(ended)

    @keras_tuner.synchronized  # type: ignore[untyped-decorator]  # Keras Tuner has no types
    def _ended(self, trial: Trial) -> None:
        super().end_trial(trial)
        ended = self.trials[trial.trial_id]
        if ended.status != TrialStatus.COMPLETED:
            ended.score = None

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Adds what a model has asked for to the space."""
        before = len(self.hyperparameters.space)
        super().update_space(hyperparameters)
        if len(self.hyperparameters.space) != before:
            self.has_grown()

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """At most `num_trials` completed trials, best first; of equal ones the earlier first."""
        completed = [t for t in self.trials.values() if t.status == TrialStatus.COMPLETED]
        return sorted(completed, key=self.better, reverse=True)[:num_trials]

    def get_state(self) -> dict[str, Any]:
        """Everything but the trials, as JSON-able data."""
        state = super().get_state()
        state["tried_so_far"] = sorted(state["tried_so_far"])
        return copy.deepcopy({**state, **self.memory()})

    def set_state(self, state: dict[str, Any]) -> None:
        """Takes up a state of `get_state`; `trials` must already hold the trials, in any order."""
        # A stock tuner reads them as the file system lists their folders.
        place = {trial_id: number for number, trial_id in enumerate(state["start_order"])}
        self.trials = dict(sorted(self.trials.items(), key=lambda item: place.get(item[0], len(place))))
        super().set_state(copy.deepcopy(state))
        self.take_up(state)

    def save(self) -> None:
        if self._directory is not None:
            super().save()

    def _save_trial(self, trial: Trial) -> None:
        if self._directory is not None:
            super()._save_trial(trial)

    def _record_values(self, trial: Trial) -> None:
        """Takes note of a trial's values, without those that are not active.

        Keras Tuner takes the value of an active hyperparameter away where an inactive one has the same name. A new
        trial has a value for every active one; what goes on keeps its own, whatever the space has grown by meanwhile.
        """
        known = trial.hyperparameters
        active = {one.name: one.default for one in known.space if known.is_active(one)}
        for name in {one.name for one in known.space} - active.keys():
            known.values.pop(name, None)
        if _PARENT not in known.values:
            known.values |= {name: value for name, value in active.items() if name not in known.values}
        before, now = self._id_to_hash[trial.trial_id], self._compute_values_hash(known.values)
        if before != now:
            self._tried_so_far.discard(before)
            self._id_to_hash[trial.trial_id] = now
        self._tried_so_far.add(now)

    def _check_consecutive_failures(self) -> None:
        """Failures say nothing about the configurations that follow: they do not end the search.

        A stock tuner says nothing of them either: there it ends as Keras Tuner's own do while nothing has completed.
        """
        if self._directory is None:
            return
        if not any(trial.status == TrialStatus.COMPLETED for trial in self.trials.values()):
            super()._check_consecutive_failures()

    def _compute_values_hash(self, values: Values) -> str:
        chosen = {name: value for name, value in values.items() if not name.startswith(TUNER_PREFIX)}
        return str(super()._compute_values_hash(chosen))


def _plain_step(step: SupportsIndex | SupportsFloat) -> float:
    """The step as a number that JSON has, whatever a loop counts with: a trial's state is written as that."""
    return operator.index(step) if isinstance(step, SupportsIndex) else float(step)
