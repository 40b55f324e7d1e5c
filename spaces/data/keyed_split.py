"""Splits by a column: whole groups of rows that belong together, or the latest rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.parts import PartName
from spaces.data.split import First, Partition, Rows, Size, count_of, partition
from spaces.data.types import Array

_TEST_STREAM = 10
_VALIDATION_STREAM = 11
# The share of a wanted number of rows that groups may miss it by.
_NEAR = 0.25


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
    labels: Array,
    validation: Size | Keyed | None,
    test: Size | Keyed | None,
    *,
    seed: int,
    classes: bool,
    folds: int = 0,
) -> Partition:
    """Divides rows into training, validation and test part, the test first.

    Args:
        labels: as for `partition`.
        validation: what validates.
        test: what tests; None for no such part.
        seed: of the groups that are drawn, and of parts that no column decides.
        classes: whether the labels are classes.
        folds: of a cross-validation by the groups that the test part is drawn from; 0: there is none.

    Raises:
        DataError: a part would be empty, or training would, or there are too few groups.
    """
    same = isinstance(validation, Keyed) and isinstance(test, Keyed) and validation.column == test.column
    rows, tested = _held(np.arange(len(labels)), labels, test, "test", seed, classes, left=folds or (2 if same else 1))
    rows, validated = _held(rows, labels, validation, "validation", seed, classes)
    if not len(rows):
        raise DataError(f"data: all {len(labels)} rows are held out for validation and test")
    return Partition(rows, validated, tested)


def _held(
    rows: Array,
    labels: Array,
    wanted: Size | Keyed | None,
    part: PartName,
    seed: int,
    classes: bool,
    left: int = 1,
) -> tuple[Array, Array]:
    """(rows left, rows held out), both ascending; of groups, `left` of them are left if there are so many."""
    if wanted is None:
        return rows, rows[:0]
    if not isinstance(wanted, Keyed):
        plain = wanted if isinstance(wanted, First) else count_of(part, wanted, len(labels))
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
        held = np.isin(key, _groups(wanted, key, count, part, seed, left))
    return rows[~held], rows[held]


def _groups(wanted: Keyed, key: Array, count: int, part: PartName, seed: int, left: int) -> Array:
    """Those that are held out, of the rows with these keys."""
    groups, sizes = np.unique(key, return_counts=True)
    if len(groups) < 2:
        every = len(np.unique(wanted.key))
        has = "has one group only" if every < 2 else f"has only one of {every} groups left after the test part"
        raise DataError(f"data.{part}: column {wanted.column!r} {has}, which cannot be divided")
    stream = _TEST_STREAM if part == "test" else _VALIDATION_STREAM
    order = np.random.default_rng([seed, stream]).permutation(len(groups))
    taken = _about(sizes[order], count, max(1, len(groups) - left))
    return np.asarray(groups[order[taken]])


def _about(sizes: Array, count: int, most: int) -> Array:
    """Which groups make about `count` rows, for each whether it is taken: at least one of them, `most` at most.

    The first ones of their random order do, unless one of them is so large that these miss the count by far. Then it is
    those that fit, in their order; or the largest first, where few may be taken and that is not enough.
    """
    taken = np.zeros(len(sizes), bool)
    last = int(np.argmin(np.abs(np.cumsum(sizes[:most]) - count)))
    taken[: last + 1] = True
    for order in (np.arange(len(sizes)), np.argsort(-sizes, kind="stable")):
        if abs(sizes[taken].sum() - count) <= _NEAR * count:
            break
        taken = _fitting(sizes, order, count, most)
    return taken


def _fitting(sizes: Array, order: Array, count: int, most: int) -> Array:
    """Which groups are taken of those that fit, and one more where that is nearer."""
    taken = np.zeros(len(sizes), bool)
    missing, number = count, 0
    for index, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        if size <= missing and number < most:
            taken[index] = True
            missing, number = missing - size, number + 1
    others = np.flatnonzero(~taken)
    nearest = others[np.argmin(np.abs(sizes[others] - missing))]
    if number == 0 or (number < most and abs(sizes[nearest] - missing) < missing):
        taken[nearest] = True
    return taken


def _index(rows: Rows, count: int) -> Array:
    return np.arange(count)[rows]
