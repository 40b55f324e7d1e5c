"""`search.run` and `search.resume`: the same path for the command line and for Python."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import spaces
from search.asked import (
    as_begun,
    as_overrides,
    as_spec,
    changed,
    given_again,
    goes_on,
    references,
    require_given,
)
from search.budget import Budget, Deadline
from search.cluster import connection
from search.cluster.start import Cluster
from search.errors import RunError, not_written
from search.executors import Each, MakeExecutor, makes_elsewhere
from search.executors.here import executor_here
from search.files import layout
from search.files.rundir import Run, open_run
from search.loop.observer import Observer
from search.night.crew import Crew, as_each
from search.night.options import judged, require_origin, require_width, require_word
from search.night.session import MakeCrew, Options, Session, is_done, may_search_on, threads_of
from search.night.views.watching import watched
from search.phases.fork import require_taken_over
from search.phases.schedule import endless
from search.training import threads
from spaces import SearchSpec
from spaces.families import family_of
from spaces.outside import given
from spaces.reading.library import run_in_trials
from spaces.reading.overrides import Overrides

OnInterrupt = Literal["raise", "return"]


def run(
    space: Any,
    *,
    data: Any = None,
    objective: Any = None,
    callbacks: Callable[[], Any] | None = None,
    overrides: Overrides = (),
    max_trials: int | None = None,
    seed: int | None = None,
    run_dir: str | Path | None = None,
    budget: Budget | str | float | timedelta | None = None,
    until: str | float | datetime | None = None,
    workers: int | Literal["auto"] | None = None,
    fork: str | Path | None = None,
    check: bool = True,
    quiet: bool = False,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    name: str | None = None,
    executor: MakeExecutor | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    on_interrupt: OnInterrupt = "raise",
) -> Run:
    """Searches a space, retrains the best and measures the winner; `report` and `export` are calls of their own.

    ```python
    run = ns.run(build, data=(x, y), objective="val_f1", until="07:00", max_trials=60)
    ```

    Args:
        space: A function `build(hp)` as Keras Tuner has it, or a `keras_tuner.HyperModel` or its class; or a shipped
            space's name, the path of a space file, a `SearchSpec`, or a mapping with what stands in a space file, in
            which functions and arrays may stand themselves. A function without a space trains 3 to 27 epochs.
        data: Stands in the place of the space's section `data`: (x, y); ((x, y), (x_val, y_val)), as `fit` has them;
            three such pairs, training, validation and test; a dict of arrays named like x_train, y_val; a DataFrame
            whose last column is the target; a `tf.data.Dataset` of (x, y) or (x, y, weight); a function that returns
            one of these; the name of a data set; or a mapping with what stands under `data` in a space file.
        objective: What decides, such as `val_accuracy`, `{"name": ..., "direction": "max"}` or a
            `keras_tuner.Objective`; None: as the space says. One of our measures joins `training.metrics`.
        callbacks: A function that gives Keras callbacks for each training, see `training.callbacks` of a space file.
        overrides: Keys to change, each as `dotted.key=value`, like `--set` on the command line, one such text, or a
            mapping of dotted keys.
        max_trials: Trials of the whole search, at least 1; None: as the space says.
        seed: Seed of the whole search, at least 0; None: as the space says.
        run_dir: The run directory; by default a new one below `runs/`. One that holds a run of the same space is
            resumed.
        budget: Time for everything, in seconds, as a `timedelta`, or as text such as `30m` or `8h`; None: no limit,
            or for a run that goes on the time it was last given, if that is not over. Or a `Budget` that has begun
            already.
        until: The local time of day by which everything has to be there, such as `07:00`, or a moment to come, as a
            `datetime` or Unix time; the earlier of it and `budget` holds.
        workers: Worker processes; 0 trains in this process; None, the default, or `auto` takes what pays off.
        fork: A new run directory: the run in `run_dir` stays as it is, and its finished trials are taken over as
            evidence by a new run of this space.
        check: Whether to build the smallest, the largest, some sampled models and the baselines first.
        quiet: Shows nothing. Otherwise a view stands in the output of a notebook's cell, or on the terminal.
        observers: Are told what happens.
        command: The command line, for the record.
        name: How the space was named by the user, for the record; by default as `space` says.
        executor: Makes what trains the trials, of a `search.executors.Place`; None: this process or workers on this
            machine.
        ray: The Ray cluster that trains: `auto` (the one that this machine belongs to), `HOST:PORT` of its head, or
            `local` (one on this machine, for this run). Then `workers` is the most at the same time, and None as many
            as the cluster has room for. A connection that `ray.init` has made already is used as it is; that of a Ray
            client is refused.
        cpus_per_trial: Cores of each training, above 0; as many threads work on one operation, if it is a new run.
        gpus_per_trial: Share of a GPU of each training, from 0 to 1; None: a whole one, where there are any.
        on_interrupt: What follows when Ctrl-C, or the interrupt of a notebook, has ended the trainings at their next
            epoch and everything is saved: `raise` is `KeyboardInterrupt`, so that "run all" stops there; `return`
            gives the run, whose store's `exit` is `interrupted`.

    Returns:
        The run; its store's `exit` is `done`.

    Raises:
        TypeError: `space` is nothing of that, or `executor` makes nothing.
        SpaceError: The space is not valid, with the overrides.
        CodeError: The function cannot be used; its line is named.
        DataError: The data cannot be used.
        RunError: The run directory cannot be used, or an option cannot be meant.
        SearchFailed: No configuration gave a score; `NotReported`, if no training reports the objective.
        DiskError: The disk is full; what has ended is saved.
        ClusterLost: The Ray cluster is gone, or none of its machines may train; what has ended is saved.
        ValueError: The budget cannot be read, or both `executor` and `ray` are given.
        KeyboardInterrupt: It was interrupted; everything is saved.
    """
    require_origin(fork, run_dir)
    require_word("on_interrupt", on_interrupt, get_args(OnInterrupt))
    count = judged(workers, ray, cpus_per_trial, gpus_per_trial)
    allowed = as_budget(budget, until)
    spec = as_spec(
        space,
        data=data,
        objective=objective,
        callbacks=callbacks,
        overrides=overrides,
        max_trials=max_trials,
        seed=seed,
        directory=run_dir,
        begun=goes_on(run_dir, fork),
    )
    if run_dir is not None and goes_on(run_dir, fork):
        spec = as_begun(spec, run_dir)
    with run_directory(run_dir, spec) as directory:
        require_given(spec, directory)
        origin = None
        if fork is not None:
            origin, directory = open_run(directory), Path(fork)
            require_taken_over(origin, directory)
        elsewhere = _elsewhere(executor, ray)
        require_width(spec, directory, count, elsewhere)
        allowed = going_on(directory, allowed)
        if name is None:
            name = str(space) if isinstance(space, str | Path) else spec.name
        count = _workers(spec, count, ray)
        each = as_each(cpus_per_trial, gpus_per_trial, count, elsewhere)
        make = _maker(spec, executor, ray, each)
        options = Options(
            allowed,
            count,
            origin,
            check,
            command,
            name,
            changed(space, run_dir),
            each.threads,
            each.gpus,
            elsewhere=elsewhere,
        )
        crew = partial(Crew, make_executor=make, each=each)
        needed = _needed(ray, spec, directory)
        with connection.connected(needed):
            if needed is not None:
                cluster = Cluster(needed, each)
                width = cluster.threads(threads.for_family(spec.family))
                cluster.require_room(width)
                options = replace(options, threads=width)
            if _searches(spec, directory):
                _require_an_end(spec, options, directory)
            return _go(directory, spec, options, observers, crew, quiet, on_interrupt)


def resume(
    run: Run | str | Path,
    model: Any = None,
    *,
    data: Any = None,
    callbacks: Callable[[], Any] | None = None,
    max_trials: int | None = None,
    budget: Budget | str | float | timedelta | None = None,
    until: str | float | datetime | None = None,
    workers: int | Literal["auto"] | None = None,
    quiet: bool = False,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    executor: MakeExecutor | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    on_interrupt: OnInterrupt = "raise",
) -> Run:
    """Goes on with an interrupted run. A run that is done is left as it is.

    Args:
        run: The run. It goes on with its own frozen space.
        model: The function that the run was given, where that was in another process; it is not kept with the run.
        data: The data, likewise: those that the run began with, or it is refused.
        callbacks: The function that gives callbacks, likewise.
        max_trials: A limit on the trials of the whole search, a new one or, where time or failures have ended it before
            that, the one that it began with: a search that is over goes on until it has so many.

    The other arguments, the result and the errors are those of `run`.

    Raises:
        TypeError: What is given again is nothing that the run was given, or is no function.
    """
    require_word("on_interrupt", on_interrupt, get_args(OnInterrupt))
    count = judged(workers, ray, cpus_per_trial, gpus_per_trial)
    found = open_run(run)
    notes = given_again(found, model, data, callbacks)
    allowed = going_on(found.directory, as_budget(budget, until))
    spec = spaces.load(found.spec, as_overrides((), max_trials), begun=True)
    require_given(spec, found.directory)
    elsewhere = _elsewhere(executor, ray)
    require_width(spec, found.directory, count, elsewhere)
    count = _workers(spec, count, ray)
    each = as_each(cpus_per_trial, gpus_per_trial, count, elsewhere)
    make = _maker(spec, executor, ray, each)
    most = None if max_trials is None else spec.search.max_trials
    options = Options(
        allowed,
        count,
        command=command,
        notes=notes,
        threads=each.threads,
        gpu_share=each.gpus,
        elsewhere=elsewhere,
        max_trials=most,
    )
    crew = partial(Crew, make_executor=make, each=each)
    with connection.connected(_needed(ray, spec, found.directory, most)):
        if _searches(spec, found.directory):
            _require_an_end(spec, options, found.directory)
        return _go(found.directory, spec, options, observers, crew, quiet, on_interrupt)


def _go(
    directory: Path,
    spec: SearchSpec,
    options: Options,
    observers: Sequence[Observer],
    crew: MakeCrew,
    quiet: bool,
    on_interrupt: OnInterrupt,
) -> Run:
    with watched(directory, spec.objective, options.budget.promised, quiet=quiet) as views:
        run = Session(directory, spec, options, (*observers, *views), crew).go()
    if on_interrupt == "raise":
        with run.read() as reader:
            interrupted = reader.meta("exit") == "interrupted"
        if interrupted:
            again = "".join(f", {part}" for part in _to_give(spec))
            raise KeyboardInterrupt(f"everything is saved: nightshift.resume({str(directory)!r}{again}) goes on")
    return run


def _to_give(spec: SearchSpec) -> list[str]:
    known = references(spec)
    build = [given.spoken(known.model)] if known.model is not None else []
    data = ["data=..."] if known.data is not None else []
    return build + data + (["callbacks=..."] if known.callbacks is not None else [])


def _maker(spec: SearchSpec, executor: MakeExecutor | None, ray: str | None, each: Each) -> MakeExecutor:
    if executor is not None and not callable(executor):
        raise TypeError(f"executor must be what makes one of a search.executors.Place; received {executor!r}")
    if ray is None:
        return executor or executor_here
    if executor is not None:
        raise ValueError("give either an executor or ray, not both")
    return partial(Cluster(ray, each).executor, spec)


def _elsewhere(executor: MakeExecutor | None, ray: str | None) -> bool:
    return ray is not None or (executor is not None and makes_elsewhere(executor))


def _workers(spec: SearchSpec, workers: int | None, ray: str | None = None) -> int | None:
    """What was asked for; this process alone where only it has one of the functions that trainings call."""
    for code in run_in_trials(spec):
        why = _why_here(code)
        if why is not None and (workers or ray is not None):
            here = "workers=0" if ray is None else "no cluster"
            raise RunError(f"{given.spoken(code)} {why}: use {here}, or put it into a module of its own")
        if why is not None:
            return 0
    return workers


def _why_here(code: str) -> str | None:
    """Why a function of the user's can be called in this process only; None if workers can."""
    if code.startswith("__main__:"):
        return "is defined in a notebook or script, where worker processes cannot see it"
    error = given.why_not_packed(code) if given.is_given(code) else None
    return None if error is None else f"cannot be sent to worker processes ({error})"


