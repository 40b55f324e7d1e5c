"""Doubles of everything that takes time, so that a night of searching passes in milliseconds.

A configuration's learning curve, its failures and its durations are functions of its values alone, so that the same
configuration gives the same outcome whenever and wherever it is trained, as real training does.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spaces
from search.budget import Deadline
from search.errors import CheckpointError, RunError
from search.executors.tasks import Task, give_up_late
from search.files.store import RunReader, RunStore
from search.loop.observer import Observer
from search.loop.runner import Runner, unfinished
from search.phases.proposer import Proposer, for_spec
from search.phases.schedule import trial_limit
from search.phases.sources import SearchSource
from search.record.configuration import configurations, ranked
from search.record.seeds import derive
from search.record.trial import (
    Checkpoint,
    Epoch,
    Failure,
    FailureReason,
    Outcome,
    Stop,
    Trial,
    TrialJob,
    TrialKind,
    TrialState,
)
from search.training.stopping import seconds_needed
from spaces.sections.algorithms import ALGORITHMS


class SimulatedClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._passed = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def processor(self) -> float:
        return self._passed

    def pass_time(self, seconds: float) -> None:
        self._now += seconds
        self._passed += seconds

    def set(self, seconds: float) -> None:
        """Somebody sets the clock that people read forward, or back if below 0."""
        self._now += seconds


class Killed(BaseException):
    """The process ended here: nothing that would still run in a killed process may catch it."""


def die(runner: Runner) -> None:
    """Ends the process, as it were."""
    raise Killed


def at_moment(number: int, do: Callable[[Runner], None]) -> Callable[[str, Runner], None]:
    """A hook for `Night.go` that does something once: at the so-manieth end of an epoch or a trial, counted from 1."""
    moments = itertools.count(1)

    def hook(what: str, runner: Runner) -> None:
        if next(moments) == number:
            do(runner)

    return hook


def share(*names: Any) -> float:
    """A number from 0 to 1 that depends on the names alone."""
    return derive(0, *names) / 2**31


@dataclass
class World:
    """What training gives and what goes wrong.

    Attributes:
        failing: Share of the configurations that fail, each always for the same reason.
        nan: Share of the configurations whose loss becomes NaN.
        always: A failure for everything, or None.
        seconds: Mean length of an epoch.
    """

    failing: float = 0.0
    nan: float = 0.0
    always: Failure | None = None
    seconds: float = 1.0

    def failure(self, values: Mapping[str, Any]) -> Failure | None:
        if self.always is not None:
            return self.always
        if share("nan", dict(values)) < self.nan:
            return Failure(FailureReason.NAN, "loss became nan in epoch 1")
        if share("fails", dict(values)) < self.failing:
            kinds = list(FailureReason)
            reason = kinds[int(share("how", dict(values)) * len(kinds))]
            return Failure(reason, f"simulated: {reason}")
        return None

    def accuracy(self, values: Mapping[str, Any], epoch: int) -> float:
        """Rounded, so that ties happen."""
        top = 0.5 + 0.5 * share("top", dict(values))
        noise = 0.02 * share("noise", dict(values), epoch)
        return round(top * (1 - math.exp(-epoch / 4)) + noise, 2)

    def epoch_seconds(self, values: Mapping[str, Any]) -> float:
        return self.seconds * (0.5 + share("seconds", dict(values)))


@dataclass
class Disk:
    """The checkpoints that exist: path to the epoch after which they were taken. It outlives every process."""

    files: dict[str, int] = field(default_factory=dict)

    def write(self, file: str, epoch: int) -> Checkpoint:
        self.files[file] = epoch
        return Checkpoint(file, epoch, f"digest {epoch}", epoch)

    def check(self, checkpoint: Checkpoint) -> None:
        if self.files.get(checkpoint.file) != checkpoint.epoch:
            raise CheckpointError(f"{checkpoint.file}: not the file that was recorded (torn or changed)")


@dataclass
class _Task(Task):
    curve: list[Epoch] = field(default_factory=list)
    # When its epoch ends if nothing cuts it off, and its place among those that end at the same time.
    ends: float = 0.0
    place: int = 0
    besides: float = 0.0


class SimulatedExecutor:
    """Trains in simulated time; trials end in the order of that time.

    Args:
        world: What training gives.
        clock: Moved on by every epoch.
        disk: Where checkpoints are.
        slots: Trainings at the same time.
        hook: Called before each epoch and at the end of each training; it may raise `Killed`, or stop the runner.
        waiting: Jobs that it wants to have at hand besides.
    """

    def __init__(
        self,
        world: World,
        clock: SimulatedClock,
        disk: Disk,
        slots: int = 1,
        hook: Callable[[str], None] = lambda _: None,
        waiting: int = 0,
    ) -> None:
        self.slots, self.workers = slots + waiting, slots
        self._world = world
        self._clock = clock
        self._disk = disk
        self._hook = hook
        self._waiting: deque[_Task] = deque()
        self._running: list[_Task] = []
        self._count = 0
        self._stop: Stop | None = None
        self.epochs_trained = 0
        self.most_at_once = 0

    def submit(self, job: TrialJob, on_epoch: Callable[[str, Epoch], None]) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._waiting.append(_Task(job, on_epoch, future))
        self._hand_out()
        at_hand = len(self._running) + len(self._waiting)
        self.most_at_once = max(self.most_at_once, at_hand)
        assert at_hand <= self.slots, "more jobs than slots"
        return future

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        self._hand_out()
        while not any(future.done() for future in pending):
            when, _, running = min(((self._until(one), one.place, one) for one in self._running), key=lambda x: x[:2])
            cut = when < running.ends
            self._running.remove(running)
            self._clock.pass_time(max(0.0, when - self._clock.now()))
            try:
                self._step(running, cut)
            except CheckpointError as error:
                running.future.set_exception(error)
        return {future for future in pending if future.done()}

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Nothing is measured in simulated time."""
        return 0.0

    def stop(self, why: Stop) -> None:
        self._stop = why

    def shutdown(self) -> None:
        self._waiting.clear()
        self._running.clear()

    def _seconds(self, job: TrialJob, number: int) -> float:
        """Length of an epoch of the job."""
        return self._world.epoch_seconds(job.settings["values"])

    def _besides(self, job: TrialJob, number: int) -> float:
        """What has to be done before an epoch and belongs to no epoch."""
        return 0.0

    def _hand_out(self) -> None:
        give_up_late(self._waiting, self._clock)
        while self._waiting and len(self._running) < self.workers:
            task = self._waiting.popleft()
            task.curve = list(task.job.history)
            self._push(task)

    def _push(self, running: _Task) -> None:
        self._count += 1
        number = len(running.curve) + 1
        besides = self._besides(running.job, number)
        running.besides += besides
        running.place = self._count
        running.ends = self._clock.now() + besides + self._seconds(running.job, number)
        self._running.append(running)

    def _until(self, running: _Task) -> float:
        """When its epoch ends, or is cut off in the middle and dropped."""
        deadline = running.job.deadline
        if deadline is None:
            return running.ends
        cut = self._clock.now() + max(0.0, deadline.left(self._clock, first=not running.curve))
        # Of Unix time a float has no more than six digits behind the point.
        return cut if cut < running.ends - 1e-6 else running.ends

    def _step(self, running: _Task, cut: bool) -> None:
        job = running.job
        values = job.settings["values"]
        if cut:
            running.future.set_result(self._outcome(running, Stop.DEADLINE, cut))
            return
        if len(running.curve) == len(job.history):
            # The first step: what there is to go on from is read now.
            if job.resume is not None:
                self._disk.check(job.resume)
            assert job.epochs_from == len(job.history)
            failure = self._world.failure(values)
            if failure is not None:
                running.future.set_result(Outcome(failure=failure, seconds=0.1))
                return
        self._hook("epoch")
        number = len(running.curve) + 1
        accuracy = self._world.accuracy(values, number)
        metrics = {"loss": 1 - accuracy, "val_loss": 1 - accuracy, "accuracy": accuracy, "val_accuracy": accuracy}
        seconds = self._seconds(job, number)
        epoch = Epoch(number, metrics, seconds, 0.8 * seconds)
        running.curve.append(epoch)
        self.epochs_trained += 1
        running.on_epoch(job.trial_id, epoch)
        stopped = self._ended(job, running.curve)
        if stopped is None:
            self._push(running)
            return
        self._hook("end")
        running.future.set_result(self._outcome(running, stopped))

    def _ended(self, job: TrialJob, curve: list[Epoch]) -> Stop | None:
        if len(curve) >= job.epochs_to:
            return Stop.LENGTH
        if self._stop is not None:
            return self._stop
        needed = seconds_needed(curve, job.epochs_to, job.whole)
        if job.deadline is not None and job.deadline.left(self._clock) < needed:
            return Stop.DEADLINE
        return None

    def _outcome(self, running: _Task, stopped: Stop, cut: bool = False) -> Outcome:
        job, curve = running.job, running.curve
        if not curve:
            return Outcome(stopped=stopped, best_epoch=0)
        best = max(curve, key=lambda e: (e.metrics[job.objective], -e.number))
        keeps_state = "state" in job.keep or stopped is Stop.INTERRUPTED
        keeps_state = keeps_state or (job.whole and stopped is Stop.DEADLINE and not cut)
        scored = job.data == "train"
        folder = f"trials/{job.trial_id}"
        return Outcome(
            epochs=tuple(curve[len(job.history) :]),
            score=best.metrics[job.objective] if scored else None,
            best_epoch=best.number if scored else len(curve),
            stopped=stopped,
            parameters=100 * job.settings["values"].get("layers", 0) + 10,
            once_seconds=running.besides,
            seconds=running.besides + sum(epoch.seconds for epoch in curve[len(job.history) :]),
            state=self._disk.write(f"{folder}/state.npz", len(curve)) if keeps_state else None,
            best=self._disk.write(f"{folder}/best.npz", best.number) if scored else None,
            last=self._disk.write(f"{folder}/last.npz", len(curve)) if "last" in job.keep else None,
        )


