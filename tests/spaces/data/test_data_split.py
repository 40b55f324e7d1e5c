import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.basics.errors import DataError
from spaces.data.split import First, Partition, assign_folds, partition, reduce

LABELS = np.repeat(np.arange(4), [100, 50, 30, 20])
ROWS = np.arange(200)


def parts(found: Partition) -> tuple[list[int], list[int], list[int]]:
    return tuple(ROWS[rows].tolist() for rows in (found.train, found.validation, found.test))  # type: ignore[return-value]


def test_parts_share_no_row_and_keep_the_classes_in_proportion() -> None:
    train, validation, test = parts(partition(LABELS, 0.1, 0.2, seed=0, shuffled=False, classes=True))
    assert sorted(train + validation + test) == ROWS.tolist()
    assert np.bincount(LABELS[test]).tolist() == [20, 10, 6, 4]
    assert np.bincount(LABELS[validation]).tolist() == [10, 5, 3, 2]


def test_one_hot_labels_are_drawn_like_integer_ones() -> None:
    expected = parts(partition(LABELS, 20, 20, seed=3, shuffled=False, classes=True))
    assert parts(partition(np.eye(4)[LABELS], 20, 20, seed=3, shuffled=False, classes=True)) == expected


@pytest.mark.parametrize("held", [(0.2, None), (None, 0.2)])
def test_seed_alone_decides(held: tuple[float | None, float | None]) -> None:
    def drawn(seed: int) -> tuple[list[int], list[int], list[int]]:
        return parts(partition(LABELS, *held, seed=seed, shuffled=False, classes=True))

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)


def test_limit_depends_on_the_seed() -> None:
    kept = [ROWS[reduce(LABELS, 20, seed=seed, classes=True)].tolist() for seed in (5, 5, 6)]
    assert kept[0] == kept[1] != kept[2]


def test_test_part_does_not_depend_on_validation() -> None:
    tests = {
        str(parts(partition(LABELS, size, 30, seed=1, shuffled=False, classes=True))[2]) for size in (10, 0.3, None)
    }
    assert len(tests) == 1


def test_draw_is_not_the_first_rows() -> None:
    train, validation, _ = parts(partition(ROWS, 50, None, seed=0, shuffled=False, classes=False))
    assert validation != list(range(50))
    assert len(train) == 150


def test_first_rows() -> None:
    found = partition(LABELS, First(60), 0.1, seed=0, shuffled=False, classes=True)
    train, validation, test = parts(found)
    assert validation == list(range(60))
    assert len(test) == 20
    assert min(test) >= 60
    assert isinstance(found.validation, slice)
    assert len(train) == 120


@pytest.mark.parametrize("shuffled", [False, True])
def test_the_first_rows_may_test_and_validation_has_the_next_ones(shuffled: bool) -> None:
    train, validation, test = parts(partition(LABELS, 0.1, First(30), seed=0, shuffled=shuffled, classes=True))
    assert test == list(range(30))
    assert (len(validation), min(validation) >= 30, len(train)) == (20, True, 150)
    found = partition(LABELS, First(60), First(30), seed=0, shuffled=shuffled, classes=True)
    assert (found.test, found.validation, found.train) == (slice(0, 30), slice(30, 90), slice(90, 200))


def test_shuffled_rows_are_cut_from_the_end() -> None:
    found = partition(ROWS, 0.1, 0.1, seed=9, shuffled=True, classes=True)
    assert (found.train, found.validation, found.test) == (slice(0, 160), slice(160, 180), slice(180, 200))


@pytest.mark.parametrize("count", [2923, 2925, 3670, 17])
def test_two_fractions_leave_the_training_rows_that_keras_leaves_for_their_sum(count: int) -> None:
    found = partition(np.arange(count), 0.1, 0.1, seed=0, shuffled=True, classes=True)
    assert found.train == slice(0, count - int(0.2 * count))


def test_no_class_is_emptied_by_holding_out() -> None:
    labels = np.repeat(np.arange(10), [91, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    train, _, test = parts(partition(labels, None, 50, seed=0, shuffled=False, classes=True))
    assert set(labels[train]) == set(range(10))
    assert len(test) == 50


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (0.001, None, "data.validation: 0.001 of 200 rows is no row"),
        (10, 0.001, "data.test"),
        (150, 50, "200 rows are held out"),
        (First(200), None, "200 rows are held out"),
        (0.5, First(100), "200 rows are held out"),
        (0.7, 0.5, "held out"),
    ],
)
def test_impossible_sizes(validation: object, test: object, message: str) -> None:
    for shuffled in (False, True):
        with pytest.raises(DataError, match=message):
            partition(LABELS, validation, test, seed=0, shuffled=shuffled, classes=True)  # type: ignore[arg-type]


