"""What is asked for beside a space, and refused before anything is loaded or made."""

from __future__ import annotations

import numpy as np
import pytest

import search
from search.errors import RunError
from search.files.store import RunStore
from search.night import options
from search.night.options import judged, require_width
from tests.search import small


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
    ("asked", "told"),
    [
        ({"fork": "new"}, "--fork NEW needs --run-dir OLD"),
        ({"run_dir": "new", "cpus_per_trial": float("nan")}, "--cpus-per-trial nan: must be above 0"),
        ({"run_dir": "new", "gpus_per_trial": 7}, "--gpus-per-trial 7: must be from 0 to 1"),
        ({"run_dir": "new", "ray": "nowhere"}, "--ray nowhere: must be local"),
    ],
)
def test_other_options_that_cannot_be_meant_are_too(tmp_path, monkeypatch, asked, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=told):
        search.run("digits", quiet=True, **asked)
    assert list(tmp_path.iterdir()) == []


def test_fixed_order_on_a_cluster_without_a_number_of_workers_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "require_address", lambda address: None)
    asked = {"ray": "local", "overrides": {"search.order": "fixed"}, "quiet": True}
    for run_dir in (None, "new"):
        with pytest.raises(RunError, match="give --workers N"):
            search.run("digits", run_dir=run_dir, **asked)
    assert list(tmp_path.iterdir()) == []


def test_a_run_in_fixed_order_goes_on_a_cluster_with_the_workers_that_it_began_with(tmp_path):
    spec = small.spec(search={"order": "fixed"})
    require_width(spec, tmp_path / "run", 3, "local")
    require_width(spec, tmp_path / "run", None, None)
    require_width(small.spec(), tmp_path / "run", None, "local")
    with RunStore.create(tmp_path / "run", {}) as store:
        with pytest.raises(RunError, match="give --workers N"):
            require_width(spec, tmp_path / "run", None, "local")
        store.put_meta(fixed_workers=2)
        require_width(spec, tmp_path / "run", None, "local")
