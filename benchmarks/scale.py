"""Many trainings at a time: how busy are they kept, and what does the loop itself take?

    python benchmarks/scale.py sleep [--trials 10000] [--slots 16] [--seconds 1]
    python benchmarks/scale.py oracles [--trials 2000] [--slots 16] [--seconds 20]
    python benchmarks/scale.py epochs [--trials 500]
    python benchmarks/scale.py wide [--trials 100000] [--slots 1000]

`sleep` is a real Ray cluster on this machine with logical slots; its trials sleep, everything else is real: the loop,
the oracle `random`, the store, and what follows every night: log file, TensorBoard's files, the notes for `status`. The
others simulate the trainings and their time; the loop's own processor time passes on the same clock, so that slots that
wait for the oracle or the store are idle. `--json FILE` for programs.
"""

from __future__ import annotations

import argparse
import heapq
import importlib
import inspect
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from long_night import processor_seconds, space, tell

import spaces
from search.clock import SystemClock
from search.cluster.start import Cluster
from search.executors import Each, Elsewhere, Executor, Place
from search.executors.sizing import at_hand
from search.files import layout
from search.files.store import RunStore
from search.loop.observer import Observer, Observers
from search.loop.runner import Runner
from search.night.logfile import LogFile
from search.night.tensorboard import TensorBoardWriter
from search.night.views.steps import Steps
from search.phases.proposer import for_spec
from search.phases.sources import SearchSource
from search.record import environment
from search.record.first.beginning import first_facts
from search.record.trial import Checkpoint, Epoch, Outcome, Stop, Trial, TrialJob
from search.training import threads
from tests.search.simulation import SimulatedClock, share


def main() -> None:
    """Measures what was asked for."""
    measures: dict[str, Callable[..., dict[str, Any]]] = {
        "sleep": _sleep, "oracles": _oracles, "epochs": _epochs, "wide": _wide,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=measures)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    measure = measures[options.what]
    given = {name: value for name in ("trials", "slots", "seconds") if (value := getattr(options, name)) is not None}
    if without := given.keys() - inspect.signature(measure).parameters.keys():
        parser.error(f"{options.what} has no {', '.join(f'--{name}' for name in sorted(without))}")
    if min(given.values(), default=1) <= 0:
        parser.error("--trials, --slots and --seconds must be above 0")
    threads.configure(1)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), **given)
    tell(found, options.json)


# A real cluster whose trials sleep


class Sleeper:
    """A trainer whose trials sleep for as long as their learning rate says, one epoch each."""

    def train(self, job: TrialJob, should_stop: Any, on_epoch: Callable[[Epoch], None], on_begin: Any) -> Outcome:
        seconds = job.settings["training"]["learning_rate"]
        began = time.perf_counter()
        time.sleep(seconds)
        epoch = Epoch(1, _metrics(job, 1), time.perf_counter() - began, seconds)
        on_epoch(epoch)
        return _outcome(job, [epoch])


def sleeper(setup: Any) -> Sleeper:
    """Makes the trainer in an actor."""
    return Sleeper()


def _sleep(folder: Path, trials: int = 10_000, slots: int = 16, seconds: float = 1.0) -> dict[str, Any]:
    spec = _space("random", trials, learning_rate=seconds)
    each = Each(cpus=environment.cores() / slots)
    said: list[str] = []

    def make(run: Path, data: spaces.Dataset) -> Executor:
        place = Place(run, data, 1, slots, None, SystemClock(), said.append)
        return Cluster("local", each).executor(spec, place, importlib.import_module("benchmarks.scale").sleeper)

    watch = _Watch(trials)
    found = _search(folder / "run", spec, make, SystemClock(), watch)
    perfect = trials * seconds / slots
    return found | {
        "slots": slots,
        "first to last trial, s": watch.wall,
        "perfect, s": perfect,
        "busy": perfect / watch.wall,
        "said": len(said),
    }


# Simulated trainings


class Working(SimulatedClock):
    """Simulated time in which this process works as fast as it does."""

    def __init__(self) -> None:
        super().__init__()
        self._before = time.process_time()

    def work(self) -> None:
        """Lets the time pass that this process has worked since it was last asked."""
        now = time.process_time()
        self.pass_time(now - self._before)
        self._before = now


