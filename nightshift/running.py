"""`nightshift.run` and `nightshift.resume`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import search
import spaces
from search import resume

if TYPE_CHECKING:
    from search import Budget, Run
    from search.executors import MakeExecutor
    from search.loop.observer import Observer

__all__ = ["resume", "run"]


def run(
    space: spaces.SearchSpec | str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    max_trials: int | None = None,
    seed: int | None = None,
    run_dir: str | Path | None = None,
    budget: Budget | str | float | None = None,
    until: str | float | None = None,
    workers: int | None = None,
    fork: str | Path | None = None,
    check: bool = True,
    observers: Sequence[Observer] = (),
    executor: MakeExecutor | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
) -> Run:
    """Searches a space, retrains the best and measures the winner; `report` and `export` are calls of their own.

    It takes a space, not a function and arrays: a `build(hp)` of your own stands in the space as
    `model: {family: {python: "module:function"}}`, arrays as `data: {source: {npz: FILE}}` or
    `{source: {python: "module:function"}}`.

    Args:
        space: A shipped space's name, the path of a space file, a `SearchSpec` from `load`, or a mapping with what
            stands in a space file.
        overrides: Keys to change, each as `dotted.key=value`, like `--set` on the command line.
        max_trials: Trials of the whole search, at least 1; None: as the space says.
        seed: Seed of the whole search, at least 0; None: as the space says.
        run_dir: The run directory; by default a new one below `runs/`. One that holds a run of the same space is
            resumed.
        budget: Time for everything, in seconds or as text such as `30m` or `8h`; None: no limit.
        until: The local time of day by which everything has to be there, such as `07:00`, or Unix time; the earlier
            of it and `budget` holds.
        workers: Worker processes; 0 trains in this process; None, the default, takes what pays off.
        fork: A new run directory: the run in `run_dir` stays as it is, and its finished trials are taken over as
            evidence by a new run of this space.
        check: Whether to build the smallest, the largest, some sampled models and the baselines first.
        observers: Are told what happens.
        executor: Makes what trains the trials, of a `search.executors.Place`; None: this machine does.
        ray: The Ray cluster that trains: `auto`, `HOST:PORT` of its head, or `local`, see `search.run`.
        cpus_per_trial: Cores, and threads of one operation, of each training.
        gpus_per_trial: Share of a GPU of each training, from 0 to 1; None: a whole one, where there are any.

    Returns:
        The run; its store's `exit` is `done` or `interrupted`.

    Raises:
        TypeError: `space` is a function or anything else that is no space.
        SpaceError: The space is not valid, with the overrides.
        DataError: The data cannot be used.
        RunError: The run directory cannot be used.
        SearchFailed: No configuration gave a score.
        ValueError: The budget cannot be read.
    """
    if not isinstance(space, spaces.SearchSpec | str | os.PathLike | Mapping):
        raise TypeError(
            "space must be a shipped space's name, the path of a space file, a SearchSpec or a mapping; received "
            f'{space!r}. A build(hp) function stands in a space as model: {{family: {{python: "module:function"}}}}'
        )
    changes = [*overrides]
    changes += [f"search.max_trials={max_trials}"] if max_trials is not None else []
    changes += [f"search.seed={seed}"] if seed is not None else []
    spec = spaces.load(space, changes)
    return search.run(
        spec,
        run_dir=run_dir,
        budget=budget,
        until=until,
        workers=workers,
        fork=fork,
        check=check,
        observers=observers,
        executor=executor,
        ray=ray,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        name=str(space) if isinstance(space, str | os.PathLike) else spec.name,
    )
