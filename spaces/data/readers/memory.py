"""A bound on what a data file may unpack to, so that a small hostile file cannot fill the memory.

Asked by hand: the system says it in two lines, and psutil knows nothing of a container's limit.
"""

from __future__ import annotations

import contextlib
import os
import resource
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from spaces.basics import control_groups
from spaces.basics.errors import DataError

_SHARE = 0.5
_MEMINFO = Path("/proc/meminfo")
# By version of the control groups; of the first, what the groups within one hold has names of its own.
_LIMITS = {1: "memory.limit_in_bytes", 2: "memory.max"}
_USED = {1: "memory.usage_in_bytes", 2: "memory.current"}
_WITH_INNER = {1: "total_", 2: ""}
# What counts as used, and the kernel takes away first.
_GIVEN_UP = ("active_file", "inactive_file", "slab_reclaimable")
_WITHOUT_INFORMATION = 8 * 2**30
# Address space of a process with TensorFlow in it that has not done anything yet.
_LIBRARIES = 5 * 2**29
_LEAST = 2**28
# Of a value that becomes float32.
_FLOAT = 4


def machine_memory() -> int:
    """Bytes of this machine's memory, or of what the container may have of it if that is less."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        total = _WITHOUT_INFORMATION
    return min([total, *_container_limits()])


def _container_limits() -> list[int]:
    """Bytes that the control groups may have which this process is in: of a container, of a job, of those around it."""
    found = []
    for version, group in control_groups.around("memory"):
        with contextlib.suppress(OSError, ValueError):  # no such group to be seen from here, or "max"
            found.append(int((group / _LIMITS[version]).read_text()))
    return found


def memory_limit() -> int:
    """Bytes that one data set may take: half of the machine's memory, or of what this process may have if that is less.

    The container may limit it, and `ulimit`; of the latter goes what the libraries map for themselves.
    """
    total = machine_memory()
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            total = min(total, max(_LEAST, limit - _LIBRARIES))
    return int(total * _SHARE)


def free_memory(meminfo: Path = _MEMINFO) -> int | None:
    """Bytes that can still be allocated on this machine, or in the container if that is less, None where the system
    does not say."""
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return max(0, min([int(line.split()[1]) * 1024, *_container_room()]))
    except (OSError, ValueError, IndexError):
        return None
    return None


def _container_room() -> list[int]:
    """Bytes that the control groups with a limit may still take."""
    found = []
    for version, group in control_groups.around("memory"):
        with contextlib.suppress(OSError, ValueError):  # as above
            limit, used = (int((group / names[version]).read_text()) for names in (_LIMITS, _USED))
            held = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            given_up = sum(int(held.get(f"{_WITH_INNER[version]}{name}", 0)) for name in _GIVEN_UP)
            found.append(limit - used + given_up)
    return found


def rows_size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes that rows take in memory, as they come or as `check_rows` leaves them, whichever is more.

    Images of whole numbers count as float32: whether all of them fit into uint8 is known when they have been read.

    Args:
        shape: of all rows.
        dtype: type in which they come.
    """
    small = dtype == np.uint8 or dtype.kind == "b"
    return prod(shape) * (dtype.itemsize if small else max(dtype.itemsize, _FLOAT))


def check_size(size: int, where: str, instead: str = "") -> None:
    """Refuses data that would not fit.

    Args:
        size: bytes once unpacked.
        where: file that declares this size.
        instead: what could be done instead, said at the end.

    Raises:
        DataError: the size is above `memory_limit()`.
    """
    limit = memory_limit()
    if size > limit:
        raise DataError(
            f"{where}: holds {_gibibytes(size)} of data, half of the memory ({_gibibytes(limit)}) is allowed{instead}"
        )


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