class Simulated:
    """Trains in simulated time, each trial in one step; what waits begins when a slot becomes free.

    Args:
        clock: Moved on.
        workers: Trials at the same time.
        seconds: Length of an epoch of a configuration.
    """

    def __init__(self, clock: Working, workers: int, seconds: Callable[[TrialJob], float]) -> None:
        self.workers = workers
        self.slots = at_hand(workers)
        self.trained = 0.0
        self._clock = clock
        self._seconds = seconds
        self._waiting: deque[tuple[TrialJob, Any, Future[Outcome]]] = deque()
        self._running: list[tuple[float, int, TrialJob, Any, Future[Outcome]]] = []
        self.begun = 0

    def submit(self, job: TrialJob, on_epoch: Any) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._clock.work()
        self._waiting.append((job, on_epoch, future))
        self._begin(self._clock.now())
        return future

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        self._clock.work()
        end, _, job, on_epoch, future = heapq.heappop(self._running)
        self._clock.pass_time(max(0.0, end - self._clock.now()))
        # The executor hands the next one out by itself; only what was not at hand comes late.
        self._begin(end)
        seconds = self._seconds(job)
        curve = [
            Epoch(number, _metrics(job, number), seconds, seconds)
            for number in range(job.epochs_from + 1, job.epochs_to + 1)
        ]
        for epoch in curve:
            on_epoch(job.trial_id, epoch)
        future.set_result(_outcome(job, curve))
        return {future}

    def pace(self, settings: Any, seconds: float) -> float:
        return 0.0

    def stop(self, why: Stop) -> None:
        self._waiting.clear()

    def shutdown(self) -> None:
        self._running.clear()

    def _begin(self, now: float) -> None:
        while self._waiting and len(self._running) < self.workers:
            job, on_epoch, future = self._waiting.popleft()
            self.begun += 1
            length = self._seconds(job) * (job.epochs_to - job.epochs_from)
            self.trained += length
            heapq.heappush(self._running, (now + length, self.begun, job, on_epoch, future))


def _simulated(folder: Path, algorithm: str, trials: int, slots: int, low: float, high: float) -> dict[str, Any]:
    clock = Working()

    def seconds(job: TrialJob) -> float:
        return low + (high - low) * share("seconds", dict(job.settings["values"]))

    executor = Simulated(clock, slots, seconds)
    watch = _Watch(trials, clock, executor)
    found = _search(folder / algorithm, _space(algorithm, trials), lambda *_: executor, clock, watch)
    return found | {"busy": watch.busy}


def _oracles(folder: Path, trials: int = 2_000, slots: int = 16, seconds: float = 20.0) -> dict[str, Any]:
    found: dict[str, Any] = {"slots": slots, "epoch, s": seconds}
    for algorithm in ("random", "bayesian", "freeze-thaw"):
        one = _simulated(folder, algorithm, trials, slots, 0.5 * seconds, 1.5 * seconds)
        found |= {f"{algorithm}, {name}": one[name] for name in ("trials", "busy", "loop, ms a trial")}
    return found


def _wide(folder: Path, trials: int = 100_000, slots: int = 1_000) -> dict[str, Any]:
    found = _simulated(folder, "random", trials, slots, 300.0, 900.0)
    run = folder / "random"
    for name, command in (("status", ("status",)), ("table --top 20", ("table", "--top", "20"))):
        found[f"{name}, s"] = processor_seconds(run, command)
    return found


def _epochs(folder: Path, trials: int = 500, length: int = 50) -> dict[str, Any]:
    """Epochs a second into the store, the log and TensorBoard's files."""
    spec = _space("random", trials, epochs=length)
    clock = Working()
    executor = Simulated(clock, 16, lambda job: 1.0)
    began = time.perf_counter()
    found = _search(folder / "run", spec, lambda *_: executor, clock, _Watch(trials, clock, executor))
    wall = time.perf_counter() - began
    return found | {"epochs": trials * length, "epochs a second": trials * length / wall}


# What they share


