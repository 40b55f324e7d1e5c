"""A run as MLflow runs, through a real MLflow client and its default kind of store."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from results.errors import ResultError
from results.ranked.ranking import rows
from results.tracking.mlflow_log import Logged, _less_talk, log_mlflow
from search.errors import RunError
from search.files.store import RunStore
from search.record.trial import Outcome, TrialKind

MakeRun = Callable[..., Path]
_TOGETHER = {"measure": "accuracy", "together": 0.9, "alone": 0.8, "rows": 9}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tracking URI of a database that all tests share: making one takes seconds."""
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        # Artifacts go below the working directory unless a server says otherwise.
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def client(server: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(server)


def children(client: Any, done: Logged) -> dict[str, Any]:
    found = client.search_runs([done.experiment_id], f"tags.`mlflow.parentRunId` = '{done.run_id}'")
    named = {run.info.run_name: run for run in found}
    assert len(named) == len(found), "nothing is there twice"
    return named


def test_what_mlflow_prints_of_a_server_is_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    with _less_talk():
        print("🏃 View run at: http://localhost:5000/#/experiments/1/runs/2")
    assert capsys.readouterr() == ("", "")


def test_round_trip(make_run: MakeRun, client: Any, server: str) -> None:
    run = make_run(failures=["nan"])
    (run / "report").mkdir()
    (run / "report" / "index.html").write_text("<html>")
    (run / "export" / "savedmodel").mkdir(parents=True)
    (run / "export" / "savedmodel" / "saved_model.pb").write_bytes(b"model")
    (run / "export" / ".making-1").mkdir()
    (run / "export" / ".making-1" / "half").write_bytes(b"")

    done = log_mlflow(run, tracking_uri=server)

    assert (done.experiment, done.again, done.files) == ("digits", False, 3)
    parent = client.get_run(done.run_id)
    assert (parent.info.run_name, parent.info.status) == (run.name, "FINISHED")
    assert parent.data.tags["nightshift.algorithm"] == "hyperband"
    assert parent.data.tags["nightshift.version.keras"] == "3.15.0"
    places = (None, "report", "export", "export/savedmodel")
    stored = {one.path for place in places for one in client.list_artifacts(done.run_id, place) if not one.is_dir}
    assert stored == {"space.yaml", "report/index.html", "export/savedmodel/saved_model.pb"}
    table = {row["name"]: row for row in rows(run)}
    logged = children(client, done)
    assert set(logged) == set(table)
    assert done.new == len(table)
    for name, row in table.items():
        data, info = logged[name].data, logged[name].info
        assert info.status == ("FAILED" if row["failure"] else "FINISHED")
        assert data.metrics.get("score") == row["score"]
        assert data.metrics.get("test") == row["test"]
        assert data.params["learning_rate"] == str(row["learning_rate"])
        assert ("momentum" in data.params) == (row["momentum"] is not None)
    best = logged[str(rows(run)[0]["name"])]
    history = client.get_metric_history(best.info.run_id, "val_accuracy")
    assert [point.step for point in history] == list(range(1, 10))
    times = [point.timestamp for point in history]
    assert times == sorted(times)
    assert best.info.start_time < times[0] < times[-1] <= best.info.end_time


def test_what_a_link_leads_to_outside_of_the_run_is_not_stored(make_run: MakeRun, server: str, tmp_path: Path) -> None:
    run = make_run(configurations=3, promotions=False)
    (tmp_path / "private").write_text("mine")
    (run / "export").mkdir()
    (run / "export" / "labels.txt").symlink_to(tmp_path / "private")
    with pytest.raises(RunError, match=r"labels\.txt: a link that leads out of the run directory"):
        log_mlflow(run, tracking_uri=server)


def test_a_run_that_goes_on_is_brought_up_to_date(make_run: MakeRun, client: Any, server: str) -> None:
    run = make_run(running=True, configurations=3, promotions=False)
    first = log_mlflow(run, tracking_uri=server, experiment="night")
    assert client.get_run(first.run_id).info.status == "RUNNING"
    before = children(client, first)
    assert before["9000"].info.status == "RUNNING"
    again = log_mlflow(run, tracking_uri=server, experiment="night")
    assert (again.run_id, again.again, again.new, again.updated, again.unchanged) == (first.run_id, True, 0, 0, 5)

    with RunStore(run) as store:
        done = store.trials()[-2].outcome
        assert done is not None
        half = Outcome(epochs=done.epochs[:4], score=0.5, best_epoch=4, seconds=3.0)
        store.interrupt("9000", half)
    assert log_mlflow(run, tracking_uri=server, experiment="night").updated == 1
    with RunStore(run) as store:
        store.finish("9000", done, store.trials()[-1].started + done.seconds)
        store.put_meta(phase="done", exit="done", finished=time.time())
    last = log_mlflow(run, tracking_uri=server, experiment="night")

    assert (last.run_id, last.new, last.updated, last.unchanged) == (first.run_id, 0, 1, 4)
    assert client.get_run(first.run_id).info.status == "FINISHED"
    after = children(client, last)["9000"]
    assert (after.info.run_id, after.info.status) == (before["9000"].info.run_id, "FINISHED")
    assert after.data.metrics["score"] == done.score
    history = client.get_metric_history(after.info.run_id, "val_loss")
    assert [point.step for point in history] == list(range(1, 10)), "no epoch is there twice"


def test_with_another_winner_nothing_of_the_first_one_stays(make_run: MakeRun, client: Any, server: str) -> None:
    run = make_run(configurations=3, promotions=False)
    first = log_mlflow(run, tracking_uri=server, experiment="another winner")
    was = client.get_run(first.run_id).data
    with RunStore(run) as store:
        known = store.trial(store.meta("winner"))
        assert known is not None
        loser = next(t for t in store.trials(TrialKind.SEARCH) if t.configuration != known.configuration)
        values = {"layers": 1, "units_0": 7}
        store.begin(replace(loser, id="later", configuration="later", values=values, outcome=None))
        store.finish("later", loser.outcome, loser.finished)
        store.put_meta(winner="later", ensemble={"trials": ["later", loser.id], **_TOGETHER})
    again = log_mlflow(run, tracking_uri=server, experiment="another winner")
    assert (again.again, again.new, again.updated) == (True, first.new + 1, 0)
    (parent,) = client.search_runs([again.experiment_id], f"tags.`nightshift.id` = '{was.tags['nightshift.id']}'")
    assert parent.info.run_id == again.run_id != first.run_id
    assert parent.data.params == {name: str(value) for name, value in values.items()} != was.params
    assert (parent.data.tags["nightshift.winner"], parent.data.tags["nightshift.together"]) == ("later", "2")
    assert children(client, again)["later"].data.tags["nightshift.together"] == "2"
    assert children(client, first) == {}
    assert log_mlflow(run, tracking_uri=server, experiment="another winner").run_id == again.run_id
    with RunStore(run) as store:
        store.put_meta(winner=None, phase="search")
    assert log_mlflow(run, tracking_uri=server, experiment="another winner").run_id != again.run_id


def test_what_was_cut_off_in_the_middle_is_completed(
    make_run: MakeRun, client: Any, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    run = make_run(configurations=2, promotions=False)
    log_batch, calls = mlflow.MlflowClient.log_batch, []

    def breaks(self: Any, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise OSError("the line is dead")
        return log_batch(self, *arguments, **options)

    # Two metrics a call, so that one configuration needs several.
    monkeypatch.setattr("results.tracking.mlflow_log._METRICS_PER_CALL", 2)
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", breaks)
    with pytest.raises(ResultError, match="the line is dead"):
        log_mlflow(run, tracking_uri=server, experiment="cut")
    done = log_mlflow(run, tracking_uri=server, experiment="cut")
    assert (done.again, done.new, done.updated) == (True, 2, 1)
    for child in children(client, done).values():
        history = client.get_metric_history(child.info.run_id, "loss")
        assert [point.step for point in history] == list(range(1, len(history) + 1))
        assert len(history) == child.data.metrics["epochs"]


def test_a_run_without_trials(make_run: MakeRun, client: Any, server: str) -> None:
    done = log_mlflow(make_run(configurations=0, baselines=()), tracking_uri=server, experiment="empty")
    assert (done.new, children(client, done)) == (0, {})
    assert client.get_run(done.run_id).info.status == "FINISHED"


def test_long_values_and_many_parameters(make_run: MakeRun, client: Any, server: str) -> None:
    values = {f"width_{i}": i for i in range(150)} | {"activation": "x" * 20_000}
    run = make_run(configurations=1, promotions=False, baselines=(), values=lambda i, rng: values, failures=["nan"])
    done = log_mlflow(run, tracking_uri=server, experiment="long")
    for child in children(client, done).values():
        assert len(child.data.params) == 151
        assert child.data.params["activation"].endswith("x…")


def test_a_deleted_experiment_is_named(make_run: MakeRun, client: Any, server: str) -> None:
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(ResultError, match="experiment 'gone' was deleted"):
        log_mlflow(make_run(), tracking_uri=server, experiment="gone")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("uri", ["http://me:secret@127.0.0.1:9", "nonsense://place"])
def test_a_place_that_cannot_be_used_is_named_soon(make_run: MakeRun, uri: str) -> None:
    before = dict(os.environ)
    start = time.monotonic()
    with pytest.raises(ResultError, match=r"^(http://127\.0\.0\.1:9|nonsense://place): cannot be") as raised:
        log_mlflow(make_run(), tracking_uri=uri)
    assert time.monotonic() - start < 60
    assert "secret" not in str(raised.value)
    assert dict(os.environ) == before


def test_without_mlflow(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "mlflow":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ResultError, match=r'pip install "keras-nightshift\[mlflow\]"'):
        log_mlflow(make_run())


def logged(uri: str, again: bool) -> Logged:
    return Logged("r1", "digits", "7", uri, again, new=1, updated=2, unchanged=3, files=1)


def test_what_it_says() -> None:
    assert (
        str(logged("sqlite:///m.db", False)) == "sqlite:///m.db, experiment digits: 1 configuration and 1 file logged"
    )
    assert "there already; configurations: 1 new, 2 updated, 3 unchanged" in str(logged("sqlite:///m.db", True))
    assert logged("sqlite:///m.db", False).how_to_look == "mlflow ui --backend-store-uri sqlite:///m.db"
    told = "mlflow ui --backend-store-uri 'sqlite:////my runs/m.db'"
    assert logged("sqlite:////my runs/m.db", False).how_to_look == told, "it can be copied"
    assert logged("https://host/", False).how_to_look == "https://host/#/experiments/7/runs/r1"
    assert logged("postgresql://host/db", False).how_to_look is None
