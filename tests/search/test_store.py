from __future__ import annotations

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from search.errors import DiskError, RunError
from search.files import layout
from search.files.rundir import Run
from search.files.store import Evaluation, RunReader, RunStore
from search.record.trial import Checkpoint, Epoch, FailureReason, Outcome, Stop, TrialKind, TrialState
from tests.search.records import CHECKPOINT, completed, failed, outcome, trial


def test_everything_comes_back_as_it_was_given(store):
    asked = trial(
        "0007",
        TrialKind.BASELINE,
        name="article",
        values={"layers": 2, "rate": 1e-4, "nesterov": True, "optimizer": "sgd"},
        parent="0003",
        epochs_from=3,
        epochs_to=9,
        oracle={"status": "RUNNING", "nested": {"a": [1, 2.5, None]}},
        note="because",
    )
    store.begin(asked, {"seed": 1})
    assert store.trials() == [asked]
    done = Outcome(
        epochs=(Epoch(4, {"loss": 0.1, "val_accuracy": 0.25}, 1.5, 1.25), Epoch(5, {"loss": 0.05}, 1.0, 0.5)),
        score=0.25, best_epoch=4, stopped=Stop.TARGET, parameters=10, seconds=2.75, build_seconds=0.5,
        state=CHECKPOINT, best=Checkpoint("trials/7/best.npz", 5, "ab", 4), last=None,
    )  # fmt: skip
    store.finish("0007", done, 300.0, {"status": "COMPLETED"}, {"seed": 2})
    with RunReader(store.directory) as reader:
        found = reader.trial("0007")
        assert reader.oracle_state() == {"seed": 2}
    assert found.outcome == done
    assert (found.state, found.finished, found.oracle) == (TrialState.COMPLETED, 300.0, {"status": "COMPLETED"})
    assert (found.values, found.settings, found.parent, found.note) == (
        asked.values, asked.settings, "0003", "because",
    )  # fmt: skip
    assert isinstance(found.values["nesterov"], bool)
    assert isinstance(found.values["layers"], int)


def test_the_directory_of_a_run_may_be_a_text(store):
    run = Run(str(store.directory))
    assert run == Run(store.directory)
    with run.read() as reader:
        assert reader.trials() == []
    with run.snapshot() as standing, standing.read() as reader:
        assert reader.directory == standing.directory == store.directory


def test_not_a_number_and_infinity_come_back_and_the_file_stays_json(store):
    store.begin(trial("0"))
    metrics = {"loss": math.nan, "val_loss": math.inf, "accuracy": -math.inf, "auc": np.float32(0.5)}
    store.finish("0", failed(), 1.0)
    store.begin(trial("1"))
    store.finish("1", Outcome(epochs=(Epoch(1, metrics, 1.0, 1.0),), failure=failed().failure), 1.0)
    found = store.trial("1").outcome.epochs[0].metrics
    assert math.isnan(found["loss"])
    assert (found["val_loss"], found["accuracy"], found["auc"]) == (math.inf, -math.inf, 0.5)
    connection = sqlite3.connect(store.directory / layout.STORE)
    for (text,) in connection.execute("SELECT metrics FROM epoch"):
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    connection.close()


def test_failures_keep_their_reason(store):
    store.begin(trial("0"))
    store.finish("0", failed(FailureReason.HUNG, "too slow"), 1.0)
    found = store.trial("0")
    assert found.state is TrialState.FAILED
    assert (found.outcome.failure.reason, found.outcome.failure.message) == (FailureReason.HUNG, "too slow")
    assert found.outcome.failure.detail.startswith("Traceback")


def test_an_interrupted_trial_keeps_running_and_its_epochs_are_replaced_by_the_next_attempt(store):
    store.begin(trial("0"))
    store.interrupt("0", outcome([0.1, 0.2], stopped=Stop.INTERRUPTED, state=CHECKPOINT))
    found = store.trial("0")
    assert (found.state, found.outcome.state) == (TrialState.RUNNING, CHECKPOINT)
    store.finish("0", outcome([0.1, 0.2, 0.3]), 5.0)
    assert [e.metrics["val_accuracy"] for e in store.trial("0").outcome.epochs] == [0.1, 0.2, 0.3]


def test_trials_come_in_the_order_in_which_they_were_asked_for(store):
    for name, kind in (("9", TrialKind.BASELINE), ("10", TrialKind.SEARCH), ("1", TrialKind.SEARCH)):
        store.begin(trial(name, kind))
    store.finish("1", outcome([0.5]), 1.0)
    assert [t.id for t in store.trials()] == ["9", "10", "1"]
    assert [t.id for t in store.trials(TrialKind.SEARCH)] == ["10", "1"]
    assert [t.id for t in store.trials(TrialKind.WINNER, TrialKind.BASELINE)] == ["9"]
    assert store.trial("unknown") is None


