"""How many workers, and what each of them gets of the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from search.executors.protocol import Setup
from search.record import environment
from spaces.outside import given, launch

_MAX_AUTO = 8
# A worker with TensorFlow loaded and a small network.
_WORKER_BYTES = 1_200_000_000
# Share of the machine's memory that all workers may hold together before they are replaced.
_MEMORY_SHARE = 0.6


def automatic(gpus: int) -> int:
    """As many workers as the machine has GPUs, or else cores, as far as its memory allows."""
    if gpus:
        return gpus
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(environment.cores(), _MAX_AUTO, int(_MEMORY_SHARE * memory / _WORKER_BYTES)))


def memory_limit(workers: int, limit: int | None) -> int:
    """Resident bytes after which a worker is replaced: `limit`, or its share of the machine."""
    if limit is not None:
        return limit
    return int(_MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / workers)


def setups(run: Path, data: Path, threads: int, workers: int) -> list[Setup]:
    """What each of `workers` workers is told.

    None is bound to cores of its own: when one has nothing to do, the threads of the others take its place.
    """
    path = launch.module_path(sys.path, getattr(sys.modules["__main__"], "__file__", None), os.getcwd())
    return [Setup(run.resolve(), data.resolve(), threads, path, given.packed())] * workers


def environments(gpus: Sequence[str], workers: int) -> list[dict[str, str]]:
    """Environment of each worker: one GPU each, where there are any; more workers than GPUs share them in turn.

    Args:
        gpus: Their names as CUDA_VISIBLE_DEVICES takes them.
        workers: How many workers.
    """
    return [{"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {} for index in range(workers)]
