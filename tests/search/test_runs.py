"""Whole real searches through `search.run`, in this process or in fresh ones."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import search
import spaces
from search import api
from search.files import checkpoint as checkpoints
from search.files import layout
from search.files.store import RunReader, RunStore
from search.loop.observer import Observer
from search.night.crew import Crew
from search.record.trial import FailureReason, TrialKind, TrialState
from tests.search import small
from tests.search.listening import Listener
from tests.search.simulation import table

pytestmark = pytest.mark.usefixtures("tensorflow")

FEW = {"algorithm": "random", "objective": "val_accuracy", "seed": 3, "max_trials": 3}


def trials(run):
    with RunReader(run) as reader:
        return reader.trials()


_SEARCH = """
import json, os, sys
sys.path.insert(0, os.getcwd())
import search
from tests.search import small
search.run(small.spec(search=json.loads(sys.argv[2])), run_dir=sys.argv[1], workers=0, check=False)
"""


def start(folder):
    """A search in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _SEARCH, str(folder), json.dumps(FEW)],
        cwd=Path(__file__).parent.parent.parent, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.night
def test_the_same_search_in_fresh_processes_gives_the_same_table_another_seed_another(tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    assert [process.wait() for process in [start(folder) for folder in folders]] == [0, 0]
    first, second = (table(trials(folder)) for folder in folders)
    assert first == second
    assert len(first) == 4
    search.run(small.spec(search={**FEW, "seed": 4}), run_dir=tmp_path / "other", workers=0, check=False)
    other = table(trials(tmp_path / "other"))
    assert {repr(row[2]) for row in other} != {repr(row[2]) for row in first}
    baseline = {row[1]: row for row in first}["linear"], {row[1]: row for row in other}["linear"]
    assert baseline[0][3] != baseline[1][3], "its seed"
    assert baseline[0][6] != baseline[1][6], "and so its curve"


@pytest.fixture(scope="module")
def searched(tmp_path_factory, tensorflow):
    """A finished search, and what an observer was told."""
    folder = tmp_path_factory.mktemp("searched") / "run"
    listener = Listener()
    final = {"candidates": 2, "seeds": 2}
    search.run(small.spec(search=FEW, final=final), run_dir=folder, workers=0, check=False, observers=[listener])
    return folder, listener


def test_a_search_trains_the_baselines_the_search_the_candidates_and_the_winner(searched):
    run, listener = searched
    kinds = [t.kind for t in trials(run)]
    assert kinds == ([TrialKind.BASELINE] + 3 * [TrialKind.SEARCH] + 4 * [TrialKind.CANDIDATE] + [TrialKind.WINNER])
    assert listener.phases == ["search", "retraining", "final training", "evaluation"]
    assert listener.started_trials == [t.id for t in trials(run)]


def test_each_training_has_a_seed_of_its_own(searched):
    run, _ = searched
    seeds = [t.seed for t in trials(run)]
    assert len(set(seeds)) == len(seeds)


def test_the_candidate_with_the_best_mean_over_fresh_seeds_wins(searched):
    run, _ = searched
    scores: dict[str, list[float]] = {}
    for trial in trials(run):
        if trial.kind is TrialKind.CANDIDATE:
            scores.setdefault(trial.configuration, []).append(trial.outcome.score)
    assert [len(found) for found in scores.values()] == [2, 2]
    best = max(scores, key=lambda name: sum(scores[name]))
    with RunReader(run) as reader:
        winner = reader.trial(reader.meta("winner"))
        assert winner.configuration == best
        assert {e.trial for e in reader.evaluations()} == {winner.id, "baseline-linear"}
        assert all(e.part == "test" for e in reader.evaluations())
    assert winner.kind is TrialKind.WINNER


def test_the_winner_was_trained_on_training_and_validation_rows(searched):
    run, _ = searched
    with RunReader(run) as reader:
        winner = reader.trial(reader.meta("winner"))
    assert not any(name.startswith("val_") for epoch in winner.outcome.epochs for name in epoch.metrics)
    assert winner.outcome.score is None
    assert winner.outcome.last is not None


def test_the_run_directory_has_what_the_design_says(searched):
    run, _ = searched
    for name in (layout.SPACE, layout.STORE, layout.LOG, layout.TENSORBOARD, layout.TEST_ROWS):
        assert (run / name).exists(), name
    assert spaces.load(run / layout.SPACE) == small.spec(search=FEW, final={"candidates": 2, "seeds": 2})
    with RunReader(run) as reader:
        assert reader.meta("versions")["keras"]
        assert reader.meta("data")["rows"]["train"] == 300
        (sitting,) = reader.meta("sessions")
        assert (sitting["reason"], reader.meta("exit"), reader.meta("phase")) == ("done", "done", "done")


def test_going_on_with_a_finished_run_changes_nothing(searched):
    run, _ = searched
    before = trials(run)
    listener = Listener()
    search.resume(run, workers=0, observers=[listener])
    assert trials(run) == before
    assert listener.started_trials == []


def test_lost_checkpoints_of_the_winner_and_a_baseline_are_trained_again_and_their_records_stand(tmp_path, searched):
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    with RunStore(run) as store:
        store.put_meta(phase="final", exit=None, finished=None)
        store._connection.execute("DELETE FROM evaluation")
    with RunReader(searched[0]) as reader:
        measured, records = {e.trial: e.metrics for e in reader.evaluations()}, reader.trials()
    shutil.rmtree(run / layout.TRIALS)
    listener = Listener()
    search.resume(run, workers=0, observers=[listener])
    winner = next(t.id for t in trials(run) if t.kind is TrialKind.WINNER)
    assert listener.started_trials == [winner, "baseline-linear"]
    assert listener.warnings == [
        f"{name}: its checkpoint is lost or damaged; training it again" for name in (winner, "baseline-linear")
    ]
    with RunReader(run) as reader:
        assert {e.trial: e.metrics for e in reader.evaluations()} == measured, "the same seeds give the same models"
        assert reader.meta("exit") == "done"
    assert [(t.id, t.state, t.outcome.score, t.finished) for t in trials(run)] == [
        (t.id, t.state, t.outcome.score, t.finished) for t in records
    ]
    # A run that is done is looked after too.
    (run / next(t.outcome.last for t in trials(run) if t.id == winner).file).write_bytes(b"torn")
    search.resume(run, workers=0, observers=[listener])
    assert listener.started_trials[2:] == [winner]
    with RunReader(run) as reader:
        assert checkpoints.intact(run, reader.trial(winner).outcome.last)


def test_a_winner_that_cannot_be_made_gives_way_to_the_best_model_that_is_kept(tmp_path, searched, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    with RunStore(run) as store:
        made = store.trial(store.meta("winner"))
        chosen = made.configuration
        store.put_meta(phase="final", winner=None, exit=None, finished=None)
        (run / made.outcome.last.file).unlink()
        searched_as = store.trial(chosen).outcome
        for file in (searched_as.best, searched_as.last):
            if file is not None:
                (run / file.file).unlink()
    monkeypatch.setattr("search.phases.winner.FinalModels._train", lambda *_, **__: None)
    listener = Listener()
    search.resume(run, workers=0, observers=[listener])
    with RunReader(run) as reader:
        winner = reader.trial(reader.meta("winner"))
        assert winner.kind in (TrialKind.SEARCH, TrialKind.BASELINE)
        assert winner.configuration != chosen
        assert checkpoints.intact(run, winner.outcome.best)
    name = chosen.removeprefix("baseline-")
    assert ("warning", f"{name}: no model of it was kept, or could be made") in listener.messages


def test_a_damaged_store_and_a_link_that_leads_out_are_refused_before_anything_is_written(tmp_path, searched):
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    with RunStore(run) as store:
        store._connection.execute("UPDATE event SET at = 'noon'")
        store._connection.execute("INSERT INTO event (at, level, message) VALUES ('noon', 'info', 'x')")
    log = (run / layout.LOG).read_bytes()
    with pytest.raises(search.RunError, match="damaged: event: 1: at is 'noon'"):
        search.resume(run, workers=0)
    assert (run / layout.LOG).read_bytes() == log
    with RunStore(run) as store:
        store._connection.execute("DELETE FROM event")
    (tmp_path / "outside").mkdir()
    (run / layout.TRIALS / "zz").symlink_to(tmp_path / "outside")
    with pytest.raises(search.RunError, match="a link that leads out"):
        search.resume(run, workers=0)


def test_a_full_disk_leaves_the_space_file_as_it_was(tmp_path, searched, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    before = (run / layout.SPACE).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("search.files.atomic.os.fsync", full)
    with pytest.raises(search.DiskError, match="cannot be written"):
        search.resume(run, max_trials=4, workers=0)
    assert (run / layout.SPACE).read_bytes() == before


def test_more_trials_later(tmp_path, searched):
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    listener = Listener()
    search.resume(run, max_trials=4, workers=0, observers=[listener])
    searched_trials = [t for t in trials(run) if t.kind is TrialKind.SEARCH]
    assert len(searched_trials) == 4
    assert searched_trials[:3] == [t for t in trials(searched[0]) if t.kind is TrialKind.SEARCH]
    assert ("info", "changed since the run began: search.max_trials: 3 -> 4") in listener.messages
    assert spaces.load(run / layout.SPACE).search.max_trials == 4


def test_a_different_space_is_refused_and_nothing_changes(searched):
    run, _ = searched
    before = trials(run), (run / layout.SPACE).read_text()
    other = small.spec(search=FEW, model={"layers": {"min": 1, "max": 3}})
    with pytest.raises(search.RunError, match=r"model\.layers.*--fork"):
        search.run(other, run_dir=run, workers=0)
    assert (trials(run), (run / layout.SPACE).read_text()) == before


def test_other_data_are_refused(tmp_path, searched):
    import shutil

    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    with RunStore(run) as store:
        store.put_meta(data={**store.meta("data"), "fingerprint": "0" * 64})
    with pytest.raises(spaces.DataError, match="not the data that this run began with"):
        search.resume(run, workers=0)


def test_a_search_in_which_nothing_works_says_why_and_saves_it(tmp_path):
    with pytest.raises(search.SearchFailed, match="first 10 configurations all failed"):
        search.run(
            small.spec(search={**FEW, "max_trials": 20}, baselines=[],
                       training={"learning_rate": {"min": 1e29, "max": 1e30}, "optimizer": "sgd", "momentum": 0.9}),
            run_dir=tmp_path / "run", workers=0, check=False,
        )  # fmt: skip
    found = trials(tmp_path / "run")
    assert len(found) == 10
    assert {t.outcome.failure.reason for t in found} == {FailureReason.NAN}
    with RunReader(tmp_path / "run") as reader:
        assert reader.meta("exit") == "failed"


def test_a_space_in_which_everything_is_too_large_ends_with_one_that_says_so(tmp_path):
    with pytest.raises(search.SearchFailed, match=r"^no configuration gave a score; (\d+) of \1 failed .*oversized"):
        search.run(
            small.spec(search={**FEW, "max_trials": 20}, baselines=[], constraints={"parameters": 10}),
            run_dir=tmp_path / "run", workers=0, check=False,
        )  # fmt: skip
    assert [t.outcome.failure.reason for t in trials(tmp_path / "run")] == [FailureReason.OVERSIZED]


def test_some_failures_are_part_of_the_table(tmp_path):
    run = tmp_path / "run"
    spec = small.spec(
        search={**FEW, "max_trials": 6}, training={"learning_rate": [0.01, 1e30], "optimizer": "sgd", "momentum": 0.9}
    )
    search.run(spec, run_dir=run, workers=0, check=False)
    found = [t for t in trials(run) if t.kind is TrialKind.SEARCH]
    failed = [t for t in found if t.state is TrialState.FAILED]
    assert 0 < len(failed) < len(found)
    assert {t.values["learning_rate"] for t in failed} == {1e30}
    assert {t.outcome.failure.reason for t in failed} == {FailureReason.NAN}


class PowerCut(BaseException):
    pass


class Cut(Observer):
    """Ends the process, as it were, in the first trial of the search."""

    def started(self, trial):
        if trial.kind is TrialKind.SEARCH:
            raise PowerCut


@pytest.mark.night
def test_a_budget_is_kept_also_by_a_resume_after_a_power_cut(tmp_path):
    """Far too many trials for the time: the search ends early enough for what comes after it."""
    import time

    started = time.time()
    spec = small.spec(search={**FEW, "max_trials": None}, final={"candidates": 3, "seeds": 2})
    with pytest.raises(PowerCut):
        search.run(spec, run_dir=tmp_path / "run", workers=0, check=False, budget=30.0, observers=[Cut()])
    run = search.open_run(tmp_path / "run")
    assert started < run.promised < started + 31.0
    search.resume(run, workers=0)
    assert time.time() < run.promised
    with run.read() as reader:
        assert (reader.meta("exit"), reader.meta("search_ended")) == ("done", "deadline")
        assert reader.meta("winner")


def test_a_search_that_never_ends_needs_a_time_also_once_the_promised_one_is_over(tmp_path, searched):
    import shutil
    import time

    spec = small.spec(search={**FEW, "max_trials": None}, final={"candidates": 2, "seeds": 2})
    with pytest.raises(search.RunError, match=r"goes on for ever.*--budget"):
        search.run(spec, run_dir=tmp_path / "new", workers=0)
    run = tmp_path / "run"
    shutil.copytree(searched[0], run)
    (run / layout.SPACE).write_text(spaces.dump(spec))
    with RunStore(run) as store:
        store.put_meta(phase="search", until=time.time() - 1)
    with pytest.raises(search.RunError, match=r"goes on for ever.*--budget"):
        search.resume(run, workers=0)


def test_what_a_notebook_defines_is_trained_in_its_own_process():
    spec = spaces.SearchSpec(**{**small.SPACE, "model": {"family": {"python": "__main__:build"}}, "baselines": []})
    assert api._workers(spec, None) == 0
    assert api._workers(spec, 0) == 0
    assert api._workers(small.spec(), None) is None
    with pytest.raises(search.RunError, match="__main__:build is defined in a notebook or script"):
        search.run(spec, workers=2, budget="1h")


def test_in_fixed_order_a_run_keeps_its_number_of_workers(tmp_path, monkeypatch):
    asked, real = [], Crew.workers
    monkeypatch.setattr(Crew, "workers", lambda crew, count: asked.append(count) or real(crew, 0))
    monkeypatch.setattr(Crew, "unmeasured", lambda *_: pytest.fail("the number is known"))
    spec = small.spec(search={**FEW, "max_trials": 1, "order": "fixed"}, baselines=[])
    search.run(spec, run_dir=tmp_path / "run", workers=2, check=False)
    search.resume(tmp_path / "run", max_trials=2)
    listener = Listener()
    search.resume(tmp_path / "run", max_trials=3, workers=3, observers=[listener])
    assert asked == [2, 2, 3]
    assert any("this run began with 2, and goes on with 3" in text for text in listener.warnings), listener.warnings


def test_stored_runs_without_an_order_go_on_in_free_order(tmp_path):
    run = search.run(small.spec(search={**FEW, "max_trials": 1}), run_dir=tmp_path / "run", workers=0, check=False)
    frozen = run.directory / layout.SPACE
    text = frozen.read_text()
    assert ", order: free}" in text
    frozen.write_text(text.replace(", order: free}", "}"))
    search.resume(run.directory, max_trials=2, workers=0)
    assert sum(trial.kind is TrialKind.SEARCH for trial in trials(run.directory)) == 2
    assert search.open_run(run.directory).spec.search.order == "free"
