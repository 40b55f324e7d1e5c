"""Room on the disk: what a run expects to need, and what it has taken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from search.errors import DiskError

# Report, exports, logs and the store of an ordinary run.
_BASE_BYTES = 16_000_000


def require(directory: Path, expected: int) -> None:
    """Refuses to begin a run that will not fit.

    Args:
        directory: The run directory, or where it will be.
        expected: Bytes for data and checkpoints.

    Raises:
        DiskError: Less is free than is expected to be needed.
    """
    place = directory
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free, expected + _BASE_BYTES
    if free < needed:
        raise DiskError(
            f"{directory}: the run is expected to need {needed / 2**20:.0f} MiB, only {free / 2**20:.0f} MiB are free"
        )


def used(directory: Path) -> int:
    """Bytes of all files below `directory`."""
    total = 0
    for folder, _, files in os.walk(directory):
        for file in files:
            try:
                total += os.lstat(os.path.join(folder, file)).st_size
            except OSError:
                continue  # It was deleted while we looked.
    return total
