"""An actor's work, and its messages, in this process: no Ray, no TensorFlow."""

from __future__ import annotations

import itertools
import os
import pickle
import queue
import tempfile
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from search.cluster import fitness, slot, work
from search.cluster.site import RaySite
from search.cluster.work import Order, Work
from search.errors import ClusterLost, RunError
from search.record.trial import Outcome, Stop
from tests.search.cluster.conftest import job


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def usable(monkeypatch):
    """What `fitness.require_usable` is asked; a test may add an error that it raises."""
    asked, errors = [], []

    def require(told):
        asked.append(told["folder"])
        if errors:
            raise errors[0]

    monkeypatch.setattr(fitness, "require_usable", require)
    return SimpleNamespace(asked=asked, errors=errors)


class Over(BaseException):
    """No further job."""


def told(tmp_path, **changes):
    found = {
        "family": "mlp", "files": {}, "code": {}, "names": {}, "given": {}, "folder": None, "data": str(tmp_path),
        "threads": 1, "gpu_share": None, "environment": {}, "trainer": pickle.dumps(repr),
    }  # fmt: skip
    return {**found, **changes}


def _reports(setup):
    raise RuntimeError(f"told {os.environ['NIGHTSHIFT_REUSE']}")


def gone(told):
    """What it says until it waits for a job, or ends."""
    said = []

    def hear():
        raise Over

    try:
        Work(told, None, said.append, hear).go()
    except Over:
        said.append("waits")
    return said


def test_the_first_of_a_node_says_that_all_is_there_before_the_others_begin(tmp_path, usable, monkeypatch):
    monkeypatch.setattr(work, "machine_memory", lambda: 123)
    processes = itertools.count(1)
    monkeypatch.setattr(os, "getpid", lambda: next(processes))
    (settled, folder), ready, waits = gone(told(tmp_path))
    assert (settled, ready, waits) == ("settled", ("ready", 123), "waits")
    assert gone(told(tmp_path, folder=folder))[0] == ("settled", folder)
    assert usable.asked == [None]


def test_what_is_missing_is_said_before_anything_else(tmp_path, usable):
    usable.errors.append(fitness.Unfit("there is no module helpers"))
    assert gone(told(tmp_path)) == [("unable", {"kind": "package", "why": "there is no module helpers"})]
    assert list(tmp_path.iterdir()) == []


def test_any_other_error_is_said_too(tmp_path, usable):
    usable.errors.append(KeyError("maxout"))
    ((kind, said),) = gone(told(tmp_path))
    assert (kind, said) == ("unable", {"kind": "start", "why": "KeyError: 'maxout'"})
    ((kind, said),) = gone(told(tmp_path, family="maxout"))
    assert said["kind"] == "package"


def test_a_folder_that_was_swept_away_is_told_apart(tmp_path, usable):
    folder = str(tmp_path / "gone")
    assert gone(told(tmp_path, folder=folder)) == [
        ("unable", {"kind": "folder", "why": f"{folder} is gone", "folder": folder})
    ]


def test_without_a_trainer_it_only_says_whether_it_could(tmp_path, usable, monkeypatch):
    monkeypatch.setattr(work, "load_tensorflow", lambda **_: None)
    monkeypatch.setattr(work, "machine_memory", lambda: 123)
    assert gone(told(tmp_path, trainer=None)) == [("ready", 123)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), type("OutOfDiskError", (Exception,), {})()])
def test_that_its_disk_is_full_is_told_apart(tmp_path, usable, error):
    usable.errors.append(error)
    ((_, said),) = gone(told(tmp_path))
    assert said["kind"] == "disk"
    assert said["why"].startswith("its disk is full (")


def test_what_cannot_be_had_there_is_said_in_its_own_words(tmp_path, usable):
    usable.errors.append(RunError("--gpus-per-trial 0.01: give 0.05 or more"))
    ((kind, said),) = gone(told(tmp_path))
    assert (kind, said) == ("unable", {"kind": "start", "why": "--gpus-per-trial 0.01: give 0.05 or more"})


def test_what_had_come_home_when_the_head_was_found_gone_is_heard_first():
    home, actor = RaySite.__new__(RaySite), object()
    home._head = SimpleNamespace(gone=True, address="10.0.0.1:6379")
    home._heard, home._actors, home._drained, home._listen = queue.SimpleQueue(), {1: actor}, False, lambda *_: None
    lost, done = Future(), Future()
    lost.set_exception(RuntimeError("its process ended"))
    done.set_result([(1, "outcome")])
    for future in (lost, done):
        home._heard.put((1, actor, future))
    assert list(home.messages(60.0)) == [(1, (1, "outcome"))]
    with pytest.raises(ClusterLost, match=r"10\.0\.0\.1:6379, does not answer any more"):
        list(home.messages(60.0))


@pytest.fixture
def made(monkeypatch):
    """A slot that has been told to begin, whose thread does as its attribute `go` does; and its work."""
    monkeypatch.setattr(slot, "_find_packages", lambda told: None)
    monkeypatch.setattr(Work, "go", lambda self: None)
    found = slot.Slot()
    found._work({}, None)
    return found, found._stop.__self__


def test_a_stop_that_comes_before_the_job_is_taken_up_is_not_lost(made, tmp_path):
    actor, own = made
    seen = []

    def train(job, stop, *hooks):
        seen.append(stop())
        return Outcome()

    trainer = SimpleNamespace(train=train)
    for stops in (True, False):
        actor.train(Order(job(), 1, None).packed(), [])
        if stops:
            actor.stop(pickle.dumps(Stop.INTERRUPTED))
        own._serve(trainer, tmp_path, *actor._told.get())
    assert seen == [Stop.INTERRUPTED, None]


@pytest.mark.parametrize("error", [ValueError("no order"), MemoryError(), SystemExit(1)])
def test_a_thread_that_ends_takes_its_process_with_it(monkeypatch, capfd, error):
    ended = []

    def go(self):
        raise error

    monkeypatch.setattr(slot, "_find_packages", lambda told: None)
    monkeypatch.setattr(Work, "go", go)
    monkeypatch.setattr(os, "_exit", ended.append)
    slot.Slot()._live({}, None)
    assert ended == [1]
    assert type(error).__name__ in capfd.readouterr().err


def test_a_node_trains_as_the_search_was_told_to_whatever_its_own_environment_says(tmp_path, monkeypatch, usable):
    monkeypatch.setenv("NIGHTSHIFT_REUSE", "1")
    said = gone(told(tmp_path, trainer=pickle.dumps(_reports), environment={"NIGHTSHIFT_REUSE": "0"}))
    assert said[-1] == ("unable", {"why": "RuntimeError: told 0", "kind": "start"})
