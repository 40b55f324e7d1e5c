"""`check`: a night in small, before the night: models built and timed, then one tiny pass through everything."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

import search
from results.exporting import ExportedFile, export
from results.predicting import predict
from results.reporting import report
from search.api import as_budget
from search.asked import as_spec, require_given
from search.budget import Budget
from search.errors import SearchFailed, not_written
from search.files import arrays, layout
from search.night.rehearsal import Rehearsal, rehearse, sliver
from spaces import SearchSpec
from spaces.data.stored.rows import close_below
from spaces.data.stored.store import scratch
from spaces.reading.overrides import Overrides


def check(
    space: Any,
    *,
    data: Any = None,
    objective: Any = None,
    callbacks: Callable[[], Any] | None = None,
    overrides: Overrides = (),
    max_trials: int | None = None,
    seed: int | None = None,
    budget: Budget | str | float | timedelta | None = None,
    until: str | float | datetime | None = None,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    quick: bool = False,
    found: Callable[[Rehearsal], None] | None = None,
) -> Rehearsal:
    """Finds out what a night would do: data loaded, models built, counted and timed, then a tiny night of its own.

    ```python
    print(ns.check(build, data=(x, y), budget="8h").to_json())
    ```

    Args:
        space: A space, or a function `build(hp)`; it and the arguments up to `gpus_per_trial` are those of
            `search.run`.
        quick: Leaves out the tiny night.
        found: Is given what was found before the tiny night begins.

    Returns:
        What was found. Where `fails` is true, no tiny night was made.

    Raises:
        TypeError: `space` is nothing of what `search.run` takes.
        SpaceError: The space is not valid.
        CodeError: A function of the user's cannot be used.
        DataError: The data cannot be used.
        NotReported: No model reports the objective.
        RunError: There is no such cluster.
        SearchFailed: The tiny night gave no score, or not every file; or what frozen backbones make of the rows takes
            more than `limits.disk`.
        DiskError: The disk is full.
        ValueError: The budget cannot be read, or has begun already and `until` is given besides.
    """
    spec = as_spec(
        space,
        data=data,
        objective=objective,
        callbacks=callbacks,
        overrides=overrides,
        max_trials=max_trials,
        seed=seed,
    )
    allowed = as_budget(budget, until)
    # What is decoded or unpacked for the first part is found again by the second.
    with scratch() as folder:
        directory = folder / "run"
        require_given(spec, directory)
        seen = rehearse(
            spec,
            timed=allowed.limited,
            ray=ray,
            cpus_per_trial=cpus_per_trial,
            gpus_per_trial=gpus_per_trial,
            rows=directory / layout.ROWS,
        )
        if found is not None:
            found(seen)
        # Some rows are written anew for the second part, and there may be no room for both.
        close_below(directory / layout.ROWS)
        if not (seen.fails or quick):
            _pass_through(spec, directory)
    return seen


def _pass_through(spec: SearchSpec, directory: Path) -> None:
    """Does everything that a night does, on a sliver of the data, in a run directory that is thrown away."""
    tiny = search.run(sliver(spec), run_dir=directory, workers=0, check=False, quiet=True)
    exported = export(tiny)
    report(tiny)
    failures = [f"{file.format}: {file.failure}" for file in exported.files if _fails(file)]
    if failures:
        raise SearchFailed(f"the night would fail: {'; '.join(failures)}")
    if any(file.path is not None for file in exported.files):
        with np.load(tiny.directory / layout.TEST_ROWS) as rows:
            first = rows["x"][:1]
        file = directory / "row.npy"
        try:
            arrays.save(file, first)
        except OSError as error:
            raise not_written(file, error) from error
        predict(tiny.directory, [file])


def _fails(file: ExportedFile) -> bool:
    """Whether a format would fail in the night; that it rounds badly what has learnt nothing yet is no sign of that."""
    measured = file.rounding is not None and math.isfinite(file.rounding.loss)
    return file.failure is not None and not measured
