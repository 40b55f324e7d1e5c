"""How much memory a graphics card has, so that several trainings can share one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence

_QUERY = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
_WAIT_SECONDS = 20
# Each process takes some for itself before TensorFlow takes what it is allowed.
_OWN_MIB = 600


def limit(share: float) -> int | None:
    """MiB that TensorFlow may take of the first GPU that this process sees, for its share of it.

    Args:
        share: Above 0, below 1.

    Returns:
        None where the driver does not say how much there is.
    """
    try:
        listing = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_WAIT_SECONDS).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    total = total_mib(listing, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return None if total is None else allowed(total, share)


def device(gpus: Sequence[str], free: Sequence[int]) -> str | None:
    """Where this process computes while others train, as TensorFlow names it.

    Args:
        gpus: Those that this process sees.
        free: Which of them nobody holds, by their place.

    Returns:
        None where there is nothing to choose.
    """
    if not gpus:
        return None
    return f"/GPU:{free[0]}" if free else "/CPU:0"


@contextlib.contextmanager
def on(chosen: str | None) -> Iterator[None]:
    """Inside, what is computed is computed on this device."""
    if chosen is None:
        yield
        return
    import tensorflow as tf

    with tf.device(chosen):
        yield


def total_mib(listing: str, setting: str | None) -> int | None:
    """Memory of the first GPU that a process sees.

    Args:
        listing: Lines of number, UUID and MiB, as nvidia-smi prints them.
        setting: CUDA_VISIBLE_DEVICES; None if it is not set.
    """
    wanted = None if setting is None else setting.split(",")[0].strip()
    for line in listing.splitlines():
        number, _, rest = line.partition(",")
        uuid, _, memory = rest.partition(",")
        # CUDA takes the beginning of a UUID for the whole.
        named = wanted is None or wanted == number.strip() or (len(wanted) > 4 and uuid.strip().startswith(wanted))
        if named and memory.strip().isdecimal():
            return int(memory)
    return None


def allowed(total: int, share: float) -> int:
    """MiB for TensorFlow of a card of so many, so that all who share it fit."""
    return max(1, int(total * share) - _OWN_MIB)
