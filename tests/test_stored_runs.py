"""Runs that earlier versions have left behind are read, and go on.

`tests/stored/VERSION` was interrupted by Ctrl-C after a baseline and three configurations of Hyperband. A run that
a new version has to read is added beside it, never written over.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import results
import search
from search.record.trial import TrialKind

STORED = sorted((Path(__file__).parent / "stored").iterdir())


@pytest.fixture(params=STORED, ids=lambda path: path.name)
def stored(request, tmp_path):
    """A copy of a stored run."""
    return Path(shutil.copytree(request.param, tmp_path / "run"))


def test_there_is_one():
    assert "0.1.0" in [path.name for path in STORED]


def test_it_is_read(stored):
    table = results.table(stored)
    assert list(zip(table["name"], table["score"].round(2), strict=True)) == [
        ("small", 0.39), ("2", 0.25), ("1", 0.19), ("0", 0.11),
    ]  # fmt: skip
    assert results.status(stored)["exit"] == "interrupted"
    assert "This run is not finished" in results.report(stored, png=False).with_name("report.md").read_text()


def test_it_goes_on_from_what_was_trained(stored, tensorflow):
    before = search.open_run(stored)
    with before.read() as reader:
        done = {trial.id: trial for trial in reader.trials()}
    with search.resume(stored, workers=0).read() as reader:
        after = {trial.id: trial for trial in reader.trials()}
        assert (reader.meta("exit"), reader.meta("phase")) == ("done", "done")
    for name, trial in done.items():
        assert after[name].outcome.epochs == trial.outcome.epochs
        assert after[name].values == trial.values
    searched = [trial for trial in after.values() if trial.kind is TrialKind.SEARCH]
    assert len(searched) == 6
    # A promoted configuration went on from the checkpoint that the earlier version had left.
    promoted = next(trial for trial in searched if trial.epochs_from > 0)
    assert promoted.configuration in done
