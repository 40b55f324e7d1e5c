"""A run as an Optuna study, so that Optuna's plots and optuna-dashboard open it."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import ResultError
from results.tracking.tracked import not_kept, without_password
from search.errors import RunError
from search.files.rundir import Run, open_run
from search.record.configuration import Configuration, configurations
from search.record.trial import Scalar, Stop, TrialState
from spaces.basics.printable import writable
from spaces.values.dimensions import Choice, Range

if TYPE_CHECKING:
    import optuna

_STATES = {TrialState.COMPLETED: "COMPLETE", TrialState.FAILED: "FAIL"}


def export_study(run: Run | str | Path, storage: str, name: str | None = None) -> str:
    """Writes the configurations of a run as trials of a new Optuna study.

    Each configuration is one trial: its hyperparameters, its score, its objective after every epoch as intermediate
    values, and name, kind, epochs and parameters as user attributes. Those that were not trained to the end are
    `PRUNED`, as Optuna calls it. Unfinished ones are left out.

    Args:
        run: A run or its directory.
        storage: Where Optuna keeps studies, for example `sqlite:///file.db`.
        name: Name of the study; default: that of the run directory.

    Returns:
        The study's name.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: Optuna is missing, the storage cannot be used, or it has a study of that name.
        DiskError: The disk is full.
    """
    try:
        import optuna
    except ImportError as error:
        raise ResultError("export-study needs the package optuna") from error
    opened = open_run(run)
    chosen = name or writable(opened.directory.resolve().name)
    with opened.read() as reader:
        objective = reader.meta("objective")
        found = [c for c in configurations(reader.trials()) if c.state is not TrialState.RUNNING]
    distributions = _distributions(opened, found)
    lengths = {configuration.id: _length(opened, configuration) for configuration in found}
    direction = "maximize" if objective["direction"] == "max" else "minimize"
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        trials = [_trial(one, lengths[one.id], objective["name"], distributions) for one in found]
        study = optuna.create_study(study_name=chosen, storage=storage, direction=direction)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                # What the dashboard writes at its axes.
                study.set_metric_names([objective["name"]])
            study.add_trials(trials)
        except Exception:
            # A part of a run is none, and would be in the way of the next attempt.
            with contextlib.suppress(Exception):
                optuna.delete_study(study_name=chosen, storage=storage)
            raise
    except optuna.exceptions.DuplicatedStudyError as error:
        told = f"{storage}: already has a study {chosen!r}; choose another --name"
        raise ResultError(without_password(told, storage)) from error
    except Exception as error:
        raise not_kept(storage, error) from error
    finally:
        optuna.logging.set_verbosity(verbosity)
    return chosen


def _length(run: Run, configuration: Configuration) -> int:
    """The epochs of a whole training."""
    try:
        return int(configuration.settings["training"]["epochs"])
    except KeyError:
        raise RunError(
            f"{run.directory}: damaged: the settings of {configuration.name} have no training.epochs"
        ) from None


def _trial(
    configuration: Configuration, longest: int, objective: str, distributions: Mapping[str, Any]
) -> optuna.trial.FrozenTrial:
    import optuna

    curve = {epoch.number: epoch.metrics[objective] for epoch in configuration.epochs if objective in epoch.metrics}
    # A configuration whose first folds were poor, and one that time has cut short, would have gone on.
    ended = configuration.stopped in (Stop.EARLY_STOPPING, Stop.TARGET)
    state = _STATES[configuration.state]
    if state == "COMPLETE" and configuration.score is None:
        state = "FAIL"
    elif state == "COMPLETE" and not ended and len(configuration.epochs) < longest:
        state = "PRUNED"
    trials = configuration.trials
    trial = optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        value=configuration.score if state in ("COMPLETE", "PRUNED") else None,
        params=dict(configuration.values),
        distributions={key: distributions[key] for key in configuration.values},
        intermediate_values=curve,
        user_attrs={
            "name": configuration.name,
            "kind": str(trials[0].kind),
            "epochs": len(configuration.epochs),
            "parameters": configuration.parameters,
            "seconds": configuration.seconds,
            "failure": configuration.failure.message if configuration.failure else None,
        },
    )
    trial.datetime_start = datetime.fromtimestamp(trials[0].started)
    trial.datetime_complete = datetime.fromtimestamp(trials[-1].finished or trials[-1].started)
    return trial


def _distributions(run: Run, found: Sequence[Configuration]) -> dict[str, Any]:
    """One distribution for each hyperparameter: that of the space, wide enough for all values that occur."""
    dimensions = {one.name: one.dimension for one in run.spec.space.hyperparameters}
    seen: dict[str, list[Scalar]] = {}
    for configuration in found:
        for name, value in configuration.values.items():
            seen.setdefault(name, []).append(value)
    return {name: _distribution(dimensions.get(name), values) for name, values in seen.items()}


def _distribution(dimension: Choice | Range | None, values: Sequence[Scalar]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    # Optuna keeps numbers as floats, which do not tell larger ones apart.
    exact = all(abs(value) <= 2**53 for value in numbers if isinstance(value, int))
    if isinstance(dimension, Choice) or len(numbers) < len(values) or not exact:
        known = dimension.choices if isinstance(dimension, Choice) else ()
        return CategoricalDistribution(list(dict.fromkeys([*known, *values])))
    # Of what a function asks for, the space knows no range.
    ends = () if dimension is None else (dimension.min, dimension.max)
    low, high = min([*ends, *numbers]), max([*ends, *numbers])
    log = dimension is not None and dimension.log and low > 0
    whole = dimension is None or dimension.integer
    if whole and all(isinstance(value, int) for value in numbers):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)
