"""Between the loop and a `keras_tuner.Oracle`: asking for configurations, telling outcomes, state.

The only module of the loop that knows how Keras Tuner names things.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import spaces
from search.oracles import SECONDS_METRIC
from search.oracles import oracle as make_oracle
from search.trial import Epoch, Outcome, Scalar, Trial, TrialKind

if TYPE_CHECKING:
    from keras_tuner import HyperParameters
    from keras_tuner.engine.trial import Trial as OracleTrial

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
        name = f"slot-{len(self._oracle.trials)}"
        trial = self._oracle.create_trial(name)
        self._oracle.tuner_ids.discard(name)
        if trial.status == "IDLE":
            return Idle()
        if trial.status != "RUNNING":
            return Exhausted()
        values = trial.hyperparameters.values
        trial.hyperparameters = self._with_values(values)
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
        """Reports the end of a trial, the objective epoch by epoch."""
        trial = self._oracle.trials[trial_id]
        objective = self._oracle.objective.name
        if outcome.failure is None and outcome.score is not None:
            for epoch in outcome.epochs:
                seconds = {SECONDS_METRIC: epoch.seconds} if self._timed else {}
                self._oracle.update_trial(trial_id, {objective: epoch.metrics[objective], **seconds}, step=epoch.number)
            if all(epoch.number != outcome.best_epoch for epoch in outcome.epochs):
                # The configuration's best epoch belongs to an earlier trial of it; its score still holds.
                self._oracle.update_trial(trial_id, {objective: outcome.score}, step=outcome.best_epoch)
        finished = copy.copy(trial)
        finished.status = "FAILED" if outcome.failure else "COMPLETED"
        finished.message = outcome.failure.message if outcome.failure else trial.message
        self._oracle.end_trial(finished)

    def record(self, trial_id: str) -> dict[str, Any]:
        """What the oracle knows of a trial besides its values: Keras Tuner's own record without the whole space."""
        trial = self._oracle.trials[trial_id]
        return {
            "values": {key: v for key, v in trial.hyperparameters.values.items() if key.startswith(_RESERVED)},
            "metrics": trial.metrics.get_config(),
            "score": trial.score,
            "best_step": trial.best_step,
            "status": trial.status,
            "message": trial.message,
        }

    def continuable(self) -> set[str]:
        """Ids of the ended trials that the oracle may still want to continue."""
        return set(self._oracle.continuable())

    def state(self) -> dict[str, Any]:
        """What the oracle knows besides its trials; see `BaseOracle.memory`."""
        return self._oracle.memory()

    def restore(self, trials: Iterable[Trial], state: Mapping[str, Any] | None) -> None:
        """Brings the oracle to where it was when `state` was taken.

        Args:
            trials: The search trials of the store, in their order.
            state: What `state` gave at the last commit; None for a search that has not begun. Earlier versions gave
                all of `get_state`.
        """
        for trial in trials:
            if trial.kind is TrialKind.SEARCH and trial.oracle is not None:
                self._oracle.trials[trial.id] = self._recorded(trial, trial.oracle)
        if state is not None and "tried_so_far" in state:
            self._oracle.set_state(dict(state))
        elif state is not None:
            self._oracle.recall(state)

    def _recorded(self, trial: Trial, record: Mapping[str, Any]) -> OracleTrial:
        from keras_tuner.engine.trial import Trial as OracleTrial

        steering = record.get("hyperparameters", record)
        restored = OracleTrial(
            self._with_values({**trial.values, **steering["values"]}), trial.id, record["status"], record["message"]
        )
        restored.metrics = restored.metrics.from_config(record["metrics"])
        restored.score, restored.best_step = record["score"], record["best_step"]
        return restored

    def _with_values(self, values: dict[str, Any]) -> HyperParameters:
        """Hyperparameters that share the oracle's space: a copy of it for each trial is most of what one would take."""
        shared = copy.copy(self._oracle.hyperparameters)
        shared.values = values
        return shared


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
