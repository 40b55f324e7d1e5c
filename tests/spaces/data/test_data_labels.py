from typing import Any

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.labels import EncodedLabels, encode_labels
from spaces.data.readers.source import Part, RawData


def raw(y: Any, y_test: Any = None, class_names: tuple[str, ...] | None = None, rows: int | None = None) -> RawData:
    def part(labels: Any, where: str) -> Part:
        labels = np.asarray(labels)
        return Part(np.zeros((len(labels) if rows is None else rows, 2)), labels, where)

    test = None if y_test is None else part(y_test, "rows.npz (test)")
    return RawData("rows", "rows.npz", part(y, "rows.npz (train)"), test=test, class_names=class_names)


def encode(*args: Any, loss: str = "auto", **kwargs: Any) -> EncodedLabels:
    return encode_labels(raw(*args, **kwargs), "classification", loss)


def test_whole_numbers_are_classes() -> None:
    found = encode([0, 2, 1, 2])
    assert (found.labels, found.outputs, found.class_names) == ("integer", 3, ("0", "1", "2"))
    assert found.ys[0].tolist() == [0, 2, 1, 2]
    assert found.ys[0].dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "names", "numbers"),
    [
        ([3, 1, 2], ("1", "2", "3"), [2, 0, 1]),
        ([5.0, 7.0, 5.0], ("5", "7"), [0, 1, 0]),
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        (["rose", "daisy", "rose"], ("daisy", "rose"), [1, 0, 1]),
        ([b"rose", b"daisy"], ("daisy", "rose"), [1, 0]),
        ([True, False], ("0", "1"), [1, 0]),
        ([[4], [2]], ("2", "4"), [1, 0]),
    ],
)
def test_other_labels_become_sorted_classes(labels: Any, names: tuple[str, ...], numbers: list[int]) -> None:
    found = encode(labels)
    assert found.class_names == names
    assert found.ys[0].tolist() == numbers


@pytest.mark.parametrize(
    ("labels", "column", "dtype"),
    [
        ([0, 1, 0], False, "int64"),
        (np.array([[0], [1], [0]], np.uint8), True, "uint8"),
        ([[0.0], [1.0], [0.0]], True, "float32"),
        ([True, False], False, "bool"),
        ([["a"], ["b"]], True, None),
        (np.eye(2), False, None),
    ],
)
def test_the_form_in_which_labels_came_is_known(labels: Any, column: bool, dtype: str | None) -> None:
    found = encode(labels)
    assert (found.column, found.dtype) == (column, dtype)
    assert found.ys[0].ndim == (2 if found.labels == "one-hot" else 1)


def test_the_numbers_that_classes_came_as_are_known() -> None:
    assert encode([3, 8, 4]).values == (3, 4, 8)
    assert encode([1.0, -1.0]).values == (-1, 1)
    assert encode([1, 0], class_names=("10", "20")).values == (0, 1)
    assert encode(["3", "8"]).values == ()


def test_targets_of_a_regression_that_came_as_one_column() -> None:
    found = encode_labels(raw([[1.5], [2.5]]), "regression", "mse")
    assert (found.column, found.dtype, found.ys[0].shape) == (True, None, (2,))
    assert not encode_labels(raw([[1.5, 1], [2.5, 2]]), "regression", "mse").column


def test_parts_share_one_numbering() -> None:
    found = encode(["a", "c", "b"], ["c", "c"])
    assert found.ys[1].tolist() == [2, 2]


def test_one_hot_stays_one_hot() -> None:
    found = encode(np.eye(3, dtype=np.uint8)[[2, 0, 1]], class_names=("a", "b", "c"))
    assert (found.labels, found.outputs, found.class_names) == ("one-hot", 3, ("a", "b", "c"))
    assert found.ys[0].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert found.ys[0].dtype == np.float32


@pytest.mark.parametrize("values", [(-1, 1), (-1, 0, 1), (-2, -1, 0, 1, 2)])
def test_classes_may_lie_around_0(values: tuple[int, ...]) -> None:
    found = encode_labels(raw(list(values) * 3), "classification", "auto")
    assert found.class_names == tuple(map(str, values))
    assert found.ys[0].tolist() == list(range(len(values))) * 3


@pytest.mark.parametrize(("labels", "outputs", "shape"), [([1, 2, 3], 1, (3,)), ([[0.5, 1], [2, 3]], 2, (2, 2))])
def test_regression_keeps_numbers(labels: Any, outputs: int, shape: tuple[int, ...]) -> None:
    found = encode_labels(raw(labels), "regression", "mse")
    assert (found.task, found.labels, found.outputs, found.class_names) == ("regression", "number", outputs, ())
    assert found.ys[0].shape == shape
    assert found.ys[0].dtype == np.float32


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0.5], r"label 0.5 in row 2 is no whole number; for regression set training.loss"),
        ([0, 2, -1], "label -1 is negative"),
        ([3, 1, 0, -7, -3], "label -7 is negative; classes count from 0, or are as many below it as above"),
        ([0, np.nan, 1], "row 1 is NaN"),
        ([0, np.inf, 1], "row 1 is NaN or infinite"),
        ([2, 2, 2], "all rows have the label '2'"),
        (np.arange(400), "400 different labels in 400 rows are hardly classes"),
        ([[1, 0], [1, 1]], r"not one-hot: row 1 is \(1, 1\)"),
        ([[1, 0], [0.5, 0.5]], r"not one-hot: row 1 is \(0.5, 0.5\)"),
        (np.zeros((2, 2, 2)), "shape"),
        ([["a", "b"], ["c", "d"]], "shape"),
        (np.array([{"a": 1}, None]), "labels of type object"),
    ],
)
def test_unusable_labels(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        encode(labels)
    assert "rows.npz (train)" in str(caught.value)


def test_a_target_that_is_too_large_for_float32_is_named() -> None:
    with pytest.raises(DataError, match=r"rows.npz \(test\): the label in row 1 is too large for float32"):
        encode_labels(raw([0.0, 1.0], [2.0, 1e39]), "regression", "mse")


@pytest.mark.parametrize("outside", [3, -1, 250])
def test_label_out_of_the_known_classes(outside: int) -> None:
    with pytest.raises(DataError, match=rf"rows.npz \(test\): label {outside} is out of range; 3 classes are 0 to 2"):
        encode([0, 1, 2], [0, outside], ("a", "b", "c"))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (([0, 1], [0.5, 1]), r"rows.npz \(test\): the label 0.5"),
        (([0, 1], [[1, 0], [0, 1]]), r"rows.npz \(test\): labels have shape"),
        ((["a", "b"], [0, 1]), "text in one part"),
    ],
)
def test_parts_that_disagree(args: tuple[Any, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode(*args)


def test_rows_without_labels() -> None:
    with pytest.raises(DataError, match="5 rows but 3 labels"):
        encode([0, 1, 1], rows=5)


@pytest.mark.parametrize(
    ("labels", "loss", "message"),
    [
        ([0, 1, 2], "binary_crossentropy", "needs labels of two classes"),
        ([[1, 0], [0, 1]], "binary_crossentropy", "needs labels of two classes"),
        ([0, 1, 2], "categorical_crossentropy", "needs one-hot labels"),
        ([[1, 0], [0, 1]], "sparse_categorical_crossentropy", "these are one-hot"),
    ],
)
def test_loss_that_does_not_fit(labels: Any, loss: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode(labels, loss=loss)


def test_text_in_regression() -> None:
    with pytest.raises(DataError, match="labels are text"):
        encode_labels(raw(["a", "b"]), "regression", "mse")
