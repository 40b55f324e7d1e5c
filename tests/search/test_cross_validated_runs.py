"""Whole searches by cross-validation: folds are what is paused and gone on with, and the winner has all rows."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import results
import search
from search.files.store import RunReader
from search.loop.observer import Observer
from search.record import folds
from search.record.trial import Stop, TrialKind
from tests.search import small
from tests.search.simulation import table

pytestmark = pytest.mark.usefixtures("tensorflow")

SEARCH: dict[str, Any] = {"objective": "val_accuracy", "seed": 3, "max_trials": 7}


def run(folder: Path, algorithm: str, observers: Any = (), sections: Any = None, **data: Any) -> Any:
    spec = small.spec(
        **(sections or {}),
        search={**SEARCH, "algorithm": algorithm, **({"max_trials": 20} if algorithm == "freeze-thaw" else {})},
        data={"validation": {"folds": 3, **data}, "limit": 150},
        final={"candidates": 1, "seeds": 1},
    )
    return search.run(
        spec, run_dir=folder, workers=0, check=False, observers=list(observers), on_interrupt="return"
    )  # fmt: skip


def trials(folder: Path, *kinds: TrialKind) -> list[Any]:
    with RunReader(folder) as reader:
        return [trial for trial in reader.trials() if not kinds or trial.kind in kinds]


class StopAt(Observer):
    """Asks the search to stop when a fold has been trained."""

    def __init__(self, count: int) -> None:
        self.left = count

    def epoch(self, trial: Any, epoch: Any) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.night
def test_poor_configurations_are_paused_and_an_interrupted_search_comes_to_the_same_table(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    run(whole, "random")
    ended = trials(whole, TrialKind.SEARCH)
    assert {trial.outcome.stopped for trial in ended} == {Stop.LENGTH, Stop.PAUSED}
    best = max(trial.outcome.score for trial in trials(whole, TrialKind.SEARCH, TrialKind.BASELINE))
    for trial in ended:
        outcome = trial.outcome
        found = folds.values(outcome.epochs, "val_accuracy")
        assert (len(found) == 3) is (outcome.stopped is Stop.LENGTH)
        paused = outcome.stopped is Stop.PAUSED
        offset = trial.settings["training"]["fold_offsets"][len(found) - 1] if paused else 0.0
        assert outcome.score == pytest.approx(sum(found) / len(found) + offset)
        assert not paused or outcome.score < best, "an easy fold makes nothing better than the best"
    again = tmp_path / "again"
    run(again, "random", [StopAt(5)])
    with RunReader(again) as reader:
        assert reader.meta("exit") == "interrupted"
    search.resume(again, workers=0)
    assert table(trials(again)) == table(trials(whole))


def test_the_winner_is_trained_on_all_rows_as_long_as_its_folds_were(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(folder, "random", pause=False)
    assert {trial.outcome.stopped for trial in trials(folder, TrialKind.SEARCH)} == {Stop.LENGTH}
    (winner,) = trials(folder, TrialKind.WINNER)
    again = trials(folder, TrialKind.CANDIDATE)
    (candidate,) = [trial for trial in again if trial.configuration == winner.configuration]
    assert len(candidate.outcome.epochs) == 3
    assert winner.epochs_to == folds.mean_length(candidate.outcome.epochs)
    assert [epoch.number for epoch in winner.outcome.epochs] == list(range(1, winner.epochs_to + 1))
    assert "val_accuracy" not in winner.outcome.epochs[0].metrics
    with RunReader(folder) as reader:
        assert {evaluation.trial for evaluation in reader.evaluations()} == {winner.id, "baseline-linear"}
    found = results.table(folder)
    assert set(found["folds"]) == {3}
    assert (found["fold_spread"] > 0).all()


@pytest.mark.night
@pytest.mark.parametrize("algorithm", ["hyperband", "freeze-thaw", "bayesian"])
def test_every_algorithm_decides_on_folds(tmp_path: Path, algorithm: str) -> None:
    folder = tmp_path / "run"
    # Beside the baseline, which is better than most of what so few trials find, all would be paused.
    run(folder, algorithm, sections={"baselines": []})
    found = trials(folder, TrialKind.SEARCH)
    assert all(trial.outcome.failure is None for trial in found)
    lengths = {len(row) for row in _curves(found).values()}
    assert lengths <= {1, 2, 3}
    assert 3 in lengths
    assert min(lengths) < 3, "some were not gone on with"


def _curves(found: list[Any]) -> dict[str, list[float]]:
    curves: dict[str, list[float]] = {}
    for trial in found:
        curves.setdefault(trial.configuration, []).extend(folds.values(trial.outcome.epochs, "val_accuracy"))
    return curves
