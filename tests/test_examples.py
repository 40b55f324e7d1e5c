"""Every example runs, as its reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


def run(*command, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_are_listed_and_tried_here():
    entries = {path.name for path in EXAMPLES.iterdir() if path.name not in ("README.md", "__pycache__")}
    assert entries == {"own_model", "keras_tuner", "table_in_pandas.py", "stock_tuner.py", "extensions"}
    listed = (EXAMPLES / "README.md").read_text()
    for name in entries:
        assert f"`{name}" in listed


@pytest.mark.night
def test_a_space_file_with_a_model_of_ones_own(tmp_path):
    command = (ROOT / "run_search.py", "run", EXAMPLES / "own_model/space.yaml")
    shown = run(*command, "--run-dir", "mine", "--workers", "0", "--no-check", folder=tmp_path)
    assert "winner: " in shown
    assert (tmp_path / "mine/export/model.keras").is_file()


def test_the_table_as_a_data_frame(tmp_path):
    lines = run(EXAMPLES / "table_in_pandas.py", folder=tmp_path).splitlines()
    assert lines[0].split() == ["rank", "name", "score", "parameters"]
    assert lines[-1].startswith("parameters of the best model: ")
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.night
def test_an_oracle_in_a_stock_tuner(tmp_path):
    assert "best: {'layers': " in run(EXAMPLES / "stock_tuner.py", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
