from __future__ import annotations

import pytest

from search.errors import DiskError
from search.files.store import RunStore
from search.loop import housekeeping
from search.record.trial import Checkpoint, TrialKind, TrialState
from tests.search.records import outcome, trial


@pytest.fixture
def run(tmp_path):
    """A store and a way to add ended trials whose checkpoint files exist."""
    with RunStore.create(tmp_path, {}) as store:
        yield store


def checkpoint(run, file, epoch=1):
    path = run.directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    return Checkpoint(file, 100, "00", epoch)


def ended(run, name, score, kind=TrialKind.SEARCH, **changes):
    run.begin(trial(name, kind, **changes))
    state, best = (checkpoint(run, f"trials/{name}/{part}.npz") for part in ("state", "best"))
    run.finish(name, outcome([score], state=state, best=best), 1.0)


def files(run):
    return sorted(p.relative_to(run.directory).as_posix() for p in run.directory.glob("trials/*/*"))


def tidy(run, keep_best=1, held=()):
    return housekeeping.tidy(run.directory, run, run.trials(), "max", keep_best, held)


def test_only_the_best_and_what_may_go_on_keep_their_checkpoints(run):
    for name, score in (("0", 0.5), ("1", 0.9), ("2", 0.7)):
        ended(run, name, score)
    assert tidy(run, held=["2"]).keys() == {"0", "1"}
    assert files(run) == ["trials/1/best.npz", "trials/2/best.npz", "trials/2/state.npz"]
    assert not (run.directory / "trials/0").exists()
    assert (run.trial("0").outcome.state, run.trial("0").outcome.best) == (None, None)
    assert run.trial("1").outcome.best.file == "trials/1/best.npz"
    assert run.trial("0").outcome.score == 0.5, "the score is kept"
    assert tidy(run, held=["2"]) == {}


def test_the_store_forgets_before_a_file_is_deleted(run, monkeypatch):
    ended(run, "0", 0.5)
    ended(run, "1", 0.9)
    monkeypatch.setattr(housekeeping, "_delete", lambda path: pytest.fail("deleted") if _known(run, path) else None)
    tidy(run)


def test_what_the_run_ends_with_is_kept_though_others_are_better(run):
    for name, score in (("0", 0.5), ("1", 0.9), ("2", 0.7)):
        ended(run, name, score)
    assert run.chosen() == set()
    found = {"measure": "accuracy", "together": 0.9, "alone": 0.8, "rows": 10}
    run.put_meta(winner="0", ensemble={"trials": ["0", "2"], **found})
    tidy(run, held=run.chosen())
    assert [run.trial(name).outcome.best is not None for name in "012"] == [True, True, True]


def _known(run, path):
    recorded = {c.file for t in run.trials() for c in (t.outcome.state, t.outcome.best) if c}
    return path.relative_to(run.directory).as_posix() in recorded


def test_what_a_running_trial_goes_on_from_is_kept(run):
    ended(run, "0", 0.5)
    ended(run, "1", 0.9)
    run.begin(trial("2", configuration="0", parent="0", epochs_from=1))
    tidy(run)
    assert "trials/0/state.npz" in files(run)


def test_a_best_checkpoint_that_a_promotion_shares_is_kept_once(run):
    ended(run, "0", 0.9)
    shared = run.trial("0").outcome.best
    run.begin(trial("1", configuration="0", parent="0", epochs_from=1))
    run.finish("1", outcome([0.4], 2, score=0.9, best_epoch=1, best=shared), 2.0)
    tidy(run)
    assert files(run) == ["trials/0/best.npz"]


@pytest.mark.parametrize("kind", [TrialKind.BASELINE, TrialKind.CANDIDATE, TrialKind.WINNER])
def test_baselines_and_final_models_keep_everything(run, kind):
    ended(run, "x", 0.1, kind)
    ended(run, "0", 0.9)
    ended(run, "1", 0.8)
    tidy(run)
    assert {"trials/x/best.npz", "trials/x/state.npz"} <= set(files(run))


def test_files_that_no_record_mentions_are_swept(run):
    ended(run, "0", 0.5)
    checkpoint(run, "trials/0/.state.npz.123")
    checkpoint(run, "trials/killed/state.npz")
    housekeeping.sweep(run.directory, run)
    assert files(run) == ["trials/0/best.npz", "trials/0/state.npz"]


def test_an_interrupted_trial_keeps_its_state_in_a_sweep(run):
    run.begin(trial("0"))
    run.interrupt("0", outcome([0.5], state=checkpoint(run, "trials/0/state.npz")))
    housekeeping.sweep(run.directory, run)
    tidy(run)
    assert files(run) == ["trials/0/state.npz"]
    assert run.trial("0").state is TrialState.RUNNING


def test_a_disk_with_too_little_room_is_refused_before_the_run_begins(tmp_path):
    from search.loop import disk

    disk.require(tmp_path / "not" / "yet", 0)
    with pytest.raises(DiskError, match=r"only .* MiB are free"):
        disk.require(tmp_path / "not" / "yet", 1 << 60)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(1000))
    assert disk.used(tmp_path) == 1000


def test_over_the_limit_only_the_very_best_keeps_its_weights(run):
    for name, score in (("0", 0.5), ("1", 0.9), ("2", 0.7)):
        ended(run, name, score)
        for part in ("state", "best"):
            (run.directory / f"trials/{name}/{part}.npz").write_bytes(bytes(1 << 20))

    def keep_within(limit):
        return housekeeping.keep_within(limit, run.directory, run, run.trials(), "max", ())

    assert keep_within(1 << 30) == {}
    assert len(files(run)) == 6
    assert keep_within(3 << 20).keys() == {"0", "1", "2"}
    assert files(run) == ["trials/1/best.npz"]
    with pytest.raises(DiskError, match=r"more than limits\.disk of 1\.0 MB"):
        keep_within(1 << 20)
