"""How much memory a graphics card has, so that several trainings can share one."""

from __future__ import annotations

import contextlib
import ctypes
import math
from collections.abc import Iterator, Sequence

from search.errors import RunError

_DRIVER = "libcuda.so.1"
_MIB = 1 << 20
# Each process takes some for itself before TensorFlow takes what it is allowed.
_OWN_MIB = 600
# With less TensorFlow has no room for the smallest network and what its operations need besides.
_LEAST_MIB = 64


def limit(share: float) -> int | None:
    """MiB that TensorFlow may take of the first GPU that this process sees, for its share of it.

    Args:
        share: Above 0, below 1.

    Returns:
        None where the driver does not say how much there is.

    Raises:
        RunError: The share is too small for any training.
    """
    total = _total_bytes()
    return None if total is None else allowed(total // _MIB, share)


def device(seen: int, free: Sequence[int]) -> str | None:
    """Where this process computes while others train, as TensorFlow names it.

    Args:
        seen: How many GPUs this process sees.
        free: Which GPUs nobody holds, by their place; this process may not see all of them.

    Returns:
        None where there is nothing to choose.
    """
    if not seen:
        return None
    return next((f"/GPU:{place}" for place in free if place < seen), "/CPU:0")


@contextlib.contextmanager
def on(chosen: str | None) -> Iterator[None]:
    """Inside, what is computed is computed on this device."""
    if chosen is None:
        yield
        return
    import tensorflow as tf

    with tf.device(chosen):
        yield


def allowed(total: int, share: float) -> int:
    """MiB for TensorFlow of a card of so many, so that all who share it fit.

    Raises:
        RunError: The share is too small for any training.
    """
    left = int(total * share) - _OWN_MIB
    if left < _LEAST_MIB:
        least = min(1.0, math.ceil(100 * (_OWN_MIB + _LEAST_MIB + 1) / total) / 100)
        raise RunError(
            f"--gpus-per-trial {share:g}: of a GPU with {total} MiB that is {int(total * share)} MiB, of which CUDA "
            f"takes some {_OWN_MIB} MiB for itself: give {least:g} or more"
        )
    return left


def _total_bytes() -> int | None:
    """Memory of the first GPU that this process sees.

    CUDA itself is asked: what CUDA_VISIBLE_DEVICES names may be a slice of a card, and CUDA counts cards in an order of
    its own, not in that of nvidia-smi.
    """
    try:
        cuda = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    card, size = ctypes.c_int(), ctypes.c_size_t()
    failed = (
        cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(card), 0) or cuda.cuDeviceTotalMem_v2(ctypes.byref(size), card)
    )
    return None if failed else size.value
