"""The loop of every phase: take trials from a source, train them, commit what came out, tell the source.

It never looks at what the trials are for: searching, retraining and the final training are sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol

from search.clock import Clock
from search.errors import CheckpointError, DiskError
from search.executors import Executor
from search.files.store import RunStore
from search.loop.observer import Observer
from search.loop.warn import warn
from search.record.trial import Checkpoint, Epoch, Outcome, Stop, Trial, TrialJob, TrialState

# How long a wait for outcomes may last before the loop looks up, in seconds.
_TICK = 0.5

_Data = Mapping[str, Any] | None


@dataclass(frozen=True)
class Commit:
    """What is written in the same transaction as a trial's end.

    Attributes:
        oracle: Keras Tuner's record of the trial.
        state: The oracle's state.
    """

    oracle: Mapping[str, Any] | None = None
    state: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Lesson:
    """What is written when the oracle learns of a trial only after its end was committed.

    Attributes:
        trial_id: The trial.
        commit: What the oracle's learning changed.
        told: Trials that the oracle knows of now.
    """

    trial_id: str
    commit: Commit
    told: int


class Source(Protocol):
    """Where trials come from."""

    @property
    def waiting(self) -> bool:
        """Whether `next` gives nothing only because an earlier trial has to end and be told first."""
        ...

    def next(self, slots: int) -> Trial | None:
        """The next trial to train, not yet in the store; None if there is none now, or none any more.

        Args:
            slots: Trials that the executor wants to have at hand.
        """
        ...

    def tell(self) -> Lesson | None:
        """Called after `next` gave nothing: tells the oracle of one trial that has ended, if it is its turn."""
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
        self._idle_seconds = 0.0
        self._unwritable = False

    @property
    def workers(self) -> int:
        """Trials that are trained at the same time."""
        return self._executor.workers

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
        self._idle_seconds = self._store.meta("idle_seconds", 0.0)
        while True:
            try:
                if broken is None:
                    self._fill(source, queue)
                if not self._pending:
                    break
                for future in self._wait(source.waiting):
                    self._settle(source, *self._pending.pop(future), future)
            except DiskError as error:
                broken = error
                self._executor.stop(Stop.INTERRUPTED)
        if broken is not None:
            raise broken

    def _wait(self, held_back: bool) -> set[Future[Outcome]]:
        """Waits for outcomes; what free workers wait too, because their next trial is held back, is counted."""
        free = max(0, self._executor.workers - len(self._pending)) if held_back else 0
        since = self._clock.monotonic()
        done = self._executor.wait(set(self._pending), _TICK)
        self._idle_seconds += free * (self._clock.monotonic() - since)
        return done

    def _fill(self, source: Source, queue: list[Trial]) -> None:
        """Gives every slot a job. What there is to tell is told by turns with asking, never two at once."""
        while not self._stopping:
            trial = self._next(source, queue) if len(self._pending) < self._executor.slots else None
            if trial is not None:
                self._submit(trial, self._with_past(source.job(trial), trial))
            elif not self._teach(source):
                return

    def _next(self, source: Source, queue: list[Trial]) -> Trial | None:
        if queue:
            return queue.pop(0)
        found = source.next(self._executor.slots)
        if found is not None:
            self._commit(
                lambda oracle, state: self._store.begin(replace(found, oracle=oracle), state),
                Commit(found.oracle, source.state()),
            )
        return found

    def _teach(self, source: Source) -> bool:
        lesson = source.tell()
        if lesson is None:
            return False
        facts = {"told": lesson.told, "idle_seconds": self._idle_seconds}
        self._commit(lambda oracle, state: self._store.tell(lesson.trial_id, oracle, state, **facts), lesson.commit)
        source.check()
        return True

    def _commit(self, write: Callable[[_Data, _Data], None], what: Commit) -> None:
        """Writes with what the oracle keeps, or without it where that is no plain data: the trial counts."""
        try:
            write(what.oracle, what.state)
        except (TypeError, ValueError, RecursionError) as error:
            write(None, None)
            if not self._unwritable:
                self._unwritable = True
                self._warn(
                    f"what the search algorithm keeps cannot be written ({type(error).__name__}: {error}): after an "
                    "interruption it will know less"
                )

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
        self._commit(lambda oracle, state: self._store.finish(trial.id, outcome, now, oracle, state), commit)
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
        # What has ended and lost its weights is trained again from where it began.
        own = [] if trial.state is TrialState.COMPLETED else [trial]
        for past in [*self._ancestors(trial), *own]:
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
        before = trial.outcome or Outcome()
        # One that began again at the start, and did not get as far, has nothing of what came later the first time.
        first = min((epoch.number for epoch in outcome.epochs), default=math.inf)
        earlier = [epoch for epoch in before.epochs if epoch.number < first]
        return replace(
            outcome,
            epochs=tuple(epoch for epoch in (*earlier, *outcome.epochs) if epoch.number > trial.epochs_from),
            seconds=outcome.seconds + before.seconds,
            once_seconds=outcome.once_seconds + before.once_seconds,
            # What was given up before its model was built knows nothing of that.
            parameters=before.parameters if outcome.parameters is None else outcome.parameters,
            frozen=before.frozen if outcome.frozen is None else outcome.frozen,
        )

    def _warn(self, text: str) -> None:
        warn(self._store, self._clock, self._observer, text)


def unfinished(trials: list[Trial]) -> list[Trial]:
    """Trials that were asked for and have no end yet, oldest first."""
    return [trial for trial in trials if trial.state is TrialState.RUNNING]
