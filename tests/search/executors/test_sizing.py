from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from search.executors import sizing


@pytest.mark.parametrize(
    ("cores", "workers", "expected"),
    [
        ([0, 1, 2, 3], 2, [(0, 1), (2, 3)]),
        ([0, 1, 2, 3, 4], 2, [(0, 1), (2, 3, 4)]),
        ([0, 1, 2, 3, 4], 3, [(0,), (1, 2), (3, 4)]),
        ([2, 5], 2, [(2,), (5,)]),
        ([2, 5], 3, [(2,), (5,), (2,)]),
        ([7], 2, [(7,), (7,)]),
        ([0, 1, 2], 1, [(0, 1, 2)]),
    ],
)
def test_shares(cores, workers, expected):
    assert sizing.shares(cores, workers) == expected


def test_shares_are_disjoint_complete_and_fair_where_there_are_enough_cores():
    for count in range(1, 20):
        for workers in range(1, count + 1):
            shares = sizing.shares(list(range(count)), workers)
            assert sorted(core for share in shares for core in share) == list(range(count))
            sizes = [len(share) for share in shares]
            assert max(sizes) - min(sizes) <= 1


def test_each_worker_gets_one_gpu():
    assert sizing.environments(2, 3) == [
        {"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}, {"CUDA_VISIBLE_DEVICES": "0"},
    ]  # fmt: skip
    assert sizing.environments(0, 2) == [{}, {}]


def test_memory_limits():
    assert sizing.memory_limit(2, 500) == 500
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < sizing.memory_limit(1, None) < memory
    assert sizing.memory_limit(4, None) * 4 == pytest.approx(sizing.memory_limit(1, None), abs=4)


def test_as_many_workers_as_gpus_or_cores():
    assert sizing.automatic(3) == 3
    assert 1 <= sizing.automatic(0) <= len(os.sched_getaffinity(0))


def test_workers_are_told_absolute_paths_and_where_modules_are(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere"])
    made = sizing.setups(Path("run"), Path("data"), 1, 2)
    assert len(made) == 2
    assert made[0].run == Path.cwd() / "run"
    assert made[0].data == Path.cwd() / "data"
    assert made[0].path == (os.getcwd(), "/somewhere")
