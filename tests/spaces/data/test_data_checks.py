from typing import Any

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.checks import check_classes, check_rows
from spaces.data.readers.source import Part, RawData
from spaces.data.stored import rows as stored
from spaces.data.types import Array


def raw(x: Any, x_test: Any = None) -> RawData:
    def part(rows: Any, where: str) -> Part:
        rows = np.asarray(rows)
        return Part(rows, np.zeros(len(rows) if rows.ndim else 0, int), where)

    test = None if x_test is None else part(x_test, "rows.npz (test)")
    return RawData("rows", "rows.npz", part(x, "rows.npz (train)"), test=test)


def checked(x: Any, x_test: Any = None) -> Array:
    return check_rows(raw(x, x_test)).train.x


def test_uint8_rows_are_not_copied() -> None:
    x = np.zeros((3, 4, 4), np.uint8)
    assert checked(x) is x


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (np.ones((2, 3), bool), "uint8"),
        (np.full((2, 3, 3), 255, np.int64), "uint8"),
        (np.full((2, 3, 3), 256, np.int64), "float32"),
        (np.full((2, 3, 3), -1, np.int64), "float32"),
        (np.full((2, 3), 200, np.int64), "float32"),
        (np.ones((2, 3), ">f8"), "float32"),
        (np.ones((2, 3), np.float16), "float32"),
    ],
)
def test_other_types_become_uint8_or_float32(x: Array, dtype: str) -> None:
    found = checked(x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x)


def test_whole_numbers_that_float32_rounds_are_told_to_code_of_the_user(caplog: pytest.LogCaptureFixture) -> None:
    ids = raw([[100_000_007], [100_000_009]])
    check_rows(ids)
    check_rows(raw([[7], [2**24]]), users_code=True)
    check_rows(raw([[7.0], [1e9]]), users_code=True)
    assert not caplog.text
    check_rows(ids, users_code=True)
    assert "rows.npz (train): rows hold whole numbers above 16777216" in caplog.text
    assert "{'ids': x}, which stays int32" in caplog.text


def test_parts_get_the_same_type() -> None:
    found = check_rows(raw(np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 0.5)))
    assert found.test is not None
    assert found.train.x.dtype == found.test.x.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), r"has shape \(5,\)"),
        (np.zeros((2, 2, 2, 2, 2)), "has shape"),
        (np.zeros((0, 4)), "is empty"),
        (np.zeros((4, 0)), "is empty"),
        (np.array([[None, 1]]), "Python objects"),
        (np.array([["a", "b"]]), "values of type <U1; numbers are expected; texts are numbered before, as keras"),
        (np.array(["a", "b"], object), "Python objects; .* texts are numbered before"),
        (np.zeros((2, 2), complex), "values of type complex128; numbers are expected$"),
        ([[1.0, 2.0], [np.nan, 1.0]], "row 1 holds NaN"),
        ([[1.0, 2.0], [1.0, -np.inf]], "row 1 holds NaN, infinity"),
        ([[1.0, 2.0], [1.0, 1e300]], "row 1 holds .* too large"),
    ],
)
def test_unusable_rows(x: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        checked(x)
    assert "rows.npz (train)" in str(caught.value)


def test_bad_row_is_found_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_BLOCK", 4)
    x = np.zeros((9, 2), np.float32)
    x[7, 1] = np.nan
    with pytest.raises(DataError, match="row 7"):
        checked(x)


def test_parts_of_different_shape() -> None:
    with pytest.raises(DataError, match=r"rows.npz \(test\): rows have shape \(5,\), those of .* \(4,\)"):
        checked(np.zeros((2, 4)), np.zeros((2, 5)))


def test_rows_of_more_axes_have_a_form_for_code_of_the_user() -> None:
    films = raw(np.zeros((2, 3, 4, 4, 3)))
    with pytest.raises(
        DataError, match=r"expected .*channels\); a model of your own takes others by name, x={'rows': x}"
    ):
        check_rows(films, users_code=True)
    with pytest.raises(DataError, match=r"\(rows, height, width, channels\)$"):
        check_rows(films)


def test_counts_that_differ() -> None:
    part = Part(np.zeros((4, 2)), np.zeros(3), "rows.npz")
    with pytest.raises(DataError, match="4 rows but 3 labels"):
        check_rows(RawData("rows", "rows.npz", part))


@pytest.mark.parametrize("y", [np.array([0, 2, 2]), np.eye(3)[[0, 2, 2]]])
def test_class_absent_from_training(y: Array) -> None:
    check_classes(np.array([0, 1, 2]), ("a", "b", "c"), "rows.npz")
    with pytest.raises(DataError, match=r"rows.npz: no training row of class 'b'"):
        check_classes(y, ("a", "b", "c"), "rows.npz")
