"""Whether short trainings tell which configurations are the best in the end."""

from collections.abc import Sequence

import numpy as np

from search.oracles._columns import Floats
from search.oracles.plan import next_length
from search.oracles.surrogate.curves import Curve, Stage, latest

_AGREEMENT = 0.6
_TIED = 0.5
_MOST = 100
_FEW, _STILL = 5, 2
_WORTHWHILE = 3
_CONVINCING = 3
_BELIEF = 0.25
_STABLE = 0.9
_BETTER_HALF = 6
_NOISE = 0.9


def finished(curve: Curve, longest: int) -> bool:
    """Whether the curve's final score is known."""
    return (
        bool(curve.scores) and curve.stage in (Stage.ENDED, Stage.KNOWN) and (curve.stopped or curve.epochs >= longest)
    )


def telling_length(curves: Sequence[Curve], first: int, longest: int) -> int:
    """The shortest training that tells configurations apart as full ones do, as far as anybody has seen.

    A length at which most configurations score the same, and none better, tells nothing yet. The first one that tells
    anything is believed unless the finished configurations were not yet in the order of their final scores: of all
    pairs, each weighted by the difference that it made in the end, less than six tenths. Then no length but the whole
    is believed: where curves cross, a little longer ones say little.

    Near equals hardly weigh, so the favourites, which early results selected, do not speak for themselves: finished
    configurations that early results did not favour do. Before three are finished, those that have come half the way
    count too, with what they scored there.

    Args:
        curves: what is known, more is better.
        first: the shortest length in question.
        longest: epochs of a full training.

    Returns:
        One of `first`, twice that, and so on; at most `longest`.
    """
    compared = [(longest, latest([c for c in curves if finished(c, longest)], _MOST))]
    if len(compared[0][1]) < _CONVINCING:
        compared.append((longest // 2, latest([c for c in curves if _reached(c, longest // 2)], _MOST)))
    length, enough = first, _FEW
    while length <= longest / _WORTHWHILE and _all_alike(curves, length, enough):
        # Where all were alike so far, two that still are will do.
        length, enough = 2 * length, _STILL
    if length > longest / _WORTHWHILE:
        return longest
    spread = _spread(curves, length)
    agreed = all(_agreement(_scores(far, length), _scores(far, end), spread) >= _AGREEMENT for end, far in compared)
    return length if agreed else longest


def stable_length(curves: Sequence[Curve], first: int, longest: int) -> int:
    """The shortest training after which the better half of the finished configurations is ranked as in the end.

    Longer first trainings would tell nothing more. As in Bohdal et al., "PASHA: Efficient HPO and NAS with Progressive
    Resource Allocation" (ICLR 2023), pairs whose final scores are no further apart than noise counts as ranked alike:
    nine tenths of the pairs that still changed places at the very end are nearer to each other. It has to hold without
    the configuration that came last too.

    Args:
        curves: what is known, more is better.
        first: the shortest length in question.
        longest: epochs of a full training; the answer while fewer than a dozen are finished, too.
    """
    done = latest([c for c in curves if finished(c, longest)], _MOST)
    return max(_stable_length(some, first, longest) for some in (done, done[:-1]))


def inconspicuous(curves: Sequence[Curve], length: int) -> list[Curve]:
    """The paused ones of the curves that were neither among the best nor among the worst after `length` epochs."""
    early = _scored(curves, length)
    if not early:
        return []
    low, high = np.quantile([score for _, score in early], (0.25, 0.75))
    return [c for c, score in early if c.stage is Stage.PAUSED and low <= score <= high]


def least_favoured(curves: Sequence[Curve], length: int, longest: int) -> Curve | None:
    """The paused one of the curves that had the lowest score after `length` epochs; those that had collapsed apart.

    Returns:
        None where there is none, where all score the same, or if one of the lowest quarter is at its end already or is
        being trained to it.
    """
    early = _scored([c for c in curves if c.stage is not Stage.FAILED], length)
    if len(early) < _FEW:
        return None
    scores = np.array([score for _, score in early])
    lower, median, top = np.quantile(scores, (0.25, 0.5, 1.0))
    if lower == top or any(score <= lower and c.epochs >= longest for c, score in early):
        return None
    # As much below the median as the best is above it: what is lower still has not learned anything.
    standing = [(c, s) for c, s in early if c.stage is Stage.PAUSED and s >= 2 * median - top]
    return min(standing, key=lambda one: one[1])[0] if standing else None


def _stable_length(done: Sequence[Curve], first: int, longest: int) -> int:
    better = sorted(done, key=lambda c: -c.latest)[: (len(done) + 1) // 2]
    if len(better) < _BETTER_HALF:
        return longest
    finals = _scores(better, longest)
    late = next_length(0, first, longest)
    while (following := next_length(late, first, longest)) < longest:
        late = following
    alike, apart = _order(_scores(better, late), finals)
    noise = float(np.quantile(apart[alike < 0], _NOISE)) if (alike < 0).any() else 0.0
    length = first
    while length < longest:
        early = _scores(better, length)
        if np.isfinite(early).sum() >= _BETTER_HALF:
            alike, apart = _order(early, finals)
            if np.where(apart <= noise, 1.0, (1 + alike) / 2).mean() >= _STABLE:
                return length
        length = next_length(length, first, longest)
    return longest


def _scored(curves: Sequence[Curve], length: int) -> list[tuple[Curve, float]]:
    """Those of the curves that are known after `length` epochs, with their scores by then."""
    return [(c, score) for c in curves if (score := c.best_by(length)) is not None]


def _reached(curve: Curve, length: int) -> bool:
    return bool(curve.scores) and curve.stage is not Stage.FAILED and (curve.stopped or max(curve.scores) >= length)


def _scores(curves: Sequence[Curve], length: int) -> Floats:
    known = [c.best_by(length) for c in curves]
    return np.array([np.nan if score is None else score for score in known])


def _agreement(early: Floats, finals: Floats, spread: float) -> float:
    """Share of the differences in the end that pairs had the same way round before; 1 where there is none.

    A quarter of the early scores' spread counts as one more difference, that was the right way round: two that end
    almost alike say nothing.
    """
    alike, apart = _order(early, finals)
    if not apart.any():
        return 1.0
    believed = _BELIEF * spread
    return float(((apart * (1 + alike) / 2).sum() + believed) / (apart.sum() + believed))


def _order(early: Floats, finals: Floats) -> tuple[Floats, Floats]:
    """Of each pair whose early scores are known, whether they are in the order of the final ones, and how far these are
    apart: 1 if they are, -1 if it is the other way round, 0 where two scores are equal."""
    known = ~np.isnan(early)
    early, finals = early[known], finals[known]
    upper = np.triu_indices(len(early), 1)
    apart = np.abs(finals[:, None] - finals[None, :])[upper]
    alike = (np.sign(early[:, None] - early[None, :]) * np.sign(finals[:, None] - finals[None, :]))[upper]
    return alike, apart


def _spread(curves: Sequence[Curve], length: int) -> float:
    """The middle half of the scores after `length` epochs is so far apart."""
    early = _scores(latest([c for c in curves if c.stage is not Stage.FAILED], _MOST), length)
    low, high = np.nanquantile(early, (0.25, 0.75)) if not np.isnan(early).all() else (0.0, 0.0)
    return float(high - low)


def _all_alike(curves: Sequence[Curve], length: int, enough: int) -> bool:
    """Whether most of the scores after `length` epochs, of at least `enough`, are one and the same, and none is better.

    Many that are equally bad have collapsed: what is better than they are tells something.
    """
    reached = [c for c in curves if _reached(c, length) and c.stage is not Stage.RUNNING]
    early = _scores(latest(reached, _MOST), length)
    early = early[~np.isnan(early)]
    if len(early) < enough:
        return False
    _, counts = np.unique(early, return_counts=True)
    return bool(counts[-1] > _TIED * len(early))
