"""One sitting of a run: from the space file, or from where the last sitting stopped, to the measured winner."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Protocol, TypeVar

import spaces
from search.budget import Budget
from search.errors import RunError, not_written
from search.executors import Elsewhere, Executor, shared_data, sizing
from search.files import atomic, layout
from search.files.checked.agreement import require_agreement
from search.files.lock import RunLock
from search.files.rundir import Run, data_info, open_run, require_inside, telling_of_other_places
from search.files.store import RunReader, RunStore, Work
from search.loop import disk, housekeeping
from search.loop.fit_disk import require_fit
from search.loop.observer import Observer, Observers
from search.loop.runner import Runner
from search.loop.trackers import trackers
from search.loop.warn import warn
from search.night.crew import Crew, Measured
from search.night.logfile import LogFile
from search.night.rehearsal import CheckedModel, first_look, require_callbacks, require_earlier_runs
from search.night.signals import stop_on_signals
from search.night.tensorboard import TensorBoardWriter
from search.night.views.steps import Steps
from search.night.workforce import Workforce
from search.phases import evaluation
from search.phases.evaluation import Compare, Decide, Evaluate
from search.phases.final import FinalPhase
from search.phases.fork import take_over
from search.phases.retraining import retrained
from search.phases.searching import Searching
from search.phases.winner import winner_is_kept
from search.record import environment
from search.record.difference import Change, between
from search.record.first.beginning import changed_sources, doubt, first_facts, require_files
from search.record.marks import OWN
from search.record.trial import Trial, TrialKind
from search.times.horizon import Horizon
from search.training import cards, threads
from search.training import feature_files as features
from spaces import DataInfo, Dataset, SearchSpec
from spaces.data.stored import store as rows
from spaces.data.stored.rows import close_below
from spaces.families import family_of
from spaces.outside.user_code import contained
from spaces.reading.yamlfile import read_text
from spaces.specs.configuring import require_asked, require_directions

_VERSIONS_THAT_MATTER = ("tensorflow", "keras", "keras_tuner", "numpy")
# With less time than this, finding out how to train fast would take too much of it.
_TIME_TO_MEASURE = 120.0
# Work that is recorded of rows that are put on the disk when they are read first.
_DATA = "data"
_SHUFFLED = "; a data set that is shuffled gives them in another order each time it is read: return it unshuffled"

_Found = TypeVar("_Found")


class Workshop(Protocol):
    """Where a sitting gets its executor from; `Crew` is the real one, and says what each method does."""

    def workers(self, count: int) -> Executor: ...

    def unmeasured(self, past: Iterable[Trial]) -> int: ...

    @property
    def may_choose(self) -> bool: ...

    def measured(self) -> Measured: ...

    def alone(self, threads: int) -> Executor: ...


MakeCrew = Callable[[Path, SearchSpec, Dataset, int, Budget, Callable[[str], None]], Workshop]


@dataclass(frozen=True)
class Options:
    """What one sitting is told besides the space file.

    Attributes:
        budget: The time until everything has to be there.
        workers: Worker processes; 0: train in this process; None: whatever pays off.
        fork: Run whose finished trials a new run begins with, or None.
        check: Whether a new run begins with building some models, which finds mistakes before the night.
        command: The command line that started it, for the record.
        space: How the space file was named, for the record.
        notes: What somebody should know before it begins, a sentence each.
        threads: Threads of one operation that were asked for, which a new run takes; None: as the family likes.
        gpu_share: Share of a GPU for each training; None: a whole one, where there are any.
        elsewhere: Whether the executor itself knows how many train at the same time, as a cluster does.
        max_trials: Trials of the whole search that a run which goes on was asked for just now; None: nobody said.
    """

    budget: Budget = field(default_factory=Budget)
    workers: int | None = None
    fork: Run | None = None
    check: bool = True
    command: Sequence[str] = ()
    space: str = ""
    notes: Sequence[str] = ()
    threads: int | None = None
    gpu_share: float | None = None
    elsewhere: bool = False
    max_trials: int | None = None


def threads_of(directory: Path, spec: SearchSpec, options: Options) -> int:
    """Threads of one operation: what a run began with it keeps, whatever machine it goes on with."""
    recorded: int | None = None
    if layout.is_run(directory):
        with open_run(directory).read() as reader:
            recorded = reader.meta("threads")
    return recorded or options.threads or threads.for_family(spec.family)


class Session:
    """Works on one run directory until the run is finished, interrupted or out of time.

    Args:
        directory: The run directory.
        spec: The space file.
        options: What this sitting is told.
        observers: Are told what happens, besides the log file and TensorBoard.
        make_crew: Makes what provides the executors.
        evaluate: Measures the final models.
        decide: Chooses the threshold between two classes.
        compare: Compares several final models together with one alone.
    """

    def __init__(
        self,
        directory: Path,
        spec: SearchSpec,
        options: Options,
        observers: Sequence[Observer] = (),
        make_crew: MakeCrew = Crew,
        evaluate: Evaluate = evaluation.evaluate,
        decide: Decide = evaluation.decide,
        compare: Compare = evaluation.compared,
    ) -> None:
        self._directory = directory
        self._spec = spec
        self._options = options
        self._budget = options.budget
        self._clock = self._budget.clock
        self._given = tuple(observers)
        self._make_crew = make_crew
        self._evaluate = evaluate
        self._decide = decide
        self._compare_models = compare
        self._started = self._clock.now()
        self._threads = threads_of(directory, spec, options)
        self._runners: list[Runner] = []
        self._stopping = False
        self._measuring = False
        self._doubts: list[CheckedModel] = []
        self._notes: list[str] = []
        self._steps: Steps | None = None
        self._beside = 0

    def go(self) -> Run:
        """Searches, retrains, evaluates.

        Raises:
            RunError: The directory cannot be used, holds files of somebody else, or a run that cannot go on with this
                space; or a run that a new one is to begin with is not there.
            DataError: The data cannot be loaded, or are not those that the run began with.
            SearchFailed: No usable configuration; everything known is in the store.
            SpaceError: Nobody knows which way the monitor of an early stopping improves, a baseline has a value that
                nothing asks for, or the space is longer than a space file may be, in a new run.
            CodeError: The function that gives callbacks cannot be used.
            DiskError: Something could not be written; everything committed is kept.
        """
        # First of all: TensorFlow takes its number of threads before its first operation, which loading may be.
        threads.configure(self._threads)
        begun: DataInfo | None = None
        if layout.is_run(self._directory):
            begun = self._require_ours()
        else:
            require_directions(self._spec)
            require_asked(self._spec)
            require_earlier_runs(self._spec)
            self._require_readable()
            self._require_room()
        with contextlib.ExitStack() as held:
            if begun is not None:
                # Whoever comes second must not decode and write the rows once more before being told so.
                self._hold(held)
                if self._is_done():
                    with RunStore(self._directory) as store:
                        store.put_meta(exit="done")
                        self._leave(store, Observers(self._given))
                    return Run(self._directory)
            undo = self._undo()
            with _or_else(undo):
                data, reading = self._load(begun)
            horizon = Horizon(self._budget, self._spec, data)
            if begun is None:
                self._hold(held)
            if not layout.is_run(self._directory):
                with _or_else(undo):
                    self._create(data)
            with RunStore(self._directory) as store:
                self._work(store, data, horizon, reading)
        return Run(self._directory)

    def _hold(self, held: contextlib.ExitStack) -> None:
        """Takes the run directory, which is made if it is missing, for this process until `held` ends."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_written(self._directory, error) from error
        require_fit(self._directory)
        held.enter_context(RunLock(self._directory))
        # The next sitting of this process may write them anew, and there may be no room for both.
        held.callback(close_below, self._directory / layout.ROWS)

    def _undo(self) -> Callable[[], None]:
        """What deletes the rows that are about to be written, where nothing else comes of it."""
        folder = self._directory / layout.ROWS
        there, held = os.path.exists(self._directory), os.path.exists(folder)

        def undo() -> None:
            if not held:
                rows.remove(folder)
            if not there:
                with contextlib.suppress(OSError):
                    self._directory.rmdir()

        return undo

    def _load(self, begun: DataInfo | None) -> tuple[Dataset, tuple[float, float]]:
        """The data, which the models can take, and from when to when they were read."""
        started = self._clock.now()
        goes_on = begun is not None
        with telling_of_other_places(self._directory, self._spec) if goes_on else contextlib.nullcontext():
            data = spaces.load_data(self._spec, begun, self._directory / layout.ROWS)
        reading = started, self._clock.now()
        family = family_of(self._spec.model)
        self._notes = [*family.require(self._spec, data.info), *(family.advice(self._spec) if begun is None else ())]
        return data, reading

    def _require_ours(self) -> DataInfo:
        """What the run found its rows to be, of one that is neither damaged nor of another space file.

        How its trials were chosen, none of them tells: with another algorithm the rest would be chosen at random.
        """
        run = Run(self._directory)
        require_inside(self._directory)
        with RunReader(self._directory, snapshot=True, strict=True) as reader:
            reader.require_sound()
            trials, info = reader.trials(), data_info(reader)
            chosen_by = {key: reader.meta(key) for key in ("algorithm", "seed")}
        require_agreement(run, trials)
        says = run.spec.search
        now = {key: getattr(says, key) for key in chosen_by}
        edited = [f"search.{key}: {was} -> {now[key]}" for key, was in chosen_by.items() if was not in (None, now[key])]
        if edited:
            raise RunError(
                f"{self._directory}: its {layout.SPACE} has been edited since the run began; {'; '.join(edited)}. With "
                "what stood there the run goes on; `run SPACE --run-dir RUN --fork NEW_RUN_DIR` begins a run of "
                "another space with what this one has found out"
            )
        return info

    def _is_done(self) -> bool:
        """Whether nothing is left to do, which is known before rows that were on the disk are read once more."""
        run = Run(self._directory)
        if between(run.spec, self._spec):
            return False
        with run.read() as reader:
            kept = any(work.what == _DATA for work in reader.work())
            return kept and is_done(reader, self._options.max_trials)

    def _require_readable(self) -> None:
        """Refuses a space that no file may hold, as one from Python: nobody could go on with its run, or look at it."""
        unread = read_text(spaces.dump(self._spec), str(self._directory / layout.SPACE)).problems
        if unread:
            raise spaces.SpaceError(unread)

    def _require_room(self) -> None:
        """Refuses a folder in which a new run would write over what it did not make, and later delete it, or could not
        export, report or go on."""
        if found := layout.in_the_way(self._directory):
            raise RunError(
                f"{self._directory}: is not empty: it holds no run, but {', '.join(found)}, where a run keeps files of "
                "its own; choose a new folder"
            )
        require_inside(self._directory)

    def _create(self, data: Dataset) -> None:
        spec, options = self._spec, self._options
        if options.check:
            self._doubts, checkpoints = first_look(spec, data, lambda: self._budget.left)
            shared = 0 if data.streamed is not None else data.train.x.nbytes + data.validation.x.nbytes
            disk.require(self._directory, checkpoints + shared)
        known = first_facts(
            spec, data, space=options.space, command=options.command, threads=self._threads, started=self._started
        )
        self._notes += [known["reference"]["failed"]] if "failed" in (known["reference"] or {}) else []
        RunStore.create(self._directory, known, self._fill).close()

    def _fill(self, store: RunStore) -> None:
        self._write_space()
        if self._options.fork is not None:
            take_over(self._options.fork, store, self._spec)

    def _write_space(self) -> None:
        try:
            atomic.write_bytes(self._directory / layout.SPACE, spaces.dump(self._spec).encode())
        except OSError as error:
            raise not_written(self._directory, error) from error

    def _require_same(self, store: RunStore, data: Dataset) -> list[Change]:
        """What differs from the space of the run; refuses what would mix scores that mean different things.

        Nothing is recorded: what is refused leaves the run as it was.
        """
        recorded = store.meta("data")["fingerprint"]
        if recorded != data.fingerprint:
            raise spaces.DataError(
                f"{data.origin}: not the data that this run began with (fingerprint {data.fingerprint[:12]}, "
                f"recorded {recorded[:12]}); scores on different data cannot be ranked together"
                f"{_SHUFFLED if data.changing else ''}"
            )
        require_files(self._spec, store.meta("files", {}))
        changes = between(Run(self._directory).spec, self._spec)
        # What was measured would not be what is exported.
        fixed = ["final.tta"] if store.evaluations() else []
        # One that goes on would have seen some rows in a part of its epochs only, and be scored on what it has seen.
        fixed += ["final.train_on_validation"] if store.trials(TrialKind.WINNER) else []
        refused = [str(change) for change in changes if not change.compatible or change.key in fixed]
        if refused:
            raise RunError(
                f"{self._directory}: holds a run of a different space; {'; '.join(refused)}. "
                f"`run-search resume {quote(str(self._directory))}` goes on as it was; `--fork NEW_RUN_DIR` begins a "
                "run of the new space with what this one has found out"
            )
        return changes

    def _take_up(self, store: RunStore, changes: Sequence[Change], observer: Observer) -> None:
        """Tells what has changed since the run began, and records it."""
        self._compare_sources(store, observer)
        versions, recorded_versions = environment.versions(), store.meta("versions", {})
        for name in _VERSIONS_THAT_MATTER:
            if versions.get(name) != recorded_versions.get(name):
                was, now = recorded_versions.get(name), versions.get(name)
                observer.message("warning", f"{name} was {was} when the run began and is {now}: numbers may differ")
        for change in changes:
            observer.message("info", f"changed since the run began: {change}")
        limit = next((change for change in changes if change.key == "search.max_trials"), None)
        if store.meta("phase") != "search" and (
            _lacks_trials(store, self._options.max_trials)
            or (limit is not None and may_search_on(store, limit.before, limit.after))
        ):
            winner = store.winner()
            store.put_meta(phase="search", winner=None, threshold=None, ensemble=None)
            if winner is not None and winner.kind not in (TrialKind.WINNER, TrialKind.BASELINE):
                # Other models, or none, may answer together with it in the end: what was measured is not of those.
                store.forget_evaluation(winner.id)
        if changes:
            # The file comes last: whoever is cut off before it finds the changes again.
            self._write_space()

    def _compare_sources(self, store: RunStore, observer: Observer) -> None:
        """Tells which files of the user's build other models than before; what is trained from now on is of these."""
        changed = changed_sources(self._spec, store.meta("sources", {}))
        for file in changed:
            observer.message("warning", doubt(file))
        if changed:
            store.put_meta(sources=family_of(self._spec.model).sources(self._spec))

    def _tell_origin(self, store: RunStore, observer: Observer) -> None:
        """Tells what a fork begins with, and of which files of the user's that was made which say otherwise now."""
        origin = self._options.fork
        evidence = store.trials(TrialKind.EVIDENCE) if origin is not None else []
        if origin is None or not evidence:
            return
        observer.message("info", f"{len(evidence)} finished trials taken over from {origin.directory}")
        with origin.read() as reader:
            recorded = reader.meta("sources", {})
        for file in changed_sources(self._spec, recorded):
            observer.message("warning", f"{origin.directory}: {doubt(file)}")

    def _work(self, store: RunStore, data: Dataset, horizon: Horizon, reading: tuple[float, float]) -> None:
        clock, spec = self._clock, self._spec
        curves = TensorBoardWriter(
            self._directory, spec.objective.name, clock, lambda text: observer.message("info", text)
        )
        doubts: list[str] = []
        followers = trackers(self._directory, doubts.append)
        self._steps = steps = Steps(store)
        observer = Observers([steps, LogFile(self._directory, clock), curves, *followers, *self._given])

        def on_event(text: str) -> None:
            warn(store, clock, observer, text)

        # While it may still be refused there is no sitting yet.
        reason: str | None = None
        try:
            changes = self._require_same(store, data)
            reason = "failed"
            if data.streamed is not None or data.changing:
                store.add_work(Work(_DATA, *reading))
            self._take_up(store, changes, observer)
            evaluation.save_sample(self._directory, data)
            if store.meta("phase") == "done":
                if winner_is_kept(store):
                    reason = "done"
                    self._leave(store, observer)
                    return
                # The final phase makes the model again, and nothing else that is there.
                store.put_meta(phase="final")
            if store.count:
                # Its file may say something else than when the run began and had its first look.
                require_callbacks(spec)
            evaluation.save_rows(self._directory, data)
            if data.streamed is not None:
                observer.message("info", data.streamed.told)
            for note in (*self._options.notes, *self._notes):
                observer.message("info", note)
            for doubt in doubts:
                on_event(doubt)
            for model in self._doubts:
                observer.message("warning", f"{model.name}: {model.problem}")
            self._tell_origin(store, observer)
            housekeeping.sweep(self._directory, store)
            if store.meta("until") is not None and not self._budget.limited:
                observer.message("info", "the time that was promised for this run is over: it goes on without a limit")
            promise = {"until": self._budget.promised, "budget": self._budget.length}
            # A night that failed may have come to its report all the same.
            store.put_meta(**promise, sitting=self._started, exit=None, finished=None, step=None, morning=None)
            if horizon.doubt is not None:
                # Said at once: whoever waits for the promised hour can still do something about it.
                on_event(horizon.doubt)
            with stop_on_signals(self._stop):
                crew = self._make_crew(self._directory, spec, data, self._threads, self._budget, on_event)
                reason = self._phases(store, data, crew, horizon, observer)
        except KeyboardInterrupt:
            reason = reason and "interrupted"
            raise
        finally:
            sitting = {
                "started": self._started,
                "ended": clock.now(),
                "command": list(self._options.command),
                "reason": reason,
            }
            with contextlib.suppress(Exception):
                if reason is not None:
                    store.put_meta(sessions=[*store.meta("sessions", []), sitting], exit=reason)
                elif store.meta("phase") == "done":
                    # Rows may have been put on the disk once more.
                    self._clear(store)
            observer.close()

    def _stop(self) -> None:
        self._stopping = True
        for runner in self._runners:
            runner.stop()
        if self._measuring:
            raise KeyboardInterrupt

    def _phases(self, store: RunStore, data: Dataset, crew: Workshop, horizon: Horizon, observer: Observer) -> str:
        searching = Searching(self._spec, store, self._budget, observer, data.info)
        try:
            executor = self._executor(crew, store, horizon, observer)
        except KeyboardInterrupt:
            if not self._stopping:
                raise
            return "interrupted"
        elsewhere = isinstance(executor, Elsewhere)
        # An earlier sitting may have trained elsewhere.
        cluster: dict[str, None] = {} if elsewhere else {"cluster": None}
        store.put_meta(at_once=executor.workers, **cluster)
        alone = store.meta("alone")
        if alone is not None and not elsewhere:
            horizon.alone = alone["factor"]
            if self._threads >= alone["threads"]:
                # Of dense networks, and in a run that goes on, this process has fewer than what was measured.
                horizon.measuring = alone["factor"]
        with self._crewed(executor, store, observer) as runner:
            if store.meta("phase") == "search":
                done = retrained(store.trials(TrialKind.CANDIDATE, TrialKind.WINNER))
                searching.go(runner, lambda best: horizon.search_end(best, done))
                if self._stopping:
                    return "interrupted"
                # While nothing has a score, a run that is given more time has still to search.
                if searching.scored:
                    store.put_meta(phase="final")
            FinalPhase(
                self._directory,
                self._spec,
                data,
                store,
                runner,
                searching,
                horizon,
                observer,
                self._apart(self._evaluate),
                self._apart(self._decide),
                self._apart(self._compare_models),
                lambda: self._lent(crew, store, observer, elsewhere),
            ).go()
        if self._stopping:
            return "interrupted"
        # A process that is cut off while it deletes files leaves a run that is done.
        store.put_meta(phase="done", finished=self._clock.now(), exit="done")
        self._clear(store)
        return "done"

    def _leave(self, store: RunStore, observer: Observer) -> None:
        """A run that is done already stays as it is; what was cut off while it deleted files is done to its end."""
        self._clear(store)
        goes_on = f"`run-search resume {quote(str(self._directory))} --max-trials N`"
        observer.message(
            "info", f"nothing is left to do: the run is done; {goes_on} lets its search go on until it has N trials"
        )

    def _clear(self, store: RunStore) -> None:
        """Deletes what only a run that is not done needs."""
        shared_data.remove(self._directory)
        rows.remove(self._directory / layout.ROWS)
        if taken := disk.used(self._directory / layout.FEATURES):
            store.put_meta(feature_bytes=taken)
        features.remove(self._directory)

    def _apart(self, measure: Callable[..., _Found]) -> Callable[..., _Found]:
        """The same, where no worker trains."""

        def measured(*what: Any) -> _Found:
            free = sizing.free(environment.gpus(), self._beside, self._options.gpu_share)
            with contained(), cards.on(cards.device(len(environment.seen_gpus()), free)):
                return measure(*what)

        return measured

    def _executor(self, crew: Workshop, store: RunStore, horizon: Horizon, observer: Observer) -> Executor:
        workers, searching = self._options.workers, store.meta("phase") == "search"
        fixed = self._spec.search.order == "fixed"
        recorded: int | None = store.meta("fixed_workers") if fixed else None
        if workers is None and recorded is not None:
            # On a cluster 0 is no single one, but as many as there is room for.
            workers = max(1, recorded) if self._options.elsewhere else recorded
        if workers is None and self._options.elsewhere:
            workers = 0
        if workers is None:
            workers = crew.unmeasured(store.each_trial())
            # What a fork begins with was trained elsewhere.
            begun = next(store.each_trial(*OWN), None) is not None
            if workers > 1 and searching and not begun and self._may_measure():
                with self._ending_at_once():
                    if crew.may_choose:
                        observer.phase("measuring workers", None)
                        observer.message("info", "measuring whether few or many workers train this space faster")
                    found = crew.measured()
                executor, chosen = found.executor, found.chosen
                # Every trial of this run is trained so, also after a resume.
                alone = None if found.alone is None else {"threads": found.alone.threads, "factor": found.factor}
                # What was not found out follows from the cards, which may be others then.
                fastest = chosen.workers if crew.may_choose else None
                store.put_meta(threads=chosen.threads, workers=fastest, alone=alone)
                if fixed:
                    store.put_meta(fixed_workers=chosen.workers)
                observer.message("info", found.reason)
                horizon.follow(executor, chosen.threads)
                self._beside = chosen.workers
                return executor
            on_cards = sizing.used(environment.gpus(), self._options.gpu_share)
            if workers > 1 and self._options.threads is None and not on_cards:
                # A run from elsewhere may have had more than this machine has room for.
                workers = min(store.meta("workers") or workers, workers)
            observer.message("info", f"training in {Workforce(workers, self._threads)}")
        if searching and recorded is not None and max(1, recorded) != max(1, workers):
            observer.message(
                "warning",
                f"order: fixed gives the same table for the same number of workers: this run began with {recorded}, "
                f"and goes on with {workers}",
            )
        if fixed and recorded is None:
            store.put_meta(fixed_workers=workers)
        executor = crew.workers(workers)
        horizon.follow(executor, self._threads)
        self._beside = executor.workers if isinstance(executor, Elsewhere) else workers
        if isinstance(executor, Elsewhere) and self._steps is not None:
            self._steps.follow(executor)
            observer.message("info", f"training {executor.workers} at a time: {executor.described()}")
        return executor

    @contextlib.contextmanager
    def _ending_at_once(self) -> Iterator[None]:
        """Inside, a request to end is not waited with: building models and measuring them takes minutes, and nothing is
        trained yet that could be saved."""
        self._measuring = True
        try:
            if self._stopping:
                raise KeyboardInterrupt
            yield
        finally:
            self._measuring = False

    def _may_measure(self) -> bool:
        """Whether there is time for it, and nobody has said how many threads a training has."""
        left = self._budget.left
        return self._options.threads is None and (left is None or left > _TIME_TO_MEASURE)

    def _lent(
        self, crew: Workshop, store: RunStore, observer: Observer, elsewhere: bool
    ) -> contextlib.AbstractContextManager[Runner]:
        """A runner for one training with all cores, while the search's own has nothing to do."""
        alone = store.meta("alone")
        if alone is None or elsewhere:
            return contextlib.nullcontext(self._runners[0])
        threads = alone["threads"]
        observer.message("info", f"one training with {threads} threads")
        return self._crewed(crew.alone(threads), store, observer)

    @contextlib.contextmanager
    def _crewed(self, executor: Executor, store: RunStore, observer: Observer) -> Iterator[Runner]:
        """A runner that a signal reaches, over an executor that is shut down at the end."""
        runner = Runner(executor, store, self._clock, observer)
        self._runners.append(runner)
        try:
            if self._stopping:
                runner.stop()
            yield runner
        finally:
            self._runners.remove(runner)
            executor.shutdown()


