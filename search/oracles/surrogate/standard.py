"""Scores as a model takes them, and the observations that its parameters are fitted to."""

import numpy as np

from search.oracles._columns import Floats, Ints

# Of the largest score: the mean of equal numbers is not always that number.
_ROUNDING = 1e-12


# So many times as far from quartile to quartile is no distribution whose median stands for the ordinary.
_HEAVY = 10.0


# Squares of scores are added up.
_FARTHEST = 1e100

MOST_OBSERVATIONS = 1000
"""Observations that a model is made of, at most: its posterior takes time with the cube of their number."""


def bounded(score: float) -> float:
    """A score as far out as a model can reckon with: what is farther is no better or worse."""
    return min(max(score, -_FARTHEST), _FARTHEST)


def modelled(scores: Floats) -> Ints:
    """Indices of the observations that a model is made of, in their order: of very many the best half and the latest.

    Args:
        scores: of the observations, in the order in which they were made; more is better.
    """
    half = MOST_OBSERVATIONS // 2
    if len(scores) <= MOST_OBSERVATIONS:
        return np.arange(len(scores))
    best = np.sort(np.argsort(-scores, kind="stable")[:half])
    return np.sort(np.concatenate([best, np.setdiff1d(np.arange(len(scores)), best)[-half:]]))


def fit_sample(targets: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Indices of the observations that the kernel's parameters are fitted to: the best and some of the others.

    The fit takes time with the cube of their number; the posterior afterwards uses all observations.
    """
    if len(targets) <= size:
        return np.arange(len(targets))
    order = np.argsort(-targets, kind="stable")
    others = rng.permutation(order[size // 2 :])
    return np.concatenate([order[: size // 2], others[: size - size // 2]])


def standardised(scores: Floats) -> Floats:
    """Scores (more is better) with mean 0 and deviation 1, those far below the ordinary one drawn in.

    The lower limit lies as far below the ordinary one as twice the distance of the best above it: what is worse is
    equally uninteresting.
    """
    centre, unit = scale(scores)
    standard: Floats = (_drawn_in(scores) - centre) / unit
    return standard


def scale(scores: Floats) -> tuple[float, float]:
    """What `standardised` makes 0, and how much 1 of it is in scores."""
    drawn_in = _drawn_in(scores)
    return float(drawn_in.mean()), spread(drawn_in)


def spread(scores: Floats) -> float:
    """The standard deviation; 1 where all are the same but for the rounding of their mean."""
    deviation = float(scores.std())
    return deviation if deviation > _ROUNDING * float(np.abs(scores).max()) else 1.0


def ordinary(scores: Floats) -> float:
    """The score by which it is measured what is far below the best (more is better): the median.

    Losses may have a tail so heavy that half of all are on it. Where each quarter of the scores, from the best down, is
    ten times as wide as the one above it, the upper quartile takes the place of the median, or the differences between
    the good ones would vanish beside those between the bad ones.
    """
    median, top = float(np.median(scores)), float(scores.max())
    lower, upper = (float(score) for score in np.quantile(scores, (0.25, 0.75)))
    heavy = median - lower > _HEAVY * (top - median) and top - median > _HEAVY * (top - upper) > 0
    return upper if heavy else median


def _drawn_in(scores: Floats) -> Floats:
    middle, top = ordinary(scores), float(scores.max())
    return np.maximum(scores, middle - 2 * (top - middle)) if top > middle else scores
