"""A Gaussian process over a search space's features.

Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), Algorithm 2.1 and section 5.4.1, with a
Matérn 5/2 kernel that has one length scale per hyperparameter. The kernel's parameters maximise the posterior
density; the prior of the length scales grows with the square root of the dimensions, as in Hvarfner et al., "Vanilla
Bayesian Optimization Performs Great in High Dimensions", ICML 2024.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, lapack, solve_triangular
from scipy.optimize import minimize

from ._columns import Floats, Ints

_ROOT5 = math.sqrt(5)
_JITTER = 1e-8
_LENGTH_SPREAD = 1.2
_NOISE_PRIOR = (math.log(1e-3), 1.5)
_SIGNAL_PRIOR = (0.0, 0.7)
_BOUNDS_LENGTH = (math.log(0.02), math.log(50.0))


@dataclass(frozen=True)
class Kernel:
    """Matérn 5/2 with one length scale per hyperparameter, plus independent noise.

    Attributes:
        lengths: length scale of each hyperparameter, shape (groups,), in units of the features.
        signal: variance of the function.
        noise: variance of the noise.
    """

    lengths: Floats
    signal: float
    noise: float

    @staticmethod
    def from_logs(logs: Floats) -> "Kernel":
        return Kernel(np.exp(logs[:-2]), float(np.exp(logs[-2])), float(np.exp(logs[-1])))

    def cross(self, a: Floats, b: Floats, groups: Ints) -> Floats:
        """Covariances of the function, shape (n, m), between features of shapes (n, f) and (m, f)."""
        scale = 1 / self.lengths[groups]
        root = _ROOT5 * np.sqrt(_squared_distances(a * scale, b * scale))
        covariances: Floats = self.signal * (1 + root + root**2 / 3) * np.exp(-root)
        return covariances


class GaussianProcess:
    """The posterior for given observations and kernel."""

    def __init__(self, features: Floats, targets: Floats, groups: Ints, kernel: Kernel) -> None:
        """Args:
        features: shape (n, f), each 0 to 1.
        targets: shape (n,), about mean 0 and variance 1.
        groups: hyperparameter of each feature, shape (f,), numbered from 0.
        kernel: its parameters.
        """
        self._features, self._groups, self.kernel = features, groups, kernel
        covariance = kernel.cross(features, features, groups)
        covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER
        self._factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        self._weights = _solve(self._factor, targets)

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the function without noise, each of shape (m,)."""
        cross = self.kernel.cross(self._features, features, self._groups)
        mean = self._weights @ cross
        half = solve_triangular(self._factor, cross, lower=True, overwrite_b=True, check_finite=False)
        variance = self.kernel.signal - np.einsum("ij,ij->j", half, half)
        return mean, np.sqrt(np.maximum(variance, 1e-12))


def fit_kernel(features: Floats, targets: Floats, groups: Ints, iterations: int = 30) -> Kernel:
    """The kernel of highest posterior density; arguments as those of `GaussianProcess`."""
    count = int(groups.max()) + 1
    prior_length = math.log(0.5) + 0.5 * math.log(count)
    centre = np.array([prior_length] * count + [_SIGNAL_PRIOR[0], _NOISE_PRIOR[0]])
    spread = np.array([_LENGTH_SPREAD] * count + [_SIGNAL_PRIOR[1], _NOISE_PRIOR[1]])
    bounds = [_BOUNDS_LENGTH] * count + [(-4.0, 4.0), (math.log(1e-6), 0.0)]

    def objective(logs: Floats) -> tuple[float, Floats]:
        value, gradient = _negative_log_likelihood(logs, features, targets, groups, count)
        deviation = (logs - centre) / spread
        return value + 0.5 * float(deviation @ deviation), gradient + deviation / spread

    start = np.clip(centre, [b[0] for b in bounds], [b[1] for b in bounds])
    best = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    return Kernel.from_logs(best.x)


def _negative_log_likelihood(
    logs: Floats, features: Floats, targets: Floats, groups: Ints, count: int
) -> tuple[float, Floats]:
    kernel = Kernel.from_logs(logs)
    scaled = features / kernel.lengths[groups]
    root = _ROOT5 * np.sqrt(_squared_distances(scaled, scaled))
    decay = np.exp(-root)
    function = kernel.signal * (1 + root + root**2 / 3) * decay
    covariance = function.copy()
    covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER
    try:
        factor = cholesky(covariance, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return 1e25, np.zeros_like(logs)
    weights = _solve(factor, targets)
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    value = 0.5 * float(targets @ weights) + float(np.log(np.diag(factor)).sum())
    pull = inverse - np.outer(weights, weights)
    # d kernel / d log length = signal * 5/3 * (1 + root) * decay * squared scaled distance in that direction
    slope = pull * (kernel.signal * 5 / 3 * (1 + root) * decay)
    per_feature = 2 * (slope.sum(axis=1) @ scaled**2) - 2 * np.einsum("if,if->f", scaled, slope @ scaled)
    gradient = np.empty_like(logs)
    gradient[:count] = 0.5 * np.bincount(groups, weights=per_feature, minlength=count)
    gradient[-2] = 0.5 * float((pull * function).sum())
    gradient[-1] = 0.5 * kernel.noise * float(np.trace(pull))
    return value, gradient


def _solve(factor: Floats, right: Floats) -> Floats:
    half = solve_triangular(factor, right, lower=True, check_finite=False)
    return np.asarray(solve_triangular(factor, half, lower=True, trans=1, check_finite=False))


def _squared_distances(a: Floats, b: Floats) -> Floats:
    squares: Floats = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return np.maximum(squares, 0, out=squares)
