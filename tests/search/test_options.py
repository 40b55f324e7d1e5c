"""What is asked for beside a space, and refused before anything is loaded or made."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import search
from search import api
from search.errors import RunError
from search.executors.here import executor_here
from search.files.store import RunStore
from search.night import options
from search.night.options import judged, require_width
from search.training.reuse import switch
from tests.search import small


@pytest.mark.parametrize(
    ("workers", "count"),
    [
        (None, None),
        ("auto", None),
        (0, 0),
        (3, 3),
        ("3", 3),
        (np.int64(2), 2),
        pytest.param("3".zfill(5000), 3, id="3"),
    ],
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
        ({"run_dir": "old", "fork": "./old/"}, "--fork ./old/: is the run to learn from, which stays as it is"),
        ({"run_dir": "new", "cpus_per_trial": float("nan")}, "--cpus-per-trial nan: must be above 0"),
        ({"run_dir": "new", "cpus_per_trial": 8000}, "--cpus-per-trial 8000: must be above 0, at most 4096"),
        ({"run_dir": "new", "workers": 10**30}, "--workers 10*: at most 10000"),
        ({"run_dir": "new", "workers": "9" * 5000}, "--workers 9*: at most 10000"),
        ({"run_dir": "new", "gpus_per_trial": 7}, "--gpus-per-trial 7: must be from 0 to 1"),
        ({"run_dir": "new", "cpus_per_trial": 1e-320}, "--cpus-per-trial .*: must be no less than 0.0001"),
        ({"run_dir": "new", "gpus_per_trial": 1e-9}, "--gpus-per-trial 1e-09: must be no less than 0.0001"),
        ({"run_dir": "new", "ray": "nowhere"}, "--ray nowhere: must be local"),
        ({"run_dir": "new", "on_interrupt": "Return"}, "on_interrupt 'Return': must be raise or return"),
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
    require_width(spec, tmp_path / "run", 3, True)
    require_width(spec, tmp_path / "run", None, False)
    require_width(small.spec(), tmp_path / "run", None, True)
    with RunStore.create(tmp_path / "run", {}) as store:
        with pytest.raises(RunError, match="give --workers N"):
            require_width(spec, tmp_path / "run", None, True)
        store.put_meta(fixed_workers=2)
        require_width(spec, tmp_path / "run", None, True)


def test_another_cluster_than_rays_needs_a_number_of_workers_in_fixed_order_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="give --workers N"):
        search.run("digits", run_dir="new", executor=_Far, overrides={"search.order": "fixed"}, quiet=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "found"),
    [(None, True), ("1", True), ("Yes", True), ("on", True), ("0", False), ("false", False), ("No", False)],
)
def test_the_sharing_of_functions_is_switched_by_words(monkeypatch, said, found):
    monkeypatch.delenv("NIGHTSHIFT_REUSE", raising=False)
    if said is not None:
        monkeypatch.setenv("NIGHTSHIFT_REUSE", said)
    assert switch.reuse() is found
    # A node of a cluster is told the same, whatever its own environment says.
    assert switch.as_environment() == {"NIGHTSHIFT_REUSE": "1" if found else "0"}


@pytest.mark.parametrize("said", ["", "nein", "2"])
def test_other_words_are_refused_before_a_run_begins(tmp_path, monkeypatch, said):
    monkeypatch.setenv("NIGHTSHIFT_REUSE", said)
    with pytest.raises(RunError, match=f"NIGHTSHIFT_REUSE: found '{said}'; allowed: 1, true, yes, on, 0, false"):
        search.run("digits", run_dir=tmp_path / "run", quiet=True)
    assert list(tmp_path.iterdir()) == []


class _Far:
    """As the executor of a cluster says where it trains."""

    def where(self):
        return {}

    def described(self):
        return "far away"


def _made(place):
    return _Far()


def _told(place):
    return _Far()


_told.elsewhere = True


@pytest.mark.parametrize(
    ("executor", "elsewhere"),
    [(_Far, True), (partial(_Far), True), (_told, True), (_made, False), (executor_here, False), (None, False)],
)
def test_an_executor_that_trains_elsewhere_is_one_without_ray(tmp_path, monkeypatch, executor, elsewhere):
    options = []
    monkeypatch.setattr(api, "_go", lambda directory, spec, told, *others: options.append(told))
    search.run("digits", executor=executor, max_trials=1, run_dir=tmp_path / "run", quiet=True)
    assert [told.elsewhere for told in options] == [elsewhere]


def test_what_makes_no_executor_is_told_before_anything_is_made(tmp_path):
    with pytest.raises(
        TypeError, match=r"executor must be what makes one of a search\.executors\.Place; received 'auto'"
    ):
        search.run("digits", executor="auto", max_trials=1, run_dir=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
