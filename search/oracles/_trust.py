"""Whether short trainings tell which configurations are the best in the end."""

from collections.abc import Sequence

import numpy as np

from ._columns import Floats
from ._curves import Curve, Stage

_AGREEMENT = 0.6
_TIED = 0.5
_MOST = 100
_FEW, _STILL = 5, 2


def finished(curve: Curve, longest: int) -> bool:
    """Whether the curve's final score is known."""
    return (
        bool(curve.scores) and curve.stage in (Stage.ENDED, Stage.KNOWN) and (curve.stopped or curve.epochs >= longest)
    )


def telling_length(curves: Sequence[Curve], first: int, longest: int) -> int:
    """The shortest training that tells configurations apart as full ones do, as far as anybody has seen.

    A length is distrusted where most configurations score the same after it, or where the finished ones were not yet
    in the order of their final scores: of all pairs, each weighted by the difference that it made in the end, less
    than six tenths. Near equals hardly weigh, so the favourites, which early results selected, do not speak for
    themselves: finished configurations that early results did not favour do.

    Args:
        curves: what is known, more is better.
        first: the shortest length in question.
        longest: epochs of a full training.

    Returns:
        One of `first`, twice that, and so on; at most `longest`.
    """
    ended = [c for c in curves if finished(c, longest)][-_MOST:]
    finals = np.array([max(c.scores.values()) for c in ended])
    length, enough = first, _FEW
    while length <= longest / 2:
        alike = _all_alike(curves, length, enough)
        if not alike and _agreement(_scores(ended, length), finals) >= _AGREEMENT:
            return length
        if alike:
            # Where all were alike so far, two that still are will do.
            enough = _STILL
        length *= 2
    return longest


def inconspicuous(curves: Sequence[Curve], length: int) -> list[Curve]:
    """The paused ones of the curves that were neither among the best nor among the worst after `length` epochs."""
    early = [(c, score) for c in curves if (score := c.best_by(length)) is not None]
    if not early:
        return []
    low, high = np.quantile([score for _, score in early], (0.25, 0.75))
    return [c for c, score in early if c.stage is Stage.PAUSED and low <= score <= high]


def _scores(curves: Sequence[Curve], length: int) -> Floats:
    known = [c.best_by(length) for c in curves]
    return np.array([np.nan if score is None else score for score in known])


def _agreement(early: Floats, finals: Floats) -> float:
    """Share of the differences in the end that pairs had the same way round before; 1 where there is none."""
    known = ~np.isnan(early)
    early, finals = early[known], finals[known]
    apart = np.abs(finals[:, None] - finals[None, :])
    if not apart.any():
        return 1.0
    alike = np.sign(early[:, None] - early[None, :]) * np.sign(finals[:, None] - finals[None, :])
    return float((apart * (1 + alike) / 2).sum() / apart.sum())


def _all_alike(curves: Sequence[Curve], length: int, enough: int) -> bool:
    """Whether most of the scores after `length` epochs, at least `enough` of them, are one and the same."""
    reached = [c for c in curves if c.scores and (c.stopped or c.epochs >= length) and c.stage is not Stage.RUNNING]
    early = _scores(reached[-_MOST:], length)
    early = early[~np.isnan(early)]
    if len(early) < enough:
        return False
    _, counts = np.unique(early, return_counts=True)
    return bool(counts.max() > _TIED * len(early))
