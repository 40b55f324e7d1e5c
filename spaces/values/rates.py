"""How the learning rate goes over a training: its share of the largest rate at every point of the way. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

SCHEDULES = ("constant", "cosine", "linear", "one-cycle")
# Where no warm-up is asked for. A cycle without one would be a cosine.
WARMUPS = {"constant": 0.0, "cosine": 0.0, "linear": 0.0, "one-cycle": 0.25}

# First and last rate of a cycle as shares of the largest: Smith and Topin, arXiv:1708.07120, with PyTorch's values.
_FIRST = 1 / 25
_LAST = _FIRST * 1e-4


def share(schedule: str, warmup: float, done: float) -> float:
    """The rate as a share of the largest one, which it has when the warm-up ends.

    Args:
        schedule: one of `SCHEDULES`.
        warmup: part of the training over which the rate rises, at least 0, below 1.
        done: part of the training that is over, 0 to 1.
    """
    if done < warmup:
        return float(rising(schedule, done / warmup))
    return float(falling(schedule, (done - warmup) / (1 - warmup)))


def rising(schedule: str, part: Any, cos: Callable[[Any], Any] = math.cos) -> Any:
    """The share at a part of the warm-up: a line from 0, for one-cycle half a wave from 1/25.

    Args:
        schedule: one of `SCHEDULES`.
        part: of the warm-up, 0 to 1, of any type that can be calculated with.
        cos: the cosine for that type.
    """
    return 1 + (_FIRST - 1) * _half_wave(part, cos) if schedule == "one-cycle" else part


def falling(schedule: str, part: Any, cos: Callable[[Any], Any] = math.cos) -> Any:
    """The share at a part of what follows the warm-up: linear and cosine end at 0, one-cycle at 4e-6.

    Arguments as for `rising`.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1 - part
    return _half_wave(part, cos) * (1 - _LAST) + _LAST if schedule == "one-cycle" else _half_wave(part, cos)


def _half_wave(part: Any, cos: Callable[[Any], Any]) -> Any:
    """From 1 to 0 along half a cosine."""
    return (1 + cos(math.pi * part)) / 2
