"""What the models beside that of scores take of a set of curves."""

from collections.abc import Sequence

import numpy as np

from ._columns import Floats
from ._cost import EpochSeconds
from ._curves import Curve, Stage
from ._space import Space
from ._success import SuccessProbability


def codes_of(curves: Sequence[Curve], space: Space) -> Floats:
    """The configurations, shape (curves, columns)."""
    return np.array([curve.codes for curve in curves]).reshape(len(curves), len(space))


def success_of(curves: Sequence[Curve], space: Space) -> SuccessProbability:
    """Where training succeeds, from the curves that have scores or have failed."""
    tried = [c for c in curves if c.scores or c.stage is Stage.FAILED]
    trained = np.array([c.stage is not Stage.FAILED for c in tried], dtype=np.float64)
    return SuccessProbability(space.features(codes_of(tried, space)), trained, space.feature_groups)


def cost_of(curves: Sequence[Curve], space: Space, phases: bool) -> EpochSeconds:
    """What an epoch takes, from the curves whose epochs were timed; `phases`: it depends on where a training begins."""
    timed = [(c, *t) for c in curves for t in (c.timed if phases else [(0, c.seconds)] if c.seconds else [])]
    starts, times = (np.array([t[i] for t in timed], dtype=np.float64) for i in (1, 2))
    features = space.features(codes_of([c for c, *_ in timed], space))
    return EpochSeconds(features, times, space.feature_groups, starts if phases else None)