class _Watch(Observer):
    """Counts trials, and how long they took from the first start to the last end."""

    def __init__(self, trials: int, clock: Working | None = None, executor: Simulated | None = None) -> None:
        self._trials = trials
        self._every = max(1, trials // 10)
        self._clock = clock
        self._executor = executor
        self._began = self._ended = 0.0
        self._first = 0.0
        self.busy = 0.0
        self.done = 0
        self.loop: list[float] = []
        self.memory: list[float] = []
        self._worked = time.process_time()

    @property
    def wall(self) -> float:
        return self._ended - self._began

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        if not self._began:
            self._began = time.perf_counter() - epoch.seconds

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self.done += 1
        self._ended = time.perf_counter()
        if self._clock is not None and self._executor is not None:
            if self.done == 1:
                self._first = self._clock.now() - outcome.seconds
            # Until the last one is begun: after that slots are empty by nature.
            elif self._executor.begun < self._trials:
                running = sum(end - self._clock.now() for end, *_ in self._executor._running)
                passed = (self._clock.now() - self._first) * self._executor.workers
                self.busy = (self._executor.trained - running) / passed
        if self.done % self._every == 0:
            now = time.process_time()
            self.loop.append(1000 * (now - self._worked) / self._every)
            self._worked = now
            self.memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
            print(
                f"{self.done:>8} {self.loop[-1]:8.2f} ms a trial {self.memory[-1]:8.0f} MB", file=sys.stderr, flush=True
            )


def _search(
    run: Path, spec: spaces.SearchSpec, make: Callable[[Path, spaces.Dataset], Executor], clock: Any, watch: _Watch
) -> dict[str, Any]:
    data = spaces.load_data(spec)
    known = first_facts(spec, data, space=spec.name, command=["benchmark"], threads=1, started=clock.now())
    with RunStore.create(run, known) as store:
        (run / layout.SPACE).write_text(spaces.dump(spec), encoding="utf-8")
        source = SearchSource(spec, for_spec(spec), store, clock, lambda: None, spec.search.max_trials)
        executor = make(run, data)
        # As in a sitting.
        steps, curves = Steps(store), TensorBoardWriter(run, spec.objective.name, clock)
        if isinstance(executor, Elsewhere):
            steps.follow(executor)
        try:
            Runner(executor, store, clock, Observers([steps, LogFile(run, clock), curves, watch])).run(source, [])
        finally:
            executor.shutdown()
        sitting = {"started": known["started"], "ended": clock.now(), "command": ["benchmark"], "reason": "interrupted"}
        store.put_meta(exit="interrupted", sessions=[sitting], planned={"trials": spec.search.max_trials})
    return {
        "trials": watch.done,
        "loop, ms a trial": sum(watch.loop) / len(watch.loop),
        "first tenth, ms a trial": watch.loop[0],
        "last tenth, ms a trial": watch.loop[-1],
        "memory after a tenth, MB": watch.memory[0],
        "memory at the end, MB": watch.memory[-1],
        "store, MB": (run / layout.STORE).stat().st_size / 1e6,
    }


def _space(algorithm: str, trials: int, **training: Any) -> spaces.SearchSpec:
    plain = space("scale", algorithm, trials)
    return spaces.load(plain | {"training": plain["training"] | training})


def _metrics(job: TrialJob, number: int) -> dict[str, float]:
    top = 0.5 + 0.5 * share("top", dict(job.settings["values"]))
    accuracy = round(top * (1 - 2.0**-number) + 0.01 * share(job.trial_id, number), 4)
    return {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1 - accuracy, "val_accuracy": accuracy}


def _outcome(job: TrialJob, curve: list[Epoch]) -> Outcome:
    best = max([*job.history, *curve], key=lambda epoch: epoch.metrics["val_accuracy"])
    # Without one, whatever goes on would be trained from its first epoch again. No such file is ever read here.
    file = f"{layout.trial_folder(job.trial_id)}/state.npz"
    state = Checkpoint(file, 0, "", curve[-1].number) if "state" in job.keep else None
    return Outcome(
        epochs=tuple(curve),
        score=best.metrics["val_accuracy"],
        best_epoch=best.number,
        stopped=Stop.LENGTH,
        parameters=1_000,
        seconds=sum(epoch.seconds for epoch in curve),
        state=state,
    )


if __name__ == "__main__":
    main()
