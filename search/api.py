"""`search.run` and `search.resume`: the same path for the command line and for Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import spaces
from search.budget import Budget, Deadline
from search.cluster import connection
from search.cluster.start import Cluster
from search.errors import RunError
from search.executors import Each, MakeExecutor
from search.executors.here import executor_here
from search.files import layout
from search.files.rundir import Run, open_run
from search.loop.observer import Observer
from search.night.crew import Crew, asked
from search.night.session import Options, Session
from search.phases.schedule import planned
from spaces import SearchSpec
from spaces.families import family_of


def run(
    space: SearchSpec | str | Path,
    *,
    run_dir: str | Path | None = None,
    budget: Budget | str | float | None = None,
    until: str | float | None = None,
    workers: int | None = None,
    fork: str | Path | None = None,
    check: bool = True,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    name: str | None = None,
    executor: MakeExecutor | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
) -> Run:
    """Searches a space, retrains the best and measures the winner.

    Args:
        space: A `SearchSpec`, a shipped space's name, or the path of a space file.
        run_dir: The run directory; by default a new one below `runs/`. One that holds a run of the same space is
            resumed.
        budget: Time for everything, in seconds or as text such as `30m` or `8h`; None: no limit, or for a run that
            goes on the time it was last given, if that is not over. Or a `Budget` that has begun already.
        until: The local time of day by which everything has to be there, such as `07:00`, or Unix time; the earlier
            of it and `budget` holds.
        workers: Worker processes; 0 trains in this process; None, the default, takes what pays off.
        fork: A new run directory: the run in `run_dir` stays as it is, and its finished trials are taken over as
            evidence by a new run of this space.
        check: Whether to build the smallest, the largest, some sampled models and the baselines first.
        observers: Are told what happens.
        command: The command line, for the record.
        name: How the space was named by the user, for the record; by default as `space` says.
        executor: Makes what trains the trials, of a `search.executors.Place`; None: this process or workers on this
            machine.
        ray: The Ray cluster that trains: `auto` (the one that this machine belongs to), `HOST:PORT` of its head, or
            `local` (one on this machine, for this run). Then `workers` is the most at the same time, and None as many
            as the cluster has room for. A connection that `ray.init` has made already is used as it is.
        cpus_per_trial: Cores of each training, above 0; as many threads work on one operation, if it is a new run.
        gpus_per_trial: Share of a GPU of each training, from 0 to 1; None: a whole one, where there are any.

    Returns:
        The run; its store's `exit` is `done` or `interrupted`.

    Raises:
        SpaceError: The space file is not valid.
        DataError: The data cannot be used.
        RunError: The run directory cannot be used.
        SearchFailed: No configuration gave a score.
        ValueError: The budget cannot be read.
    """
    spec = spaces.load(space)
    directory = Path(run_dir) if run_dir is not None else new_directory(spec)
    origin = None
    if fork is not None:
        origin, directory = open_run(directory), Path(fork)
    allowed = going_on(directory, as_budget(budget, until))
    _require_an_end(spec, allowed)
    if name is None:
        name = space.name if isinstance(space, SearchSpec) else str(space)
    each = asked(cpus_per_trial, gpus_per_trial, workers, ray)
    make = _maker(spec, workers, executor, ray, each)
    options = Options(
        allowed,
        _workers(spec, workers, ray),
        origin,
        check,
        command,
        name,
        each.threads,
        each.gpus,
        elsewhere=ray is not None,
    )
    crew = partial(Crew, make_executor=make, each=each)
    with connection.connected(ray):
        return Session(directory, spec, options, observers, crew).go()


def resume(
    run: Run | str | Path,
    *,
    max_trials: int | None = None,
    budget: Budget | str | float | None = None,
    until: str | float | None = None,
    workers: int | None = None,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    executor: MakeExecutor | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
) -> Run:
    """Goes on with an interrupted run. A run that is done is left as it is.

    Args:
        run: The run. It goes on with its own frozen space.
        max_trials: A new limit on the trials of the whole search.

    The other arguments, the result and the errors are those of `run`.
    """
    found = open_run(run)
    allowed = going_on(found.directory, as_budget(budget, until))
    overrides = () if max_trials is None else (f"search.max_trials={max_trials}",)
    spec = spaces.load(found.spec, overrides)
    with found.read() as reader:
        searching = reader.meta("phase") == "search"
    if searching:
        _require_an_end(spec, allowed)
    each = asked(cpus_per_trial, gpus_per_trial, workers, ray)
    make = _maker(spec, workers, executor, ray, each)
    options = Options(
        allowed, _workers(spec, workers, ray), command=command, gpu_share=each.gpus, elsewhere=ray is not None
    )
    crew = partial(Crew, make_executor=make, each=each)
    with connection.connected(ray):
        return Session(found.directory, spec, options, observers, crew).go()


def _maker(
    spec: SearchSpec, workers: int | None, executor: MakeExecutor | None, ray: str | None, each: Each
) -> MakeExecutor:
    if ray is None:
        return executor or executor_here
    if executor is not None:
        raise ValueError("give either an executor or ray, not both")
    if workers == 0:
        raise RunError("--workers 0 trains in this process; with --ray give at least 1, or nothing")
    connection.require_address(ray)
    return partial(Cluster(ray, each).executor, spec)


def _workers(spec: SearchSpec, workers: int | None, ray: str | None = None) -> int | None:
    """What was asked for; this process alone where only it has the model's function."""
    code = family_of(spec.model).code(spec.family)
    if code is None or not code.startswith("__main__:"):
        return workers
    if workers or ray is not None:
        raise RunError(
            f"{code} is defined in a notebook or script, where worker processes cannot "
            "see it: use workers=0, or put it into a module of its own"
        )
    return 0


def _require_an_end(spec: SearchSpec, budget: Budget) -> None:
    if not budget.limited and planned(spec).trials is None:
        raise RunError(
            f"algorithm {spec.search.algorithm} goes on for ever in this space: give a number of trials or a time "
            "(search.max_trials, --max-trials, --budget, --until)"
        )


def as_budget(budget: Budget | str | float | None, until: str | float | None = None) -> Budget:
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
    run = open_run(directory)
    promised, clock = run.promised, budget.clock
    if promised is None:
        return budget
    with run.read() as reader:
        length = reader.meta("budget")
    if length is None:
        return Budget(Deadline(unix=promised), clock)
    return Budget(Deadline(monotonic=clock.monotonic() + min(length, promised - clock.now())), clock)


def new_directory(spec: SearchSpec) -> Path:
    """Path of a fresh run directory below `runs/`, named after the space and the local time; nothing is made."""
    root = Path("runs")
    stem = f"{spec.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = root / stem, 2
    while path.exists():
        path, number = root / f"{stem}-{number}", number + 1
    return path
