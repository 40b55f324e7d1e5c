"""Which checkpoint stands for which row of the table, and the model made from it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
import spaces
from results import ResultError, models
from results.models import find_model, model_of
from search.clock import SystemClock
from search.errors import DamageWarning, RunError
from search.files import checkpoint as checkpoints
from search.files.rundir import open_run
from search.files.store import RunReader, RunStore
from search.phases.evaluation import FinalModel, evaluate
from search.record.trial import Stop, TrialKind, TrialState


@pytest.fixture
def run(digits: Any, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(digits.directory, tmp_path / "run"))


def found(run: Path, trial: str | None = None) -> tuple[str, str, str]:
    with RunReader(run) as reader:
        model = find_model(reader, trial)
    return model.trial.id, model.checkpoint.file, model.role


def test_the_best_model_is_the_winner_with_its_weights(digits: Any) -> None:
    model = results.best_model(digits.directory)
    assert digits.data.test is not None
    np.testing.assert_allclose(model.predict(digits.data.test.x, verbose=0), digits.expected, atol=1e-6)
    assert model.compiled


@pytest.mark.parametrize("recipe", [{"label_smoothing": 0.3}, {"focal_gamma": 2.0}], ids=str)
def test_its_loss_is_that_of_the_labels_as_they_are_as_in_the_table(
    recipe: dict[str, float], write_run: Any, tensorflow: None
) -> None:
    spec = spaces.load(
        {
            "name": "x",
            "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 300},
            "model": {"family": "mlp", "layers": 1, "units": 8},
            "training": {"epochs": 1, **recipe},
        }
    )
    data, settings = spaces.load_data(spec), spaces.configure(spec, {})
    assert data.test is not None
    trained = spaces.build_model(settings, data.info, seed=1)
    run = write_run(spaces.dump(spec), data)
    run.trial("0000", TrialKind.SEARCH, settings, 0.5, best=run.weights("0000", trained.get_weights()))
    run.rows(data.test.x, data.test.y)
    with RunStore(run.directory) as store:
        (trial,) = store.trials()
        assert trial.outcome is not None
        assert trial.outcome.best is not None
        evaluate(run.directory, data, FinalModel(trial, trial.outcome.best, False), store, SystemClock(), 1)
        (measured,) = store.evaluations()
    answers = trained.predict(data.test.x, verbose=0)
    plain = -np.log(answers[np.arange(len(answers)), data.test.y]).mean()
    model = results.best_model(run.directory)
    found = model.evaluate(data.test.x, data.test.y, verbose=0, return_dict=True)
    assert (found["loss"], measured.metrics["loss"]) == pytest.approx((plain, plain), rel=1e-4)
    # So it is read by Keras alone where it was saved.
    assert type(model.loss).__module__.startswith("keras.")


@pytest.mark.parametrize("taken", [True, False])
def test_beside_a_search_that_is_running_the_gpus_are_left_to_it(
    run: Path, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr("results.models.is_taken", lambda directory: taken and directory == run)
    monkeypatch.setattr("results.models.share_gpus", told.append)
    results.best_model(run)
    assert told == [taken]


def test_before_there_is_a_winner_the_best_with_a_checkpoint_counts(run: Path) -> None:
    with RunStore(run) as store:
        store.put_meta(winner=None)
        assert store.trial("0001") is not None
    assert found(run) == ("0000", "trials/0000/best.npz", "best so far")


@pytest.mark.parametrize(
    ("trial", "expected"),
    [
        ("0000", ("0000", "trials/0000/best.npz", "configuration")),
        ("winner-0000", ("winner-0000", "trials/winner-0000/best.npz", "winner")),
        ("baseline-plain", ("baseline-plain", "trials/baseline-plain/best.npz", "baseline")),
        ("plain", ("baseline-plain", "trials/baseline-plain/best.npz", "baseline")),
    ],
)
def test_rows_are_found_by_id_or_name(run: Path, trial: str, expected: tuple[str, str, str]) -> None:
    assert found(run, trial) == expected


def test_a_winner_that_stands_in_from_the_search_was_not_picked_by_hand(run: Path) -> None:
    with RunStore(run) as store:
        store.put_meta(winner="0000")
    assert found(run)[2] == found(run, "0000")[2] == "winner"


def test_a_baseline_by_its_last_weights_where_they_differ_from_the_best(run: Path) -> None:
    with RunStore(run) as store:
        trial = store.trial("baseline-plain")
        winner = store.trial("winner-0000")
        assert trial is not None
        assert trial.outcome is not None
        assert winner is not None
        assert winner.outcome is not None
        store.update_checkpoints({"baseline-plain": replace(trial.outcome, last=winner.outcome.last)})
    assert found(run, "plain") == ("baseline-plain", "trials/winner-0000/best.npz", "baseline")


@pytest.mark.parametrize("number", ["0", "00", "00000", 0, np.int64(0)])
def test_a_row_is_known_by_its_number(digits: Any, number: Any) -> None:
    assert found(digits.directory, number) == found(digits.directory, "0000")


@pytest.mark.parametrize(
    ("trial", "message"),
    [
        ("0002", "the run has no trial '0002'; did you mean '000"),
        ("plane", "did you mean 'plain'"),
        ("0001", "'0001' keeps no checkpoint"),
        ("candidate-0000-1", "'candidate-0000-1' keeps no checkpoint"),
    ],
)
def test_rows_without_a_model_are_refused(run: Path, trial: str, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        model_of(run, trial)


def test_a_trial_that_had_no_epoch_before_the_time_was_up_has_no_model(make_run: Any) -> None:
    run = make_run()
    with RunStore(run) as store:
        first = store.trials(TrialKind.SEARCH)[0]
        assert first.outcome is not None
        store.begin(replace(first, id="late", configuration="late", state=TrialState.RUNNING, outcome=None))
        cut = replace(first.outcome, epochs=(), score=None, stopped=Stop.DEADLINE, state=None, best=None, last=None)
        store.finish("late", cut, first.started)
    with pytest.raises(ResultError, match="'late' keeps no checkpoint"):
        found(run, "late")


def test_a_run_that_has_trained_nothing_has_no_model(run: Path) -> None:
    with RunStore(run) as store:
        store.put_meta(winner=None)
        for trial in store.trials():
            assert trial.outcome is not None
            store.update_checkpoints({trial.id: replace(trial.outcome, best=None, last=None)})
    with pytest.raises(ResultError, match="no configuration has finished an epoch yet"):
        results.best_model(run)


def test_a_run_without_data_has_no_model(run: Path) -> None:
    with RunStore(run) as store:
        store.put_meta(data=None)
    with pytest.raises(RunError, match="meta has no data that can be read"), pytest.warns(DamageWarning):
        results.best_model(run)


@pytest.mark.parametrize("damage", ["torn", "missing"])
def test_a_damaged_checkpoint_is_named(run: Path, damage: str) -> None:
    file = run / "trials/winner-0000/best.npz"
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    with pytest.raises(ResultError, match=r"checkpoint of 'winner-0000' is damaged or missing .*winner-0000/best\.npz"):
        results.best_model(run)


def test_a_checkpoint_without_weights_is_damaged(make_run: Any) -> None:
    run = make_run(configurations=1, baselines=(), winner=False, evaluate=False)
    kept = checkpoints.write(run, "trials/0000/best.npz", {"fold": [np.zeros(1)]}, epoch=1)
    with RunReader(run) as reader:
        model = models.TrainedModel(reader.trials()[0], kept, "best so far")
    with pytest.raises(ResultError, match=r"checkpoint of '0000' is damaged or missing \('weights'\)"):
        models._weights(open_run(run), model)


def test_weights_are_read_before_tensorflow_takes_its_time(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that goes on may delete what it has surpassed meanwhile."""
    monkeypatch.setattr(models, "load_tensorflow", lambda: shutil.rmtree(run / "trials"))
    assert results.best_model(run).weights


def test_weights_of_another_architecture_are_refused(run: Path) -> None:
    with RunStore(run) as store:
        info = store.meta("data")
        info["info"]["input_shape"] = [9, 9]
        store.put_meta(data=info)
    with pytest.raises(ResultError, match="the model of 'winner-0000' cannot be built again"):
        results.best_model(run)


def test_no_run_is_a_run_error(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        results.best_model(tmp_path)
