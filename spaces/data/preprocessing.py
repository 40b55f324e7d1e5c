"""What the model does to raw rows before anything else: a factor for pixels, standardization for columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.stored.rows import blocks
from spaces.data.types import AnyRows, Array, Kind

Option = Literal["auto", "rescale", "standardize", "none"]
_WHITES = (1.0, 255.0, 65535.0)
_FEWEST_PIXELS = 8
_MOST_OBLONG = 4


@dataclass(frozen=True)
class Preprocessing:
    """The fields of `DataInfo` that this module decides: see there."""

    scale: float | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    white: float | None


def kind_of(
    wanted: Literal["auto", "image", "series"],
    x: AnyRows,
    white: float | None,
    needed: Literal["image", "series"] | None,
) -> Kind:
    """What rows are.

    Rows of two axes are grey images or series of (steps, features). Where nobody says, they are images that are at
    least 8 pixels high and wide, and at most 4 times as high as wide or as wide as high, with whole numbers from 0 to
    255 or 65535 or values from 0 to 1; or any square ones of at least 8 pixels.

    Args:
        wanted: `data.kind`.
        x: training rows, uint8 or float32.
        white: value of a white pixel where the source knows it: that of images.
        needed: what the family of models needs, if it needs something.
    """
    if x.ndim != 3:
        return "tabular" if x.ndim == 2 else "image"
    if wanted != "auto":
        return wanted
    if needed is not None:
        return needed
    return "image" if white is not None or _looks_like_an_image(x) else "series"


def _looks_like_an_image(x: AnyRows) -> bool:
    short, long = sorted(x.shape[1:])
    if short < _FEWEST_PIXELS or long > _MOST_OBLONG * short:
        return False
    if short == long or x.dtype == np.uint8:
        return True
    low, high = span(x)
    return low >= 0 and (high <= 1 or (high <= _WHITES[-1] and all((b == np.floor(b)).all() for _, b in blocks(x))))


def choose(
    option: Option, x: AnyRows, kind: Kind, white: float | None, indicators: Array | None, where: str
) -> Preprocessing:
    """Chooses and measures the preprocessing.

    Args:
        option: `data.preprocessing`. "auto": pixels are rescaled to 0..1, columns and the features of series
            standardized; images whose range is unknown (negative values, or above 65535) are standardized per channel.
        x: training rows, uint8 or float32.
        kind: what they are.
        white: value of a white pixel where the source knows it.
        indicators: for each column whether it is the 0 or 1 of a text value, to be left so; None: none is.
        where: named in errors.

    Raises:
        DataError: `rescale` of values of no known range.
    """
    image = kind == "image"
    low, high = span(x)
    known = white if white is not None else white_of(low, high, x.dtype)
    white = known if image else None
    if option == "auto":
        option = "rescale" if image and known is not None else "standardize"
    if option == "rescale":
        if known is None:
            raise DataError(
                f"{where}: data.preprocessing: rescale needs values from 0 to 1, 255 or 65535, these go from "
                f"{low:g} to {high:g}; use standardize"
            )
        return Preprocessing(None if known == 1 else 1 / known, None, None, white)
    if option == "standardize":
        mean, std = _moments(x, indicators, single=image and x.ndim == 3)
        return Preprocessing(None, mean, std, white)
    return Preprocessing(None, None, None, white)


def white_of(low: float, high: float, dtype: np.dtype[Any]) -> float | None:
    """The value of white in images whose values go from `low` to `high`; None where nobody can know it."""
    if dtype == np.uint8:
        return 255.0 if high > 1 else 1.0  # black and white drawings come as 0 and 1
    if low < 0:
        return None
    return next((white for white in _WHITES if high <= white), None)


def span(x: AnyRows) -> tuple[float, float]:
    """The smallest and the largest value of all rows."""
    spans = [(block.min(), block.max()) for _, block in blocks(x)]
    return float(min(low for low, _ in spans)), float(max(high for _, high in spans))


def _moments(x: AnyRows, indicators: Array | None, *, single: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per column, channel or feature, or a single one for all values.

    Two passes over blocks of rows: exact for large offsets, and no copy of the rows.
    """
    axes = tuple(range(x.ndim if single else x.ndim - 1))
    count = x.size // (1 if single else x.shape[-1])
    mean = np.atleast_1d(sum(np.sum(b, axis=axes, dtype=np.float64) for _, b in blocks(x)) / count)
    variance = sum(np.sum((b - mean) ** 2, axis=axes) for _, b in blocks(x)) / count
    std = np.sqrt(np.atleast_1d(variance))
    std[std == 0] = 1.0  # a constant column
    if indicators is not None:
        mean, std = np.where(indicators, 0.0, mean), np.where(indicators, 1.0, std)
    return tuple(mean.tolist()), tuple(std.tolist())
