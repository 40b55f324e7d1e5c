"""The outcome of a job depends on the job alone, wherever it is trained: the executors' common contract."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

import search
import spaces
from search.clock import SystemClock
from search.cluster.start import Cluster
from search.errors import CheckpointError
from search.executors import Each, InlineExecutor, Place, shared_data, sizing
from search.executors.pool import WorkerPool
from search.files import checkpoint as checkpoints
from search.record.trial import Checkpoint, FailureReason, Stop
from search.training.trainer import Trainer
from tests.search import small

NEEDS_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'keras-nightshift[ray]'")
KINDS = (
    "inline",
    "1 worker",
    "2 workers",
    "1 worker, rows on the disk",
    pytest.param("a cluster", marks=(NEEDS_RAY, pytest.mark.night)),
)


@pytest.fixture(scope="module")
def digits(tensorflow):
    return spaces.load_data(small.spec())


@pytest.fixture(scope="module")
def ray_cluster():
    """`ray_cluster()`: a cluster of two nodes beside the one of this process, which is connected to it."""
    made = []

    def make():
        import ray
        from ray.cluster_utils import Cluster as Made

        os.environ["PYTHONPATH"] = str(Path(search.__file__).parents[1])
        made.append(Made(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}))
        for _ in range(2):
            made[0].add_node(num_cpus=1)
        ray.init(address=made[0].address, log_to_driver=False, configure_logging=False)

    yield make
    if made:
        import ray

        ray.shutdown()
        made[0].shutdown()
        del os.environ["PYTHONPATH"]


@pytest.fixture(scope="module")
def make_executor(tmp_path_factory, digits, ray_cluster):
    """`make_executor(kind)`: an executor of that kind and its run directory; each is made once."""
    made = {}

    def make(kind):
        if kind not in made:
            run = tmp_path_factory.mktemp("run")
            if kind == "inline":
                made[kind] = InlineExecutor(lambda: Trainer(run, digits, SystemClock())), run
            elif kind == "a cluster":
                ray_cluster()
                place = Place(run, digits, 1, 0, None, SystemClock(), pytest.fail)
                made[kind] = Cluster("auto", Each(cpus=1)).executor(small.spec(), place), run
            else:
                count, data = int(kind[0]), digits
                if kind.endswith("disk"):
                    data = spaces.load_data(small.spec(data={"stream": True}), None, run / "rows")
                    assert data.fingerprint == digits.fingerprint
                setups = sizing.setups(run, shared_data.write(run, data), 1, count)
                made[kind] = WorkerPool(setups, [{}] * count, 1 << 40, pytest.fail), run
        return made[kind]

    yield make
    for executor, _ in made.values():
        executor.shutdown()


def finish(executor, jobs):
    told = []
    futures = [executor.submit(job, lambda trial, epoch: told.append((trial, epoch.number))) for job in jobs]
    left = set(futures)
    while left:
        left -= executor.wait(left, 1.0)
    return [future.exception() or future.result() for future in futures], told


def jobs():
    return [small.job(f"{name} {seed}", name, epochs_to=2, seed=seed) for name in small.VALUES for seed in (1, 2)]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_same_jobs_give_the_same_numbers_and_the_same_checkpoints(make_executor, kind):
    (inline, here), (pool, there) = make_executor("inline"), make_executor(kind)
    expected, _ = finish(inline, jobs())
    found, _ = finish(pool, jobs())
    for one, other in zip(expected, found, strict=True):
        assert one.failure is None
        assert small.curve(one) == small.curve(other)
        assert (one.score, one.best_epoch, one.parameters) == (other.score, other.best_epoch, other.parameters)
        for name in ("state", "best", "last"):
            small.assert_same_arrays(
                checkpoints.read(here, getattr(one, name)), checkpoints.read(there, getattr(other, name))
            )


@pytest.mark.parametrize("kind", KINDS)
def test_every_epoch_is_told_before_the_trial_is_done(make_executor, kind):
    executor, _ = make_executor(kind)
    _, told = finish(executor, [small.job("told", epochs_to=3)])
    assert told == [("told", 1), ("told", 2), ("told", 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_is_an_outcome_a_damaged_checkpoint_is_raised(make_executor, kind):
    executor, _ = make_executor(kind)
    missing = Checkpoint("trials/none/state.npz", 1, "00", 1)
    failed, damaged, good = finish(
        executor,
        [
            small.job("failed", max_parameters=1),
            small.job("damaged", epochs_from=1, resume=missing),
            small.job("good", epochs_to=1),
        ],
    )[0]
    assert failed.failure.reason is FailureReason.OVERSIZED
    assert isinstance(damaged, CheckpointError)
    assert good.failure is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_ends_a_training_after_its_epoch(make_executor, kind):
    """The last use of these executors: a stop holds for every later job too."""
    executor, _ = make_executor(kind)

    def stop(trial, epoch):
        if epoch.number == 2:
            executor.stop(Stop.INTERRUPTED)

    job = small.job("long", settings=small.settings(
        small.VALUES["adam with dropout"], training={"epochs": 10_000}, search={"algorithm": "random"}
    ), epochs_to=10_000)  # fmt: skip
    future = executor.submit(job, stop)
    while not executor.wait({future}, 1.0):
        pass
    assert future.result().stopped is Stop.INTERRUPTED
    assert 2 <= len(future.result().epochs) < 10_000
    assert future.result().state.epoch == len(future.result().epochs)
