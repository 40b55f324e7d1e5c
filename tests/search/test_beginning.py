"""In which folders a run begins: never where it would write over, or later delete, what it has not made."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest

import spaces
from search import api
from search.api import run_directory
from search.budget import Budget
from search.clock import SystemClock
from search.errors import DiskError, NightEnded, RunError, SearchFailed
from search.executors.timing import Speed
from search.files import layout
from search.files.lock import RunLock
from search.files.log import Log
from search.files.store import RunReader, RunStore
from search.night import detached, rehearsal, reproduce
from search.night.session import Options, Session
from search.phases import evaluation
from search.phases.schedule import Planned
from tests.search import small
from tests.search.records import outcome, trial
from tests.search.simulation import SimulatedClock
from tests.search.test_door import DATA

USERS = ("data/photos/a.jpg", "trials/patient-7/scan.csv", "rows/x.bin", "features/f.npy", "space.yaml", "export/m")


def begin(folder):
    Session(folder, small.spec(), Options()).go()


def run_of_long_ago(folder, **facts):
    """A search of which only time is the end, and that time is over."""
    spec = small.spec(search={"algorithm": "random", "max_trials": None})
    RunStore.create(folder, {"phase": "search", **facts}).close()
    (folder / layout.SPACE).write_text(spaces.dump(spec))
    return spec


@pytest.mark.parametrize("phase", ["final", "done"])
def test_a_run_whose_search_is_over_goes_on_without_a_time_for_it(tmp_path, phase, monkeypatch):
    """Said again with `--run-dir`, as by `resume`; unless more is to be searched."""
    monkeypatch.setattr(api, "_go", lambda directory, *_: directory)
    spec = run_of_long_ago(tmp_path / "run", phase=phase)
    assert api.run(spec, run_dir=tmp_path / "run") == api.resume(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run" / layout.SPACE).write_text(spaces.dump(spaces.load(spec, ["search.max_trials=5"])))
    with pytest.raises(RunError, match="goes on for ever"):
        api.run(spec, run_dir=tmp_path / "run")


def test_a_search_whose_time_is_over_is_refused_with_that(tmp_path):
    run_of_long_ago(tmp_path / "run", until=1000.0)
    with pytest.raises(RunError, match=r"^the time that was promised for this run is over, and .* for ever.*--budget"):
        api.resume(tmp_path / "run")


@pytest.mark.parametrize(("passed", "left"), [(0.0, 300.0), (299.0, 1.0), (301.0, None)])
def test_what_was_promised_is_held_against_the_clock_of_the_night(tmp_path, passed, left):
    clock = SimulatedClock(1_000_000_000.0)
    run_of_long_ago(tmp_path / "run", until=clock.now() + 300.0, budget=600.0)
    clock.pass_time(passed)
    assert api.going_on(tmp_path / "run", Budget(clock=clock)).left == left


@pytest.mark.parametrize("name", USERS)
def test_a_folder_with_files_of_somebody_else_is_refused_and_stays_as_it_is(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=rf"is not empty: it holds no run, but {name.split('/')[0]},"):
        begin(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


def test_a_run_does_not_begin_where_nobody_knows_which_way_its_monitor_improves(tmp_path):
    spec = spaces.load({
        "name": "mine",
        "data": {"source": "digits"},
        "model": {"family": {"python": f"{tmp_path}/mine.py:build"}},
        "training": {"epochs": 3, "batch_size": 16, "early_stopping": {"monitor": "val_roc", "patience": 1}},
        "search": {"algorithm": "random", "max_trials": 2, "objective": "val_loss"},
    })  # fmt: skip
    with pytest.raises(spaces.SpaceError, match="direction of 'val_roc' is not known"):
        Session(tmp_path / "run", spec, Options()).go()
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_begin_with_a_space_that_no_file_may_hold(tmp_path):
    spec = spaces.load({
        "name": "mine",
        "data": {"source": "digits"},
        "model": {"family": "mlp", "layers": 0},
        "training": {"epochs": 1},
        "baselines": [{"name": "long", "description": "x" * 300_000}],
    })  # fmt: skip
    with pytest.raises(
        spaces.SpaceError, match=r"run/space\.yaml: is too large for a space file; allowed: at most 256"
    ):
        Session(tmp_path / "run", spec, Options()).go()
    assert not (tmp_path / "run").exists()


def test_a_link_to_nowhere_is_somebody_elses_too(tmp_path):
    (tmp_path / layout.SPACE).symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is not empty"):
        begin(tmp_path)


@pytest.mark.parametrize("phase", ["search", "done"])
def test_of_a_run_that_is_done_nothing_is_announced_to_go_on(tmp_path, phase):
    run_of_long_ago(tmp_path, phase=phase)
    holds = f"""printf '{{"host": "here", "pid": %d}}' $$ > '{tmp_path / layout.LOCK}'; sleep 0.5"""
    night = detached.start(["/bin/sh", "-c", holds], tmp_path, 30.0)
    assert (night is None) == (phase == "done")


@pytest.mark.parametrize("edited", ["search.algorithm=random", "search.seed=4"])
def test_a_run_whose_own_file_says_now_that_its_trials_are_chosen_otherwise_does_not_go_on(tmp_path, edited):
    objective = {"name": "val_accuracy", "direction": "max"}
    facts = {"data": DATA, "objective": objective, "algorithm": "hyperband", "seed": 3}
    RunStore.create(tmp_path, facts).close()
    for changes in ([], ["search.max_trials=9"]):
        (tmp_path / layout.SPACE).write_text(spaces.dump(spaces.load(small.spec(), changes)))
        Session(tmp_path, small.spec(), Options())._require_ours()
    key, _, value = edited.partition("=")
    (tmp_path / layout.SPACE).write_text(spaces.dump(spaces.load(small.spec(), [edited])))
    with pytest.raises(RunError, match=f"has been edited since the run began; {key}: {facts[key[7:]]} -> {value}"):
        Session(tmp_path, small.spec(), Options())._require_ours()


def test_a_run_whose_data_are_not_where_they_were_says_how_it_goes_on(tmp_path):
    spec = small.spec(data={"source": {"npz": str(tmp_path / "gone.npz")}})
    for begun, told in ((None, False), (spaces.DataInfo.from_json(DATA["info"]), True)):
        with pytest.raises(spaces.DataError, match=r"gone\.npz") as refused:
            Session(tmp_path, spec, Options())._load(begun)
        how = f"run-search run {tmp_path / layout.SPACE} --run-dir {tmp_path} --set data.source.npz=PATH"
        assert (how in str(refused.value)) is told


def test_training_again_says_too_how_a_run_goes_on_whose_data_are_not_where_they_were(tmp_path, monkeypatch):
    spec = small.spec(data={"source": {"npz": str(tmp_path / "gone.npz")}})
    facts = {"data": DATA, "objective": {"name": "val_accuracy", "direction": "max"}}
    with RunStore.create(tmp_path, facts) as store:
        store.begin(trial("0"))
        store.finish("0", outcome([0.5]), 1.0)
    (tmp_path / layout.SPACE).write_text(spaces.dump(spec))
    monkeypatch.setattr(reproduce, "require_agreement", lambda *_: None)
    monkeypatch.setattr(reproduce.threads, "configure", lambda _: None)
    with pytest.raises(spaces.DataError, match=r"gone\.npz: .* --set data\.source\.npz=PATH` goes on with them"):
        reproduce.reproduce(tmp_path, "0")


@pytest.mark.parametrize("name", ["venv/bin/python", "trials/0"])
def test_a_run_does_not_begin_where_a_link_leads_out_which_would_cost_its_export_and_report(tmp_path, name):
    folder = tmp_path / "project"
    link = folder / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path)
    # So that `trials` counts as what a start that failed has left.
    (folder / layout.MAKING).write_text("")
    with pytest.raises(RunError, match=f"{name}: a link that leads out of the run directory"):
        begin(folder)


@pytest.mark.parametrize("check", [True, False])
def test_a_run_to_begin_with_that_is_not_there_is_told_before_anything_is_loaded(tmp_path, check):
    spec = small.spec(search={"algorithm": "freeze-thaw", "warm_start": [str(tmp_path / "gone")]})
    with pytest.raises(RunError, match="gone"):
        Session(tmp_path / "run", spec, Options(check=check)).go()
    assert list(tmp_path.iterdir()) == []


def test_what_a_start_that_failed_has_left_is_not_in_the_way(tmp_path):
    for name in (layout.LOCK, layout.OUTPUT, f"{layout.ROWS}/rows-0a1b.npy", "model.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert layout.in_the_way(tmp_path) == []
    for name in (layout.MAKING, layout.SPACE, "trials/old-0/best.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert layout.in_the_way(tmp_path) == []
    (tmp_path / layout.DATA).mkdir()
    assert layout.in_the_way(tmp_path) == [layout.DATA]
    assert layout.in_the_way(tmp_path / "nowhere") == []


@pytest.mark.parametrize("how", ["link", "pipe", "folder"])
def test_what_a_night_in_the_background_prints_goes_into_a_file_of_its_own(tmp_path, how):
    run, outside = tmp_path / "run", tmp_path / "outside.txt"
    run.mkdir()
    outside.write_text("mine\n")
    output = run / layout.OUTPUT
    {"link": lambda: output.symlink_to(outside), "pipe": lambda: os.mkfifo(output), "folder": output.mkdir}[how]()
    with pytest.raises(RunError, match=layout.OUTPUT):
        detached.start(["/bin/echo", "written by the night"], run, 1.0)
    assert outside.read_text() == "mine\n"


def test_what_it_prints_comes_after_what_was_printed_before(tmp_path):
    (tmp_path / layout.OUTPUT).write_text("before\n")
    detached.start(["/bin/echo", "now"], tmp_path, 5.0)
    assert (tmp_path / layout.OUTPUT).read_text() == "before\nnow\n"
    with pytest.raises(NightEnded, match=r"^no such space$"):
        detached.start(["/bin/sh", "-c", "echo 'error: no such space' >&2; exit 2"], tmp_path, 5.0)


def test_of_a_night_in_the_background_that_never_began_nothing_is_left_but_what_is_not_told(tmp_path):
    def printed(what):
        with pytest.raises(NightEnded):
            detached.start(["/bin/sh", "-c", f"{what}; exit 2"], tmp_path, 5.0)
        return sorted(path.name for path in tmp_path.iterdir())

    assert printed("echo 'error: no such space'") == []
    assert printed("printf %3000s x") == [layout.OUTPUT]
    (tmp_path / layout.OUTPUT).write_text("")
    assert printed("echo short") == [layout.OUTPUT], "it was there before"


@pytest.mark.parametrize(("does", "code"), [("exit 1", 1), ("exit 2", 2), ("exit 130", 130), ("kill -9 $$", 137)])
def test_a_night_in_the_background_that_ends_at_once_has_its_own_exit_code(tmp_path, does, code):
    with pytest.raises(NightEnded, match=f"exit code {code}") as ended:
        detached.start(["/bin/sh", "-c", does], tmp_path, 30.0)
    assert ended.value.code == code
    assert detached.start(["/bin/sh", "-c", "exit 0"], tmp_path, 30.0) is None


def test_an_interrupt_before_anybody_is_told_of_a_night_ends_it(tmp_path, monkeypatch):
    begun = []

    def interrupt(process, directory):
        begun.append(process)
        raise KeyboardInterrupt

    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **o: started.append(popen(*a, **o)) or started[0])
    monkeypatch.setattr(detached, "_works_on", interrupt)
    with pytest.raises(KeyboardInterrupt):
        detached.start(["/bin/sleep", "600"], tmp_path, 30.0)
    night = started[0]
    try:
        assert night.wait(timeout=30) == -signal.SIGTERM
    finally:
        night.kill()
    assert begun == [night.pid]


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told_as_one_wherever_a_run_writes(tmp_path, monkeypatch):
    session = Session(tmp_path / "run", small.spec(), Options())
    for write, broken in (
        (lambda: Log(tmp_path, SystemClock()), "search.files.log.os.open"),
        (lambda: detached.start(["true"], tmp_path, 1.0), "search.files.plain.os.open"),
        (lambda: evaluation._write(tmp_path / "rows.npz", x=np.zeros(3)), "search.files.atomic.os.fsync"),
        (session._write_space, "search.files.atomic.os.fsync"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(broken, full)
            with pytest.raises(DiskError, match="cannot be written"):
                write()


def test_a_disk_that_would_lose_a_run_is_refused_before_anything_is_trained(tmp_path, monkeypatch):
    def unfit(_):
        raise RunError("this disk has no file locks")

    monkeypatch.setattr("search.night.session.require_fit", unfit)
    with pytest.raises(RunError, match="no file locks"):
        begin(tmp_path / "run")
    assert not layout.is_run(tmp_path / "run")


def test_the_log_takes_names_that_are_no_text(tmp_path):
    log = Log(tmp_path, SystemClock())
    log.line("caf\udce9.png")
    log.close()
    assert (tmp_path / "log.txt").read_text().endswith(" caf\\udce9.png\n")


def test_runs_that_begin_in_the_same_second_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("search.api.time.strftime", lambda _: "20261127-220000")
    spec = small.spec()
    with run_directory(None, spec) as first, run_directory(None, spec) as second:
        assert [first.name, second.name] == ["tiny-20261127-220000", "tiny-20261127-220000-2"]
        (first / "log.txt").touch()
    assert (first.exists(), second.exists()) == (True, False), "nothing is left of one that never began"
    with run_directory("given", spec) as given:
        given.mkdir()
    assert given.exists()


def test_of_a_start_that_failed_with_the_folder_in_hand_no_folder_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SearchFailed), run_directory(None, small.spec()) as directory, RunLock(directory):
        raise SearchFailed("no model of this space can be trained")
    assert list(tmp_path.iterdir()) == []
    with run_directory(None, small.spec()) as directory, RunLock(directory):
        (directory / layout.STORE).touch()
    assert (directory / layout.LOCK).exists()


@pytest.mark.parametrize("name", ["x" * 300, f"{'y' * 300}/z"])
def test_a_name_that_no_disk_takes_is_told(tmp_path, name):
    assert not layout.is_run(tmp_path / name)
    with pytest.raises(RunError, match=r"cannot be read \(File name too long\)"):
        RunReader(tmp_path / name)
    with pytest.raises(RunError, match=r"cannot be written \(File name too long\)"):
        begin(tmp_path / name)


@pytest.mark.parametrize(("workers", "seconds"), [(1, 240.0 + 280.0 + 10.0), (100, 20.0 + 20.0 + 10.0)])
def test_no_number_of_workers_makes_a_search_shorter_than_its_longest_trainings(workers, seconds):
    spec = small.spec(final={"candidates": 3, "seeds": 4}, training={"epochs": {"min": 1, "max": 9}})
    models = [
        rehearsal.CheckedModel("sample 1", {}, 10, 9, Speed(1.0, 1.0, ()), None),
        *(rehearsal.CheckedModel(f"baseline {n}", {}, 10, 19, Speed(1.0, 1.0, ()), None) for n in (1, 2)),
    ]
    found = rehearsal._expected_seconds(spec, models, Planned(40, 160), workers)
    assert found == pytest.approx(seconds)


@pytest.mark.parametrize(("validation", "times"), [(0.2, 1), ({"folds": 3}, 4)])
def test_what_a_frozen_backbone_makes_of_the_rows_is_expected_once(validation, times):
    spec = small.spec(data={"validation": validation}, final={"candidates": 1, "seeds": 1}, training={"epochs": 9})
    speeds = [Speed(1.0, 1.0, (), {"small": 60.0}), Speed(1.0, 1.0, (), {"small": 50.0}), Speed(1.0, 1.0, ())]
    models = [rehearsal.CheckedModel(f"sample {n}", {}, 10, 9, speed, None) for n, speed in enumerate(speeds, 1)]
    without = [replace(model, speed=speeds[2]) for model in models]
    expected = rehearsal._expected_seconds(spec, without, Planned(40, 160), 1)
    assert rehearsal._expected_seconds(spec, models, Planned(40, 160), 1) == pytest.approx(expected + times * 60.0)


def test_a_model_that_hangs_while_it_is_built_does_not_keep_a_night_from_beginning(monkeypatch):
    monkeypatch.setattr(spaces, "count_parameters", lambda *_: time.sleep(60))
    for limit in ("_LONGEST_BUILD", "_LEAST_BUILD"):
        monkeypatch.setattr(f"search.night.workforce.{limit}", 0.02)
    spec = small.spec()
    settings = spaces.configure(spec, spaces.extremes(spec)[0])
    found = rehearsal._checked(spec, spaces.load_data(spec), "largest", settings, timed=True, left=3600.0)
    assert (found.problem, found.speed) == ("TimeoutError: took longer than 20 ms", None)


def test_a_layer_that_ends_the_process_is_a_problem_of_its_model(monkeypatch):
    def leave(*_):
        raise SystemExit("enough")

    monkeypatch.setattr(spaces, "count_parameters", leave)
    spec = small.spec()
    settings = spaces.configure(spec, spaces.extremes(spec)[0])
    found = rehearsal._checked(spec, spaces.load_data(spec), "smallest", settings, timed=False)
    assert found.problem == "SystemExit: enough"