def _searches(spec: SearchSpec, directory: Path) -> bool:
    """Whether there is a search to begin in this directory, or to go on with."""
    if not layout.is_run(directory):
        return True
    run = open_run(directory)
    with run.read() as reader:
        searching = bool(reader.meta("phase") == "search")
        return searching or may_search_on(reader, run.spec.search.max_trials, spec.search.max_trials)


def _needed(ray: str | None, spec: SearchSpec, directory: Path, most: int | None = None) -> str | None:
    """The cluster that was asked for; None where a run is done, and nothing is left to train on it."""
    if ray is None or not layout.is_run(directory) or _searches(spec, directory):
        return ray
    with open_run(directory).read() as reader:
        return None if is_done(reader, most) else ray


def _require_an_end(spec: SearchSpec, options: Options, directory: Path) -> None:
    if options.budget.limited:
        return
    if family_of(spec.model).users_code:
        # What a function of the user's asks for is found by building models; after that, the threads are as they are.
        with warnings.catch_warnings():
            # Where TensorFlow has begun already, the session says what that means.
            warnings.simplefilter("ignore")
            threads.configure(threads_of(directory, spec, options))
    if (told := endless(spec)) is None:
        return
    over = ""
    if layout.is_run(directory):
        with open_run(directory).read() as reader:
            over = "" if reader.meta("until") is None else "the time that was promised for this run is over, and "
    raise RunError(f"{over}{told}")


