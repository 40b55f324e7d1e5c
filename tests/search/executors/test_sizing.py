from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from search.executors import sizing


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
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    made = sizing.setups(Path("run"), Path("data"), 1, 2)
    assert len(made) == 2
    assert made[0].run == Path.cwd() / "run"
    assert made[0].data == Path.cwd() / "data"
    assert made[0].path == ("/somewhere", os.getcwd())
