"""The scale that a regression is learnt on: a price in dollars teaches a network nothing as it is."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.types import Array, TargetScale

_SMALLEST = 1e-30
# Beyond these float32 has no squares of them, or no sums of squares over all rows.
_SQUARED_FROM, _SQUARED_TO = 1e-17, 1e15
# Steps of float32 in a standard deviation.
_TELLS_APART = 8


def target_scale(scale: Literal["none", "standard", "log"], y: Array, where: str) -> TargetScale | None:
    """Measures the targets of the training rows.

    Args:
        scale: what is wanted.
        y: targets of the training rows, shape (n,) or (n, targets).
        where: named in errors.

    Raises:
        DataError: a logarithm is wanted of a target that is not positive.
    """
    if scale == "none":
        return None
    values = y.reshape(len(y), -1).astype(np.float64)
    if scale == "log":
        require_positive(y, where)
        values = np.log(values)
    std = values.std(axis=0)
    std[std < _SMALLEST] = 1.0
    return TargetScale(scale, tuple(values.mean(axis=0).tolist()), tuple(std.tolist()))


def require_told_apart(y: Array, where: str, *, squared: bool) -> None:
    """Refuses targets that float32, in which losses and measures are computed in the target's own unit, cannot hold.

    Args:
        y: targets of the training rows as they came, shape (n,) or (n, targets).
        where: named in errors.
        squared: whether a loss or measure squares them.

    Raises:
        DataError: says how large they are and how far apart.
    """
    values = y.reshape(len(y), -1).astype(np.float64)
    largest = np.abs(values).max(axis=0)
    # Sums of a constant may miss its mean by a last digit.
    spread = np.where(values.min(axis=0) == values.max(axis=0), 0.0, values.std(axis=0))
    close = (spread > 0) & (spread < _TELLS_APART * np.spacing(largest.astype(np.float32)))
    far = squared & ((largest > _SQUARED_TO) | ((spread > 0) & (spread < _SQUARED_FROM)))
    if (wrong := close | far).any():
        first = int(np.argmax(wrong))
        why = "are hardly told apart by float32; subtract what they have in common"
        if not close[first]:
            why = "have squares that float32 does not hold; use another unit, or loss: mae and metrics: [mae]"
        told = f"{values[0, first]:.15g}, with a standard deviation of {spread[first]:.3g},"
        raise DataError(f"{where}: targets such as {told} {why}")


def require_positive(y: Array, where: str) -> None:
    """Refuses targets that have no logarithm.

    Raises:
        DataError: names how many there are.
    """
    if (low := y <= 0).any():
        raise DataError(
            f"{where}: data.target.scale: log needs targets above 0, {int(low.sum())} of {y.size} are not "
            f"(the smallest is {float(y.min()):g}); use standard"
        )