@contextlib.contextmanager
def _or_else(undo: Callable[[], None]) -> Iterator[None]:
    """Inside, whatever ends it early calls `undo`."""
    try:
        yield
    except BaseException:
        undo()
        raise


def is_done(store: RunReader, most: int | None = None) -> bool:
    """Whether a run is done, and nothing is left to train.

    Args:
        store: That of the run.
        most: Trials of the whole search that it is asked for now; None: nobody said.
    """
    return bool(store.meta("phase") == "done") and winner_is_kept(store) and not _lacks_trials(store, most)


def may_search_on(store: RunReader, before: int | None, limit: int | None) -> bool:
    """Whether its limit on trials, which is another than when the run began, lets a search go on.

    No more than it has are no reason to choose a winner, and to measure it, once more.

    Args:
        store: That of the run.
        before: The limit when the run began; None: there was none.
        limit: As it is now.
    """
    return limit != before and (limit is None or _searched(store) < limit)


def _lacks_trials(store: RunReader, most: int | None) -> bool:
    """Whether more trials are asked for now than the search has, though that may be the number that it began with.

    Time or failures may have ended it before; a space that is used up has no more.
    """
    if most is None or store.meta("search_ended") == "exhausted":
        return False
    return _searched(store) < most


def _searched(store: RunReader) -> int:
    """Trials that the search has asked for."""
    return sum(one.kind == TrialKind.SEARCH for one in store.marks())
