"""The executor on a real Ray cluster of several nodes on this machine; trainings are stand-ins, processes are real."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

import spaces
from search.clock import SystemClock
from search.cluster.start import Cluster
from search.executors import Each, Place
from search.files import checkpoint as checkpoints
from search.record.trial import FailureReason
from tests.search import small
from tests.search.cluster import stand_in
from tests.search.cluster.conftest import job

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'keras-nightshift[ray]'")

ROOT = str(Path(__file__).parents[3])


@pytest.fixture(scope="module")
def cluster():
    """A head without room for trainings, which this process is connected to; each test brings its nodes."""
    from ray.cluster_utils import Cluster as Made

    os.environ["PYTHONPATH"] = ROOT
    made = Made(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 3},
        },
    )
    ray.init(address=made.address, log_to_driver=False, configure_logging=False)
    yield made
    ray.shutdown()
    made.shutdown()
    del os.environ["PYTHONPATH"]


@pytest.fixture
def nodes(cluster):
    """`nodes(cpus)`: adds a node; all are gone after the test."""
    made = []

    def add(cpus=1, **more):
        made.append(cluster.add_node(num_cpus=cpus, **more))
        return made[-1]

    yield add
    for one in made:
        if one in cluster.worker_nodes:
            cluster.remove_node(one)


@pytest.fixture(scope="module")
def digits():
    return spaces.load_data(small.spec())


@pytest.fixture
def make(cluster, digits, tmp_path):
    executors = []

    def made(workers=0, spec=None):
        events: list[str] = []
        place = Place(tmp_path, digits, 1, workers, None, SystemClock(), events.append)
        executor = Cluster("auto", Each(cpus=1)).executor(spec or small.spec(), place, stand_in.make)
        executor.events = events
        executors.append(executor)
        return executor

    yield made
    for executor in executors:
        executor.shutdown()


def finish(executor, futures):
    left = set(futures)
    while left:
        left -= executor.wait(left, 1.0)
    return [future.exception() or future.result() for future in futures]


def submit(executor, *names, on_epoch=lambda trial, epoch: None, **changes):
    return [executor.submit(job(name, **changes), on_epoch) for name in names]


def test_two_nodes_train_with_one_copy_of_the_data_each_and_checkpoints_come_home(nodes, make, digits, tmp_path):
    nodes(2), nodes(1)
    executor = make()
    outcomes, seen = [], []
    # How long the workers of the second node take to start is up to the machine.
    while len({one["data"] for one in seen}) < 2:
        outcomes += finish(executor, submit(executor, *(f"slow {len(outcomes) + i}" for i in range(6))))
        seen = [outcome.epochs[0].metrics for outcome in outcomes]
        assert len(outcomes) < 60, executor.events
    assert {one["rows"] for one in seen} == {len(digits.train)}
    assert 2 <= len({one["process"] for one in seen}) <= 3
    assert {one["threads"] for one in seen} == {0}
    assert all(checkpoints.read(tmp_path, outcome.best)["weights"][0][0] == 1.0 for outcome in outcomes)
    further = submit(executor, "further", epochs_from=3, epochs_to=4, resume=outcomes[0].state)
    (outcome,) = finish(executor, further)
    assert checkpoints.read(tmp_path, outcome.best)["weights"][0][0] == 2.0


@pytest.mark.night
def test_an_actor_that_is_killed_costs_its_trial_one_attempt(nodes, make):
    nodes(1)
    executor, killed = make(), []

    def kill_once(trial, epoch):
        if not killed:
            killed.append(int(epoch.metrics["process"]))
            os.kill(killed[0], signal.SIGKILL)

    (outcome,) = finish(executor, submit(executor, "slow", on_epoch=kill_once, epochs_to=6))
    assert outcome.failure is None
    assert [epoch.number for epoch in outcome.epochs] == [1, 2, 3, 4, 5, 6]
    assert outcome.epochs[0].metrics["process"] != killed[0]


@pytest.mark.night
def test_a_node_that_dies_while_it_trains_costs_nothing_and_one_that_joins_late_takes_its_place(cluster, nodes, make):
    dying = nodes(1)
    executor, epochs = make(), []

    def replace_it(trial, epoch):
        epochs.append(epoch)
        if len(epochs) == 1:
            cluster.remove_node(dying, allow_graceful=False)
            nodes(1)

    (outcome,) = finish(executor, submit(executor, "slow", on_epoch=replace_it, epochs_to=6))
    assert outcome.failure is None
    assert outcome.epochs[0].metrics["process"] != epochs[0].metrics["process"]
    assert any("joined the cluster" in event for event in executor.events)


@pytest.mark.night
def test_a_node_with_another_version_is_refused_by_name_before_it_gets_a_trial(nodes, make, tmp_path):
    fake = tmp_path / "other" / "tensorflow-1.0.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow\nVersion: 1.0\n")
    nodes(1)
    nodes(2, env_vars={"PYTHONPATH": os.pathsep.join([str(fake.parent), ROOT])})
    executor, outcomes = make(), []
    # How long the other node takes to say what it has is up to the machine.
    while not executor.events:
        outcomes += finish(executor, submit(executor, *(f"slow {len(outcomes) + i}" for i in range(4))))
        assert len(outcomes) < 100, "nothing is heard of the other node"
    assert len({outcome.epochs[0].metrics["process"] for outcome in outcomes}) == 1
    assert len(executor.events) == 1
    assert "gets no trials: tensorflow 1.0 there" in executor.events[0]


@pytest.mark.night
def test_a_node_that_lacks_code_of_the_users_is_refused_by_name_before_it_gets_a_trial(
    nodes, make, tmp_path, monkeypatch
):
    (tmp_path / "far_helper.py").write_text("")
    (tmp_path / "far_measure.py").write_text("import far_helper\n\ndef score(y, answers):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    nodes(1)
    executor = make(spec=small.spec(training={"metrics": ["accuracy", "far_measure:score"]}))
    (tmp_path / "far_helper.py").unlink()
    futures = submit(executor, "slow")
    while not executor.events:
        assert not executor.wait(futures, 1.0)
    (said,) = executor.events
    assert re.search(r"gets no trials: .*far_measure\.py imports .*far_helper\.py, not to be found there", said)
    assert not futures[0].done()


@pytest.mark.night
def test_a_node_whose_disk_is_full_gets_no_more_trials(nodes, make):
    nodes(1, env_vars={"STAND_IN": "disk", "PYTHONPATH": ROOT})
    nodes(1)
    executor, outcomes = make(), []
    # How long the workers of that node take to start is up to the machine.
    while not any("gets no trials" in event for event in executor.events):
        outcomes += finish(executor, submit(executor, *(f"slow saves {len(outcomes) + i}" for i in range(4))))
        assert len(outcomes) < 100, "nothing is given to the node whose disk is full"
    outcomes += finish(executor, submit(executor, "saves", "saves more"))
    assert {outcome.failure for outcome in outcomes} == {None}
    assert len([event for event in executor.events if "gets no trials" in event]) == 1


@pytest.mark.night
def test_a_node_that_dies_while_it_sends_a_checkpoint_leaves_nothing_torn(cluster, nodes, make, tmp_path):
    dying = nodes(1)
    executor, epochs = make(), []

    def end_it(trial, epoch):
        epochs.append(epoch)
        if len(epochs) == 3:
            # The last epoch: what follows is its checkpoint, 128 MB.
            cluster.remove_node(dying, allow_graceful=False)
            nodes(1)

    (outcome,) = finish(executor, submit(executor, "much", on_epoch=end_it))
    assert outcome.failure is None
    assert checkpoints.read(tmp_path, outcome.best)["weights"][0].shape == (1 << 24,)


@pytest.mark.night
def test_a_node_that_dies_idle_is_not_missed(cluster, nodes, make):
    dying = nodes(1)
    nodes(1)
    executor = make()
    finish(executor, submit(executor, "slow 0", "slow 1"))
    cluster.remove_node(dying, allow_graceful=False)
    outcomes = finish(executor, submit(executor, "slow 2", "slow 3", "slow 4"))
    assert [outcome.failure for outcome in outcomes] == [None] * 3


@pytest.mark.night
def test_a_trial_that_ends_two_workers_has_failed(nodes, make):
    nodes(1)
    executor = make()
    (failed,) = finish(executor, submit(executor, "exits"))
    assert failed.failure.reason is FailureReason.CRASHED


def test_why_an_actor_was_lost_is_what_ray_says_of_it():
    from ray import exceptions

    from search.cluster.site import Lost, _lost

    died = exceptions.ActorDiedError()
    of_all = f"{died}\n\tclass_name: Slot\n\tactor_id: 0a\n\tip: 10.0.0.2\n"
    died.error_msg = f"{of_all}The actor is dead because its worker process has died."
    assert _lost(died) == Lost("The actor is dead because its worker process has died.")
    died.error_msg = f"{of_all}The actor died because its node has died. Node Id: 0b"
    assert _lost(died) == Lost("The actor died because its node has died. Node Id: 0b", with_node=True)
    # A checkpoint on its way is not the fault of its trial.
    assert _lost(exceptions.ObjectLostError("00ff", b"", "")).with_node


@pytest.mark.parametrize("error", ["ObjectStoreFullError", "OutOfDiskError"])
def test_a_full_object_store_is_told_from_other_errors(error):
    from search.cluster.site import Crowded, _sending

    with pytest.raises(Crowded), _sending():
        raise getattr(ray.exceptions, error)("full")
    with pytest.raises(OSError, match="another"), _sending():
        raise OSError("another")


def test_what_is_used_of_rays_insides_is_there(monkeypatch):
    """An upgrade that took it away would print among the lines of the table, or listen on the network."""
    import inspect

    from ray._private import ray_constants, worker

    from search.cluster import ray_internals

    monkeypatch.setattr(worker, "_worker_logs_enabled", True)
    ray_internals.send_no_output()
    assert worker._worker_logs_enabled is False
    assert ray_internals.is_client() is False
    before = ray_constants.ENABLE_RAY_CLUSTER
    with ray_internals.loopback_is_an_address():
        assert ray_constants.ENABLE_RAY_CLUSTER is False
    assert before == ray_constants.ENABLE_RAY_CLUSTER
    assert set(ray_internals.listening_on("127.0.0.1")) <= {"_node_ip_address"}
    assert "_node_ip_address" in inspect.getsource(ray.init)