def as_budget(budget: Budget | str | float | timedelta | None, until: str | float | datetime | None = None) -> Budget:
    """What `run` and `resume` are told about time, as a budget that begins now, unless it has begun already.

    Raises:
        ValueError: It cannot be read.
    """
    if not isinstance(budget, Budget):
        return Budget.given(budget, until)
    if until is not None:
        raise ValueError("a budget that has begun already has its own end: give no `until` besides")
    return budget


def going_on(directory: Path, budget: Budget) -> Budget:
    """The budget itself if it has an end, else the time that was promised for the run in the directory, if any.

    What was promised as a length of time is never longer than that, whatever has happened to the clock since.
    """
    if budget.limited or not layout.is_run(directory):
        return budget
    clock = budget.clock
    with open_run(directory).read() as reader:
        promised, length = reader.meta("until"), reader.meta("budget")
    if promised is None or promised <= clock.now():
        return budget
    if length is None:
        return Budget(Deadline(unix=promised), clock)
    return Budget(Deadline(monotonic=clock.monotonic() + min(length, promised - clock.now())), clock)


@contextlib.contextmanager
def run_directory(given: str | Path | None, spec: SearchSpec) -> Iterator[Path]:
    """The run directory: the given one, or a new one, which is removed at the end if no run has begun in it.

    Args:
        given: As for `run`.
        spec: The space, which names a new one.

    Raises:
        RunError: It cannot be made.
    """
    directory = new_directory(spec) if given is None else Path(given)
    try:
        yield directory
    finally:
        if given is None:
            with contextlib.suppress(OSError):
                if os.listdir(directory) == [layout.LOCK]:
                    # Of a start that failed, in a folder that nobody else knows of.
                    os.unlink(directory / layout.LOCK)
                directory.rmdir()
                directory.parent.rmdir()


def new_directory(spec: SearchSpec) -> Path:
    """A fresh run directory below `runs/`, named after the space and the local time, and made: nobody else gets it.

    Raises:
        RunError: It cannot be made.
    """
    root = Path("runs")
    stem = f"{spec.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        root.mkdir(exist_ok=True)
        for number in itertools.count(1):
            path = root / (stem if number == 1 else f"{stem}-{number}")
            with contextlib.suppress(FileExistsError):
                # Whoever began at the same time, and gave up, may have removed the empty one above it.
                path.mkdir(parents=True)
                break
    except OSError as error:
        raise not_written(root, error) from error
    return path
