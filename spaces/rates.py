"""How the learning rate goes over a training: its share of the largest rate at every point of the way. Pure."""

from __future__ import annotations

import math
from typing import Any

SCHEDULES = ("constant", "cosine", "linear", "one-cycle")
# Where a warm-up is not asked for; a cycle without one would be a cosine.
WARMUPS: dict[str, float] = {"constant": 0.0, "cosine": 0.0, "linear": 0.0, "one-cycle": 0.25}

# The first rate of a cycle, and the last, as shares of the largest (Smith and Topin, arXiv:1708.07120; PyTorch's values).
_FIRST = 1 / 25
_LAST = _FIRST * 1e-4


def share(schedule: str, warmup: float, done: Any, ops: Any = math) -> Any:
    """The rate as a share of the largest one.

    Args:
        schedule: one of `SCHEDULES`.
        warmup: the part of the training, from 0 to below 1, over which the rate rises.
        done: the part of the training that is over, 0 to 1.
        ops: the module that has the cosine for the type of `done`.

    Returns:
        After the warm-up 1; constant stays there, linear and cosine come to 0 at the end, one-cycle to 4e-6. The
        warm-up is a line from 0, that of one-cycle half a cosine from 1/25.
    """
    if warmup and ops is math and done < warmup:
        return _rising(schedule, done / warmup, ops)
    return _falling(schedule, (done - warmup) / (1 - warmup), ops)


def _rising(schedule: str, part: Any, ops: Any) -> Any:
    return 1 + (_FIRST - 1) * _half_wave(part, ops) if schedule == "one-cycle" else part


def _falling(schedule: str, part: Any, ops: Any) -> Any:
    if schedule == "constant":
        return part * 0.0 + 1.0
    if schedule == "linear":
        return 1 - part
    return _half_wave(part, ops) * (1 - _LAST) + _LAST if schedule == "one-cycle" else _half_wave(part, ops)


def _half_wave(part: Any, ops: Any) -> Any:
    """From 1 to 0 along half a cosine."""
    return (1 + ops.cos(math.pi * part)) / 2
