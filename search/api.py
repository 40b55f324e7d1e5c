"""`search.run` and `search.resume`: the same path for the command line and for Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import spaces
from search import layout
from search.durations import seconds
from search.errors import RunError
from search.observer import Observer
from search.rundir import Run, open_run
from search.schedule import planned
from search.session import Options, Session
from spaces import SearchSpec


def run(
    space: SearchSpec | str | Path,
    *,
    run_dir: str | Path | None = None,
    budget: str | float | None = None,
    until: float | None = None,
    workers: int | None = None,
    fork: str | Path | None = None,
    check: bool = True,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
    name: str | None = None,
) -> Run:
    """Searches a space, retrains the best and measures the winner.

    Args:
        space: A `SearchSpec`, a shipped space's name, or the path of a space file.
        run_dir: The run directory; by default a new one below `runs/`. One that holds a run of the same space is
            resumed.
        budget: Time for everything, in seconds or as text such as `30m` or `8h`; None: no limit, or for a run that
            goes on the time it was last given, if that is not over.
        until: Unix time by which everything has to be there; the earlier of it and `budget` holds.
        workers: Worker processes; 0 trains in this process; None, the default, takes what pays off.
        fork: A new run directory: the run in `run_dir` stays as it is, and its finished trials are taken over as
            evidence by a new run of this space.
        check: Whether to build the smallest, the largest, some sampled models and the baselines first.
        observers: Are told what happens.
        command: The command line, for the record.
        name: How the space was named by the user, for the record; by default as `space` says.

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
    directory = Path(run_dir) if run_dir is not None else _new_directory(spec, Path("runs"))
    origin = None
    if fork is not None:
        origin, directory = open_run(directory), Path(fork)
    deadline = _deadline(directory, budget, until)
    _require_an_end(spec, deadline)
    if name is None:
        name = space.name if isinstance(space, SearchSpec) else str(space)
    return Session(
        directory, spec, Options(deadline, _workers(spec, workers), origin, check, command, name), observers
    ).go()


def resume(
    run: Run | str | Path,
    *,
    max_trials: int | None = None,
    budget: str | float | None = None,
    until: float | None = None,
    workers: int | None = None,
    observers: Sequence[Observer] = (),
    command: Sequence[str] = (),
) -> Run:
    """Goes on with an interrupted run. A run that is done is left as it is.

    Args:
        run: The run. It goes on with its own frozen space.
        max_trials: A new limit on the trials of the whole search.

    The other arguments, the result and the errors are those of `run`.
    """
    found = open_run(run)
    deadline = _deadline(found.directory, budget, until)
    overrides = () if max_trials is None else (f"search.max_trials={max_trials}",)
    spec = spaces.load(found.spec, overrides)
    with found.read() as reader:
        searching = reader.meta("phase") == "search"
    if searching:
        _require_an_end(spec, deadline)
    return Session(found.directory, spec, Options(deadline, _workers(spec, workers), command=command), observers).go()


def _workers(spec: SearchSpec, workers: int | None) -> int | None:
    """What was asked for; this process alone where only it has the model's function."""
    if not spec.family.startswith("python:__main__:"):
        return workers
    if workers:
        raise RunError(
            f"{spec.family.removeprefix('python:')} is defined in a notebook or script, where worker processes cannot "
            "see it: use workers=0, or put it into a module of its own"
        )
    return 0


def _require_an_end(spec: SearchSpec, deadline: float | None) -> None:
    if deadline is None and planned(spec).trials is None:
        raise RunError(
            f"algorithm {spec.search.algorithm} goes on for ever in this space: give a number of trials or a time "
            "(search.max_trials, --max-trials, --budget, --until)"
        )


def _deadline(directory: Path, budget: str | float | None, until: float | None) -> float | None:
    """The earlier of the given times; without any, the one that was promised for the run in the directory."""
    ends = [end for end in (until, None if budget is None else time.time() + seconds(budget)) if end is not None]
    if ends:
        return min(ends)
    return open_run(directory).promised if layout.is_run(directory) else None


def _new_directory(spec: SearchSpec, root: Path) -> Path:
    """A fresh run directory's path, named after the space and the local time; nothing is made."""
    stem = f"{spec.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = root / stem, 2
    while path.exists():
        path, number = root / f"{stem}-{number}", number + 1
    return path
