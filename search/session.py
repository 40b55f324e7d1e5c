"""One sitting of a run: from the space file, or from where the last sitting stopped, to the measured winner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import spaces
from search import atomic, disk, environment, housekeeping, layout, proposer, shared_data, timeplan
from search.agreement import require_agreement
from search.changes import between
from search.clock import Clock, SystemClock
from search.configuration import configurations, ranked
from search.crew import Crew
from search.errors import RunError, SearchFailed
from search.executors import Executor
from search.facts import facts
from search.final import FinalPhase, winner_is_kept
from search.fork import take_over
from search.lock import RunLock
from search.logfile import LogFile
from search.observer import Observer, Observers
from search.rehearsal import CheckedModel, first_look
from search.rundir import Run, open_run, require_inside
from search.runner import Runner, unfinished
from search.schedule import planned, trial_limit
from search.signals import stop_on_signals
from search.sources import SearchSource
from search.store import RunReader, RunStore
from search.tensorboard import TensorBoardWriter
from search.training import threads
from search.trial import Trial, TrialKind
from search.workforce import Workforce
from spaces import Dataset, SearchSpec

_VERSIONS_THAT_MATTER = ("tensorflow", "keras", "keras_tuner", "numpy")
# With less time than this, finding out how to train fast would take too much of it.
_TIME_TO_MEASURE = 120.0


@dataclass(frozen=True)
class Options:
    """What one sitting is told besides the space file.

    Attributes:
        until: Unix time by which everything has to be there, or None.
        workers: Worker processes; 0: train in this process; None: whatever pays off.
        fork: Run whose finished trials a new run begins with, or None.
        check: Whether a new run begins with building some models, which finds mistakes before the night.
        command: The command line that started it, for the record.
        space: How the space file was named, for the record.
    """

    until: float | None = None
    workers: int | None = None
    fork: Run | None = None
    check: bool = True
    command: Sequence[str] = ()
    space: str = ""


class Session:
    """Works on one run directory until the run is finished, interrupted or out of time.

    Args:
        directory: The run directory.
        spec: The space file.
        options: What this sitting is told.
        observers: Are told what happens, besides the log file and TensorBoard.
        clock: Tells the time.
    """

    def __init__(
        self,
        directory: Path,
        spec: SearchSpec,
        options: Options,
        observers: Sequence[Observer] = (),
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._spec = spec
        self._options = options
        self._clock = clock or SystemClock()
        self._given = tuple(observers)
        self._started = self._clock.now()
        self._threads = self._recorded_threads() or threads.for_family(spec.family)
        self._after = timeplan.seconds_after(None, 0.0)
        self._runner: Runner | None = None
        self._stopping = False
        self._slots = 1
        self._doubts: list[CheckedModel] = []

    def _recorded_threads(self) -> int | None:
        """What a run began with it keeps, whatever machine it goes on with."""
        if not layout.is_run(self._directory):
            return None
        with open_run(self._directory).read() as reader:
            threads: int | None = reader.meta("threads")
        return threads

    def go(self) -> Run:
        """Searches, retrains, evaluates.

        Raises:
            RunError: The directory cannot be used, or holds a run that cannot go on with this space.
            DataError: The data cannot be loaded, or are not those that the run began with.
            SearchFailed: No usable configuration; everything known is in the store.
            DiskError: Something could not be written; everything committed is kept.
        """
        # First of all: TensorFlow takes its number of threads before its first operation, which loading may be.
        threads.configure(self._threads)
        if layout.is_run(self._directory):
            self._require_ours()
        data = spaces.load_data(self._spec)
        if self._options.until is not None:
            # How long it took to get here tells how fast the machine is today.
            now = self._clock.now()
            self._after = timeplan.seconds_after(self._options.until - self._started, now - self._started)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{self._directory}: cannot be made ({error.strerror})") from error
        with RunLock(self._directory):
            if not layout.is_run(self._directory):
                self._create(data)
            with RunStore(self._directory) as store:
                self._work(store, data)
        return Run(self._directory)

    def _require_ours(self) -> None:
        """Nothing is written in a run, or built on it, that is damaged or that its space file does not describe."""
        run = Run(self._directory)
        require_inside(self._directory)
        with RunReader(self._directory, snapshot=True, strict=True) as reader:
            reader.require_sound()
            trials = reader.trials()
        require_agreement(run, trials)

    def _create(self, data: Dataset) -> None:
        spec, options = self._spec, self._options
        if options.check:
            self._doubts, checkpoints = first_look(spec, data)
            disk.require(self._directory, checkpoints + data.train.x.nbytes + data.validation.x.nbytes)
        self._write_space()
        origin = options.fork
        RunStore.create(
            self._directory,
            facts(
                spec, data, space=options.space, command=options.command, threads=self._threads, started=self._started
            ),
            None if origin is None else lambda store: take_over(origin, store),
        ).close()

    def _write_space(self) -> None:
        try:
            atomic.write_bytes(self._directory / layout.SPACE, spaces.dump(self._spec).encode())
        except OSError as error:
            raise RunError(f"{self._directory}: cannot be written ({error.strerror})") from error

    def _compare(self, store: RunStore, data: Dataset, observer: Observer) -> None:
        """Tells what has changed since the run began; refuses what would mix scores that mean different things."""
        recorded = store.meta("data")["fingerprint"]
        if recorded != data.fingerprint:
            raise spaces.DataError(
                f"{data.origin}: not the data that this run began with (fingerprint {data.fingerprint[:12]}, "
                f"recorded {recorded[:12]}); scores on different data cannot be ranked together"
            )
        versions, recorded_versions = environment.versions(), store.meta("versions", {})
        for name in _VERSIONS_THAT_MATTER:
            if versions.get(name) != recorded_versions.get(name):
                was, now = recorded_versions.get(name), versions.get(name)
                observer.message("warning", f"{name} was {was} when the run began and is {now}: numbers may differ")
        changes = between(Run(self._directory).spec, self._spec)
        for change in changes:
            observer.message("info", f"changed since the run began: {change}")
        refused = [str(change) for change in changes if not change.compatible]
        if refused:
            raise RunError(
                f"{self._directory}: holds a run of a different space; {'; '.join(refused)}. "
                f"`resume {self._directory}` goes on as it was; `--fork NEW_RUN_DIR` begins a run of the new space "
                "with what this one has found out"
            )
        if changes:
            self._write_space()
            if store.meta("phase") != "search" and any(c.key == "search.max_trials" for c in changes):
                store.put_meta(phase="search")

    def _work(self, store: RunStore, data: Dataset) -> None:
        clock, spec = self._clock, self._spec
        observer = Observers(
            [LogFile(self._directory, clock), TensorBoardWriter(self._directory, spec.objective.name), *self._given]
        )

        def on_event(text: str) -> None:
            store.add_event(clock.now(), "warning", text)
            observer.message("warning", text)

        reason = "failed"
        try:
            self._compare(store, data, observer)
            if store.meta("phase") == "done":
                if winner_is_kept(store):
                    reason = "done"
                    return
                # The final phase makes the model again, and nothing else that is there.
                store.put_meta(phase="final")
            for model in self._doubts:
                observer.message("warning", f"{model.name}: {model.problem}")
            if self._options.fork is not None and (evidence := store.trials(TrialKind.EVIDENCE)):
                origin = self._options.fork.directory
                observer.message("info", f"{len(evidence)} finished trials taken over from {origin}")
            housekeeping.sweep(self._directory, store)
            store.put_meta(until=self._options.until, exit=None, finished=None)
            with stop_on_signals(self._stop):
                crew = Crew(self._directory, spec, data, self._threads, clock, on_event)
                reason = self._phases(store, data, crew, observer)
        except KeyboardInterrupt:
            reason = "interrupted"
            raise
        except SearchFailed as error:
            error.directory = self._directory
            raise
        finally:
            sitting = {
                "started": self._started,
                "ended": clock.now(),
                "command": list(self._options.command),
                "reason": reason,
            }
            with contextlib.suppress(Exception):
                store.put_meta(sessions=[*store.meta("sessions", []), sitting], exit=reason)
            observer.close()

    def _stop(self) -> None:
        self._stopping = True
        if self._runner is not None:
            self._runner.stop()

    def _phases(self, store: RunStore, data: Dataset, crew: Crew, observer: Observer) -> str:
        source = self._search_source(store, observer) if store.meta("phase") == "search" else None
        with self._crewed(self._executor(crew, source, store, observer), store, observer) as runner:
            if source is not None:
                runner.run(source, unfinished(source.trials))
                if self._stopping:
                    return "interrupted"
                store.put_meta(phase="final", search_ended=source.ended)
            until = self._options.until
            FinalPhase(
                self._directory,
                self._spec,
                data,
                store,
                runner,
                self._clock,
                observer,
                self._slots,
                None if until is None else until - self._after,
            ).go()
        if self._stopping:
            return "interrupted"
        store.put_meta(phase="done", finished=self._clock.now())
        shared_data.remove(self._directory)
        return "done"

    def _executor(self, crew: Crew, source: SearchSource | None, store: RunStore, observer: Observer) -> Executor:
        workers, past = self._options.workers, store.trials()
        if workers is None:
            workers = crew.unmeasured(past)
            if workers > 1 and source is not None and not past and self._has_time_to_measure():
                observer.message("info", "measuring whether few or many workers train this space faster")
                executor, chosen, why = crew.measured()
                # Every trial of this run is trained so, also after a resume.
                store.put_meta(threads=chosen.threads, workers=chosen.workers)
                observer.message("info", why)
                self._slots = chosen.workers
                return executor
            if workers > 1:
                workers = store.meta("workers") or workers
            observer.message("info", f"training in {Workforce(workers, self._threads)}")
        self._slots = max(1, workers)
        return crew.workers(workers)

    def _has_time_to_measure(self) -> bool:
        until = self._options.until
        return until is None or until - self._clock.now() > _TIME_TO_MEASURE

    @contextlib.contextmanager
    def _crewed(self, executor: Executor, store: RunStore, observer: Observer) -> Iterator[Runner]:
        """A runner that a signal reaches, over an executor that is shut down at the end."""
        self._runner = Runner(executor, store, self._clock, observer)
        try:
            if self._stopping:
                self._runner.stop()
            yield self._runner
        finally:
            self._runner = None
            executor.shutdown()

    def _search_source(self, store: RunStore, observer: Observer) -> SearchSource:
        timed = self._options.until is not None
        asked = proposer.for_spec(self._spec, timed)
        asked.restore(store.trials(TrialKind.SEARCH), store.oracle_state())
        if store.oracle_state() is None:
            self._teach(asked, store)
        trials, most = planned(self._spec, timed=timed).trials, trial_limit(self._spec, timed=timed)
        source = SearchSource(self._spec, asked, store, self._clock, lambda: self._search_end(source.trials), most)
        expected = None if trials is None else trials + len(self._spec.baselines)
        store.put_meta(planned={"trials": expected})
        observer.phase("search", expected)
        return source

    def _teach(self, asked: proposer.Proposer, store: RunStore) -> None:
        """Tells the oracle at the very start what is known from other runs."""
        known = configurations(store.trials(TrialKind.EVIDENCE))
        for directory in self._spec.search.warm_start:
            with open_run(directory).read() as reader:
                known += configurations(reader.trials())
        for configuration in known:
            asked.learn(configuration.values, configuration.epochs)

    def _search_end(self, past: list[Trial]) -> float | None:
        until = self._options.until
        if until is None:
            return None
        final = self._spec.final
        best = [c for c in ranked(configurations(past), self._spec.objective.direction) if c.score is not None]
        return timeplan.search_end(
            started=self._started,
            end=until,
            after=self._after,
            full=timeplan.FinalPlan(final.candidates, final.seeds, True, baselines=True),
            ranked=best,
            slots=self._slots,
        )
