"""Which rows train, which validate, which test: decided by the seed, the labels and the settings alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.types import Array

Rows = slice | Array  # both select from an array; a slice does it without a copy
_TEST_STREAM = 0
_VALIDATION_STREAM = 1
_LIMIT_STREAM = 2
_FOLDS_STREAM = 3


@dataclass(frozen=True)
class First:
    """The first `count` rows, as classic tutorials hold them out."""

    count: int


Size = int | float | First


@dataclass(frozen=True)
class Partition:
    """Rows of each part, ascending; empty where nothing is held out."""

    train: Rows
    validation: Rows
    test: Rows


def partition(
    labels: Array,
    validation: Size | None,
    test: Size | None,
    *,
    seed: int,
    shuffled: bool,
    classes: bool,
) -> Partition:
    """Divides rows into training, validation and test part.

    Rows in file order are drawn at random, of each class in proportion where there are classes; the test part
    is drawn first, so that it does not depend on `validation`. Shuffled rows are cut instead, as Keras does:
    training, then validation, then test, and the two held-out parts together take the sum of their fractions. The
    first rows are the test part's, then those of validation, where both ask for them.

    Args:
        labels: (n,) integers or numbers, or (n, classes) one-hot rows, or (n, targets).
        validation: a count, a fraction of all n rows, `First`, or None for no such part.
        test: as `validation`.
        seed: 0 or more; the same seed and labels give the same parts.
        shuffled: the rows are in random order already.
        classes: labels are classes.

    Raises:
        DataError: a part would be empty, or training would.
    """
    count = len(labels)
    firsts = [part.count if isinstance(part, First) else 0 for part in (test, validation)]
    validation_size, test_size = _sizes(
        count, *(None if isinstance(part, First) else part for part in (validation, test))
    )
    held = sum(firsts) + validation_size + test_size
    if held >= count:
        raise DataError(f"data: {held} rows are held out for validation and test, there are only {count}")
    tested, validated, rows = np.split(np.arange(count), np.cumsum(firsts))
    if shuffled:
        rest, validation_rows, test_rows = np.split(
            rows, [len(rows) - test_size - validation_size, len(rows) - test_size]
        )
    else:
        strata = _strata(labels) if classes else np.zeros(count, np.intp)
        rest, test_rows = _draw(rows, strata, test_size, np.random.default_rng([seed, _TEST_STREAM]))
        rest, validation_rows = _draw(rest, strata, validation_size, np.random.default_rng([seed, _VALIDATION_STREAM]))
    # Of each two one is empty: a part has the first rows, or others.
    validation_rows, test_rows = np.concatenate([validated, validation_rows]), np.concatenate([tested, test_rows])
    return Partition(_compact(rest), _compact(validation_rows), _compact(test_rows))


def reduce(labels: Array, limit: int, *, seed: int, classes: bool, apart: Array | None = None) -> Rows:
    """At most `limit` rows, of each class in proportion, or one of each class or label where these are more.

    Args:
        labels: as for `partition`.
        limit: the number of rows.
        seed: 0 or more.
        classes: labels are classes.
        apart: a number for each row, of each of which some rows are kept like those of a class; None: there are none.
    """
    rows = np.arange(len(labels))
    if limit >= len(rows):
        return slice(0, len(rows))
    generator = np.random.default_rng([seed, _LIMIT_STREAM])
    strata = _strata(labels) if classes else np.zeros(len(rows), np.intp)
    if apart is not None:
        strata = np.unique(np.stack([strata, apart], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    present = len(np.unique(strata))
    if limit < present and classes and not _one_class_each(labels):
        has = labels > 0 if apart is None else np.hstack([labels > 0, apart[:, np.newaxis] == np.unique(apart)])
        return _compact(np.sort(_with_each(generator.permutation(len(rows)), has, limit)))
    kept, _ = _draw(rows, strata, len(rows) - max(limit, present), generator)
    return _compact(kept)


def _with_each(mixed: Array, has: Array, limit: int) -> Array:
    """The first of mixed rows, the first one that has each label among them."""
    has = has[mixed]
    needed = np.unique(has.argmax(axis=0)[has.any(axis=0)])
    others = np.setdiff1d(np.arange(len(mixed)), needed)
    return np.asarray(mixed[np.concatenate([needed, others[: max(0, limit - len(needed))]])])


def assign_folds(labels: Array, count: int, *, seed: int, classes: bool, groups: Array | None = None) -> Array:
    """The part of a cross-validation that each row belongs to, from 0: of each class in proportion, or whole groups.

    Args:
        labels: as for `partition`.
        count: of parts.
        seed: 0 or more.
        classes: labels are classes.
        groups: the group of each row, all of whose rows are in one part; None: there are none.

    Raises:
        DataError: there are fewer rows, or groups, than parts.
    """
    generator = np.random.default_rng([seed, _FOLDS_STREAM])
    if groups is not None:
        return _group_folds(groups, count, generator)
    if len(labels) < count:
        raise DataError(f"data.validation: {len(labels)} rows cannot be divided into {count} folds")
    strata = _strata(labels) if classes else np.zeros(len(labels), np.intp)
    order = np.concatenate([generator.permutation(np.flatnonzero(strata == kind)) for kind in np.unique(strata)])
    parts = np.empty(len(labels), np.int64)
    # Dealt like cards, one stratum after the other: every part has its share of each, and all are of one size.
    parts[order] = np.arange(len(order)) % count
    return parts


def _group_folds(groups: Array, count: int, generator: np.random.Generator) -> Array:
    names, sizes = np.unique(groups, return_counts=True)
    if len(names) < count:
        raise DataError(
            f"data.validation: {len(names)} groups of rows, those of the test part left out, cannot be divided into "
            f"{count} folds"
        )
    mixed = generator.permutation(len(names))
    filled = np.zeros(count, np.int64)
    parts = np.empty(len(groups), np.int64)
    for index in mixed[np.argsort(-sizes[mixed], kind="stable")]:
        smallest = int(filled.argmin())
        filled[smallest] += sizes[index]
        parts[groups == names[index]] = smallest
    return parts


def _sizes(count: int, validation: int | float | None, test: int | float | None) -> tuple[int, int]:
    test_size = count_of("test", test, count)
    validation_size = count_of("validation", validation, count)
    if isinstance(validation, float) and isinstance(test, float):
        # rounded once, as Keras rounds one fraction: 0.1 and 0.1 leave the same training rows as 0.2
        validation_size = int(round(validation + test, 12) * count) - test_size
    return validation_size, test_size


def count_of(name: str, wanted: int | float | None, count: int) -> int:
    """How many rows a part has that is asked for as a count or as a fraction of `count` rows; None: no such part.

    Raises:
        DataError: it would have none.
    """
    if wanted is None:
        return 0
    size = int(wanted * count) if isinstance(wanted, float) else wanted
    if size < 1:
        raise DataError(f"data.{name}: {wanted} of {count} rows is no row at all")
    return size


def _strata(labels: Array) -> Array:
    if labels.ndim == 1:
        return labels
    if _one_class_each(labels):
        return np.asarray(np.argmax(labels, axis=1))
    # Rows with the same labels belong together.
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)


def _one_class_each(labels: Array) -> bool:
    return labels.ndim == 1 or bool((labels.sum(axis=1) == 1).all())


def _draw(rows: Array, strata: Array, count: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """(rows left, `count` rows drawn), both ascending; no stratum is emptied while others have more."""
    kinds, sizes = np.unique(strata[rows], return_counts=True)
    taken = np.zeros(len(rows), bool)
    for kind, quota in zip(kinds, _quotas(sizes, count), strict=True):
        members = np.flatnonzero(strata[rows] == kind)
        taken[generator.permutation(members)[:quota]] = True
    return rows[~taken], rows[taken]


def _quotas(sizes: Array, count: int) -> Array:
    """Shares of `count` in proportion to `sizes`, by largest remainder, each leaving a member if it can."""
    spare = sizes - 1
    if count > spare.sum():
        spare = sizes
    exact = sizes * (count / sizes.sum())
    quotas = np.minimum(np.floor(exact).astype(np.intp), spare)
    by_remainder = np.argsort(-(exact - np.floor(exact)), kind="stable")
    while missing := count - int(quotas.sum()):
        room = by_remainder[quotas[by_remainder] < spare[by_remainder]]
        quotas[room[:missing]] += 1
    return np.asarray(quotas)


def _compact(rows: Array) -> Rows:
    """A slice where the rows are consecutive."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
