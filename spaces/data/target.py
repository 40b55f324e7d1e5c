"""The scale that a regression is learnt on: a price in dollars teaches a network nothing as it is."""

from __future__ import annotations

from typing import Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.data.types import Array, TargetScale

_SMALLEST = 1e-30


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
