"""Between the loop and a `keras_tuner.Oracle`: asking for configurations, telling outcomes, state.

With `search.oracles.notes` the only module of the loop that knows how Keras Tuner names things. What an oracle raises
never leaves it: a warning says so, and where the oracle was to propose something, a random configuration takes its
place.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import spaces
from search.oracles import SECONDS_METRIC, notes
from search.oracles import oracle as make_oracle
from search.record import jsondata
from search.record.configuration import Configuration
from search.record.trial import OF_THE_VALUES, Epoch, FailureReason, Outcome, Scalar, Trial, TrialKind
from search.times.estimates import schedule_end
from spaces.families import family_of
from spaces.sections.training_section import epoch_limits
from spaces.values.metrics import REGRESSION_LOSSES

if TYPE_CHECKING:
    from keras_tuner import HyperParameters
    from keras_tuner.engine.trial import Trial as OracleTrial

    from search.oracles._base import BaseOracle
    from search.oracles.surrogate.outlook import Outlook

_EPOCHS = "tuner/epochs"
_INITIAL_EPOCH = "tuner/initial_epoch"
_PARENT = "tuner/trial_id"
_RESERVED = "tuner/"
_CUT_SHORT = "cut_short"
_UNEXPLAINED = "unexplained"
# The memory that a training takes depends on its values more than on anything else.
_TELLING = OF_THE_VALUES | {FailureReason.OUT_OF_MEMORY}
_MESSAGE_LENGTH = 200
# One that wants to end the process gets no further than any other mistake.
_RAISED = (Exception, SystemExit)
_TRIED_FIRST = 100
_MOST_KNOWN = 100_000
# What `auto` is of a regression.
_USUAL_LOSS = "mse"


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
        longest: Epochs of a random configuration that takes the place of a proposal; None where the configuration
            itself says it.
        on_warning: Told in words what the oracle raised, once for each kind.
        last_counts: Whether it is the last value of a training that scores it, not the best.
        becomes_dearer: Whether later epochs of a training may be far dearer than the first.
    """

    def __init__(
        self,
        oracle: BaseOracle,
        timed: bool = False,
        longest: int | None = None,
        on_warning: Callable[[str], None] = lambda _: None,
        last_counts: bool = False,
        becomes_dearer: bool = False,
    ) -> None:
        self._oracle = oracle
        self._last_counts = last_counts
        self._becomes_dearer = becomes_dearer
        self._timed = timed
        self._longest = longest
        self._on_warning = on_warning
        # An oracle replaces its own when it takes up a state.
        self._hyperparameters = oracle.hyperparameters
        self._slot = ""
        self._state: notes.Snapshot | None = None
        self._ids: set[str] = set()
        self._tried: set[int] = set()
        self._said: set[tuple[str, str]] = set()
        self._lost = False
        self._continuable: set[str] = set()
        self.failed = False
        """Whether the oracle has failed to propose something."""

    def ask(self) -> Proposal | Idle | Exhausted:
        """The next trial that the oracle wants, or a random one where it fails."""
        # Keras Tuner hands a tuner that asks twice the same trial, so each trial asks under its own name.
        self._slot = f"slot-{len(self._oracle.trials)}"
        if self._lost:
            return self._at_random("what it knew is lost")
        if self._state is None:
            self.state()
        try:
            return self._asked()
        except _RAISED as error:
            self._take_back()
            return self._at_random(self._fault("asked for a trial", error, "a random configuration takes its place"))

    def instead(self, refused: Proposal, error: Exception) -> Proposal | Idle | Exhausted:
        """A random trial in place of one that is no trial of this space.

        Args:
            refused: What `ask` gave last.
            error: What is wrong with it.
        """
        self.withdraw(refused.trial_id)
        return self._at_random(
            self._fault("asked for a trial that can be trained", error, "a random configuration takes its place")
        )

    def withdraw(self, trial_id: str) -> None:
        """Takes back the trial that `ask` gave last: it is not begun."""
        self._ids.discard(trial_id)
        self._take_back()

    def _take_back(self) -> None:
        """Brings the oracle to where it was before it was asked."""
        notes.drop(self._oracle, self._slot, self._ids)
        notes.rewind(self._oracle, self._state)

    def _asked(self) -> Proposal | Idle | Exhausted:
        trial = self._oracle.create_trial(self._slot)
        self._oracle.tuner_ids.discard(self._slot)
        if trial.status == "IDLE":
            return Idle()
        if trial.status != "RUNNING":
            return Exhausted()
        if trial.trial_id in self._ids:
            raise ValueError(f"trial {trial.trial_id} was proposed before")
        values = trial.hyperparameters.values
        chosen = {key: value for key, value in values.items() if not key.startswith(_RESERVED)}
        # What cannot be recorded cannot be trained.
        jsondata.dumps(values)
        trial.hyperparameters = self._with_values(values)
        self._ids.add(trial.trial_id)
        self._tried.add(_key(chosen))
        return Proposal(
            trial_id=trial.trial_id,
            values=chosen,
            epochs_from=values.get(_INITIAL_EPOCH, 0),
            epochs_to=values.get(_EPOCHS),
            parent=values.get(_PARENT),
            note=(getattr(trial, "message", None) or ""),
        )

    def _at_random(self, reason: str) -> Proposal | Exhausted:
        """A random configuration that was never tried; the oracle learns of it as if it were its own."""
        import numpy as np

        from search.oracles._space import Space

        self.failed = True
        rng = np.random.default_rng([self._oracle.seed, len(self._ids)])
        values = Space.of_keras_tuner(self._hyperparameters).unused(rng, lambda values: _key(values) in self._tried)
        if values is None:
            return Exhausted()
        number, width = len(self._ids), len(str(self._oracle.max_trials))
        while (trial_id := f"{number:0{width}d}") in self._ids:
            number += 1
        self._ids.add(trial_id)
        self._tried.add(_key(values))
        if not self._lost:
            steps = {} if self._longest is None else {_EPOCHS: self._longest, _INITIAL_EPOCH: 0}
            notes.add(self._oracle, self._slot, trial_id, {**values, **steps})
        return Proposal(trial_id, values, 0, self._longest, None, f"at random: the search algorithm failed ({reason})")

    def _fault(self, when: str, error: BaseException, consequence: str) -> str:
        """Warns of an error, once for each kind; returns it in words."""
        message = "".join(c for c in " ".join(str(error).split()) if c.isprintable())
        words = f"{type(error).__name__}: {message}"[:_MESSAGE_LENGTH]
        if (when, type(error).__name__) not in self._said:
            self._said.add((when, type(error).__name__))
            self._on_warning(f"the search algorithm failed when it was {when} ({words}): {consequence}")
        return words

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
        times = [epoch.seconds for epoch in self._timed_ones(epochs)]
        seconds = statistics.median(times) if times else None
        try:
            add_evidence(values, [epoch.metrics.get(name, math.nan) for epoch in epochs], seconds)
        except _RAISED as error:
            self._fault("told of another training", error, "it goes on without it")

    def tell(self, trial_id: str, outcome: Outcome) -> None:
        """Reports the end of a trial, the objective epoch by epoch."""
        if self._lost:
            return
        try:
            self._tell(trial_id, outcome)
        except _RAISED as error:
            self._fault("told of a trial", error, "it goes on without it")
            notes.end(self._oracle, trial_id)

    def _tell(self, trial_id: str, outcome: Outcome) -> None:
        trial = self._oracle.trials[trial_id]
        objective = self._oracle.objective.name
        if outcome.failure is None and outcome.score is not None:
            timed = {epoch.number for epoch in self._timed_ones(outcome.epochs)}
            for epoch in outcome.epochs[-1:] if self._last_counts else outcome.epochs:
                seconds = {SECONDS_METRIC: epoch.seconds} if epoch.number in timed else {}
                value = outcome.score if self._last_counts else epoch.metrics[objective]
                self._oracle.update_trial(trial_id, {objective: value, **seconds}, step=epoch.number)
            best = outcome.best_epoch
            if best is not None and all(epoch.number != best for epoch in outcome.epochs):
                # The configuration's best epoch belongs to an earlier trial of it; its score still holds.
                self._oracle.update_trial(trial_id, {objective: outcome.score}, step=best)
        if outcome.failure is None and not outcome.whole:
            notes.cut_short(self._oracle, trial_id)
            self._shorten(trial, outcome.epochs)
        if outcome.failure is not None and outcome.failure.reason not in _TELLING:
            notes.unexplained(self._oracle, trial_id, outcome.failure.reason.value)
            self._shorten(trial, ())
        finished = copy.copy(trial)
        finished.status = "FAILED" if outcome.failure else "COMPLETED"
        finished.message = outcome.failure.message if outcome.failure else trial.message
        self._oracle.end_trial(finished)

    def _shorten(self, trial: OracleTrial, epochs: Sequence[Epoch]) -> None:
        """Lets the record of a trial that came to no end of its own say that it was to train the epochs it has."""
        values = trial.hyperparameters.values
        if _EPOCHS in values:
            values[_EPOCHS] = max([values.get(_INITIAL_EPOCH, 0), *(epoch.number for epoch in epochs)])

    def _timed_ones(self, epochs: Sequence[Epoch]) -> Sequence[Epoch]:
        """Those of a trial's epochs of which the oracle learns how long they took.

        The first may have been compiled, which says nothing of another one. Where later ones are dearer by far, all
        count: a compilation is little beside them, and a trial may have no second epoch of its phase.
        """
        if not self._timed:
            return ()
        return epochs if self._becomes_dearer else epochs[1:]

    def record(self, trial_id: str) -> dict[str, Any] | None:
        """What the oracle knows of a trial besides its values: Keras Tuner's own record without the whole space.

        None where it has none.
        """
        trial = self._oracle.trials.get(trial_id)
        if trial is None:
            return None
        known: dict[str, Any] = {
            "values": {key: v for key, v in trial.hyperparameters.values.items() if key.startswith(_RESERVED)},
            "metrics": trial.metrics.get_config(),
            "score": trial.score,
            "best_step": trial.best_step,
            "status": trial.status,
            "message": trial.message,
        }
        if trial_id in getattr(self._oracle, "cut_short", ()):
            known[_CUT_SHORT] = True
        if trial_id in (reasons := getattr(self._oracle, "unexplained", {})):
            known[_UNEXPLAINED] = reasons[trial_id]
        return known

    @property
    def outlook(self) -> Outlook | None:
        """What going on is expected to bring, as of the last proposal that looked ahead; None: no model says it."""
        return None if self._lost else self._oracle.outlook

    def beat(self, score: float | None) -> None:
        """Says what the best score of the run is, baselines included: `outlook` is of what improves on it."""
        self._oracle.incumbent = score

    def continuable(self) -> set[str]:
        """Ids of the ended trials that the oracle may still want to continue; where it fails, those it last told."""
        try:
            self._continuable = set(self._oracle.continuable())
        except _RAISED as error:
            self._fault("asked what it may go on with", error, "what it goes on with is trained from the start")
        return self._continuable

    def state(self) -> Mapping[str, Any] | None:
        """What the oracle knows besides its trials, see `BaseOracle.memory`; None where it cannot tell."""
        if self._lost:
            return None
        try:
            state = notes.memory(self._oracle)
            self._state = notes.Snapshot(state)
        except _RAISED as error:
            self._fault("asked for its state", error, "after an interruption it will know less")
            return None
        return state

    def restore(self, trials: Iterable[Trial], state: Mapping[str, Any] | None) -> None:
        """Brings the oracle to where it was when `state` was taken.

        Args:
            trials: The search trials of the store, in their order.
            state: What `state` gave at the last commit; None for a search that has not begun. Earlier versions gave
                all of `get_state`.

        """
        problem: BaseException | None = None
        for trial in trials:
            if trial.kind is not TrialKind.SEARCH:
                continue
            self._ids.add(trial.id)
            self._tried.add(_key(trial.values))
            try:
                if trial.oracle is not None and problem is None:
                    self._oracle.trials[trial.id] = self._recorded(trial, trial.oracle)
            except _RAISED as error:
                problem = error
        try:
            if problem is not None:
                raise problem
            if state is None:
                notes.complete(self._oracle)
            else:
                notes.recall(self._oracle, state)
        except _RAISED as error:
            self._lost = True
            self._fault("given its state back", error, "random configurations from here on")

    def _recorded(self, trial: Trial, record: Mapping[str, Any]) -> OracleTrial:
        from keras_tuner.engine.trial import Trial as OracleTrial

        steering = record.get("hyperparameters", record)
        restored = OracleTrial(
            self._with_values({**trial.values, **steering["values"]}), trial.id, record["status"], record["message"]
        )
        restored.metrics = restored.metrics.from_config(record["metrics"])
        restored.score, restored.best_step = record["score"], record["best_step"]
        if record.get(_CUT_SHORT):
            notes.cut_short(self._oracle, trial.id)
        if _UNEXPLAINED in record:
            notes.unexplained(self._oracle, trial.id, str(record[_UNEXPLAINED]))
        return restored

    def _with_values(self, values: dict[str, Any]) -> HyperParameters:
        """Hyperparameters that share the oracle's space: a copy of it for each trial is most of what one would take."""
        shared = copy.copy(self._oracle.hyperparameters)
        shared.values = values
        return shared


