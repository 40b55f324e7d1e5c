"""What an executor has to keep to."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from search.clock import SystemClock
from search.errors import CheckpointError
from search.executors import Elsewhere, Executor, MakeExecutor, Place, makes_elsewhere
from search.executors.here import executor_here
from search.files import checkpoint as checkpoints
from search.record.trial import Checkpoint, Epoch, FailureReason, Outcome, Stop, TrialJob

_KEPT = ("state", "best")
_LONG = 10_000
_PACE_SECONDS = 0.1


def check_executor(make: MakeExecutor, *, workers: int = 1) -> None:
    """An executor trains what the executors of this machine train: the same numbers and the same checkpoints.

    Also: what makes it says whether it trains elsewhere, it tells a pace before the first job, a training that is
    continued is the uninterrupted one, epochs are told before the trial is done, a failure is an outcome, a damaged
    checkpoint is raised, and a stop ends a training after its epoch. It takes some seconds of training on digits.

    Args:
        make: As `run(executor=...)` takes it.
        workers: So many are asked for.
    """
    spec = _spec()
    data = spaces.load_data(spec)
    jobs = [
        _job(f"{units}-{seed}", spec, units, seed=seed, epochs_to=2, keep=_KEPT) for units in (8, 16) for seed in (1, 2)
    ]
    with _made(executor_here, data, 0) as (here, at_home), _made(make, data, workers) as (there, away):
        elsewhere = isinstance(there, Elsewhere)
        assert elsewhere == makes_elsewhere(make), (
            f"the executor {'has' if elsewhere else 'lacks'} the methods of `Elsewhere`, and what makes it "
            f"says{' not' if elsewhere else ''} that it trains elsewhere"
        )
        sizes = there.slots, there.workers
        assert there.slots >= there.workers >= 1, f"{there.slots} slots and {there.workers} workers"
        # Asked before the first job.
        _check_pace(there, jobs[0])
        expected, found = _finish(here, jobs), _finish(there, jobs)
        for job, (_, epochs) in zip(jobs, found, strict=True):
            assert epochs == [1, 2], f"{job.trial_id}: epochs {epochs} were told before the trial was done, not 1 and 2"
        _alike([outcome for outcome, _ in expected], [outcome for outcome, _ in found], at_home, away)
        _check_continuing(there, away, jobs[0], found[0][0])
        _check_failures(there, jobs[0])
        assert (there.slots, there.workers) == sizes, "slots or workers changed"
        _check_stop(there, _job("long", spec, 8, epochs_to=_LONG, keep=_KEPT))


@contextmanager
def _made(make: MakeExecutor, data: spaces.Dataset, workers: int) -> Iterator[tuple[Executor, Path]]:
    with tempfile.TemporaryDirectory(prefix="check-executor-") as folder:
        run = Path(folder)
        executor = make(Place(run, data, 1, workers, None, SystemClock(), lambda _: None))
        try:
            yield executor, run
        finally:
            executor.shutdown()


def _spec() -> spaces.SearchSpec:
    return spaces.load(
        {
            "name": "check",
            "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 300},
            "model": {"family": "mlp", "layers": 1, "units": {"shared": [8, 16]}, "dropout": 0.2},
            "training": {
                "optimizer": "adam",
                "learning_rate": 0.01,
                "batch_size": 64,
                "epochs": {"min": 1, "max": _LONG},
            },
            "search": {"algorithm": "hyperband", "objective": "val_accuracy"},
        }
    )


def _job(trial: str, spec: spaces.SearchSpec, units: int, **changes: Any) -> TrialJob:
    settings = spaces.configure(spec, {"units": units}).to_json()
    job = TrialJob(trial, settings, seed=1, objective="val_accuracy", direction="max", epochs_from=0, epochs_to=1)
    return replace(job, **changes)


def _finish(executor: Executor, jobs: Sequence[TrialJob]) -> list[tuple[Outcome, list[int]]]:
    """The outcomes, each with the epochs that had been told when it was there.

    Raises:
        Whatever a job's future raises.
    """
    told: dict[str, list[int]] = {job.trial_id: [] for job in jobs}

    def on_epoch(trial: str, epoch: Epoch) -> None:
        told[trial].append(epoch.number)

    futures = {executor.submit(job, on_epoch): job.trial_id for job in jobs}
    before: dict[Future[Outcome], list[int]] = {}
    while left := futures.keys() - before.keys():
        before |= {future: list(told[futures[future]]) for future in executor.wait(left, 1.0)}
    return [(future.result(), before[future]) for future in futures]


def _alike(expected: Sequence[Outcome], found: Sequence[Outcome], at_home: Path, away: Path) -> None:
    for one, other in zip(expected, found, strict=True):
        curves = [[dict(epoch.metrics) for epoch in outcome.epochs] for outcome in (one, other)]
        assert curves[0] == curves[1], f"other epochs than in this process: {curves[1]} for {curves[0]}"
        assert (one.score, one.best_epoch, one.parameters) == (other.score, other.best_epoch, other.parameters)
        for name in _KEPT:
            arrays = checkpoints.read(at_home, getattr(one, name)), checkpoints.read(away, getattr(other, name))
            assert _equal(*arrays), f"the checkpoint `{name}` is another than that of this process"


def _equal(one: dict[str, list[np.ndarray]], other: dict[str, list[np.ndarray]]) -> bool:
    return one.keys() == other.keys() and all(
        len(one[group]) == len(other[group]) and all(map(np.array_equal, one[group], other[group])) for group in one
    )


def _check_pace(executor: Executor, job: TrialJob) -> None:
    pace = executor.pace(job.settings, _PACE_SECONDS)
    assert isinstance(pace, int | float), f"the pace is {pace!r}, no number of rows a second"
    assert 0 < pace < math.inf, f"the pace of a configuration that can be trained is {pace}"


def _check_continuing(executor: Executor, run: Path, job: TrialJob, whole: Outcome) -> None:
    [(half, _)] = _finish(executor, [replace(job, trial_id="half", epochs_to=1)])
    rest = replace(
        job, trial_id="rest", epochs_from=1, resume=half.state, history=half.epochs, best=half.best,
    )  # fmt: skip
    [(continued, epochs)] = _finish(executor, [rest])
    assert epochs == [2], f"going on from epoch 1 told epochs {epochs}"
    assert whole.state is not None
    assert continued.state is not None
    same = _equal(checkpoints.read(run, whole.state), checkpoints.read(run, continued.state))
    assert same, "a continued training is another than the uninterrupted one"


def _check_failures(executor: Executor, job: TrialJob) -> None:
    [(outcome, _)] = _finish(executor, [replace(job, trial_id="oversized", max_parameters=1)])
    assert outcome.failure is not None, "a network of more than max_parameters was trained"
    assert outcome.failure.reason is FailureReason.OVERSIZED, f"oversized, but the reason is {outcome.failure.reason}"
    missing = Checkpoint("trials/none/state.npz", 1, "00", 1)
    try:
        _finish(executor, [replace(job, trial_id="damaged", epochs_from=1, resume=missing)])
    except CheckpointError:
        pass
    else:
        raise AssertionError("a checkpoint that is not there was no CheckpointError")
    [(outcome, _)] = _finish(executor, [replace(job, trial_id="after")])
    assert outcome.failure is None, f"after a failure nothing is trained: {outcome.failure}"


def _check_stop(executor: Executor, job: TrialJob) -> None:
    def on_epoch(_: str, epoch: Epoch) -> None:
        if epoch.number == 2:
            executor.stop(Stop.INTERRUPTED)

    future = executor.submit(job, on_epoch)
    while not executor.wait({future}, 1.0):
        pass
    outcome = future.result()
    assert outcome.stopped is Stop.INTERRUPTED, f"asked to stop, but the trial ended by {outcome.stopped}"
    assert outcome.state is not None, "a stopped trial has no checkpoint to go on from"
    assert outcome.state.epoch == len(outcome.epochs) < job.epochs_to
