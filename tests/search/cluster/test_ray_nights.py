"""Whole runs from the command line on clusters of this machine: the same table, and what is left after a fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import spaces
from search.clock import SystemClock
from search.cluster.start import Cluster as OurCluster
from search.executors import Each, Place
from search.files.store import RunReader
from search.record.trial import FailureReason, TrialState
from tests.search import small
from tests.search.cluster import stand_in
from tests.search.cluster.conftest import job

pytest.importorskip("ray", reason="needs Ray: pip install 'keras-nightshift[ray]'")
pytestmark = [pytest.mark.night, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
SPACE = {
    "name": "tiny",
    "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 600},
    "model": {"family": "mlp", "layers": {"min": 1, "max": 2}, "units": {"min": 8, "max": 32, "step": 8}},
    "training": {
        "optimizer": "adam", "learning_rate": {"min": 1e-3, "max": 1e-1, "log": True}, "batch_size": 8, "epochs": 8,
    },
    "search": {"algorithm": "random", "objective": "val_accuracy", "seed": 3, "max_trials": 8},
    "final": {"candidates": 1, "seeds": 1},
    "export": {"formats": ["keras"]},
}  # fmt: skip
COLUMNS = "name,score,epochs,best_epoch,retrained,test,layers,units_0,units_1,learning_rate"


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(ROOT)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()
    del os.environ["PYTHONPATH"]


@pytest.fixture
def space(tmp_path):
    (tmp_path / "space.yaml").write_text(json.dumps(SPACE))
    return tmp_path / "space.yaml"


def command(*arguments):
    return [sys.executable, "-W", "ignore", str(ROOT / "run_search.py"), *map(str, arguments)]


def ended(*arguments, code=0):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stderr
    return done


def table(run):
    return ended("table", run, "--format", "csv", "--columns", COLUMNS).stdout


def begun(run, *arguments, until=2):
    """A run in the background that has finished some trials."""
    process = subprocess.Popen(command("run", *arguments, "--run-dir", run), stderr=subprocess.PIPE, text=True)
    while process.poll() is None and len(completed(run)) < until:
        time.sleep(0.1)
    assert process.poll() is None, process.stderr.read()
    return process


def completed(run):
    try:
        with RunReader(run) as reader:
            return {t.id: t.finished for t in reader.trials() if t.state is TrialState.COMPLETED}
    except Exception:
        return {}


def test_a_cluster_gives_the_table_of_one_machine(cluster, space, tmp_path):
    ended("run", space, "--run-dir", tmp_path / "here", "--workers", 1, "--cpus-per-trial", 1)
    ended("run", space, "--run-dir", tmp_path / "there", "--ray", cluster.address, "--cpus-per-trial", 1)
    assert table(tmp_path / "here") == table(tmp_path / "there")
    with RunReader(tmp_path / "there") as reader:
        assert [node["room"] for node in reader.meta("cluster")["nodes"]].count(1) == 2


def test_a_trial_that_takes_all_memory_of_its_node_fails_with_that_reason(tmp_path):
    """Ray's own monitor ends it: above 2.5 GB more than are taken now, or what others take meanwhile."""
    import ray
    from ray.cluster_utils import Cluster

    memory = dict(line.split()[:2] for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = int(memory["MemTotal:"]), int(memory["MemAvailable:"])
    if free < 6_000_000:
        pytest.skip("needs 6 GB of free memory")
    limits = {"memory_usage_threshold": 1 - (free - 2_500_000) / total, "memory_monitor_refresh_ms": 100}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": limits})
    made.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(ROOT)})
    ray.init(address=made.address, log_to_driver=False, configure_logging=False)
    try:
        place = Place(tmp_path, spaces.load_data(small.spec()), 1, 0, None, SystemClock(), print)
        executor = OurCluster("auto", Each(cpus=1)).executor(small.spec(), place, stand_in.make)
        future = executor.submit(job("starves", epochs_to=14), lambda trial, epoch: None)
        while not executor.wait({future}, 1.0):
            pass
        executor.shutdown()
    finally:
        ray.shutdown()
        made.shutdown()
    assert future.result().failure.reason is FailureReason.OUT_OF_MEMORY


def test_a_search_that_is_killed_goes_on_with_the_cluster_or_without(cluster, space, tmp_path):
    run = tmp_path / "run"
    process = begun(run, space, "--ray", cluster.address, "--cpus-per-trial", 1)
    process.kill()
    process.wait()
    before = completed(run)
    ended("resume", run, "--ray", cluster.address, "--max-trials", 10)
    after = completed(run)
    assert {trial: after[trial] for trial in before} == before
    assert len([trial for trial in after if trial.isdigit()]) == 10


def test_without_its_head_the_search_says_so_and_goes_on_without_ray(cluster, space, tmp_path):
    run = tmp_path / "run"
    process = begun(run, space, "--ray", cluster.address, "--cpus-per-trial", 1, "--set", "training.epochs=60")
    cluster.head_node.kill_gcs_server()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the head of the Ray cluster" in said
    before = completed(run)
    ended("resume", run, "--workers", 1)
    after = completed(run)
    assert {trial: after[trial] for trial in before} == before
