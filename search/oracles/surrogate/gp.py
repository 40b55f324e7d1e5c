"""Gaussian processes over a search space's features, and over learning curves.

Regression after Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), Algorithm 2.1 and section
5.4.1. The kernel is a sum of one or two parts, each a Matérn 5/2 kernel with one length scale per hyperparameter:

- what a configuration is worth at every training length, and
- for learning curves, what depends on the length too: multiplied by a Matérn 5/2 kernel over the number of halvings
  that separate the length from the longest one. That the correlation of two lengths depends on their ratio follows
  the shape of learning curves (Swersky, Snoek and Adams, "Freeze-Thaw Bayesian Optimization", 2014, use a kernel over
  epochs that decays exponentially; with few observations per curve a stationary one over their logarithm does).

The parameters maximise the posterior density. The prior keeps the length scales long, as in Hvarfner et al., "Vanilla
Bayesian Optimization Performs Great in High Dimensions" (ICML 2024): without it a few dozen observations fit a rough
function, and the search circles around the best of them. How firmly it does is for the caller to say (see `Prior`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, lapack, solve_triangular
from scipy.optimize import minimize

from search.oracles._columns import Floats, Ints

_ROOT5 = math.sqrt(5)
_JITTER = 1e-7
_MATRICES = 9
_LEAST_VARIANCE = 1e-12
_LONGEST = 30.0

# Centre, spread and bounds of the logarithms of: the length scale in halvings, the variances of the two parts; targets
# have variance 1. Those of the length scales in units of a range, and of the noise, are in `Prior`.
_HALVINGS = (math.log(2.0), 0.7, math.log(0.3), math.log(20.0))
_WORTH = (math.log(0.7), 0.7, -5.0, 3.0)
_COURSE = (math.log(0.3), 0.7, -7.0, 3.0)
_NOISE_SPREAD, _MOST_NOISE = 1.5, 0.3


@dataclass(frozen=True)
class Prior:
    """What is believed of length scales and noise before any observation; targets have variance 1.

    Attributes:
        length: the most probable length scale, in units of a hyperparameter's range.
        shortest: the shortest length scale.
        level_spread: standard deviation of the logarithm of the level that all length scales have in common: how much
            rougher or smoother than expected the function is as a whole. 0: the level is `length`.
        spread: of a length scale's logarithm about the level: the standard deviation, or the half width of a Cauchy
            distribution.
        heavy_tailed: whether that is a Cauchy distribution, not a normal one: few observations do not move a length
            scale either, but a hyperparameter whose observations insist may have one far from the others.
        noise: the most probable variance of the noise.
        least_noise: the least variance of the noise.
    """

    length: float
    shortest: float
    level_spread: float
    spread: float
    heavy_tailed: bool
    noise: float
    least_noise: float


FIRM = Prior(length=2.5, shortest=0.15, level_spread=0.0, spread=0.3, heavy_tailed=False, noise=1e-4, least_noise=1e-6)
"""For the trend: what is rough counts as noise."""

SELECTIVE = replace(FIRM, heavy_tailed=True)
"""For the trend over many hyperparameters, of which few may matter: as Eriksson and Jankowiak, below."""

YIELDING = Prior(
    length=2.5, shortest=0.03, level_spread=0.7, spread=0.3, heavy_tailed=True, noise=1e-5, least_noise=1e-8
)
"""For the detail: as rough as the observations say. A heavy tail for the few length scales that matter follows Eriksson
and Jankowiak, "High-Dimensional Bayesian Optimization with Sparse Axis-Aligned Subspaces" (UAI 2021)."""


@dataclass(frozen=True)
class Points:
    """Where a model is observed or asked.

    Attributes:
        features: configurations, shape (n, f), each feature 0 to 1.
        halvings: base 2 logarithm of longest over actual training length, shape (n,); 0 at full length.
    """

    features: Floats
    halvings: Floats

    @staticmethod
    def full_length(features: Floats) -> "Points":
        return Points(features, np.zeros(len(features)))

    def __len__(self) -> int:
        return len(self.halvings)

    def __getitem__(self, chosen: Ints) -> "Points":
        return Points(self.features[chosen], self.halvings[chosen])

    def with_more(self, others: "Points") -> "Points":
        return Points(np.vstack([self.features, others.features]), np.concatenate([self.halvings, others.halvings]))


class Kernel:
    """The sum of the parts, and independent noise, for given parameters."""

    def __init__(self, logs: Floats, groups: Ints) -> None:
        """Args:
        logs: logarithms of the parameters: per part its length scales, then its variance; the second part's
            length scale in halvings after its variance; the noise last.
        groups: hyperparameter of each feature, shape (f,), numbered from 0 without gaps.
        """
        self.logs, self.groups = logs, groups
        count = int(groups.max()) + 1
        values = np.exp(logs)
        self.noise = float(values[-1])
        self.lengths = [values[:count]]
        self.variances = [float(values[count])]
        self.halvings = math.inf
        if len(logs) > count + 2:
            self.lengths.append(values[count + 1 : 2 * count + 1])
            self.variances.append(float(values[2 * count + 1]))
            self.halvings = float(values[2 * count + 2])

    @property
    def variance(self) -> float:
        """Variance of the function at any point."""
        return sum(self.variances)

    def between(self, a: Points, b: Points) -> Floats:
        """Covariances of the function, shape (n, m)."""
        total = np.zeros((len(a), len(b)))
        for part, (lengths, variance) in enumerate(zip(self.lengths, self.variances, strict=True)):
            scale = 1 / lengths[self.groups]
            shape = _matern(_root(a.features * scale, b.features * scale))
            if part:
                shape *= _matern(self._root_halvings(a, b))
            shape *= variance
            total += shape
        return total

    def gradients(self, a: Points, b: Points, *weights: Floats) -> list[Floats]:
        """Gradients of weighted sums of covariances along the features of `b`.

        Args:
            a: n points.
            b: m points.
            weights: each of shape (n, m), or (n, 1) for the same ones at every point of `b`.

        Returns:
            For each of the weights, and each point of `b`, the gradient of the sum over `a` of weight times
            covariance, shape (m, f).
        """
        totals = [np.zeros(b.features.shape) for _ in weights]
        for part, (lengths, variance) in enumerate(zip(self.lengths, self.variances, strict=True)):
            scale = 1 / lengths[self.groups]
            root = _root(a.features * scale, b.features * scale)
            # d matern / d feature = -5/3 (1 + root) exp(-root) times the difference over the squared length scale
            slope = -5 / 3 * variance * (1 + root) * np.exp(-root)
            fading = _matern(self._root_halvings(a, b)) if part else None
            for total, weight in zip(totals, weights, strict=True):
                pull = weight * slope
                if fading is not None:
                    pull *= fading
                total += (pull.sum(axis=0)[:, None] * b.features - pull.T @ a.features) * scale**2
        return totals

    def _root_halvings(self, a: Points, b: Points) -> Floats:
        return np.abs(a.halvings[:, None] - b.halvings[None, :]) * (_ROOT5 / self.halvings)

    def likelihood(self, points: Points, targets: Floats, room: Floats | None = None) -> tuple[float, Floats]:
        """Negative logarithm of the marginal likelihood, up to a constant, and its gradient along `logs`.

        Args:
            points: n points.
            targets: shape (n,).
            room: what `matrices` has made for n points, to be written over. A fit asks so often that to ask the system
                for the memory each time would take as long as to compute.
        """
        left = iter(matrices(len(points)) if room is None else room)
        covariance, spare = next(left), next(left)
        covariance.fill(0.0)
        shapes = []
        for part, (lengths, variance) in enumerate(zip(self.lengths, self.variances, strict=True)):
            scaled = points.features / lengths[self.groups]
            value, slope = next(left), next(left)
            root = _root(scaled, scaled, out=slope)
            decay = np.exp(np.negative(root, out=spare), out=spare)
            decay *= variance
            # In place `value` becomes (1 + root + root**2 / 3) decay; `slope`, the root before, 5/3 (1 + root) decay:
            # d matern / d log length = 5/3 (1 + root) exp(-root) times the squared scaled distance along it.
            np.square(root, out=value)
            value /= 3
            slope += 1
            value += slope
            value *= decay
            slope *= 5 / 3
            slope *= decay
            along = None
            if part:
                root, along, fading = self._root_halvings(points, points), next(left), next(left)
                decay = np.exp(np.negative(root, out=spare), out=spare)
                np.square(root, out=along)
                along /= 3
                root += 1
                np.add(root, along, out=fading)
                fading *= decay
                along *= root
                along *= decay
                along *= value
                value *= fading
                slope *= fading
            covariance += value
            shapes.append((scaled, value, slope, along))
        diagonal = np.diag_indices_from(covariance)
        covariance[diagonal] += self.noise + _JITTER
        try:
            # LAPACK writes in place where columns lie together: those of the transposed do, which is the same.
            factor = cholesky(covariance.T, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e25, np.zeros_like(self.logs)
        weights = _solve(factor, targets)
        half_determinant = float(np.log(np.diag(factor)).sum())
        # The lower triangle; the upper one is empty, as the factor's is.
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
        pull = np.add(inverse, inverse.T, out=next(left))
        pull[diagonal] /= 2
        pull -= np.multiply(weights[:, None], weights, out=spare)
        gradient: list[float] = []
        for scaled, value, slope, along in shapes:
            slope *= pull
            per_feature = slope.sum(axis=1) @ scaled**2 - np.einsum("if,if->f", scaled, slope @ scaled)
            gradient.extend(np.bincount(self.groups, weights=per_feature))
            gradient.append(0.5 * float(np.vdot(pull, value)))
            if along is not None:
                gradient.append(0.5 * float(np.vdot(pull, along)))
        gradient.append(0.5 * self.noise * float(np.trace(pull)))
        return 0.5 * float(targets @ weights) + half_determinant, np.array(gradient)


def matrices(size: int) -> Floats:
    """Room for the square matrices of a `Kernel.likelihood` of so many points."""
    return np.empty((_MATRICES, size, size))


def fit_kernel(
    points: Points, targets: Floats, groups: Ints, *, curves: bool, prior: Prior, iterations: int = 25
) -> Kernel:
    """The kernel of highest posterior density.

    Args:
        points: n observed points.
        targets: shape (n,), about mean 0 and variance 1.
        groups: hyperparameter of each feature, shape (f,), numbered from 0 without gaps.
        curves: whether training lengths differ.
        prior: of length scales and noise.
        iterations: of the optimizer, at most.
    """
    count = int(groups.max()) + 1
    length = (math.log(prior.length), prior.spread, math.log(prior.shortest), math.log(_LONGEST))
    noise = (math.log(prior.noise), _NOISE_SPREAD, math.log(prior.least_noise), math.log(_MOST_NOISE))
    priors = [length] * count + [_WORTH]
    scales = [True] * count + [False]
    if curves:
        priors += [length] * count + [_COURSE, _HALVINGS]
        scales += [True] * count + [False, False]
    centre, spread, low, high = np.array([*priors, noise]).T
    common = np.array([*scales, False])
    tails = common & prior.heavy_tailed
    # The logarithm of the common level over `prior.length` follows the parameters, where it is free.
    start, bounds = centre, list(zip(low, high, strict=True))
    if prior.level_spread:
        start = np.append(centre, 0.0)
        bounds.append((length[2] - length[0], length[3] - length[0]))
    room = matrices(len(points))

    def objective(position: Floats) -> tuple[float, Floats]:
        logs, level = position[: len(centre)], position[len(centre) :]
        value, gradient = Kernel(logs, groups).likelihood(points, targets, room)
        deviation = (logs - centre - common * level.sum()) / spread
        normal, cauchy = deviation[~tails], deviation[tails]
        unlikely = 0.5 * float(normal @ normal) + float(np.log1p(cauchy**2).sum())
        slope = np.where(tails, 2 * deviation / (1 + deviation**2), deviation) / spread
        gradient += slope
        if prior.level_spread:
            unusual = level / prior.level_spread
            unlikely += 0.5 * float(unusual @ unusual)
            gradient = np.append(gradient, unusual / prior.level_spread - slope[common].sum())
        return value + unlikely, gradient

    best = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    return Kernel(best.x[: len(centre)], groups)


class GaussianProcess:
    """The posterior for given observations and kernel."""

    def __init__(self, points: Points, targets: Floats, kernel: Kernel) -> None:
        self._points, self._targets, self._kernel = points, targets, kernel
        covariance = kernel.between(points, points)
        covariance[np.diag_indices_from(covariance)] += kernel.noise + _JITTER
        self._factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        self._weights = _solve(self._factor, targets)

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the function without noise, each of shape (m,)."""
        cross = self._kernel.between(self._points, points)
        mean = self._weights @ cross
        half = solve_triangular(self._factor, cross, lower=True, overwrite_b=True, check_finite=False)
        variance = self._kernel.variance - np.einsum("ij,ij->j", half, half)
        return mean, np.sqrt(np.maximum(variance, _LEAST_VARIANCE))

    def joint(self, points: Points) -> tuple[Floats, Floats]:
        """Mean, shape (m,), and covariance, shape (m, m), of the function without noise."""
        cross = self._kernel.between(self._points, points)
        half = solve_triangular(self._factor, cross, lower=True, check_finite=False)
        return self._weights @ cross, self._kernel.between(points, points) - half.T @ half

    def slopes(self, points: Points) -> tuple[Floats, Floats]:
        """Gradients of mean and standard deviation along the features, each of shape (m, f)."""
        cross = self._kernel.between(self._points, points)
        solved = _solve(self._factor, cross)
        variance = self._kernel.variance - np.einsum("ij,ij->j", cross, solved)
        deviation = np.sqrt(np.maximum(variance, _LEAST_VARIANCE))
        along_mean, along_variance = self._kernel.gradients(self._points, points, self._weights[:, None], solved)
        return along_mean, -along_variance / deviation[:, None]

    def expecting(self, points: Points) -> "GaussianProcess":
        """The posterior as if the means at `points` had been observed: what is being trained counts already."""
        if not len(points):
            return self
        mean, _ = self.predict(points)
        targets = np.concatenate([self._targets, mean])
        return GaussianProcess(self._points.with_more(points), targets, self._kernel)


def _root(a: Floats, b: Floats, out: Floats | None = None) -> Floats:
    """Distances as `_matern` takes them, shape (n, m), of scaled features; in `out`, where it is given."""
    root = _squared_distances(a, b, out)
    np.sqrt(root, out=root)
    root *= _ROOT5
    return root


def _matern(root: Floats) -> Floats:
    # In place: of many points, to ask for memory takes as long as to compute.
    shape: Floats = np.square(root)
    shape /= 3
    shape += 1 + root
    decay = np.negative(root)
    shape *= np.exp(decay, out=decay)
    return shape


def _solve(factor: Floats, right: Floats) -> Floats:
    half = solve_triangular(factor, right, lower=True, check_finite=False)
    return np.asarray(solve_triangular(factor, half, lower=True, trans=1, check_finite=False))


def _squared_distances(a: Floats, b: Floats, out: Floats | None = None) -> Floats:
    product = a @ b.T
    product *= 2
    squares: Floats = np.add((a**2).sum(axis=1)[:, None], (b**2).sum(axis=1), out=out)
    squares -= product
    return np.maximum(squares, 0, out=squares)
