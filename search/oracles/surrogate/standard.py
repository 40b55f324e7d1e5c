"""Scores as a model takes them, and the observations that its parameters are fitted to."""

import numpy as np

from search.oracles._columns import Floats, Ints

# Of the largest score: the mean of equal numbers is not always that number.
_ROUNDING = 1e-12


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
    """Scores (more is better) with mean 0 and deviation 1, those far below the median drawn in.

    The lower limit lies as far below the median as twice the distance of the best above it: what is worse is
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


def _drawn_in(scores: Floats) -> Floats:
    median, top = float(np.median(scores)), float(scores.max())
    return np.maximum(scores, median - 2 * (top - median)) if top > median else scores
