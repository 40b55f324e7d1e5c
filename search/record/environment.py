"""The facts about machine and software that a run records, so that its numbers can be understood later."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import socket
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from spaces.basics import control_groups
from spaces.outside.backend import load_tensorflow

# Formats are checked while the next ones are written.
_OWN_THREADS = 2
_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy", "pandas", "scikit-learn", "keras-nightshift")

SLOWEST = 4.0
"""A machine is taken to be at most so many times slower than it was, or than an idle one."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that training depends on; packages that are absent are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package.replace("-", "_")] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in bytes, GPUs and host name. Needs TensorFlow for the GPUs."""
    import tensorflow as tf

    return {
        "cpu": _processor(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "gpus": [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in tf.config.list_physical_devices("GPU")
        ],
        "host": socket.gethostname(),
    }


def gpus() -> list[str]:
    """The GPUs that trainings may use, each as CUDA_VISIBLE_DEVICES has to name it to a process of its own."""
    return gpu_names(seen_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES"))


def seen_gpus() -> list[int]:
    """Numbers of the GPUs that this process itself computes on; of several MIG devices it is the first alone."""
    # What each training may take is judged before anything else loads it.
    load_tensorflow()
    import tensorflow as tf

    return [int(device.name.rpartition(":")[2]) for device in tf.config.get_visible_devices("GPU")]


def gpu_names(seen: Sequence[int], setting: str | None) -> list[str]:
    """Names of GPUs for other processes that are to keep to what this one was given.

    Args:
        seen: Numbers of the GPUs as this process counts them, from 0.
        setting: Its CUDA_VISIBLE_DEVICES: numbers, UUIDs or MIG ids; None if it is not set.
    """
    if setting is None:
        return [str(index) for index in seen]
    entries = [entry.strip() for entry in setting.split(",")]
    if seen and all(entry.startswith("MIG-") for entry in entries):
        # CUDA shows a process only the first of several.
        return entries
    return [entries[index] for index in seen if index < len(entries)]


def cores() -> int:
    """Processor cores that this process may keep busy: those that it is bound to, or its container's share of them."""
    return max(1, min([bound_cores(), *map(math.ceil, _container_shares())]))


def _container_shares() -> list[float]:
    """Cores that the control groups may keep busy which this process is in."""
    found = []
    for version, group in control_groups.around("cpu"):
        files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if version == 1 else ("cpu.max",)
        with contextlib.suppress(OSError, ValueError):  # no such group to be seen from here, or "max"
            quota, period = map(int, " ".join((group / file).read_text() for file in files).split())
            # The first version writes -1 where there is no limit.
            if quota > 0 < period:
                found.append(quota / period)
    return found


def bound_cores() -> int:
    """Processor cores on which this process may run, beside others."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def others(own: int) -> float:
    """How many threads of other programs want a core, over the last minute; 0 where the system does not say.

    Args:
        own: Threads of this program that are at work.
    """
    try:
        return max(0.0, os.getloadavg()[0] - own)
    except OSError:
        return 0.0


def crowded(others: float, cores: int) -> float:
    """How much slower than on an idle machine the end of a night runs beside others, from 1 to 4.

    Args:
        others: Threads that want a core.
        cores: Cores that there are.
    """
    return min(max(1.0, (others + _OWN_THREADS) / cores), SLOWEST)


def slowness(own: int) -> float:
    """How much slower than on an idle machine the end of a night runs here now, from 1 to 4.

    Args:
        own: Threads of this program that are at work.
    """
    return crowded(others(own), bound_cores())


def git(directory: Path) -> dict[str, Any] | None:
    """Commit of the checkout that `directory` is the root of and whether it has uncommitted changes; None otherwise.

    A program that is installed below somebody's own checkout has no commit, and theirs is not its.
    """
    try:
        if Path(_git(directory, "rev-parse", "--show-toplevel")).resolve() != directory.resolve():
            return None
        commit = _git(directory, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(directory, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(directory), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
