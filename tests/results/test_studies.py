"""A run as an Optuna study."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.errors import ResultError
from results.ranked.ranking import rows
from results.tracking.studies import export_study
from search.files.rundir import Run, open_run

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


def test_a_second_study_of_that_name_is_refused(run: Run, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    export_study(run, storage)

    with pytest.raises(ResultError, match="already has a study"):
        export_study(run, storage)


def test_an_unusable_storage_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nowhere"):
        export_study(run, f"sqlite:///{tmp_path}/nowhere/study.db")
