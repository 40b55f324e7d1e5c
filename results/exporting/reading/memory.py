"""How much memory a stranger's model may take, asked before any of it is taken."""

from __future__ import annotations

from pathlib import Path

from results.errors import ResultError
from spaces.data.readers.memory import free_memory, memory_limit

FREE = 64 * 2**20
"""Bytes that any file may unpack to."""

TIMES = 20
"""How many times its own size a file may unpack to beyond that. Weights are noise: packing hardly shrinks them."""


def check_unpacked(size: int, stored: int, where: Path, what: str) -> None:
    """Refuses what is far larger than the file it is in.

    Args:
        size: Bytes that the file says it unpacks to.
        stored: Bytes of the file itself.
        where: The file.
        what: What unpacks, such as `its weights`.

    Raises:
        ResultError: `size` is above `FREE` plus `TIMES` times `stored`, or does not fit into memory.
    """
    if size > FREE + TIMES * stored:
        raise ResultError(
            f"{where}: refused: {what} would unpack from {mebibytes(stored)} to {mebibytes(size)}; allowed: "
            f"{mebibytes(FREE)}, and {TIMES} times the size of the file"
        )
    check_fits(size, where, what)


def check_fits(size: int, where: Path, what: str) -> None:
    """Refuses what does not fit into memory.

    Raises:
        ResultError: `size` bytes are more than half of the machine's memory, or than is free.
    """
    limit = memory_allowed()
    if size > limit:
        raise ResultError(
            f"{where}: refused: {what} would take {mebibytes(size)} of memory; {mebibytes(limit)} are there"
        )


def memory_allowed() -> int:
    """Bytes that a model may take: half of the machine's memory, or what is free if that is less."""
    free = free_memory()
    return memory_limit() if free is None else min(memory_limit(), free)


def mebibytes(size: int) -> str:
    """A size for people, however large."""
    return f"{max(1, size // 2**20):,} MiB"
