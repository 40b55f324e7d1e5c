"""Splits by a column: whole groups of rows that belong together, or the latest rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.split import Partition, Rows, Size, partition
from spaces.data.types import Array

_TEST_STREAM = 10
_VALIDATION_STREAM = 11


@dataclass(frozen=True)
class Keyed:
    """Rows that are held out by a column.

    Attributes:
        column: its name.
        key: for each row its group, or its time.
        latest: whether the rows with the largest keys are taken; otherwise whole groups are drawn.
        size: a count or a fraction of all rows; groups come as near to it as they can.
    """

    column: str
    key: Array
    latest: bool
    size: int | float


def keyed_partition(
    labels: Array, validation: Size | Keyed | None, test: int | float | Keyed | None, *, seed: int, classes: bool
) -> Partition:
    """Divides rows into training, validation and test part, the test first.

    Args:
        labels: as for `partition`.
        validation: what validates.
        test: what tests; None for no such part.
        seed: of the groups that are drawn, and of parts that no column decides.
        classes: whether the labels are classes.

    Raises:
        DataError: a part would be empty, or training would, or there are too few groups.
    """
    rows, tested = _held(np.arange(len(labels)), labels, test, "test", seed, classes)
    rows, validated = _held(rows, labels, validation, "validation", seed, classes)
    if not len(rows):
        raise DataError(f"data: all {len(labels)} rows are held out for validation and test")
    return Partition(rows, validated, tested)


def _held(
    rows: Array, labels: Array, wanted: Size | Keyed | None, part: str, seed: int, classes: bool
) -> tuple[Array, Array]:
    """(rows left, rows held out), both ascending."""
    if wanted is None:
        return rows, rows[:0]
    if not isinstance(wanted, Keyed):
        plain = int(wanted * len(labels)) if isinstance(wanted, float) else wanted
        cut = partition(labels[rows], plain, None, seed=seed, shuffled=False, classes=classes)
        return rows[_index(cut.train, len(rows))], rows[_index(cut.validation, len(rows))]
    count = int(wanted.size * len(labels)) if isinstance(wanted.size, float) else wanted.size
    if not 0 < count < len(rows):
        raise DataError(f"data.{part}: {count} of {len(rows)} rows cannot be held out")
    key = wanted.key[rows]
    if wanted.latest:
        held = np.zeros(len(rows), bool)
        held[np.argsort(key, kind="stable")[len(rows) - count :]] = True
    else:
        stream = _TEST_STREAM if part == "test" else _VALIDATION_STREAM
        held = np.isin(key, _groups(key, count, np.random.default_rng([seed, stream]), part, wanted.column))
    return rows[~held], rows[held]


def _groups(key: Array, count: int, generator: np.random.Generator, part: str, column: str) -> Array:
    groups, sizes = np.unique(key, return_counts=True)
    if len(groups) < 2:
        raise DataError(f"data.{part}: column {column!r} has one group only, which cannot be divided")
    order = generator.permutation(len(groups))
    totals = np.cumsum(sizes[order])
    taken = 1 + int(np.argmin(np.abs(totals[:-1] - count)))
    return np.asarray(groups[order[:taken]])


def _index(rows: Rows, count: int) -> Array:
    return np.arange(count)[rows]