@pytest.mark.parametrize("write", ["begin", "finish"])
def test_a_trial_and_the_oracle_that_knows_of_it_are_written_together_or_not_at_all(store, write, monkeypatch):
    store.begin(trial("0"), {"asked": 1})
    before = store.trials()
    monkeypatch.setattr("search.files.store._put_oracle", _break)
    arguments = {
        "begin": (trial("1"), {"asked": 2}),
        "finish": ("0", outcome([0.5]), 1.0, {"status": "COMPLETED"}, {"asked": 2}),
    }
    with pytest.raises(RuntimeError, match="power cut"):
        getattr(store, write)(*arguments[write])
    with RunReader(store.directory) as reader:
        assert reader.trials() == before
        assert reader.oracle_state() == {"asked": 1}
    monkeypatch.undo()
    store.finish("0", outcome([0.5]), 1.0)  # the store is still of use


def _break(*_):
    raise RuntimeError("power cut")


def test_a_beginning_waits_for_no_disk_and_an_end_takes_it_there(store):
    level, commits = [2], []

    def traced(statement):
        if statement.startswith("PRAGMA synchronous ="):
            level[0] = int(statement.split()[-1])
        elif statement == "COMMIT":
            commits.append(level[0])

    store._connection.set_trace_callback(traced)
    store.begin(trial("0"), {"asked": 1})
    store.finish("0", outcome([0.5]), 1.0, None, {"told": 1})
    store._connection.set_trace_callback(None)
    assert commits == [1, 2]
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_store_is_on_the_disk_when_it_gets_its_name_and_waits_for_nothing_before(tmp_path):
    levels = []

    def fill(store):
        levels.append(store._connection.execute("PRAGMA synchronous").fetchone())
        store.begin(trial("0"))
        store.finish("0", outcome([0.5]), 1.0)

    with RunStore.create(tmp_path / "run", {"name": "x"}, fill) as store:
        levels.append(store._connection.execute("PRAGMA synchronous").fetchone())
        assert store.count == 1
    assert levels == [(1,), (2,)]


_KILLED_WRITER = """
import os, signal, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from search.files import store as stores
from tests.search.records import outcome, trial
store = stores.RunStore(Path(sys.argv[1]))
put, count = stores._put_oracle, [0]
def put_and_die(execute, state):
    put(execute, state)
    count[0] += 1
    if count[0] == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
stores._put_oracle = put_and_die
for number in range(10):
    store.begin(trial(str(number)), {"asked": number})
    store.finish(str(number), outcome([0.5]), 1.0, None, {"told": number})
"""


@pytest.mark.parametrize(("kill_at", "kept", "state"), [(1, [], None), (4, ["0", "1"], {"asked": 1})])
def test_a_process_killed_inside_a_transaction_leaves_the_one_before(tmp_path, kill_at, kept, state):
    run = tmp_path / "run"
    RunStore.create(run, {}).close()
    killed = subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(run), str(kill_at)], check=False)
    assert killed.returncode == -9
    with RunStore(run) as found:
        assert [t.id for t in found.trials()] == kept
        assert found.oracle_state() == state
        if kept:
            assert found.trial(kept[-1]).state is TrialState.RUNNING


