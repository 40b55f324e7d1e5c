from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from search.errors import RunError
from search.executors import sizing
from search.night import crew
from search.night.session import Options, Session
from search.record import environment
from search.training import cards
from spaces.basics import control_groups
from tests.search import small


def test_each_worker_gets_one_gpu():
    assert sizing.environments(["2", "GPU-8932f937"], 3) == [
        {"CUDA_VISIBLE_DEVICES": "2"}, {"CUDA_VISIBLE_DEVICES": "GPU-8932f937"}, {"CUDA_VISIBLE_DEVICES": "2"},
    ]  # fmt: skip


def test_where_this_process_sees_no_gpu_its_workers_see_none():
    assert sizing.environments([], 2) == [{"CUDA_VISIBLE_DEVICES": "-1"}] * 2
    assert sizing.free([], 2) == []


def test_who_asks_for_gpus_before_anything_is_loaded_loads_tensorflow_as_all_others_do(monkeypatch):
    loaded = []
    cards = SimpleNamespace(get_visible_devices=lambda kind: [SimpleNamespace(name=f"/physical_device:{kind}:3")])
    monkeypatch.setattr(environment, "load_tensorflow", lambda: loaded.append(1))
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=cards))
    assert environment.seen_gpus() == [3]
    assert loaded == [1]


