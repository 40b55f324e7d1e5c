from typing import Any

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.preprocessing import Preprocessing, choose, kind_of
from spaces.data.stored import rows as stored


def chosen(option: Any, x: Any, white: float | None = None, indicators: Any = None, kind: Any = None) -> Preprocessing:
    x = np.asarray(x)
    return choose(option, x, kind or ("image" if x.ndim > 2 else "tabular"), white, indicators, "rows.npz")


IMAGE = np.zeros((2, 3, 3))


@pytest.mark.parametrize(
    ("x", "white", "scale", "found_white"),
    [
        ((IMAGE + 2).astype(np.uint8), None, 1 / 255, 255),
        ((IMAGE + 1).astype(np.uint8), None, None, 1),
        (IMAGE.astype(np.uint8), 16.0, 1 / 16, 16),
        ((IMAGE + 1).astype(np.float32), None, None, 1),
        ((IMAGE + 200).astype(np.float32), None, 1 / 255, 255),
        ((IMAGE + 4000).astype(np.float32), None, 1 / 65535, 65535),
    ],
)
def test_images_are_brought_to_0_to_1(x: Any, white: float | None, scale: float | None, found_white: float) -> None:
    assert chosen("auto", x, white) == Preprocessing(scale, None, None, found_white)
    assert chosen("rescale", x, white) == Preprocessing(scale, None, None, found_white)


def test_images_of_unknown_range_are_standardized_per_channel() -> None:
    x = np.stack([np.full((2, 3, 3), -4.0), np.arange(18).reshape(2, 3, 3)], axis=-1).astype(np.float32)
    found = chosen("auto", x)
    assert found.scale is None
    assert found.white is None
    assert found.mean == (-4.0, 8.5)
    assert found.std == pytest.approx((1.0, np.arange(18).std()))


def test_images_without_channels_have_one_mean() -> None:
    x = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    found = chosen("standardize", x)
    assert found.mean == (8.5,)
    assert found.std == pytest.approx((np.arange(18).std(),))
    assert found.white == 255


@pytest.mark.parametrize("block", [1, 10, 2**22])
def test_columns_are_standardized(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(stored, "_BLOCK", block)
    x = np.array([[1, 0.1, 1e6, 1], [3, 0.1, 1e6 + 2, 0]], np.float32)
    found = chosen("auto", x, indicators=np.array([False, False, False, True]))
    assert found.mean == pytest.approx((2, 0.1, 1e6 + 1, 0))
    assert found.std == pytest.approx((1, 1, 1, 1))
    assert found.scale is None
    assert found.white is None


def test_columns_may_be_rescaled_or_left() -> None:
    x = np.array([[0, 255], [128, 7]], np.float32)
    assert chosen("rescale", x) == Preprocessing(1 / 255, None, None, None)
    assert chosen("none", x) == Preprocessing(None, None, None, None)


def test_range_that_is_no_pixel_range() -> None:
    with pytest.raises(DataError, match=r"rows.npz: data.preprocessing: rescale .* from -3 to 9"):
        chosen("rescale", np.array([[-3.0, 9.0]], np.float32))


def test_constant_column_has_deviation_1() -> None:
    x = np.full((1000, 2), [0.1, 1 / 3], np.float32)
    assert chosen("auto", x).std == (1, 1)


def test_each_feature_of_a_series_has_its_own_mean() -> None:
    x = (np.arange(24).reshape(2, 4, 3) * [1, 100, 10_000]).astype(np.float32)
    found = chosen("auto", x, kind="series")
    assert found.mean == pytest.approx((10.5, 1150, 125_000))
    assert found.std == pytest.approx(np.arange(0, 24, 3).std() * np.array([1, 100, 10_000]))
    assert found.scale is None
    assert found.white is None


READINGS = np.random.default_rng(0).uniform(0, 90, (5, 24, 12)).astype(np.float32)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.zeros((5, 28, 28), np.uint8), "image"),
        (np.zeros((5, 28, 28), np.float32), "image"),
        (READINGS[:, :12] - 9, "image"),  # square: pictures around a mean of 0
        (READINGS / 90, "image"),  # pixels from 0 to 1
        (np.floor(READINGS), "image"),
        (READINGS, "series"),
        (READINGS - 9, "series"),
        (np.floor(READINGS[:, :, :6]), "series"),  # too narrow for a picture
        (np.zeros((5, 100, 20), np.float32), "series"),  # too long for one
        (np.zeros((5, 8, 8, 3), np.float32), "image"),
        (np.zeros((5, 8), np.float32), "tabular"),
    ],
)
def test_rows_of_two_axes_are_images_where_they_look_like_some(x: Any, expected: str) -> None:
    assert kind_of("auto", x, None, None) == expected


def test_who_says_what_rows_are_is_believed_first_the_space_file_then_the_family_then_the_source() -> None:
    assert kind_of("series", READINGS, 255.0, "image") == "series"
    assert kind_of("auto", READINGS, None, "image") == "image"
    assert kind_of("auto", READINGS, 255.0, "series") == "series"
    assert kind_of("auto", READINGS, 255.0, None) == "image"