def test_readers_work_while_somebody_writes(store):
    store.begin(trial("0"))
    writing = sqlite3.connect(store.directory / layout.STORE, isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("UPDATE trial SET state = 'failed'")
    with RunReader(store.directory) as reader:
        assert [t.state for t in reader.trials()] == [TrialState.RUNNING]
    writing.execute("ROLLBACK")
    writing.close()


def test_an_open_reader_sees_what_is_committed_later(store):
    with RunReader(store.directory) as reader:
        assert reader.trials() == []
        store.begin(trial("0"))
        assert [t.id for t in reader.trials()] == ["0"]


def test_a_reader_cannot_write(store):
    with RunReader(store.directory) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM meta")


def test_a_copy_without_its_side_files_is_read_in_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with RunStore.create(run, {"name": "x"}) as made:
        made.begin(trial("0"))
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(run / layout.STORE, copy / layout.STORE)
    (copy / layout.STORE).chmod(0o444)
    copy.chmod(0o555)
    try:
        with RunReader(copy) as reader:
            assert [t.id for t in reader.trials()] == ["0"]
        if os.geteuid():
            assert sorted(p.name for p in copy.iterdir()) == [layout.STORE]
    finally:
        copy.chmod(0o755)


def test_where_side_files_cannot_be_made_the_store_is_read_as_it_is(tmp_path, monkeypatch):
    """The same for a user whom no permission stops: the first way of opening is refused here by hand."""
    run = tmp_path / "run"
    with RunStore.create(run, {"name": "x"}) as made:
        made.begin(trial("0"))
    connect, tried = sqlite3.connect, []

    def refuse(path, *args, **kwargs):
        tried.append(path)
        if "immutable" not in path:
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path, *args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with RunReader(run) as reader:
        assert [t.id for t in reader.trials()] == ["0"]
    assert len(tried) == 2


@pytest.mark.parametrize("damage", ["text", "half", "empty", "zeros"])
def test_a_damaged_store_is_named(tmp_path, damage):
    run = tmp_path / "run"
    with RunStore.create(run, {"name": "x"}) as made:
        for number in range(40):
            made.begin(trial(str(number)))
    path = run / layout.STORE
    whole = path.read_bytes()
    path.write_bytes({
        "text": b"this is no database at all " * 50,
        "half": whole[: len(whole) // 2],
        "empty": b"",
        "zeros": whole[:4096] + bytes(len(whole) - 4096),
    }[damage])  # fmt: skip
    with pytest.raises(RunError, match=str(path)), RunReader(run) as reader:
        reader.trials()
    with pytest.raises(RunError, match=str(path)), RunStore(run) as writer:
        writer.trials()


def test_a_store_of_another_version_is_named(store):
    store._connection.execute("PRAGMA user_version = 99")
    with pytest.raises(RunError, match=r"written by another version .*99.*; install the version that wrote it"):
        RunReader(store.directory)


def test_a_directory_without_a_run(tmp_path):
    for kind in (RunReader, RunStore):
        with pytest.raises(RunError, match="no run here"):
            kind(tmp_path)
        with pytest.raises(RunError, match="no run here"):
            kind(tmp_path / "missing")


def test_a_folder_of_runs_that_is_taken_for_one_is_told_with_one(store):
    with pytest.raises(RunError, match="no run here") as told:
        RunReader(store.directory.parent)
    assert str(told.value).endswith(f"; there is one in {store.directory}")


def test_a_run_is_never_made_over_another(store):
    with pytest.raises(RunError, match="already holds a run"):
        RunStore.create(store.directory, {})


def test_a_run_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        RunStore.create(tmp_path / "file" / "run", {})


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
def test_a_full_disk_is_no_wrong_usage(store, tmp_path, monkeypatch, code):
    def full(*_, **__):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", full)
    for write in (lambda: RunStore.create(tmp_path / "new", {}), lambda: RunStore(store.directory)):
        with pytest.raises(DiskError, match=r"cannot be written \(database or disk is full\)"):
            write()


def test_a_store_that_was_half_made_when_the_power_went_is_made_again(tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.making").write_bytes(b"half")
    (run / "run.making-journal").write_bytes(b"half")
    assert not layout.is_run(run)
    with RunStore.create(run, {"name": "x"}) as made:
        assert made.meta("name") == "x"
    assert sorted(p.name for p in run.iterdir()) == [layout.STORE]


def test_facts(store):
    assert store.meta("phase") == "search"
    assert store.meta("missing", "default") == "default"
    store.put_meta(phase="final", more={"a": [1, None, math.inf]})
    assert store.meta("phase") == "final"
    assert store.meta("more") == {"a": [1, None, math.inf]}


def test_a_final_model_is_measured_once(store):
    store.begin(trial("w", TrialKind.WINNER))
    measured = Evaluation("w", "test", {"accuracy": 0.9, "loss": math.nan}, 360, 0.5, "evaluation/w.npz", 5.0)
    store.add_evaluation(measured)
    with pytest.raises(RunError, match="evaluated before"):
        store.add_evaluation(measured)
    (found,) = store.evaluations()
    assert (found.metrics["accuracy"], found.rows) == (0.9, 360)
    assert math.isnan(found.metrics["loss"])


def test_events_come_oldest_first(store):
    store.add_event(2.0, "warning", "first")
    store.add_event(1.0, "info", "second")
    assert [(e.level, e.message) for e in store.events()] == [("warning", "first"), ("info", "second")]


def test_an_event_may_name_a_file_whose_name_is_no_text(store):
    store.add_event(1.0, "warning", "größer/caf\udce9.png: left out")
    assert [e.message for e in store.events()] == ["größer/caf\\udce9.png: left out"]


def test_deleted_checkpoints_are_forgotten_and_nothing_else(store):
    store.begin(trial("0"))
    store.finish("0", outcome([0.4, 0.5], state=CHECKPOINT, best=CHECKPOINT), 5.0)
    before = store.trial("0").outcome
    store.update_checkpoints({"0": outcome([0.4, 0.5], best=CHECKPOINT)})
    after = store.trial("0").outcome
    assert (after.state, after.best) == (None, CHECKPOINT)
    assert after.epochs == before.epochs


def test_a_record_survives_a_second_round(store):
    """What is read can be written again: nothing is lost or changed on the way."""
    first = completed("0", [0.1, 0.9, 0.3])
    store.begin(first)
    store.finish("0", first.outcome, 200.0)
    once = store.trial("0")
    with RunStore.create(store.directory / "second", {}) as other:
        other.begin(once)
        other.finish("0", once.outcome, once.finished)
        assert other.trial("0") == once


def test_an_oracle_may_learn_later_than_a_trial_ends(tmp_path):
    with RunStore.create(tmp_path / "run", {}) as store:
        store.begin(trial("0", oracle={"status": "RUNNING"}), {"n": 1})
        store.finish("0", outcome([0.5]), 5.0)
        assert (store.trial("0").oracle, store.oracle_state()) == ({"status": "RUNNING"}, {"n": 1})
        store.tell("0", {"status": "COMPLETED"}, {"n": 2}, told=1)
        assert (store.trial("0").oracle, store.oracle_state()) == ({"status": "COMPLETED"}, {"n": 2})
        assert store.meta("told") == 1
        assert store.trial("0").outcome == outcome([0.5])
