"""How many workers, and what each of them gets of the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from search.executors.protocol import Setup
from search.record import environment
from spaces.data.readers.memory import machine_memory
from spaces.outside import given, launch

_MAX_AUTO = 8
# A worker with TensorFlow loaded and a small network.
_WORKER_BYTES = 1_200_000_000
# Share of the machine's memory that all workers may hold together before they are replaced.
_MEMORY_SHARE = 0.6


def automatic(gpus: int, share: float | None = None, cpus: float = 1.0) -> int:
    """As many workers as the machine has GPUs, or shares of them, or else cores, as far as its memory allows.

    Args:
        gpus: GPUs that may be used.
        share: Of a GPU for each worker, from 0 (none) to 1; None: a whole one.
        cpus: Cores for each worker where no GPU is used.
    """
    if gpus and share != 0:
        return gpus * on_one_card(share)
    fitting = int(_MEMORY_SHARE * machine_memory() / _WORKER_BYTES)
    return max(1, min(int(environment.cores() / cpus), _MAX_AUTO, fitting))


def used(gpus: Sequence[str], share: float | None) -> Sequence[str]:
    """Which GPUs workers use: none of them where each has no share of one."""
    return () if share == 0 else gpus


def on_one_card(share: float | None) -> int:
    """How many workers share one GPU, at least 1."""
    return 1 if not share else int(1 / share + 1e-6)


def at_hand(workers: int) -> int:
    """Jobs that are to be at hand for so many workers: one for each, and some that wait where there are several.

    The oracle thinks about those that wait while the others train, so that no worker has to wait for an answer.
    """
    return workers + (max(1, workers // 16) if workers > 1 else 0)


def memory_limit(workers: int, limit: int | None) -> int:
    """Resident bytes after which a worker is replaced: `limit`, or its share of the machine, see `share_of_memory`."""
    if limit is not None:
        return limit
    return share_of_memory(machine_memory(), workers)


def share_of_memory(machine: int, workers: int) -> int:
    """Bytes that each of so many workers may hold on a machine of so many bytes.

    No less than one holds that has just begun: the next one would take as much, after the time to load TensorFlow.
    """
    return max(_WORKER_BYTES, int(_MEMORY_SHARE * machine / workers))


def setups(
    run: Path,
    data: Path,
    threads: int,
    workers: int,
    share: float | None = None,
    code: Collection[str] | None = None,
) -> list[Setup]:
    """What each of `workers` workers is told; of functions that were given, those of these references, or all.

    None is bound to cores of its own: when one has nothing to do, the threads of the others take its place.
    """
    path = launch.module_path(sys.path, getattr(sys.modules["__main__"], "__file__", None), os.getcwd())
    part = share if share is not None and 0 < share < 1 else None
    return [Setup(run.resolve(), data.resolve(), threads, path, part, given.packed(code))] * workers


def environments(gpus: Sequence[str], workers: int, share: float | None = None) -> list[dict[str, str]]:
    """Environment of each worker: one GPU each, where there are any; more workers than GPUs share them in turn.

    Where there are none, this process may have been told to leave those of the machine alone, and so are they.

    Args:
        gpus: Their names as CUDA_VISIBLE_DEVICES takes them.
        workers: How many workers.
        share: Of a GPU for each; 0: they leave the GPUs alone.
    """
    seen = used(gpus, share) or ("-1",)
    return [{"CUDA_VISIBLE_DEVICES": seen[index % len(seen)]} for index in range(workers)]


def free(gpus: Sequence[str], workers: int, share: float | None = None) -> list[int]:
    """Which GPUs no worker holds, by their place in `gpus`.

    Args:
        gpus: As for `environments`.
        workers: How many workers; 0: the search trains in its own process.
        share: As for `environments`.
    """
    held = {one["CUDA_VISIBLE_DEVICES"] for one in environments(gpus, workers, share)}
    return [index for index, gpu in enumerate(gpus) if gpu not in held]
