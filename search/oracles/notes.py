"""What a `keras_tuner.Oracle` notes down about its trials, noted from outside where the oracle itself failed.

Only what the base class keeps is touched, so that it works for any oracle. Needs Keras Tuner.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Collection, Mapping
from typing import Any

_LOG = "log"
"""Under which a memory has what only ever grows, see `BaseOracle.memory`."""


def add(oracle: Any, slot: str, trial_id: str, values: Mapping[str, Any]) -> None:
    """Makes a trial as if the oracle had proposed it.

    Args:
        oracle: The oracle.
        slot: Under which name its trial is asked for.
        trial_id: Id of the trial, new to the oracle.
        values: Values with those that steer the training.
    """
    from keras_tuner.engine.trial import Trial, TrialStatus

    # The space itself is shared: a copy of it for each trial is most of what one would take.
    hyperparameters = copy.copy(oracle.hyperparameters)
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


def memory(oracle: Any) -> Mapping[str, Any]:
    """What an oracle knows besides its trials; one that does not tell it apart from the rest gives its whole state.

    Raises:
        TypeError: What is to be stored entry by entry is no list.
        Exception: Whatever the oracle raises.
    """
    known = dict(oracle.memory() if hasattr(oracle, "memory") else oracle.get_state())
    if not isinstance(log := known.get(_LOG, []), list):
        raise TypeError(f"under {_LOG} it has {type(log).__name__}, no list")
    return known


def recall(oracle: Any, known: Mapping[str, Any]) -> None:
    """Takes up a `memory`, or a whole state, as earlier versions of this program stored it."""
    if "tried_so_far" in known:
        oracle.set_state(dict(known))
    else:
        oracle.recall(known)
    complete(oracle)


class Snapshot:
    """What an oracle knew besides its trials at some moment.

    Args:
        known: What `memory` gave then; of the list under `log`, which goes on growing, what is there now.
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        # What an oracle tells may be its own lists, which it changes with the next proposal.
        self._known = copy.deepcopy({key: value for key, value in known.items() if key != _LOG})
        self._log: list[Any] | None = known.get(_LOG)
        self._logged = len(self._log or ())

    @property
    def known(self) -> dict[str, Any]:
        """What it knew."""
        known = copy.deepcopy(self._known)
        return known if self._log is None else {**known, _LOG: self._log[: self._logged]}


def rewind(oracle: Any, before: Snapshot | None) -> None:
    """Takes back what an oracle changed before it failed, to what it knew before, if that is known."""
    if before is not None:
        # One that does not take it back is asked again as it is.
        with contextlib.suppress(Exception, SystemExit):
            recall(oracle, before.known)


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


def cut_short(oracle: Any, trial_id: str) -> None:
    """Notes that the end of the time ended a trial, where the oracle tells such trials from others."""
    if hasattr(oracle, "cut_short"):
        oracle.cut_short.add(trial_id)


def unexplained(oracle: Any, trial_id: str, reason: str) -> None:
    """Notes that a trial failed for a reason that need not lie in its values, where the oracle asks for that."""
    if hasattr(oracle, "unexplained"):
        oracle.unexplained[trial_id] = reason


def complete(oracle: Any) -> None:
    """Notes of the trials what a state that is older than they are lacks."""
    for slot in [slot for slot, trial in oracle.ongoing_trials.items() if trial.status != "RUNNING"]:
        del oracle.ongoing_trials[slot]
    ongoing = {trial.trial_id for trial in oracle.ongoing_trials.values()}
    for number, (trial_id, trial) in enumerate(oracle.trials.items()):
        if not oracle.has_noted(trial_id):
            oracle.start_order.append(trial_id)
            _record(oracle, trial)
        if trial.status == "RUNNING" and trial_id not in ongoing:
            oracle.ongoing_trials[f"again-{number}"] = trial


def _record(oracle: Any, trial: Any) -> None:
    # How an oracle tells values apart is its own; if that fails, it may propose them again.
    with contextlib.suppress(Exception, SystemExit):
        oracle.note(trial)
