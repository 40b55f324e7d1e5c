"""Between the loop and a `keras_tuner.Oracle`: asking for configurations, telling outcomes, state.

The only module of the loop that knows how Keras Tuner names things.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import spaces
from search.errors import RunError
from search.oracles import SECONDS_METRIC
from search.oracles import oracle as make_oracle
from search.trial import Epoch, Outcome, Scalar, Trial, TrialKind

if TYPE_CHECKING:
    from search.oracles._base import BaseOracle

_EPOCHS = "tuner/epochs"
_INITIAL_EPOCH = "tuner/initial_epoch"
_PARENT = "tuner/trial_id"
_RESERVED = "tuner/"


@dataclass(frozen=True)
class Proposal:
    """A trial that the oracle wants.

    Attributes:
        trial_id: The oracle's id for it.
        values: Active hyperparameter values.
        epochs_from: Epochs that `parent` has trained; 0 without a parent.
        epochs_to: Epochs to reach, or None where the configuration itself says it.
        parent: Id of the trial to continue, or None.
        note: Why it was chosen, in words; may be empty.
    """

    trial_id: str
    values: Mapping[str, Scalar]
    epochs_from: int
    epochs_to: int | None
    parent: str | None
    note: str


class Idle:
    """The oracle waits for running trials."""


class Exhausted:
    """The oracle wants no further trial."""


class Proposer:
    """Asks an oracle and tells it what came out.

    Args:
        oracle: One of `search.oracles`.
        timed: Whether to report what epochs cost. With a time budget that is worth its price: the choices then depend
            on how fast the machine happens to be, and a search is not repeated exactly.
    """

    def __init__(self, oracle: BaseOracle, timed: bool = False) -> None:
        self._oracle = oracle
        self._timed = timed

    def ask(self) -> Proposal | Idle | Exhausted:
        """The next trial that the oracle wants."""
        # Keras Tuner hands a tuner that asks twice the same trial, so each trial asks under its own name.
        trial = self._oracle.create_trial(f"slot-{len(self._oracle.trials)}")
        if trial.status == "IDLE":
            return Idle()
        if trial.status != "RUNNING":
            return Exhausted()
        values = trial.hyperparameters.values
        return Proposal(
            trial_id=trial.trial_id,
            values={key: value for key, value in values.items() if not key.startswith(_RESERVED)},
            epochs_from=values.get(_INITIAL_EPOCH, 0),
            epochs_to=values.get(_EPOCHS),
            parent=values.get(_PARENT),
            note=(getattr(trial, "message", None) or ""),
        )

    def learn(self, values: Mapping[str, Scalar], epochs: Sequence[Epoch]) -> None:
        """Tells an oracle that can use it what a configuration scored that it did not ask for.

        Args:
            values: The configuration's hyperparameter values.
            epochs: Its learning curve from the first epoch on.
        """
        add_evidence = getattr(self._oracle, "add_evidence", None)
        if add_evidence is None or not epochs:
            return
        name = self._oracle.objective.name
        seconds = statistics.median(epoch.seconds for epoch in epochs) if self._timed else None
        add_evidence(values, [epoch.metrics.get(name, math.nan) for epoch in epochs], seconds)

    def tell(self, trial_id: str, outcome: Outcome) -> None:
        """Reports the end of a trial, epoch by epoch."""
        trial = self._oracle.trials[trial_id]
        objective = self._oracle.objective.name
        if outcome.failure is None and outcome.score is not None:
            for epoch in outcome.epochs:
                seconds = {SECONDS_METRIC: epoch.seconds} if self._timed else {}
                self._oracle.update_trial(trial_id, {**epoch.metrics, **seconds}, step=epoch.number)
            if all(epoch.number != outcome.best_epoch for epoch in outcome.epochs):
                # The configuration's best epoch belongs to an earlier trial of it; its score still holds.
                self._oracle.update_trial(trial_id, {objective: outcome.score}, step=outcome.best_epoch)
        finished = copy.copy(trial)
        finished.status = "FAILED" if outcome.failure else "COMPLETED"
        finished.message = outcome.failure.message if outcome.failure else trial.message
        self._oracle.end_trial(finished)

    def record(self, trial_id: str) -> dict[str, Any]:
        """Keras Tuner's own record of a trial."""
        return dict(self._oracle.trials[trial_id].get_state())

    def continuable(self) -> set[str]:
        """Ids of the ended trials that the oracle may still want to continue."""
        return set(self._oracle.continuable())

    def state(self) -> dict[str, Any]:
        """The oracle's state without its trials."""
        return dict(self._oracle.get_state())

    def restore(self, trials: list[Trial], state: Mapping[str, Any] | None) -> None:
        """Brings the oracle to where it was when `state` was taken.

        Args:
            trials: The search trials of the store, in their order.
            state: What `state` gave at the last commit; None for a search that has not begun.

        Raises:
            RunError: The records are not an oracle's.
        """
        from keras_tuner.engine.trial import Trial as OracleTrial

        try:
            for trial in trials:
                if trial.kind is TrialKind.SEARCH and trial.oracle is not None:
                    if trial.oracle.get("trial_id") != trial.id:
                        raise ValueError(f"that of trial {trial.id} names another")
                    self._oracle.trials[trial.id] = OracleTrial.from_state(dict(trial.oracle))
            if state is not None:
                self._oracle.set_state(dict(state))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise RunError(
                f"the store's record of the oracle is damaged ({type(error).__name__}: {error}); "
                "`run --fork NEW_RUN_DIR` begins a new run with the trials that are there"
            ) from error


def for_spec(spec: spaces.SearchSpec, timed: bool) -> Proposer:
    """The proposer of a space file: its algorithm over its hyperparameters; `timed` as for `Proposer`."""
    import keras_tuner

    objective = keras_tuner.Objective(spec.objective.name, spec.objective.direction)
    return Proposer(
        make_oracle(
            spec.search.algorithm,
            hyperparameters=spaces.hyperparameters(spec),
            objective=objective,
            min_epochs=spec.min_epochs,
            max_epochs=spec.max_epochs,
            max_trials=spec.search.max_trials,
            seed=spec.search.seed,
        ),
        timed,
    )