def space(algorithm: str, *, max_trials: int | None = 40, seed: int = 3, epochs: Any = None) -> spaces.SearchSpec:
    """A space of dense networks, searched by `algorithm`."""
    if epochs is None:
        epochs = {"min": 1, "max": 9} if ALGORITHMS[algorithm].multi_fidelity else {"min": 2, "max": 6}
    return spaces.load({
        "name": "simulated",
        "data": {"source": "digits"},
        "model": {
            "family": "mlp",
            "layers": {"min": 1, "max": 3},
            "units": {"min": 16, "max": 64, "step": 16},
            "dropout": {"min": 0.0, "max": 0.4, "step": 0.2},
        },
        "training": {
            "optimizer": ["adam", "sgd"],
            "learning_rate": 0.01,
            "momentum": {"min": 0.8, "max": 0.9, "step": 0.1, "when": {"optimizer": "sgd"}},
            "batch_size": 32,
            "epochs": epochs,
        },
        "search": {"algorithm": algorithm, "objective": "val_accuracy", "max_trials": max_trials, "seed": seed},
        "baselines": [
            {"name": "linear", "values": {"layers": 0, "optimizer": "adam", "learning_rate": 0.001}, "epochs": 4}
        ],
    })  # fmt: skip


def proposer(spec: spaces.SearchSpec, on_warning: Callable[[str], None] = lambda _: None) -> Proposer:
    """The real proposer over the real oracle."""
    return for_spec(spec, on_warning=on_warning)


