"""What a `keras_tuner.Oracle` notes down about its trials, noted from outside where the oracle itself failed.

Only what the base class keeps is touched, so that it works for any oracle. Needs Keras Tuner.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Mapping
from typing import Any


def add(oracle: Any, slot: str, trial_id: str, values: Mapping[str, Any]) -> None:
    """Makes a trial as if the oracle had proposed it.

    Args:
        oracle: The oracle.
        slot: Under which name its trial is asked for.
        trial_id: Id of the trial, new to the oracle.
        values: Values with those that steer the training.
    """
    from keras_tuner.engine.trial import Trial, TrialStatus

    hyperparameters = oracle.hyperparameters.copy()
    hyperparameters.values = dict(values)
    trial = Trial(hyperparameters=hyperparameters, trial_id=trial_id, status=TrialStatus.RUNNING)
    oracle.trials[trial_id] = oracle.ongoing_trials[slot] = trial
    oracle.start_order.append(trial_id)
    _record(oracle, trial)


def drop(oracle: Any, slot: str, known: Collection[str]) -> None:
    """Takes back a trial that the oracle made for this slot, if it made one; its values count as tried.

    Args:
        oracle: The oracle.
        slot: Under which name its trial was asked for.
        known: Ids of earlier trials, which stay.
    """
    trial = oracle.ongoing_trials.pop(slot, None)
    if trial is not None and trial.trial_id not in known:
        oracle.trials.pop(trial.trial_id, None)
        with contextlib.suppress(ValueError):
            oracle.start_order.remove(trial.trial_id)


def rewind(oracle: Any, state: Mapping[str, Any] | None) -> None:
    """Takes back what an oracle changed before it failed, to a state that it gave before, if there is one."""
    if state is not None:
        # One that does not take it back is asked again as it is.
        with contextlib.suppress(Exception):
            oracle.set_state(dict(state))
            complete(oracle)


def end(oracle: Any, trial_id: str) -> None:
    """Ends a trial for the oracle; one without a score that it can use has failed."""
    trial = oracle.trials.get(trial_id)
    if trial is None:
        return
    for slot in [slot for slot, one in oracle.ongoing_trials.items() if one.trial_id == trial_id]:
        del oracle.ongoing_trials[slot]
    if trial_id not in oracle.end_order:
        oracle.end_order.append(trial_id)
    if trial.status != "COMPLETED" or trial.score is None or not math.isfinite(trial.score):
        trial.status, trial.score = "FAILED", None


def complete(oracle: Any) -> None:
    """Notes of the trials what a state that is older than they are lacks."""
    for slot in [slot for slot, trial in oracle.ongoing_trials.items() if trial.status != "RUNNING"]:
        del oracle.ongoing_trials[slot]
    ongoing = {trial.trial_id for trial in oracle.ongoing_trials.values()}
    for number, (trial_id, trial) in enumerate(oracle.trials.items()):
        if oracle._id_to_hash[trial_id] is None:
            oracle.start_order.append(trial_id)
            _record(oracle, trial)
        if trial.status == "RUNNING" and trial_id not in ongoing:
            oracle.ongoing_trials[f"again-{number}"] = trial


def _record(oracle: Any, trial: Any) -> None:
    # How an oracle tells values apart is its own; if that fails, it may propose them again.
    with contextlib.suppress(Exception):
        oracle._record_values(trial)
