"""What each phase of a run trains: the baselines and the oracle's proposals, the candidates, the winner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import spaces
from search import housekeeping
from search.clock import Clock
from search.configuration import Configuration
from search.errors import SearchFailed
from search.line import Line
from search.proposer import Proposal, Proposer
from search.runner import Commit, Lesson
from search.schedule import planned
from search.seeds import configuration_seed, derive
from search.store import RunStore
from search.trial import Outcome, Trial, TrialJob, TrialKind, TrialState
from spaces import SearchSpec, Settings
from spaces.resolve import MULTI_FIDELITY

# So many configurations, all failed in the same way and none succeeded: the cause is not in the configurations.
_SAME_FAILURES = 10


class _Source:
    """What the sources share: how a trial of this run becomes a job."""

    def __init__(self, spec: SearchSpec, clock: Clock, until: Callable[[], float | None]) -> None:
        self._spec = spec
        self._clock = clock
        self._until = until

    @property
    def waiting(self) -> bool:
        return False

    def state(self) -> Mapping[str, Any] | None:
        return None

    def tell(self) -> Lesson | None:
        return None

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        return Commit()

    def check(self) -> None:
        pass

    def job(self, trial: Trial) -> TrialJob:
        limits, objective = self._spec.limits, self._spec.objective
        return TrialJob(
            trial_id=trial.id,
            settings=trial.settings,
            seed=trial.seed,
            objective=objective.name,
            direction=objective.direction,
            epochs_from=trial.epochs_from,
            epochs_to=trial.epochs_to,
            keep=self._keep(trial),
            data="train",
            max_parameters=self._spec.constraints.parameters if trial.kind is TrialKind.SEARCH else None,
            until=self._until(),
            seconds_per_trial=limits.seconds_per_trial,
            seconds_per_epoch=limits.seconds_per_epoch,
        )

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        return ("best",)


class SearchSource(_Source):
    """The baselines of the space file, then whatever the oracle proposes.

    By `search.order: free` the oracle learns of a trial when it ends. By `fixed` the trials stand in a line in the
    order in which they were asked for; with n slots the k-th is asked for when exactly the first k - n have been told,
    whatever else has ended by then. What ends out of turn is committed at once and told in its turn.

    Args:
        spec: The space file.
        proposer: Asks the oracle; already restored to the store's last commit.
        store: Tells what has been asked for before.
        clock: Tells the time for the records.
        until: Unix time at which the search has to end, or None; asked again for every trial.
        most: Number of trials after which the search ends, baselines not counted; None: the oracle ends it, or time.
    """

    def __init__(
        self,
        spec: SearchSpec,
        proposer: Proposer,
        store: RunStore,
        clock: Clock,
        until: Callable[[], float | None],
        most: int | None,
    ) -> None:
        super().__init__(spec, clock, until)
        self._most = most
        self._proposer = proposer
        self._store = store
        past = store.trials(TrialKind.SEARCH, TrialKind.BASELINE, TrialKind.EVIDENCE)
        # The store's trials, kept here so that a decision does not have to read them all again.
        self._trials = {trial.id: trial for trial in past}
        self._searched = sum(trial.kind is TrialKind.SEARCH for trial in past)
        self._baselines = [b for b in spec.baselines if baseline_id(b.name) not in self._trials]
        self._failures = [_failure_key(trial) for trial in past if trial.state is not TrialState.RUNNING]
        asked = (trial.id for trial in past if trial.kind is not TrialKind.EVIDENCE)
        self._line = Line(asked, store.meta("told", 0)) if spec.search.order == "fixed" else None
        self._waiting = False
        self.ended = ""

    @property
    def waiting(self) -> bool:
        return self._waiting

    def next(self, slots: int) -> Trial | None:
        self._waiting, self.ended = False, ""
        if self._out_of_time():
            self.ended = "deadline"
            return None
        if self._line is not None and self._line.is_full(slots):
            self._waiting = True
            return None
        if self._baselines:
            return self._begun(baseline_trial(self._spec, self._baselines.pop(0), self._clock.now()))
        most = self._limit()
        if most is not None and self._searched >= most:
            self.ended = "max_trials"
            return None
        trial = self._proposed()
        if trial is None:
            self.ended = "exhausted"
            return None
        self._searched += 1
        return self._begun(trial)

    def _limit(self) -> int | None:
        # An oracle that ends by itself no longer does so when it fails at every question.
        if self._most is None and self._proposer.failed:
            return planned(self._spec, timed=self._until() is not None).trials
        return self._most

    def _proposed(self) -> Trial | None:
        proposal = self._proposer.ask()
        if not isinstance(proposal, Proposal):
            return None
        try:
            return self._trial(proposal)
        except Exception as error:
            # An oracle may want what is no configuration of the space, or go on from what never was.
            substitute = self._proposer.instead(proposal, error)
            return self._trial(substitute) if isinstance(substitute, Proposal) else None

    def tell(self) -> Lesson | None:
        # What would be told after the last question would be missing before the next one, if there comes to be one.
        if self._line is None or self._line.first is None or self.ended in ("deadline", "max_trials"):
            return None
        trial = self._trials[self._line.first]
        if trial.state is TrialState.RUNNING or trial.outcome is None:
            return None
        return Lesson(trial.id, self._learnt(trial, trial.outcome), self._line.leave())

    def state(self) -> Mapping[str, Any] | None:
        return self._proposer.state()

    @property
    def trials(self) -> list[Trial]:
        """Baselines and search trials as they are in the store, in order."""
        return list(self._trials.values())

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        state = TrialState.FAILED if outcome.failure else TrialState.COMPLETED
        self._trials[trial.id] = replace(trial, state=state, outcome=outcome)
        self._failures.append((outcome.failure.reason, outcome.failure.message) if outcome.failure else None)
        return self._learnt(trial, outcome) if self._line is None else Commit()

    def _learnt(self, trial: Trial, outcome: Outcome) -> Commit:
        if trial.kind is not TrialKind.SEARCH:
            self._proposer.learn(trial.values, outcome.epochs)
            return Commit(state=self._proposer.state())
        self._proposer.tell(trial.id, outcome)
        return Commit(self._proposer.record(trial.id), self._proposer.state())

    def check(self) -> None:
        """Deletes spare checkpoints; raises `SearchFailed` if everything so far failed in the same way."""
        self._make_room()
        if len(self._failures) == _SAME_FAILURES and None not in self._failures and len(set(self._failures)) == 1:
            reason, message = self._failures[0]  # type: ignore[misc]
            raise SearchFailed(
                f"the first {_SAME_FAILURES} configurations all failed in the same way ({reason}): {message}"
            )

    def _make_room(self) -> None:
        run, direction = self._store.directory, self._spec.objective.direction
        # Of a trial of which the oracle does not know it may yet want more.
        untold = self._line.untold if self._line is not None else set()
        continuable = self._proposer.continuable() | untold
        best, limit = self._spec.keep_checkpoints.best, self._spec.limits.disk
        self._trimmed(housekeeping.tidy(run, self._store, self.trials, direction, best, continuable))
        if limit is not None:
            self._trimmed(housekeeping.keep_within(limit, run, self._store, self.trials, direction, continuable))

    def _trimmed(self, outcomes: Mapping[str, Outcome]) -> None:
        for trial_id, outcome in outcomes.items():
            self._trials[trial_id] = replace(self._trials[trial_id], outcome=outcome)

    def _begun(self, trial: Trial) -> Trial:
        self._trials[trial.id] = trial
        if self._line is not None:
            self._line.join(trial.id)
        return trial

    def _trial(self, proposal: Proposal) -> Trial:
        settings = spaces.configure(self._spec, proposal.values)
        parent = self._trials[proposal.parent] if proposal.parent is not None else None
        return Trial(
            id=proposal.trial_id,
            configuration=parent.configuration if parent is not None else proposal.trial_id,
            kind=TrialKind.SEARCH,
            name="",
            values=proposal.values,
            settings=settings.to_json(),
            seed=configuration_seed(self._spec.search.seed, proposal.values),
            epochs_from=parent.epochs_to if parent is not None else 0,
            epochs_to=proposal.epochs_to if proposal.epochs_to is not None else settings.training.epochs,
            parent=proposal.parent,
            state=TrialState.RUNNING,
            outcome=None,
            started=self._clock.now(),
            finished=None,
            oracle=self._proposer.record(proposal.trial_id),
            note=proposal.note,
        )

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        if trial.kind is TrialKind.BASELINE:
            return "best", "last"
        continues = self._spec.search.algorithm in MULTI_FIDELITY and trial.epochs_to < self._spec.max_epochs
        return ("best", "state") if continues else ("best",)

    def _out_of_time(self) -> bool:
        until = self._until()
        return until is not None and self._clock.now() >= until


class ListSource(_Source):
    """A fixed list of trials; those that the store has already are left out.

    Args:
        trials: What to train, in order.
        data: Which rows train, see `TrialJob.data`.
        keep: Which checkpoints are kept, see `TrialJob.keep`.
    """

    def __init__(
        self,
        spec: SearchSpec,
        store: RunStore,
        clock: Clock,
        until: Callable[[], float | None],
        trials: Iterable[Trial],
        data: str = "train",
        keep: tuple[str, ...] = (),
    ) -> None:
        super().__init__(spec, clock, until)
        self._trials = [trial for trial in trials if store.trial(trial.id) is None]
        self._data = data
        self._kept = keep

    def next(self, slots: int) -> Trial | None:
        return self._trials.pop(0) if self._trials else None

    def job(self, trial: Trial) -> TrialJob:
        return replace(super().job(trial), data=self._data)

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        return self._kept


def baseline_id(name: str) -> str:
    """Trial id of the baseline with this name."""
    return f"baseline-{name}"


def baseline_trial(spec: SearchSpec, baseline: spaces.Baseline, now: float) -> Trial:
    """The trial of a baseline, under its own protocol."""
    settings = spaces.configure_baseline(spec, baseline)
    return Trial(
        id=baseline_id(baseline.name),
        configuration=baseline_id(baseline.name),
        kind=TrialKind.BASELINE,
        name=baseline.name,
        values=settings.values,
        settings=settings.to_json(),
        seed=configuration_seed(spec.search.seed, settings.values),
        epochs_from=0,
        epochs_to=settings.training.epochs,
        parent=None,
        state=TrialState.RUNNING,
        outcome=None,
        started=now,
        finished=None,
    )


def candidate_trial(spec: SearchSpec, configuration: Configuration, index: int, now: float) -> Trial:
    """A configuration once more, from scratch and at full length, with its `index`-th fresh seed (from 1)."""
    return _again(
        spec, configuration, TrialKind.CANDIDATE, f"candidate-{configuration.id}-{index}", (index,), None, now
    )


def winner_trial(spec: SearchSpec, configuration: Configuration, epochs: int | None, now: float) -> Trial:
    """The chosen configuration, trained for `epochs`, or by its own settings (None)."""
    return _again(spec, configuration, TrialKind.WINNER, f"winner-{configuration.id}", (), epochs, now)


def _again(
    spec: SearchSpec,
    configuration: Configuration,
    kind: TrialKind,
    trial_id: str,
    stream: tuple[int, ...],
    epochs: int | None,
    now: float,
) -> Trial:
    settings = Settings.from_json(configuration.settings)
    return Trial(
        id=trial_id,
        configuration=configuration.id,
        kind=kind,
        name=configuration.name if configuration.baseline else "",
        values=configuration.values,
        settings=configuration.settings,
        seed=derive(spec.search.seed, str(kind), dict(configuration.values), *stream),
        epochs_from=0,
        epochs_to=epochs if epochs is not None else settings.training.epochs,
        parent=None,
        state=TrialState.RUNNING,
        outcome=None,
        started=now,
        finished=None,
    )


def _failure_key(trial: Trial) -> tuple[str, str] | None:
    failure = trial.outcome.failure if trial.outcome else None
    return (failure.reason, failure.message) if failure else None
