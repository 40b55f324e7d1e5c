"""A run as an Optuna study."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from results.errors import ResultError
from results.ranked.ranking import rows
from results.tracking.studies import _distribution, export_study
from search.errors import DiskError, RunError
from search.files import layout
from search.files.rundir import Run, open_run
from search.files.store import RunStore
from search.record.trial import Stop, TrialState

optuna = pytest.importorskip("optuna", reason="optuna is not installed")


@pytest.fixture
def run(make_run: Callable[..., Path]) -> Run:
    return open_run(make_run())


def test_every_configuration_becomes_a_trial(run: Run, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"

    name = export_study(run, storage)

    study = optuna.load_study(study_name=name, storage=storage)
    shown = {row["name"]: row for row in rows(run) if row["status"] != "running"}
    assert {trial.user_attrs["name"] for trial in study.trials} == set(shown)
    assert study.metric_names == ["val_accuracy"]
    assert all(trial.intermediate_values for trial in study.trials if trial.state.name == "COMPLETE")
    for trial in study.trials:
        row: dict[str, Any] = shown[trial.user_attrs["name"]]
        if row["score"] is not None and trial.state.name != "FAIL":
            assert trial.value == pytest.approx(row["score"])
            assert len(trial.intermediate_values) == row["epochs"]


def test_what_was_not_trained_to_the_end_is_pruned(run: Run, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    states = {
        Stop.LENGTH: "PRUNED", Stop.DEADLINE: "PRUNED", Stop.PAUSED: "PRUNED", Stop.EARLY_STOPPING: "COMPLETE",
        Stop.TARGET: "COMPLETE",
    }  # fmt: skip
    with RunStore(run.directory) as store:
        short = store.trial("0000")
        assert short is not None
        assert short.outcome is not None
        settings = {**short.settings, "training": {**short.settings["training"], "epochs": 9}}
        for stop in states:
            name = f"ended-{stop.name.lower()}"
            new = replace(short, id=name, configuration=name, settings=settings, state=TrialState.RUNNING, outcome=None)
            store.begin(new)
            store.finish(name, replace(short.outcome, stopped=stop), short.started + 1)

    study = optuna.load_study(study_name=export_study(run, storage), storage=storage)

    found = {trial.user_attrs["name"]: trial.state.name for trial in study.trials}
    assert {stop: found[f"ended-{stop.name.lower()}"] for stop in states} == states


def test_parameters_keep_their_values(run: Run, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"

    name = export_study(run, storage, name="night")

    assert name == "night"
    study = optuna.load_study(study_name=name, storage=storage)
    with run.read() as reader:
        recorded = {trial.configuration: dict(trial.values) for trial in reader.trials()}
    ids = {trial.user_attrs["name"]: trial.params for trial in study.trials}
    assert all(ids[name] == recorded[name] for name in ids if name in recorded)
    assert any(name in recorded for name in ids)


def test_numbers_that_only_a_function_knows_the_range_of_are_numbers() -> None:
    of = optuna.distributions
    assert _distribution(None, [64, 32, 64]) == of.IntDistribution(32, 64)
    assert _distribution(None, [1e-2, 1, 1e-4]) == of.FloatDistribution(1e-4, 1.0)
    for others in (["a", 1], [True, False], [2**60, 2**60 + 1]):
        assert _distribution(None, others) == of.CategoricalDistribution(others)


def test_a_second_study_of_that_name_is_refused(run: Run, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    export_study(run, storage)

    with pytest.raises(ResultError, match="already has a study"):
        export_study(run, storage)


def test_settings_that_lack_a_part_are_told_and_no_study_is_begun(run: Run, tmp_path: Path) -> None:
    connection = sqlite3.connect(run.directory / layout.STORE)
    with connection:
        connection.execute("UPDATE trial SET settings = '{\"family\":\"mlp\"}' WHERE configuration = '0003'")
    connection.close()
    with pytest.raises(RunError, match=r"damaged: the settings of 0003 have no training\.epochs"):
        export_study(run, f"sqlite:///{tmp_path}/study.db")
    assert not (tmp_path / "study.db").exists()


def test_a_study_that_cannot_be_filled_is_not_left_behind(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    storage = f"sqlite:///{tmp_path}/study.db"
    monkeypatch.setattr(optuna.Study, "add_trials", full)
    with pytest.raises(DiskError, match="No space left on device"):
        export_study(run, storage)
    assert optuna.get_all_study_names(storage) == []


def test_an_unusable_storage_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nowhere"):
        export_study(run, f"sqlite:///{tmp_path}/nowhere/study.db")
