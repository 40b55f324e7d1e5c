"""A run in the terms of experiment trackers."""

from __future__ import annotations

import dataclasses
import errno
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from results.errors import ResultError
from results.ranked.ranking import rows
from results.tracking.tracked import not_kept, safe_names, tracked, without_password
from search.errors import DiskError
from search.files import layout
from search.files.rundir import open_run
from search.files.store import RunStore

MakeRun = Callable[..., Path]
STARTED = 1_780_000_000.0


def test_every_row_of_the_table_is_there_with_its_scores(make_run: MakeRun) -> None:
    run = make_run(failures=["nan"])
    search, configurations = tracked(open_run(run))
    table = {row["name"]: row for row in rows(run)}
    assert {one.name for one in configurations} == set(table)
    for one in configurations:
        row = table[one.name]
        assert one.scores.get("score") == row["score"]
        assert one.scores.get("retrained") == row["retrained"]
        assert one.scores.get("test") == row["test"]
        assert one.scores["epochs"] == row["epochs"] == len({point.step for point in one.curves})
        assert one.tags.get("verdict") == row["verdict"]
        assert one.status == ("FAILED" if row["failure"] else "FINISHED")
        assert all(str(row[name]) == value for name, value in one.parameters.items())
    winner = next(row for row in table.values() if row["verdict"] == "winner")
    assert (search.status, search.name, search.tags["winner"]) == ("FINISHED", run.name, winner["name"])
    assert search.scores["test"] == search.scores["test_accuracy"] == winner["test"]
    assert search.scores["test_loss"] == 0.4
    mine = next(one for one in configurations if one.name == winner["name"])
    assert (search.parameters, search.curves) == (mine.parameters, mine.curves)
    assert search.parameters


def test_epochs_of_a_promoted_configuration_lie_within_their_trials(make_run: MakeRun) -> None:
    run = make_run()
    _, configurations = tracked(open_run(run))
    promoted = max(configurations, key=lambda one: len(one.curves))
    curve = [point for point in promoted.curves if point.metric == "val_accuracy"]
    assert [point.step for point in curve] == list(range(1, 10))
    with open_run(run).read() as reader:
        trials = [trial for trial in reader.trials() if trial.id == promoted.id or trial.configuration == promoted.id]
    searched = [trial for trial in trials if trial.kind == "search"]
    assert len(searched) == 3
    for trial in searched:
        inside = [p.at for p in curve if trial.epochs_from < p.step <= trial.epochs_to]
        # Building takes 0.7 s, each epoch 0.5 s, what follows 0.1 s.
        expected = [trial.started + 0.7 + 0.5 * (i + 1) for i in range(len(inside))]
        assert inside == pytest.approx(expected, abs=1e-3)
        assert trial.finished is not None
        assert max(inside) <= trial.finished


def test_states_of_a_search_that_is_not_done(make_run: MakeRun) -> None:
    run = make_run(running=True)
    search, configurations = tracked(open_run(run))
    assert (search.status, configurations[-1].status) == ("RUNNING", "RUNNING")
    assert "winner" not in search.tags
    assert not search.parameters, "the best so far may be another one tomorrow"
    assert search.scores["score"] == max(one.scores.get("score", 0.0) for one in configurations)
    (run / layout.LOCK).unlink()
    search, configurations = tracked(open_run(run))
    assert (search.status, search.tags["state"], configurations[-1].status) == ("KILLED", "cut off", "KILLED")
    with RunStore(run) as store:
        store.put_meta(exit="interrupted")
    assert tracked(open_run(run))[0].tags["state"] == "interrupted"
    with RunStore(run) as store:
        store.put_meta(exit="failed")
    assert tracked(open_run(run))[0].status == "FAILED"


def test_nothing_yet(make_run: MakeRun) -> None:
    run = make_run(configurations=0, baselines=(), winner=False)
    search, configurations = tracked(open_run(run))
    assert (configurations, dict(search.scores), search.started) == ([], {}, STARTED)


def test_metrics_with_awkward_names_and_values(make_run: MakeRun) -> None:
    run = make_run(configurations=1, promotions=False, baselines=(), winner=False, candidates=0, epochs=2)
    with RunStore(run) as store:
        (trial,) = store.trials()
        assert trial.outcome is not None
        awkward = {"score": math.nan, "top-5 (%)": 0.5, "top-5 [%]": 0.25, "../x": math.inf}
        epochs = tuple(dataclasses.replace(epoch, metrics=awkward) for epoch in trial.outcome.epochs)
        store.finish(trial.id, dataclasses.replace(trial.outcome, epochs=epochs), STARTED + 10)
    _, (one,) = tracked(open_run(run))
    first = {point.metric: point.value for point in one.curves if point.step == 1}
    assert math.isnan(first.pop("epoch_score"))
    assert first == {"top-5 ___": 0.5, "top-5 ____2": 0.25, "_._x": math.inf}
    assert all(math.isfinite(value) for value in one.scores.values())


def test_safe_names() -> None:
    assert safe_names(["val_loss", "a/b", "a:b", "größe", ".", "..", ""]) == [
        "val_loss", "a_b", "a_b_2", "größe", "_", "_.", "__2",
    ]  # fmt: skip
    long = safe_names(["x" * 300, "x" * 301])
    assert [len(name) for name in long] == [250, 250]
    assert long[1].endswith("_2")


def test_the_id_is_that_of_the_run_wherever_its_directory_is(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    there = tracked(open_run(run))[0].id
    moved = run.rename(tmp_path / "elsewhere")
    assert tracked(open_run(moved))[0].id == there
    other = make_run("other", meta={"started": STARTED + 1e-6})
    assert tracked(open_run(other))[0].id != there


def test_the_digest_changes_with_the_content(make_run: MakeRun) -> None:
    search, configurations = tracked(open_run(make_run()))
    assert len({one.digest for one in [search, *configurations]}) == len(configurations) + 1
    assert dataclasses.replace(search, tags={**search.tags, "state": "x"}).digest != search.digest
    assert dataclasses.replace(search).digest == search.digest


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("postgresql+psycopg2://me:secret@host/db", "postgresql+psycopg2://host/db"),
        ("https://me:se@cret@host:5000/", "https://host:5000/"),
        ("sqlite:////home/a@b/study.db", "sqlite:////home/a@b/study.db"),
        ("//@host", "//@host"),
        ("http://[::1", "http://[::1"),
        (Path("/home/a@b/study.db"), "/home/a@b/study.db"),
    ],
)
def test_no_message_tells_a_password(uri: object, told: str) -> None:
    assert without_password(f"{uri}: cannot be written ({uri})", uri) == f"{told}: cannot be written ({told})"


def of_sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("from SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskError),
        (of_sqlite(sqlite3.SQLITE_FULL), DiskError),
        (of_sqlite(sqlite3.SQLITE_READONLY), ResultError),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), ResultError),
        (None, ResultError),
    ],
)
def test_a_full_disk_behind_what_a_tracker_says_is_told_as_one(behind: Exception | None, kind: type[Exception]) -> None:
    error = RuntimeError("not logged\nmore of it")
    error.__cause__ = behind
    told = not_kept("sqlite://me:secret@host/db", error)
    assert (type(told), str(told)) == (kind, "sqlite://host/db: cannot be written (not logged)")
    assert type(not_kept("file:/mlruns", behind or error)) is kind
