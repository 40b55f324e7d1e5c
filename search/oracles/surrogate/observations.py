"""What a model of learning curves is shown: a few points of each curve, with targets on a common scale."""

from collections.abc import Sequence

import numpy as np

from search.oracles._columns import Floats
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, Stage
from search.oracles.surrogate.gp import Points
from search.oracles.surrogate.standard import ordinary, spread

_THINNING = 1.9
"""Ratio of neighbouring observed lengths of a curve: nearer ones say almost the same."""


class Observations:
    """The points and targets of a set of curves.

    Attributes:
        points: configuration and length of each observation.
        targets: what each was worth by then, shape (n,), mean 0 and variance 1; more is better.
        unit: what 1 is in scores.
    """

    def __init__(
        self, curves: Sequence[Curve], space: Space, *, longest: int, first: int, shortest: float, most: int
    ) -> None:
        """Args:
        curves: at least one of them with scores.
        space: the space of their configurations.
        longest: epochs of a full training.
        first: shortest length that a curve is observed at.
        shortest: shortest length that still counts, as long as at least two longer observations are left.
        most: number of observations, at most: half of them of the best curves, half of the latest of the
            others; what is known from elsewhere is older than all of the search's own.
        """
        self._space = space
        rows = [
            (index, length, best)
            for index, curve in enumerate(curves)
            if curve.stage is not Stage.FAILED
            for length, best in _thinned(curve, first, longest)
        ]
        long_enough = [row for row in rows if row[1] >= shortest]
        rows = long_enough if len(long_enough) > 1 else rows
        if len(rows) > most:
            worth = [c.latest for c in curves]
            rows.sort(key=lambda row: (-worth[row[0]], row[1]))
            half = most // 2
            # A model of the best alone would take what has been found bad for as good as unknown.
            others = sorted(rows[half:], key=lambda row: (curves[row[0]].stage is not Stage.KNOWN, row[0]))
            rows = [*rows[:half], *others[half - most :]]
        chosen, lengths, scores = (np.array(column) for column in zip(*rows, strict=True))

        latest_scores = [c.latest for c in curves if c.scores and c.stage is not Stage.FAILED]
        self._floor = 2 * ordinary(np.array(latest_scores)) - max(latest_scores)
        drawn_in = np.maximum(scores, self._floor)
        self._centre, self.unit = float(drawn_in.mean()), spread(drawn_in)

        self.targets = self.target(scores)
        self.points = Points(self.features(curves)[chosen], np.log2(longest / lengths))

    def features(self, curves: Sequence[Curve]) -> Floats:
        """Features of the curves' configurations, shape (curves, features)."""
        codes = np.array([curve.codes for curve in curves]).reshape(len(curves), len(self._space))
        return self._space.features(codes)

    def target(self, scores: Floats) -> Floats:
        """Scores on the scale of the targets, those below the floor drawn in."""
        scaled: Floats = (np.maximum(scores, self._floor) - self._centre) / self.unit
        return scaled

    def score(self, target: float) -> float:
        """The score of a target."""
        return target * self.unit + self._centre


def _thinned(curve: Curve, first: int, longest: int) -> list[tuple[int, float]]:
    """Lengths, downwards, and what it was worth by then; a curve that has stopped counts to its end."""
    lengths = [curve.epochs] if curve.epochs > 0 and curve.stage is not Stage.RUNNING else []
    if curve.stage is Stage.RUNNING and curve.scores:
        lengths = [max(curve.scores)]
    while lengths and lengths[-1] / _THINNING >= first:
        lengths.append(round(lengths[-1] / _THINNING))
    rows = [(length, curve.best_by(length)) for length in lengths]
    if curve.stopped and curve.epochs < longest:
        rows.insert(0, (longest, curve.best_by(longest)))
    return [(length, best) for length, best in rows if best is not None]
