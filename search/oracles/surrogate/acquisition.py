"""Where a model promises most: expected improvement, and the search for its maximum."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr
from scipy.stats import qmc

from search.oracles._columns import Floats
from search.oracles._space import Space

_RANDOM = 500
_PARENTS = 6
_CHILDREN = 25
_SCALES = (0.2, 0.05)
_CHAINS = 8
_ROUNDS = 6
_STEPS = 12
_GRID = 1024
_TAIL = -6.0


def log_improvement(mean: Floats, deviation: Floats, best: float | Floats) -> Floats:
    """Logarithm of the expected improvement over `best` of normally distributed values.

    Jones et al., "Efficient Global Optimization of Expensive Black-Box Functions" (1998), equation 15; its logarithm
    keeps an order where the improvement itself underflows (Ament et al., "Unexpected Improvements to Expected
    Improvement for Bayesian Optimization", NeurIPS 2023).
    """
    z = (mean - best) / deviation
    # Far below the best the two terms cancel; there the improvement is about the density over z squared.
    tail = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(np.maximum(-z, 1.0))
    logs: Floats = np.where(z > _TAIL, np.log(_standard_improvement(z)), tail)
    return logs + np.log(deviation)


def log_improvement_slopes(mean: Floats, deviation: Floats, best: float | Floats) -> tuple[Floats, Floats]:
    """Derivatives of `log_improvement` along the mean and along the deviation."""
    z = (mean - best) / deviation
    slope = np.where(z > _TAIL, ndtr(z) / _standard_improvement(z), -z - 2 / np.minimum(z, _TAIL))
    return slope / deviation, (1 - z * slope) / deviation


def _standard_improvement(z: Floats) -> Floats:
    """Expected improvement over 0 of values with mean z and deviation 1; accurate above `_TAIL`."""
    direct: Floats = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + z * ndtr(z)
    return np.maximum(direct, 1e-300)


def maximise(
    acquisition: Callable[[Floats], Floats], space: Space, parents: Floats, rng: np.random.Generator
) -> Iterator[tuple[Floats, float]]:
    """Configurations and their acquisition, the most promising first.

    Optima often lie where several hyperparameters are at an end of their range, and the acquisition has many local
    maxima: so some candidates are drawn from the ends, and several chains of small and large steps climb apart from
    each other.

    Args:
        acquisition: maps codes of shape (n, columns) to values of shape (n,), more is better.
        space: the space.
        parents: codes of the best known configurations, best first, shape (p, columns).
        rng: source of the candidates.
    """
    half = _RANDOM // 2
    uniform = rng.random((_RANDOM, len(space)))
    families = [space.draw_ends(uniform[:half], rng), space.draw(uniform[half:])]
    families += [space.near(np.repeat(parents[:_PARENTS], _CHILDREN, axis=0), rng, scale) for scale in _SCALES]
    candidates = np.vstack(families)
    values = acquisition(candidates)
    chains = _apart(space, candidates, values)
    heads, head_values = candidates[chains], values[chains]
    for turn in range(_ROUNDS):
        tried = space.near(np.repeat(heads, _STEPS, axis=0), rng, 0.25 * 0.6**turn)
        found = acquisition(tried)
        best = found.reshape(len(heads), _STEPS).argmax(axis=1) + np.arange(len(heads)) * _STEPS
        better = found[best] > head_values
        heads[better], head_values[better] = tried[best[better]], found[best[better]]
    candidates, values = np.vstack([candidates, heads]), np.concatenate([values, head_values])
    for index in np.argsort(-values, kind="stable"):
        yield candidates[index], float(values[index])


def refine(
    found: Iterable[tuple[Floats, float]],
    acquisition: Callable[[Floats], Floats],
    with_slopes: Callable[[Floats], tuple[Floats, Floats]],
    space: Space,
    climbs: int = 40,
) -> list[tuple[Floats, float]]:
    """Configurations and their acquisition, the most promising first: those found, and some of them moved uphill.

    The best that are apart from each other climb along all features that have small steps, together in one L-BFGS-B:
    the sum of their acquisitions has no terms between them. On the way countable values are real numbers; each then
    takes its nearest value, and what has lost by that stays behind the configuration that it came from. Positions end
    on a fine grid: the last digits of a climb depend on the number of threads, the proposals must not.

    Args:
        found: codes of shape (columns,) and their acquisition, as `maximise` yields them.
        acquisition: as for `maximise`.
        with_slopes: maps features of shape (n, features) to the acquisition, shape (n,), and its gradient, shape (n,
            features).
        space: the space.
        climbs: iterations of the optimizer, at most.
    """
    found = list(found)
    candidates, values = np.array([codes for codes, _ in found]), np.array([value for _, value in found])
    starts = candidates[_apart(space, candidates, values)]
    features, free = space.features(starts), space.fine(starts)
    if not free.any():
        return found

    def objective(position: Floats) -> tuple[float, Floats]:
        moved = features.copy()
        moved[free] = position
        heights, slopes = with_slopes(moved)
        return -float(heights.sum()), -slopes[free]

    bounds, options = [(0.0, 1.0)] * int(free.sum()), {"maxiter": climbs}
    top = minimize(objective, features[free], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    features[free] = np.round(top.x * _GRID) / _GRID
    ends = space.placed(starts, features, free)
    return sorted([*found, *zip(ends, acquisition(ends).tolist(), strict=True)], key=lambda pair: -pair[1])


def _apart(space: Space, candidates: Floats, values: Floats) -> list[int]:
    """The best candidates of which no two are close in every feature."""
    order = np.argsort(-values, kind="stable")[: 3 * _CHAINS]
    features = space.features(candidates[order])
    chosen = [0]
    for index in range(1, len(order)):
        if len(chosen) < _CHAINS and np.abs(features[chosen] - features[index]).max(axis=1).min() > 0.15:
            chosen.append(index)
    return [int(order[index]) for index in chosen]


def quasi_random(space: Space, index: int, seed: int) -> Floats:
    """The `index`-th configuration (codes) of a scrambled Sobol sequence, counted from 0."""
    points = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed))
    uniform = points.random(1 << index.bit_length())[index]
    codes: Floats = space.draw(uniform[None, :])[0]
    return codes
