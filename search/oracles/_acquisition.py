"""Where a model promises most: expected improvement, and the search for its maximum."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import ndtr
from scipy.stats import qmc

from ._columns import Floats
from ._space import Space

_RANDOM = 500
_PARENTS = 6
_CHILDREN = 25
_SCALES = (0.2, 0.05)
_CHAINS = 8
_ROUNDS = 6
_STEPS = 12


def log_improvement(mean: Floats, deviation: Floats, best: float | Floats) -> Floats:
    """Logarithm of the expected improvement over `best` of normally distributed values.

    Jones et al., "Efficient Global Optimization of Expensive Black-Box Functions" (1998), equation 15; its logarithm
    keeps an order where the improvement itself underflows (Ament et al., "Unexpected Improvements to Expected
    Improvement for Bayesian Optimization", NeurIPS 2023).
    """
    z = (mean - best) / deviation
    direct = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + z * ndtr(z)
    # Far below the best the two terms cancel; there the improvement is about the density over z squared.
    tail = -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(np.maximum(-z, 1.0))
    logs: Floats = np.where(z > -6, np.log(np.maximum(direct, 1e-300)), tail)
    return logs + np.log(deviation)


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
