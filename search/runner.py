"""The loop of every phase: take trials from a source, train them, commit what came out, tell the source.

It never looks at what the trials are for: searching, retraining and the final training are sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol

from search.clock import Clock
from search.errors import CheckpointError, DiskError
from search.executors import Executor
from search.observer import Observer
from search.store import RunStore
from search.trial import Checkpoint, Epoch, Outcome, Stop, Trial, TrialJob, TrialState

# How long a wait for outcomes may last before the loop looks up, in seconds.
_TICK = 0.5


@dataclass(frozen=True)
class Commit:
    """What is written in the same transaction as a trial's end.

    Attributes:
        oracle: Keras Tuner's record of the trial.
        state: The oracle's state.
    """

    oracle: Mapping[str, Any] | None = None
    state: Mapping[str, Any] | None = None


class Source(Protocol):
    """Where trials come from."""

    def next(self) -> Trial | None:
        """The next trial to train, not yet in the store; None if there is none now, or none any more."""
        ...

    def state(self) -> Mapping[str, Any] | None:
        """What is committed together with the trial that `next` gave."""
        ...

    def job(self, trial: Trial) -> TrialJob:
        """The trial as a job from its first epoch on, without checkpoints and history."""
        ...

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        """A trial has ended; what it answers is committed with the outcome.

        It may raise `SearchFailed` from `check` later, never here: what is known is saved first.
        """
        ...

    def check(self) -> None:
        """Called after each commit; raises to end the phase."""
        ...


class Runner:
    """Trains what sources ask for.

    Args:
        executor: Trains the jobs.
        store: Where everything is committed.
        clock: Tells the time for the records.
        observer: Is told what happens.
    """

    def __init__(self, executor: Executor, store: RunStore, clock: Clock, observer: Observer) -> None:
        self._executor = executor
        self._store = store
        self._clock = clock
        self._observer = observer
        self._stopping = False
        self._pending: dict[Future[Outcome], tuple[Trial, TrialJob]] = {}

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for an end."""
        return self._stopping

    def stop(self) -> None:
        """Ends the running trials after their epoch and starts no more. May be called from a signal handler."""
        self._stopping = True
        self._executor.stop(Stop.INTERRUPTED)

    def run(self, source: Source, unfinished: list[Trial]) -> None:
        """Trains until the source has nothing more, or until `stop`.

        Args:
            source: Gives the trials.
            unfinished: Trials of the store that an earlier attempt left `running`; they come first. One that is
                completed is trained again for its checkpoints alone.

        Raises:
            DiskError: Something could not be written. The other running trials were stopped and committed.
            SearchFailed: The source gave up.
        """
        queue = list(unfinished)
        broken: DiskError | None = None
        while True:
            try:
                if broken is None:
                    self._fill(source, queue)
                if not self._pending:
                    break
                for future in self._executor.wait(set(self._pending), _TICK):
                    self._settle(source, *self._pending.pop(future), future)
            except DiskError as error:
                broken = error
                self._executor.stop(Stop.INTERRUPTED)
        if broken is not None:
            raise broken

    def _fill(self, source: Source, queue: list[Trial]) -> None:
        while len(self._pending) < self._executor.slots and not self._stopping:
            if queue:
                trial = queue.pop(0)
            else:
                found = source.next()
                if found is None:
                    return
                trial = found
                self._store.begin(trial, source.state())
            self._submit(trial, self._with_past(source.job(trial), trial))

    def _submit(self, trial: Trial, job: TrialJob) -> None:
        self._observer.started(trial)
        future = self._executor.submit(job, lambda _, epoch: self._observer.epoch(trial, epoch))
        self._pending[future] = trial, job

    def _settle(self, source: Source, trial: Trial, job: TrialJob, future: Future[Outcome]) -> None:
        try:
            result = future.result()
        except CheckpointError as error:
            self._warn(f"{trial.id}: {error}; training it again from the start")
            self._submit(trial, replace(job, epochs_from=0, history=(), resume=None, best=None))
            return
        outcome = self._joined(trial, result)
        if outcome.stopped is Stop.INTERRUPTED:
            # One that was stopped before its first epoch leaves what an earlier attempt has saved as it is.
            if result.epochs and trial.state is TrialState.RUNNING:
                self._store.interrupt(trial.id, outcome)
            self._observer.interrupted(trial, outcome)
            return
        if trial.state is TrialState.COMPLETED:
            self._renew(trial, result)
            return
        commit = source.done(trial, outcome)
        now = self._clock.now()
        self._store.finish(trial.id, outcome, now, commit.oracle, commit.state)
        state = TrialState.FAILED if outcome.failure else TrialState.COMPLETED
        self._observer.finished(replace(trial, state=state, outcome=outcome, finished=now), outcome)
        source.check()

    def _renew(self, trial: Trial, outcome: Outcome) -> None:
        """Takes over the checkpoints of a trial that was trained again because its own were lost; its record stands."""
        assert trial.outcome is not None
        if outcome.failure is None and outcome.stopped is not Stop.DEADLINE:
            renewed = replace(trial.outcome, best=outcome.best, last=outcome.last)
            self._store.update_checkpoints({trial.id: renewed})
        self._observer.finished(trial, outcome)

    def _with_past(self, job: TrialJob, trial: Trial) -> TrialJob:
        """The job with the checkpoint and the learning curve of everything that was trained before it."""
        history: list[Epoch] = []
        resume: Checkpoint | None = None
        best: Checkpoint | None = None
        for past in [*self._ancestors(trial), trial]:
            if past.outcome is not None:
                history += past.outcome.epochs
                resume, best = past.outcome.state, past.outcome.best
        if resume is None or resume.epoch != len(history):
            return replace(job, epochs_from=0)
        return replace(job, epochs_from=len(history), history=tuple(history), resume=resume, best=best)

    def _ancestors(self, trial: Trial) -> list[Trial]:
        found: list[Trial] = []
        while trial.parent is not None:
            parent = self._store.trial(trial.parent)
            if parent is None:
                break
            found.insert(0, parent)
            trial = parent
        return found

    def _joined(self, trial: Trial, outcome: Outcome) -> Outcome:
        """The outcome of this attempt and of an interrupted one before it, as if there had been no interruption."""
        before = trial.outcome
        numbers = {epoch.number for epoch in outcome.epochs}
        earlier = [epoch for epoch in before.epochs if epoch.number not in numbers] if before else []
        epochs = tuple(epoch for epoch in (*earlier, *outcome.epochs) if epoch.number > trial.epochs_from)
        return replace(
            outcome,
            epochs=epochs,
            seconds=outcome.seconds + (before.seconds if before else 0.0),
            parameters=outcome.parameters if outcome.parameters is not None or before is None else before.parameters,
        )

    def _warn(self, text: str) -> None:
        self._store.add_event(self._clock.now(), "warning", text)
        self._observer.message("warning", text)


def unfinished(trials: list[Trial]) -> list[Trial]:
    """Trials that were asked for and have no end yet, oldest first."""
    return [trial for trial in trials if trial.state is TrialState.RUNNING]