@dataclass
class Night:
    """A search that can be started, broken and started again; everything but the machinery is real.

    Attributes:
        run: The run directory.
        spec: The space.
        world: What training gives.
        slots: Trainings at the same time.
        until: Unix time at which the search has to be over, or None.
        waiting: Jobs at hand besides.
    """

    run: Path
    spec: spaces.SearchSpec
    world: World = field(default_factory=World)
    slots: int = 1
    until: float | None = None
    waiting: int = 0
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    disk: Disk = field(default_factory=Disk)
    observer: Observer = field(default_factory=Observer)
    epochs_trained: int = 0
    most_at_once: int = 0
    ended: str = ""
    warnings: list[str] = field(default_factory=list)

    def go(
        self,
        hook: Callable[[str, Runner], None] = lambda *_: None,
        make_store: Callable[[Path], RunStore] = RunStore,
    ) -> None:
        """One sitting: everything is opened anew from the run directory.

        `hook` is called with `epoch` or `end` and the runner, from within the training.
        """
        with contextlib.suppress(RunError):
            RunStore.create(self.run, {}).close()
        with make_store(self.run) as store:
            asker = proposer(self.spec, self.warnings.append)
            asker.restore(store.trials(TrialKind.SEARCH), store.oracle_state())
            source = SearchSource(self.spec, asker, store, self.clock, self._deadline, self._most(), lambda: self.slots)
            runner: Runner
            executor = SimulatedExecutor(
                self.world, self.clock, self.disk, self.slots, lambda what: hook(what, runner), self.waiting
            )
            runner = Runner(executor, store, self.clock, self.observer)
            try:
                runner.run(source, unfinished(store.trials()))
            finally:
                self.ended = source.ended
                self.epochs_trained += executor.epochs_trained
                self.most_at_once = max(self.most_at_once, executor.most_at_once)

    def _deadline(self) -> Deadline | None:
        return None if self.until is None else Deadline(unix=self.until)

    def _most(self) -> int | None:
        return trial_limit(self.spec, timed=self.until is not None)

    def trials(self, *kinds: TrialKind) -> list[Trial]:
        with RunReader(self.run) as reader:
            return reader.trials(*kinds)

    def table(self) -> list[tuple[Any, ...]]:
        """The ranked table: what a user compares, without times."""
        return table(self.trials())


def table(trials: list[Trial]) -> list[tuple[Any, ...]]:
    """Configurations best first: name, values, seed, score, best epoch, learning curve, state and cause."""
    return [
        (
            c.id, c.name, dict(c.values), c.seed, c.score, c.best_epoch,
            tuple(tuple(sorted(epoch.metrics.items())) for epoch in c.epochs),
            c.parameters, c.state, c.stopped, c.failure and (c.failure.reason, c.failure.message),
        )
        for c in ranked(configurations(trials), "max")
    ]  # fmt: skip


def all_ended(trials: list[Trial]) -> bool:
    return all(trial.state is not TrialState.RUNNING for trial in trials)