def _key(values: Mapping[str, Scalar]) -> int:
    """Tells configurations apart, in little memory."""
    return hash(frozenset(values.items()))


def for_spec(
    spec: spaces.SearchSpec,
    timed: bool = False,
    on_warning: Callable[[str], None] = lambda _: None,
    info: spaces.DataInfo | None = None,
    endless: bool = False,
) -> Proposer:
    """The proposer of a space file: its algorithm over its hyperparameters.

    Args:
        spec: The space file.
        timed, on_warning: As for `Proposer`.
        info: The rows that the models are for: what has more parameters than the space file allows is not proposed.
            None: they are not known, and training finds out.
        endless: Whether somebody else ends the search: what repeats a schedule then does so without end.
    """
    import keras_tuner

    objective = keras_tuner.Objective(spec.objective.name, spec.objective.direction)
    # Of a cross-validation each epoch is a fold, a whole training with all that is dear in it.
    becomes_dearer = spec.data.folds is None and family_of(spec.model).becomes_dearer(spec.model)
    oracle = make_oracle(
        spec.search.algorithm,
        hyperparameters=spaces.hyperparameters(spec),
        objective=objective,
        min_epochs=spec.min_epochs,
        max_epochs=spec.max_epochs,
        max_trials=spec.search.max_trials,
        seed=spec.search.seed,
    )
    oracle.becomes_dearer = becomes_dearer
    oracle.endless = endless and spec.algorithm.repeats
    # A user's function may do anything while it builds: that is for the training.
    if info is not None and spec.constraints.parameters is not None and not family_of(spec.model).users_code:
        oracle.only(_within(spec, info, spec.constraints.parameters))
    if timed and becomes_dearer:
        most = spec.search.max_trials
        oracle.tried_first = _TRIED_FIRST if most is None else min(_TRIED_FIRST, most // 2)
    longest = spec.max_epochs if spec.algorithm.multi_fidelity else None
    # Of means over folds the last one is the score, not the best; what reads curves wants all of them, and is told so.
    oracle.last_counts = spec.data.folds is not None
    last_counts = oracle.last_counts and not spec.algorithm.open_ended
    return Proposer(oracle, timed, longest, on_warning, last_counts, becomes_dearer)


def counts_alike(spec: spaces.SearchSpec, settings: Mapping[str, Any]) -> bool:
    """Whether a learning curve counts what those of this space do: epochs, or folds of a cross-validation.

    Args:
        spec: The space file.
        settings: As for `is_comparable`.
    """
    return bool(settings["training"].get("folds")) == (spec.data.folds is not None)


def scored_alike(spec: spaces.SearchSpec, settings: Mapping[str, Any]) -> bool:
    """Whether an objective that is the loss is the same loss here: each loss of a regression is a number of its own.

    Args:
        spec: The space file.
        settings: As for `is_comparable`.
    """
    if spec.objective.name.removeprefix("val_") != "loss":
        return True
    losses = {settings["training"]["loss"], spec.training.loss}
    # Those of classes are all the cross-entropy of the labels as they are.
    return losses.isdisjoint(REGRESSION_LOSSES) or len({_USUAL_LOSS if one == "auto" else one for one in losses}) == 1


def is_comparable(spec: spaces.SearchSpec, settings: Mapping[str, Any]) -> bool:
    """Whether a learning curve says something of those of this space, epoch by epoch.

    One whose rate went to its end over another number of epochs was further in its schedule, or less far, at each.

    Args:
        spec: The space file.
        settings: Those that were trained with, as a trial has them.
    """
    end = schedule_end(settings)
    shortest, longest = epoch_limits(spec.training.epochs)
    return end is None or (longest if spec.algorithm.multi_fidelity else shortest) <= end <= longest


def telling_epochs(trained: Outcome | Configuration) -> Sequence[Epoch]:
    """The epochs that say something of the values: none of what failed because of these, whatever it had scored."""
    failed = trained.failure is not None and trained.failure.reason in _TELLING
    return () if failed else trained.epochs


def _within(spec: spaces.SearchSpec, info: spaces.DataInfo, most: int) -> Callable[[Mapping[str, Scalar]], bool]:
    """Tells of values whether their model has at most so many parameters, where that is known without building it."""
    # The configurations that a model promises much of are asked about again and again.
    known: dict[int, bool] = {}

    def fits(values: Mapping[str, Scalar]) -> bool:
        try:
            return spaces.count_parameters(spaces.configure(spec, values), info) <= most
        except ValueError:
            # What cannot be built says so in its training.
            return True

    def within(values: Mapping[str, Scalar]) -> bool:
        key = _key(values)
        if key not in known:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            known[key] = fits(values)
        return known[key]

    return within
