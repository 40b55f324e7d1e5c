"""Whether a model fits into memory, found out before anything is allocated.

The kernel grants allocations it cannot keep and kills the process later, so asking first is the only way in which an
oversized model costs one failed configuration rather than the worker that tried it.
"""

from __future__ import annotations

from pathlib import Path

from spaces.data.readers.memory import free_memory

# Weights, their gradients, and two slots of an optimizer such as Adam.
_COPIES = 4
_BYTES = 4
_MEMINFO = Path("/proc/meminfo")


def needed(parameters: int) -> int:
    """Bytes that training takes for parameters alone, activations not counted."""
    return parameters * _BYTES * _COPIES


def available() -> int | None:
    """Bytes that can still be allocated on this machine, or in the container if that is less, None where the system
    does not say."""
    return free_memory(_MEMINFO)