@pytest.mark.parametrize(
    ("seen", "setting", "names"),
    [
        (2, None, ["0", "1"]),
        (2, "2,3", ["2", "3"]),
        (2, " 3 , 1 ", ["3", "1"]),
        (1, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"]),
        # What follows an entry that CUDA does not know is hidden.
        (1, "2,-1,3", ["2"]),
        (2, "0,1,99", ["0", "1"]),
        # Of several MIG devices a process sees the first, but each worker may have one.
        (1, "MIG-a4,MIG-b5", ["MIG-a4", "MIG-b5"]),
        (0, "", []),
        (0, "-1", []),
        (0, "NoDevFiles", []),
        (0, "MIG-a4,MIG-b5", []),
        (0, None, []),
    ],
)
def test_other_peoples_gpus_stay_theirs(seen, setting, names):
    assert environment.gpu_names(range(seen), setting) == names


def test_gpus_that_tensorflow_was_told_to_leave_alone_are_left_alone():
    assert environment.gpu_names([1], None) == ["1"]
    assert environment.gpu_names([1], "4,7") == ["7"]


def test_memory_limits(monkeypatch):
    assert sizing.memory_limit(2, 500) == 500
    monkeypatch.setattr(sizing, "machine_memory", lambda: 16 << 30)
    assert 0 < sizing.memory_limit(1, None) < 16 << 30
    assert sizing.memory_limit(4, None) * 4 == pytest.approx(sizing.memory_limit(1, None), abs=4)
    # What a worker holds that has just begun is no reason to begin another one.
    assert sizing.memory_limit(64, None) == sizing.memory_limit(32, None) > 1_000_000_000


def test_what_a_container_may_have_counts_not_what_the_machine_has(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(str(4 * 2**30))
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "cores", lambda: 8)
    assert sizing.automatic(0) == 2
    assert sizing.memory_limit(1, None) == int(0.6 * 4 * 2**30)


@pytest.mark.parametrize(("quota", "count"), [("max 100000", 8), ("150000 100000", 2), ("1600000 100000", 8), ("", 8)])
def test_what_a_container_may_have_of_the_cores_counts_too(tmp_path, monkeypatch, quota, count):
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert environment.cores() == count


@pytest.mark.parametrize(
    ("own", "files", "count"),
    [
        ("0::/user.slice/night.scope\n", {"user.slice/cpu.max": "200000 100000"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000", "a/b/cpu.max": "50000 100000"}, 1),
        ("4:cpu,cpuacct:/docker/1\n", {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_the_cores_of_every_group_around_the_process_count(tmp_path, monkeypatch, own, files, count):
    (tmp_path / "own").write_text(own)
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)
    monkeypatch.setattr(control_groups, "OWN", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert environment.cores() == count


def test_as_many_workers_as_gpus_or_cores():
    assert sizing.automatic(3) == 3
    assert 1 <= sizing.automatic(0) <= len(os.sched_getaffinity(0))


def test_workers_are_told_absolute_paths_and_where_modules_are(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere"])
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    made = sizing.setups(Path("run"), Path("data"), 1, 2)
    assert len(made) == 2
    assert made[0].run == Path.cwd() / "run"
    assert made[0].data == Path.cwd() / "data"
    assert made[0].path == ("/somewhere", os.getcwd())
    assert sizing.setups(Path("run"), Path("data"), 1, 1, code=())[0].given == {}


def test_workers_share_cards_as_far_as_they_go():
    assert sizing.automatic(2, 0.25) == 8
    assert sizing.automatic(2, 0.3) == 6
    assert sizing.automatic(2, 0.0) == sizing.automatic(0)
    assert sizing.automatic(0, cpus=10_000) == 1
    assert [one["CUDA_VISIBLE_DEVICES"] for one in sizing.environments(["2", "3"], 4, 0.5)] == ["2", "3", "2", "3"]
    assert sizing.environments(["2"], 2, 0.0) == [{"CUDA_VISIBLE_DEVICES": "-1"}] * 2
    assert [made.gpu_share for made in sizing.setups(Path("run"), Path("data"), 1, 2, 0.5)] == [0.5, 0.5]
    assert sizing.setups(Path("run"), Path("data"), 1, 1, 1.0)[0].gpu_share is None


def test_which_gpus_no_worker_holds():
    assert sizing.free(["2", "3", "5"], 2) == [2]
    assert sizing.free(["2", "3"], 8, 0.25) == []
    assert sizing.free(["2", "3"], 3, 0.0) == [0, 1]
    assert sizing.free(["2", "3"], 0) == [0, 1]


def test_jobs_at_hand_grow_with_the_workers():
    assert [sizing.at_hand(workers) for workers in (1, 2, 16, 64, 1000)] == [1, 3, 17, 68, 1062]


def driver(error):
    """CUDA's library on a machine whose first visible GPU, or slice of one, has 40 GiB."""

    def get(card, place):
        card._obj.value = 7 + place
        return 0

    def total(size, card):
        size._obj.value = (40 << 30) * (card.value == 7)
        return 0

    return SimpleNamespace(cuInit=lambda flags: error, cuDeviceGet=get, cuDeviceTotalMem_v2=total)


def test_the_memory_of_the_card_that_a_worker_sees(monkeypatch):
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: driver(0))
    assert cards.limit(0.25) == cards.allowed(40 * 1024, 0.25)
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: driver(100))
    assert cards.limit(0.25) is None

    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cards.ctypes, "CDLL", absent)
    assert cards.limit(0.25) is None


def test_all_who_share_a_card_fit():
    assert 4 * cards.allowed(40_000, 0.25) < 40_000


def test_a_share_of_a_card_in_which_nothing_trains_is_refused_before_a_worker_is_started(monkeypatch):
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: driver(0))
    monkeypatch.setattr(environment, "gpus", lambda: ["0"])
    with pytest.raises(RunError, match=r"--gpus-per-trial 0\.01: of a GPU with 40960 MiB .*: give 0\.02 or more"):
        crew.as_each(None, 0.01, None, elsewhere=False)
    assert crew.as_each(None, 0.02, None, elsewhere=False).gpus == 0.02
    # On a cluster the nodes are asked.
    assert crew.as_each(None, 0.01, None, elsewhere=True).gpus == 0.01


def test_final_models_are_measured_where_nobody_trains():
    assert cards.device(2, sizing.free(["2", "3"], 1)) == "/GPU:1"
    assert cards.device(2, sizing.free(["2", "3"], 2)) == "/CPU:0"
    assert cards.device(0, []) is None
    # Of several MIG devices this process sees the first, which a worker holds.
    assert cards.device(1, sizing.free(["MIG-a4", "MIG-b5"], 1)) == "/CPU:0"


def test_what_is_measured_or_compared_is_computed_where_no_worker_trains(monkeypatch, tmp_path):
    places = []

    @contextlib.contextmanager
    def on(chosen):
        places.append(chosen)
        yield

    monkeypatch.setattr(environment, "gpus", lambda: ["2", "3"])
    monkeypatch.setattr(environment, "seen_gpus", lambda: [0, 1])
    monkeypatch.setattr(cards, "on", on)
    session = Session(tmp_path, small.spec(), Options())
    for beside in (1, 2):
        session._beside = beside
        assert session._apart(lambda first, second: first + second)(3, 4) == 7
    assert places == ["/GPU:1", "/CPU:0"]
