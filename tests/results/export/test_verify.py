"""The check of exported files, without TensorFlow where that is possible."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.exporting import verify as checking
from results.exporting.reading.loading import LoadedModel
from results.exporting.verify import Task, Verdict

ROWS = np.zeros((3, 2), np.float32)


def tasks(*names: str) -> list[Task]:
    return [Task(name, f"{name}.file", 1e-4) for name in names]


def test_a_file_that_kills_its_process_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def process(waiting: Any, folder: Path) -> str:
        calls.append([task.name for task in waiting])
        with (folder / "verified.jsonl").open("a") as log:
            for task in waiting:
                if task.name == "b":
                    return "exit code -11"
                log.write(json.dumps({"name": task.name, "difference": 0.0, "failure": None}) + "\n")
        return "exit code 0"

    monkeypatch.setattr(checking, "_run", process)
    found = checking.verify(tasks("a", "b", "c"), ROWS, ROWS, tmp_path)
    assert calls == [["a", "b", "c"], ["c"]]
    assert found["a"] == found["c"] == Verdict(0.0, None)
    assert found["b"].failure == "loading or predicting with it ended the process (exit code -11)"


def test_a_file_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "SECONDS", 0.01)
    found = checking.verify(tasks("keras"), ROWS, ROWS, tmp_path)
    assert found["keras"].failure == "loading or predicting with it ended the process (no answer in 0 s)"


def test_the_process_itself_reports_missing_files(tmp_path: Path) -> None:
    found = checking.verify([Task("onnx", str(tmp_path / "model.onnx"), 1e-4)], ROWS, ROWS, tmp_path)
    assert found["onnx"].failure == f"{tmp_path}/model.onnx: no such file or folder"


@pytest.mark.parametrize(
    ("expected", "answer", "units", "passes"),
    [
        ([[0.5]], [[0.50009]], [1.0], True),
        ([[0.5]], [[0.5002]], [1.0], False),
        ([[20000.0]], [[20001.0]], [1.0], True),
        ([[20000.0]], [[20003.0]], [1.0], False),
        # A target that is learnt in units of 20,000 is no more exact near 0.
        ([[30.0, 0.5]], [[31.0, 0.5]], [20000.0, 1.0], True),
        ([[30.0, 0.5]], [[33.0, 0.5]], [20000.0, 1.0], False),
        ([[30.0, 0.5]], [[30.0, 0.5002]], [20000.0, 1.0], False),
        ([[0.5]], [[np.nan]], [1.0], False),
        ([[0.5]], [[0.5, 0.5]], [1.0], False),
    ],
)
def test_tolerance(
    expected: Any, answer: Any, units: list[float], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LoadedModel((2,), 1, lambda rows: np.asarray(answer, np.float32))
    monkeypatch.setattr(checking, "load", lambda *_: model)
    task = {"name": "x", "path": "x", "tolerance": 1e-4, "inputs": None, "several": False, "units": units}
    verdict = checking._check(task, ROWS[:1], np.asarray(expected, np.float32))
    assert (verdict.failure is None) is passes


@pytest.mark.parametrize(
    ("expected", "answer", "told"),
    [
        ([[0.5], [0.5]], [[0.5], [np.nan]], "the file predicts NaN or infinity for 1 of 2 rows"),
        ([[0.5], [0.5]], [[np.inf], [-np.inf]], "the file predicts NaN or infinity for 2 of 2 rows"),
        ([[0.5], [np.nan]], [[0.5], [np.nan]], "the model in memory predicts NaN or infinity for 1 of 2 rows"),
    ],
)
def test_what_is_no_number_is_said_to_be_none(
    expected: Any, answer: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "load", lambda *_: LoadedModel((2,), 1, lambda rows: np.asarray(answer, np.float32)))
    # Rounded files may differ as much as they like.
    task = {"name": "x", "path": "x", "tolerance": math.inf, "inputs": None, "several": False, "units": [1.0]}
    assert checking._check(task, ROWS[:2], np.asarray(expected, np.float32)) == Verdict(None, told)


def test_long_inputs_are_predicted_in_batches() -> None:
    sizes: list[int] = []

    def run(rows: Any) -> Any:
        sizes.append(len(rows))
        return rows[:, :1] * 2

    rows = np.arange(600, dtype=np.float32).reshape(600, 1)
    found = LoadedModel((1,), 1, run).predict(rows)
    assert sizes == [256, 256, 88]
    np.testing.assert_array_equal(found, rows * 2)
