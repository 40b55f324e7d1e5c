"""What is asked for beside a space, and refused before anything is loaded or made."""

from __future__ import annotations

import numpy as np
import pytest

import search
from search.errors import RunError
from search.night.options import judged


@pytest.mark.parametrize(
    ("workers", "count"), [(None, None), ("auto", None), (0, 0), (3, 3), ("3", 3), (np.int64(2), 2)]
)
def test_a_number_of_workers_is_taken_as_it_is_written(workers, count):
    assert judged(workers, None, None, None) == count


@pytest.mark.parametrize("workers", [-1, "many", "-1", "", 2.0, True, [2]])
def test_what_is_no_number_of_workers_is_refused_before_a_run_begins(tmp_path, workers):
    with pytest.raises(RunError, match="must be a whole number from 0 on, or auto"):
        search.run("digits", workers=workers, run_dir=tmp_path / "run", quiet=True)
    with pytest.raises(RunError, match="must be a whole number from 0 on, or auto"):
        search.resume(tmp_path / "run", workers=workers)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fork": "new"}, "--fork NEW needs --run-dir OLD"),
        ({"run_dir": "new", "cpus_per_trial": float("nan")}, "--cpus-per-trial nan: must be above 0"),
        ({"run_dir": "new", "gpus_per_trial": 7}, "--gpus-per-trial 7: must be from 0 to 1"),
        ({"run_dir": "new", "ray": "nowhere"}, "--ray nowhere: must be local"),
    ],
)
def test_other_options_that_cannot_be_meant_are_too(tmp_path, monkeypatch, options, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=told):
        search.run("digits", quiet=True, **options)
    assert list(tmp_path.iterdir()) == []
