"""How long an epoch of a configuration takes, learned from those that were trained."""

from collections.abc import Sequence

import numpy as np

from search.oracles._columns import Floats, Ints
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, codes_of, latest
from search.oracles.surrogate.gp import GaussianProcess, Kernel, Points

_LENGTH = 2.0
_NOISE = 0.01
_ENOUGH = 4
_RECENT = 200
# Epochs of one training that differ so much are of different phases: with a frozen part, for example, and without.
_PHASES = 4.0
# One configuration may have been compiled, or have met something else, in between.
_CONVINCING = 3


class EpochSeconds:
    """A Gaussian process over the logarithm of the seconds, with fixed length scales.

    Times vary by factors (units, layers, batch size) and smoothly: a fixed, smooth kernel does, and needs no fit.
    """

    def __init__(self, features: Floats, seconds: Floats, groups: Ints, starts: Floats | None = None) -> None:
        """Args:
        features: shape (n, f).
        seconds: of an epoch, shape (n,), above 0. With fewer than 4 every configuration counts the same.
        groups: hyperparameter of each feature, shape (f,).
        starts: epoch that each was measured from, shape (n,), where epochs of one training cost differently.
        """
        self._model = None
        self._by_start = starts is not None
        if starts is not None:
            features, groups = _with_starts(features, starts), np.append(groups, groups.max() + 1)
        if len(seconds) < _ENOUGH:
            return
        logs = np.log(seconds[-_RECENT:])
        self._mean, self._deviation = float(logs.mean()), float(logs.std())
        if self._deviation < 1e-9:
            return
        count = int(groups.max()) + 1
        kernel = Kernel(np.log([*[_LENGTH] * count, 1.0, _NOISE]), groups)
        targets = (logs - self._mean) / self._deviation
        self._model = GaussianProcess(Points.full_length(features[-_RECENT:]), targets, kernel)

    def log_seconds(self, features: Floats, starts: Floats | float = 0.0) -> Floats:
        """Expected logarithm of the seconds of an epoch after these ones, shape (n,); all 0 where nothing is known."""
        if self._model is None:
            return np.zeros(len(features))
        if self._by_start:
            features = _with_starts(features, np.broadcast_to(starts, len(features)))
        mean, _ = self._model.predict(Points.full_length(features))
        return self._mean + self._deviation * mean


def has_phases(curves: Sequence[Curve], expected: bool | None = None) -> bool:
    """Whether the epochs of a training become much dearer on its way.

    Args:
        curves: what is known.
        expected: whether they may; None: nobody knows, so that several configurations have to show it.
    """
    shown = sum(max(seconds for _, seconds in c.timed) > _PHASES * c.timed[0][1] for c in curves if c.timed)
    return expected is not False and shown >= (1 if expected else _CONVINCING)


def dear_epochs(curves: Sequence[Curve]) -> int:
    """What was spent, in epochs of the dearest kind."""
    return int(sum(map(spent_seconds, curves)) / max(seconds for c in curves for _, seconds in c.timed))


def spent_seconds(curve: Curve, since: int = 0) -> float:
    """What the trials of a configuration that went on from epoch `since` or later took, as far as it is known.

    Nothing is known of what is in its first trial, or failed in it.
    """
    ends = [*(start for start, _ in curve.timed), curve.epochs][1:]
    return sum(s * max(0, end - start) for (start, s), end in zip(curve.timed, ends, strict=True) if start >= since)


def _with_starts(features: Floats, starts: Floats) -> Floats:
    return np.column_stack([features, np.log2(1.0 + np.asarray(starts, dtype=np.float64))])


def cost_of(curves: Sequence[Curve], space: Space, phases: bool) -> EpochSeconds:
    """What an epoch takes, from the curves whose epochs were timed; `phases`: it depends on where a training begins."""
    measured = latest([c for c in curves if c.seconds], _RECENT)
    timed = [(c, *t) for c in measured for t in (c.timed if phases else [(0, c.seconds)] if c.seconds else [])]
    starts, times = (np.array([t[i] for t in timed], dtype=np.float64) for i in (1, 2))
    features = space.features(codes_of([c for c, *_ in timed], space))
    return EpochSeconds(features, times, space.feature_groups, starts if phases else None)
