from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import search
from search.executors.pool import WorkerPool
from search.executors.protocol import Setup

_PATCH = """
import os, sys
if "search.executors.worker" in sys.orig_argv:
    import search.executors.shared_data, search.training.threads, search.training.trainer, spaces.outside.backend
    from search_stand_in import Trainer
    search.executors.shared_data.read = lambda folder: None
    spaces.outside.backend.load_tensorflow = lambda **_: None
    search.training.threads.configure = lambda *_: None
    search.training.trainer.Trainer = Trainer
"""

_STAND_IN = '''
"""A trainer whose trials do what their ids say."""
import os, signal, time
from search.errors import CheckpointError, DiskError
from search.record.trial import Epoch, Outcome, Stop

def first_time(folder, name):
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

class Trainer:
    def __init__(self, run, data, clock):
        self.run = run
        self.clock = clock
        self.ballast = []
        with open(run / "starts", "a") as stream:
            stream.write(f"{os.getpid()}\\n")
        if (run / "die at every start").exists() or (
            (run / "die at start").exists() and first_time(run, "died at start")):
            os._exit(5)
        while (run / "hang at start").exists():
            time.sleep(0.05)

    def pace(self, settings, seconds):
        if "kills" in settings and first_time(self.run, "killed"):
            os._exit(3)
        if "hangs" in settings and first_time(self.run, "hung"):
            time.sleep(1000)
        return settings["pace"]

    def train(self, job, should_stop, on_epoch, on_begin):
        name = job.trial_id
        if name.startswith("builds slowly"):
            time.sleep(1.5)
        if name == "hangs while it is built":
            time.sleep(1000)
        if name == "prints":
            print("of a model")
            os.system("echo of a program")
        if name == "raises":
            raise ZeroDivisionError("unlucky")
        if name == "checkpoint":
            raise CheckpointError("trials/0/state.npz: torn")
        if name == "disk":
            raise DiskError("trials/0/state.npz: cannot be written")
        if name == "exits" or (name == "exits once" and first_time(self.run, "exited")):
            os._exit(3)
        if name == "leaves a helper":
            if os.fork():
                os._exit(3)
            time.sleep(10)
            os._exit(0)
        if name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "grows":
            self.ballast.append(bytearray(os.urandom(1 << 20)) * 300)
        epochs = []
        for number in range(job.epochs_from + 1, job.epochs_to + 1):
            on_begin()
            if name == "hangs":
                time.sleep(1000)
            if name.startswith("slow"):
                time.sleep(0.05)
            epochs.append(Epoch(number, {"pid": os.getpid(), "seed": job.seed}, 0.1, 0.1))
            on_epoch(epochs[-1])
            if should_stop():
                return Outcome(epochs=tuple(epochs), stopped=should_stop())
            if job.deadline is not None and job.deadline.left(self.clock) < 0:
                return Outcome(epochs=tuple(epochs), stopped=Stop.DEADLINE)
        if name.endswith("saves slowly"):
            time.sleep(1.5)
        return Outcome(epochs=tuple(epochs), stopped=Stop.LENGTH, score=0.5)
'''


@pytest.fixture
def make_pool(tmp_path):
    """`make_pool(count, **options)`: a pool whose workers are real processes without TensorFlow.

    `events` collects what it says; all workers are gone when the test is over.
    """
    (tmp_path / "sitecustomize.py").write_text(_PATCH)
    (tmp_path / "search_stand_in.py").write_text(_STAND_IN)
    root = str(Path(search.__file__).parent.parent)
    pools = []

    def make(count=1, memory_limit=1 << 40, inline=None):
        setups = [Setup(tmp_path, tmp_path, 1, (str(tmp_path), root, *sys.path)) for _ in range(count)]
        environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
        events: list[str] = []
        pool = WorkerPool(setups, [environment] * count, memory_limit, events.append, inline)
        pool.events = events
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.shutdown()
