"""`check`: what a search would do, found out before the night: data loaded, models built, counted and timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from search.cluster import connection
from search.cluster.start import Cluster
from search.errors import NotReported, SearchFailed
from search.executors.timing import Speed, measure
from search.files.rundir import open_run
from search.night.crew import as_each, most_workers
from search.night.options import widthless
from search.night.workforce import building
from search.phases import schedule
from search.phases.schedule import Planned
from search.training import feature_files, memory, threads
from search.training.failures import classify
from search.training.stopping import unreported
from spaces import Dataset, SearchSpec, Settings
from spaces.families import family_of, family_of_settings
from spaces.sections.algorithms import PlannedTrials
from spaces.specs.configuring import require_asked, require_directions

_SAMPLES = 5
_SLIVER_ROWS = 300
_BYTES = 4
# Weights and the optimizer's slots in a checkpoint to continue from, and the best weights beside it.
_CHECKPOINT_COPIES = 4
# Two workers on two cores do not train quite twice as much as one process.
_WORKER_YIELD = 0.85


@dataclass(frozen=True)
class CheckedModel:
    """A configuration that was built.

    Attributes:
        name: `smallest`, `largest`, `sample 1`, ..., or `baseline <name>`.
        values: Its hyperparameter values.
        parameters: Of the model, trainable or not; None if it cannot be built.
        epochs: Its longest training.
        speed: How fast it trains here; None if it would not be trained.
        problem: Why it would not be trained, or would give no score, or None.
        frozen: How many of its parameters never train.
    """

    name: str
    values: Mapping[str, Any]
    parameters: int | None
    epochs: int
    speed: Speed | None
    problem: str | None
    frozen: int = 0

    @property
    def is_baseline(self) -> bool:
        """Whether the space file names it."""
        return self.name.startswith("baseline ")


@dataclass(frozen=True)
class Rehearsal:
    """What `check` found out.

    Attributes:
        space: Name of the space.
        algorithm: How it is searched.
        data: The data set's name, origin, rows by part, the rows of each class by part (empty in regression), what
            they were understood as, and of rows that stay on the disk what that takes.
        models: The models that were built.
        configurations: Size of the space; None where a continuous range makes it infinite.
        groups: Trainings of the search, if nothing fails.
        planned: Their trials and epochs; None where only time ends the search.
        workers: Workers that a long search would use here.
        seconds: Expected time of search and retraining with these workers, early stopping not counted; None where
            only time ends the search.
        memory_bytes: For the parameters of the largest model, with gradients and optimizer, in each worker.
        disk_bytes: For the checkpoints that are kept and those that are being continued.
        imports: References to Python code that the space file runs, with the file of each.
        notes: What somebody should know before the night, a sentence each.
        feature_bytes: For what frozen backbones make of the rows, kept in the run directory until it is done.
        cluster: The Ray cluster that would train, as plain data: `address`, `needs` of one training, `nodes`, `workers`
            it has room for, `refused`: whether every node that might train was; None: this machine.
    """

    space: str
    algorithm: str
    data: Mapping[str, Any]
    models: tuple[CheckedModel, ...]
    configurations: int | None
    groups: tuple[PlannedTrials, ...]
    planned: Planned
    workers: int
    seconds: float | None
    memory_bytes: int
    disk_bytes: int
    imports: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    feature_bytes: int = 0
    cluster: Mapping[str, Any] | None = None

    @property
    def fails(self) -> bool:
        """Whether the search would fail: a baseline, or everything else, cannot be trained, or no node may train."""
        searched = [model for model in self.models if not model.is_baseline]
        refused = self.cluster is not None and bool(self.cluster["refused"])
        return refused or any(m.problem for m in self.models if m.is_baseline) or all(m.problem for m in searched)

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {
            "space": self.space,
            "algorithm": self.algorithm,
            "data": dict(self.data),
            "models": [
                {**vars(model), "values": dict(model.values), "speed": model.speed and vars(model.speed)}
                for model in self.models
            ],
            "configurations": self.configurations,
            "planned": [vars(group) for group in self.groups],
            "trials": self.planned.trials,
            "epochs": self.planned.epochs,
            "workers": self.workers,
            "seconds": self.seconds,
            "memory_bytes": self.memory_bytes,
            "disk_bytes": self.disk_bytes,
            "notes": list(self.notes),
            "feature_bytes": self.feature_bytes,
            "imports": [{"reference": reference, "file": file} for reference, file in self.imports],
            "cluster": None if self.cluster is None else dict(self.cluster),
            "ok": not self.fails,
        }


def rehearse(
    spec: SearchSpec,
    *,
    timed: bool = False,
    ray: str | None = None,
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    rows: Path | None = None,
) -> Rehearsal:
    """Loads the data and builds the smallest, the largest, some sampled configurations and every baseline.

    Those that would be trained are timed for a few steps. `timed` says whether the run has to be done by some hour,
    `rows` where files of rows are left that do not fit into the memory, as for `spaces.load_data`; the other arguments
    are those of `search.run`.

    Raises:
        CodeError: A function of the user's cannot be used.
        DataError: The data cannot be used.
        NotReported: No model reports the objective, or another value that the space file names.
        RunError: There is no such cluster, what each training may take cannot be had, or a run that the search is to
            begin with is not there.
        SearchFailed: What frozen backbones make of the rows takes more than `limits.disk`.
        SpaceError: Nobody knows which way the monitor of an early stopping improves, or a baseline has a value that
            nothing asks for.
    """
    each = as_each(cpus_per_trial, gpus_per_trial, None, ray is not None)
    there = None if ray is None else Cluster(ray, each)
    with connection.connected(ray):
        width = each.threads or threads.for_family(spec.family)
        width = width if there is None else there.threads(width)
        threads.configure(width)
        require_directions(spec)
        require_asked(spec)
        require_callbacks(spec)
        require_earlier_runs(spec)
        data = spaces.load_data(spec, None, rows)
        family = family_of(spec.model)
        notes = [*family.require(spec, data.info), *family.advice(spec)]
        cluster = None if there is None else there.look(spec, data.info, width)
    models = _models(spec, data, timed=True)
    missing = [model.problem for model in models if model.speed is not None]
    if missing and None not in missing:
        raise NotReported(missing[0])
    biggest = max((m.parameters for m in models if m.parameters is not None and not m.problem), default=0)
    workers = most_workers(spec, each) if cluster is None else max(1, cluster["workers"])
    plan = schedule.planned(spec, timed=timed)
    if not timed and (told := schedule.endless(spec)) is not None:
        notes.append(told)
    if cluster is not None and (told := widthless(spec)) is not None:
        notes.append(told)
    return Rehearsal(
        space=spec.name,
        algorithm=spec.search.algorithm,
        data={
            "name": data.name,
            "origin": data.origin,
            "rows": data.rows,
            "classes": _classes(data),
            "understood": data.understood,
            "streamed": data.streamed and {**vars(data.streamed), "told": data.streamed.told},
        },
        models=tuple(models),
        configurations=spaces.size(spec),
        groups=tuple(schedule.groups(spec, timed=timed)),
        planned=plan,
        workers=workers,
        seconds=_expected_seconds(spec, models, plan, workers),
        memory_bytes=memory.needed(biggest),
        disk_bytes=_disk_bytes(spec, models),
        imports=tuple(spaces.imports(spec)),
        notes=tuple(notes),
        feature_bytes=_feature_bytes(spec, data),
        cluster=cluster,
    )


def first_look(
    spec: SearchSpec, data: Dataset, left: Callable[[], float | None] = lambda: None
) -> tuple[list[CheckedModel], int]:
    """The short form that every search begins with: models are built and counted, nothing is trained.

    Args:
        spec: The space file.
        data: The data set.
        left: Tells how many seconds are left until everything has to be there; None: no limit.

    Returns:
        The models that would not be trained, and the bytes that checkpoints are expected to take.

    Raises:
        CodeError: The function that gives callbacks cannot be used.
        SearchFailed: None of the space's own models can be trained, or what frozen backbones make of the rows takes
            more than `limits.disk`.
    """
    require_callbacks(spec)
    models = _models(spec, data, timed=False, left=left)
    searched = [model for model in models if not model.is_baseline]
    if all(model.problem for model in searched):
        raise SearchFailed(f"no model of this space can be trained; the smallest: {searched[0].problem}")
    return [model for model in models if model.problem], _disk_bytes(spec, models) + _feature_bytes(spec, data)


def sliver(spec: SearchSpec) -> SearchSpec:
    """The space cut down to a few seconds: few rows, one epoch, two trials, no baselines.

    What rounding costs is no matter: a model that has hardly learnt anything says nothing of that.
    """
    return spaces.load(
        spec,
        (
            f"data.limit={_SLIVER_ROWS}",
            "training.epochs=1",
            "search.max_trials=2",
            "final.candidates=1",
            "final.seeds=1",
            "baselines=[]",
            "export.quantisation_loss=1",
        ),
    )


def require_callbacks(spec: SearchSpec) -> None:
    """Refuses a function of the user's for callbacks that cannot be used: with it every training would fail.

    Raises:
        CodeError: It says what is wrong, with its line.
    """
    if spec.training.callbacks is not None:
        from spaces.models.user_callbacks import make_callbacks

        make_callbacks(spec.training.callbacks)


def require_earlier_runs(spec: SearchSpec) -> None:
    """Refuses a search whose knowledge is to be that of runs which are not there.

    Raises:
        RunError: One of them is not, or its store cannot be read.
    """
    for directory in spec.search.warm_start:
        open_run(directory)


def _models(
    spec: SearchSpec, data: Dataset, *, timed: bool, left: Callable[[], float | None] = lambda: None
) -> list[CheckedModel]:
    smallest, largest = spaces.extremes(spec)
    wanted = [("smallest", smallest), ("largest", largest)]
    wanted += [(f"sample {i}", values) for i, values in enumerate(spaces.sample(spec, spec.search.seed, _SAMPLES), 1)]
    named = [(name, spaces.configure(spec, values)) for name, values in wanted]
    named += [(f"baseline {b.name}", spaces.configure_baseline(spec, b)) for b in spec.baselines]
    return [_checked(spec, data, name, settings, timed=timed, left=left()) for name, settings in named]


def _feature_bytes(spec: SearchSpec, data: Dataset) -> int:
    """Of what frozen backbones make of the rows; refused where the run directory may not have so many."""
    size, limit = feature_files.expected_bytes(spec, data), spec.limits.disk
    if limit is not None and size > limit:
        raise SearchFailed(
            f"the features of the frozen backbones take {size / 1e6:.1f} MB, more than limits.disk of "
            f"{limit / 1e6:.1f} MB"
        )
    return size


def _disk_bytes(spec: SearchSpec, models: list[CheckedModel]) -> int:
    """Checkpoints of the configurations that wait to be trained further, of the best, and of the baselines."""
    sizes = [m.parameters * _BYTES for m in models if m.parameters is not None and not m.problem]
    mean = sum(sizes) / max(1, len(sizes))
    waiting = _CHECKPOINT_COPIES * schedule.most_waiting(spec)
    return int(
        mean
        * (waiting + spec.keep_checkpoints.best + 2 * len(spec.baselines) + spec.final.candidates * spec.final.seeds)
    )


def _checked(
    spec: SearchSpec, data: Dataset, name: str, settings: Settings, *, timed: bool, left: float | None = None
) -> CheckedModel:
    values, epochs = dict(settings.values), settings.training.epochs
    parameters: int | None = None
    try:
        with building(spec, left):
            parameters = spaces.count_parameters(settings, data.info)
        limit = spec.constraints.parameters
        if limit is not None and parameters > limit and not name.startswith("baseline "):
            return CheckedModel(
                name, values, parameters, epochs, None, f"over the limit of {limit} parameters: never trained"
            )
        available = memory.available()
        if available is not None and memory.needed(parameters) > available:
            return CheckedModel(name, values, parameters, epochs, None, "does not fit into memory: never trained")
        if not timed:
            return CheckedModel(name, values, parameters, epochs, None, None)
        single = settings.one_fold()
        speed = measure(single, data)
        if settings.training.folds:
            speed = replace(speed, epoch_seconds=speed.epoch_seconds * settings.training.fold_epochs)
        missing = unreported(spec.objective.name, settings.training, speed.reported)
        frozen = family_of_settings(settings.family).frozen_parameters(single, data.info)
        return CheckedModel(name, values, parameters, epochs, speed, missing, frozen)
    except (Exception, SystemExit) as error:
        return CheckedModel(name, values, parameters, epochs, None, classify(error, settings.family).message)


def _expected_seconds(spec: SearchSpec, models: list[CheckedModel], plan: Planned, workers: int) -> float | None:
    samples = [m.speed for m in models if m.speed is not None and m.name.startswith("sample ")]
    samples = samples or [m.speed for m in models if m.speed is not None and not m.is_baseline]
    if plan.trials is None or plan.epochs is None or not samples:
        return None
    once: dict[str, float] = {}
    for speed in (model.speed for model in models if model.speed is not None):
        once |= {name: max(seconds, once.get(name, 0.0)) for name, seconds in speed.once.items()}
    # As of the room that it takes: each fold has its own, and the final training those of all rows.
    times = 1 if spec.data.folds is None else spec.data.folds.folds + 1
    build = sum(speed.build_seconds for speed in samples) / len(samples)
    epoch = sum(speed.epoch_seconds for speed in samples) / len(samples)
    one = build + spec.max_epochs * epoch
    baselines = [m.speed.build_seconds + m.epochs * m.speed.epoch_seconds for m in models if m.is_baseline and m.speed]
    searching = plan.trials * build + plan.epochs * epoch + sum(baselines)
    retraining = spec.final.seeds * (spec.final.candidates * one + sum(baselines))
    yielded = workers if workers == 1 else workers * _WORKER_YIELD
    longest = max([one, *baselines])
    # However many workers there are, neither is over before its longest training, and the final one follows both.
    phases = sum(max(seconds / yielded, min(seconds, longest)) for seconds in (searching, retraining))
    return phases + one + times * sum(once.values())


def _classes(data: Dataset) -> dict[str, dict[str, int]]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {
        name: part.y.sum(axis=0) if part.y.ndim == 2 else np.bincount(part.y, minlength=data.info.outputs)
        for name, part in parts.items()
        if part is not None and data.info.class_names
    }
    return {
        label: {name: int(count[number]) for name, count in counts.items()}
        for number, label in enumerate(data.info.class_names)
    }