def test_limit_keeps_every_class() -> None:
    kept = LABELS[reduce(LABELS, 20, seed=0, classes=True)]
    assert np.bincount(kept).tolist() == [10, 5, 3, 2]
    assert np.bincount(LABELS[reduce(LABELS, 4, seed=0, classes=True)]).tolist() == [1, 1, 1, 1]
    assert reduce(LABELS, 1000, seed=0, classes=True) == slice(0, 200)
    assert np.bincount(LABELS[reduce(LABELS, 3, seed=0, classes=True)]).tolist() == [1, 1, 1, 1]


def test_limit_keeps_every_label_where_rows_have_several() -> None:
    generator = np.random.default_rng(0)
    labels = (generator.random((1500, 10)) < [0.4] * 9 + [0.002]).astype(np.float32)
    kept = labels[reduce(labels, 100, seed=0, classes=True)]
    assert len(kept) == 100
    assert (kept.sum(axis=0) > 0).all()
    assert kept[:, :9].mean() == pytest.approx(0.4, abs=0.1)
    assert len(labels[reduce(np.eye(12), 5, seed=0, classes=True)]) == 12


@pytest.mark.parametrize("limit", [30, 7])
def test_limit_keeps_every_class_of_what_is_apart(limit: int) -> None:
    apart = np.concatenate([np.zeros(190, int), np.ones(10, int)])[np.random.default_rng(0).permutation(200)]
    kept = np.arange(200)[reduce(LABELS, limit, seed=0, classes=True, apart=apart)]
    present = np.unique(np.stack([LABELS, apart]), axis=1)
    np.testing.assert_array_equal(np.unique(np.stack([LABELS[kept], apart[kept]]), axis=1), present)
    assert len(kept) == max(limit, present.shape[1])


def test_limit_keeps_every_label_and_what_is_apart_where_rows_have_several() -> None:
    labels = (np.random.default_rng(0).random((1500, 10)) < [0.4] * 9 + [0.002]).astype(np.float32)
    apart = (np.arange(1500) == 700).astype(int) + 2 * (np.arange(1500) == 900)
    kept = np.arange(1500)[reduce(labels, 100, seed=0, classes=True, apart=apart)]
    assert len(kept) == 100
    assert {700, 900} < set(kept.tolist())
    assert (labels[kept].sum(axis=0) > 0).all()


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    held=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 2**32 - 1),
    shuffled=st.booleans(),
    classes=st.booleans(),
)
def test_every_row_has_exactly_one_part(
    sizes: list[int], held: tuple[int, int], seed: int, shuffled: bool, classes: bool
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    if sum(held) >= len(labels):
        return
    found = partition(labels, *held, seed=seed, shuffled=shuffled, classes=classes)
    rows = np.arange(len(labels))
    train, validation, test = (rows[part] for part in (found.train, found.validation, found.test))
    assert (len(validation), len(test)) == held
    assert sorted([*train, *validation, *test]) == rows.tolist()
    if classes and not shuffled and len(train) >= len(sizes):
        assert set(labels[train]) == set(range(len(sizes)))


def test_folds_have_every_class_in_proportion_and_one_size() -> None:
    labels = np.array([0] * 60 + [1] * 33 + [2] * 10)
    parts = assign_folds(labels, 5, seed=3, classes=True)
    assert set(np.bincount(parts)) == {20, 21}
    for label, count in enumerate(np.bincount(labels)):
        shares = np.bincount(parts[labels == label], minlength=5)
        assert shares.max() - shares.min() <= 1, f"{count} rows of class {label}"
    assert (parts == assign_folds(labels, 5, seed=3, classes=True)).all()
    assert (parts != assign_folds(labels, 5, seed=4, classes=True)).any()


def test_a_group_is_in_one_fold() -> None:
    groups = np.repeat(np.arange(12), [1, 9, 3, 4, 8, 2, 2, 6, 5, 3, 7, 10])
    parts = assign_folds(np.zeros(60), 4, seed=0, classes=False, groups=groups)
    assert all(len(set(parts[groups == group])) == 1 for group in range(12))
    assert set(np.bincount(parts)) <= {14, 15, 16}


@pytest.mark.parametrize(("rows", "groups"), [(3, None), (9, np.repeat([0, 1, 2], 3))], ids=["rows", "groups"])
def test_fewer_rows_or_groups_than_folds_are_refused(rows: int, groups: np.ndarray | None) -> None:
    with pytest.raises(DataError, match="4 folds"):
        assign_folds(np.zeros(rows), 4, seed=0, classes=False, groups=groups)


def test_rows_with_the_same_labels_are_drawn_in_proportion() -> None:
    labels = np.array([[1, 1]] * 40 + [[0, 0]] * 40 + [[1, 0]] * 20, np.float32)
    cut = partition(labels, 0.2, None, seed=0, shuffled=False, classes=True)
    assert labels[cut.validation].sum(axis=0).tolist() == [12, 8]
