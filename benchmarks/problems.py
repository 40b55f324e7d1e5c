"""Simulated trainings with a known best, each hard in a way of its own: what LCBench does not ask of a search.

A problem is a space, the true score of a configuration at full length, and the course that its training takes until
then. Everything is a formula over numpy: a search of 40 full trainings takes as long as the method thinks.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lcbench
import numpy as np
from functions import bowl
from lcbench import Scale
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = dict[str, Any]

EPOCHS = 52
_SAMPLE = 4000


@dataclass(frozen=True)
class Problem:
    """A set of simulated trainings.

    Attributes:
        name: what the table calls it.
        space: makes its hyperparameters, a `keras_tuner.HyperParameters`.
        score: true score of a configuration after 52 epochs, more is better.
        maximum: the largest score in the space.
        course: score after each epoch, shape (52,), without noise, from the values and their `score`; the last one is
            the score.
        noise: standard deviation of what an epoch's observation adds, independent from epoch to epoch.
        digits: decimals that an observation is rounded to, or None.
        fails: whether a configuration's training fails, after one epoch.
        stops: the epoch at which early stopping ends a configuration's training.
        cost: seconds of an epoch, with a median of about 1; None: all the same, and nobody measures them.
        factor: what a search is shown is the score times this; where it is below 0, less is better.
    """

    name: str
    space: Callable[[], Any]
    score: Callable[[Values], float]
    maximum: float
    course: Callable[[Values, float], Floats]
    noise: float = 0.0
    digits: int | None = None
    fails: Callable[[Values], bool] = lambda _: False
    stops: Callable[[Values], int] = lambda _: EPOCHS
    cost: Callable[[Values], float] | None = None
    factor: float = 1.0

    @property
    def direction(self) -> str:
        return "max" if self.factor > 0 else "min"

    def observed(self, values: Values, seed: int) -> Floats | None:
        """What a search sees of a configuration's training, epoch by epoch to its last; None: it fails."""
        if self.fails(values):
            return None
        curve = self.course(values, self.score(values))[: self.stops(values)]
        if self.noise:
            text = repr((seed, sorted((k, v) for k, v in values.items() if not k.startswith("tuner/"))))
            rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
            curve = curve + rng.normal(scale=self.noise, size=EPOCHS)[: len(curve)]
        return self.factor * (curve if self.digits is None else np.round(curve, self.digits))

    @cached_property
    def scale(self) -> Scale:
        """Best and median score; the median of random configurations that do not fail."""
        from search.oracles._space import Space

        space = Space.of_keras_tuner(self.space())
        codes = space.draw(np.random.default_rng(0).random((_SAMPLE, len(space))))
        drawn = [space.values(row) for row in codes]
        return Scale(self.maximum, float(np.median([self.score(values) for values in drawn if not self.fails(values)])))


# --- spaces ---------------------------------------------------------------------------------------------------


def _numbers(count: int) -> Callable[[], Any]:
    def make() -> Any:
        import keras_tuner

        space = keras_tuner.HyperParameters()
        for index in range(count):
            space.Float(f"x{index}", 0.0, 1.0)
        return space

    return make


def _many() -> Any:
    """LCBench's kinds of hyperparameters, again and again, to 50 of them."""
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for index in range(50):
        low, high, log, whole = list(lcbench.RANGES.values())[index % len(lcbench.RANGES)]
        (space.Int if whole else space.Float)(f"x{index}", low, high, sampling="log" if log else "linear")
    return space


def _point(values: Values, count: int) -> Floats:
    return np.array([values[f"x{index}"] for index in range(count)])


_CATEGORIES = 20
_KINDS = ("a", "b", "c")


def _category_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for index in range(_CATEGORIES):
        space.Choice(f"c{index}", list(_KINDS))
    return space


def _depth_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Int("depth", 1, 6)
    for layer in range(6):
        with space.conditional_scope("depth", list(range(layer + 1, 7))):
            space.Int(f"width_{layer}", 16, 512, sampling="log")
    space.Float("rate", 1e-5, 1e-1, sampling="log")
    return space


def _order_space() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Int("layers", 1, 5)
    space.Int("units", 32, 512, step=32)
    space.Int("kernel", 3, 9, step=2)
    space.Choice("batch", [16, 32, 64, 128, 256])
    space.Float("dropout", 0.0, 0.8, step=0.1)
    space.Choice("activation", ["relu", "gelu", "tanh"])
    space.Float("rate", 1e-5, 1e-1, sampling="log")
    return space


# --- scores ---------------------------------------------------------------------------------------------------

_CENTRE = np.array([0.62, 0.31, 0.55, 0.44, 0.71, 0.38, 0.58, 0.27, 0.66])


def _wide_bowl(values: Values) -> float:
    """As the bowl of functions.py, in 50 dimensions."""
    ranges = list(lcbench.RANGES.values())
    total = 0.0
    for index in range(50):
        low, high, _, _ = ranges[index % len(ranges)]
        total += ((values[f"x{index}"] - low) / (high - low) - 0.6) ** 2
    return -total


def _hidden_bowl(values: Values) -> float:
    """The bowl of functions.py, by seven of 50 hyperparameters; the others do nothing."""
    return bowl({name: values[f"x{index}"] for index, name in enumerate(lcbench.RANGES)})


def _useless(relevant: tuple[int, ...]) -> Callable[[Values], float]:
    def score(values: Values) -> float:
        point = _point(values, 10)
        return -float(sum((point[index] - _CENTRE[place]) ** 2 for place, index in enumerate(relevant)))

    return score


_ROTATION = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]
_STRETCH = np.array([0.1, 1.0, 1.0, 3.0, 3.0])


def _ridge(values: Values) -> float:
    turned = _ROTATION @ (_point(values, 5) - _CENTRE[:5])
    return -float((_STRETCH * turned**2).sum())


_SINGLE = np.random.default_rng(20).normal(size=(_CATEGORIES, 3))
_PAIRS = [(index, (index * 7 + 3) % _CATEGORIES) for index in range(_CATEGORIES)]
_JOINT = np.random.default_rng(21).normal(size=(_CATEGORIES, 3, 3))


def _kinds_score(kinds: NDArray[np.intp]) -> float:
    single = _SINGLE[np.arange(_CATEGORIES), kinds].sum()
    return float(single + sum(_JOINT[index, kinds[a], kinds[b]] for index, (a, b) in enumerate(_PAIRS)))


def _categories(values: Values) -> float:
    return _kinds_score(np.array([_KINDS.index(values[f"c{index}"]) for index in range(_CATEGORIES)]))


def _best_categories() -> float:
    """Coordinate ascent from many starts, in all pairs of categories."""
    rng, best = np.random.default_rng(22), -math.inf
    for _ in range(60):
        kinds, score = rng.integers(0, 3, _CATEGORIES), -math.inf
        while (now := _kinds_score(kinds)) > score:
            score = now
            for a in range(_CATEGORIES):
                for b in (a, (a * 7 + 3) % _CATEGORIES):
                    trials = []
                    for first in range(3):
                        for second in range(3):
                            tried = kinds.copy()
                            tried[a], tried[b] = first, second
                            trials.append((_kinds_score(tried), tuple(tried)))
                    kinds = np.array(max(trials)[1])
        best = max(best, score)
    return best


def _depth(values: Values) -> float:
    total: float = 0.15 * (values["depth"] - 4) ** 2
    for layer in range(values["depth"]):
        wanted = (256, 128, 192, 64, 96, 32)[layer]
        total += 0.15 * (math.log2(values[f"width_{layer}"]) - math.log2(wanted)) ** 2
    off: float = math.log10(values["rate"]) + 3 + 0.15 * (values["depth"] - 4)
    return -total - 0.5 * off**2


def _orders(values: Values) -> float:
    total: float = 0.3 * (values["layers"] - 3) ** 2 + 3 * ((values["units"] - 320) / 480) ** 2
    total += 0.1 * (values["kernel"] - 5) ** 2 + 0.2 * (math.log2(values["batch"]) - 6) ** 2
    total += 2 * (values["dropout"] - 0.3) ** 2 + {"relu": 0.1, "gelu": 0.0, "tanh": 0.3}[values["activation"]]
    return -total - 0.5 * (math.log10(values["rate"]) + 3) ** 2


# --- courses --------------------------------------------------------------------------------------------------

_EPOCH = np.arange(1, EPOCHS + 1, dtype=np.float64)


def _parallel(_: Values, score: float) -> Floats:
    """All curves rise alike: every epoch ranks as the last does."""
    return score - 2 * (np.exp(-_EPOCH / 8) - math.exp(-EPOCHS / 8))


def _crossing(at: int) -> Callable[[Values, float], Floats]:
    """What is fast ends low: the epochs before `at` rank the other way round."""
    weight = 1 / (1 + np.exp(-(_EPOCH - at) / 4))
    weight /= weight[-1]
    return lambda _, score: weight * score + (1 - weight) * (-0.7 * score - 5)


def _unrelated(values: Values, score: float) -> Floats:
    """The first ten epochs rank by something else: by how near to the low ends of all ranges a configuration is."""
    places = [(values[name] - low) / (high - low) for name, (low, high, _, _) in lcbench.RANGES.items()]
    weight = np.clip((_EPOCH - 10) / (EPOCHS - 10), 0, 1)
    return weight * score + (1 - weight) * (-2 - 0.5 * float(np.square(places).sum()))


def _late(_: Values, score: float) -> Floats:
    """Nothing is learned until epoch 20, by any of them."""
    return -4 + (score + 4) * np.clip((_EPOCH - 20) / (EPOCHS - 20), 0, 1)


def _stop(values: Values) -> int:
    """Between 8 and 22, and the whole training for one configuration in ten."""
    return EPOCHS if values["max_dropout"] > 0.9 else int(8 + 14 * values["weight_decay"] / 0.1)


def _stopped_course(values: Values, _: float) -> Floats:
    return bowl(values) - 2 * np.exp(-_EPOCH / 3)


def _stopped_score(values: Values) -> float:
    return float(_stopped_course(values, 0.0)[_stop(values) - 1])


def _costs(values: Values) -> float:
    """From a seventh of a second to seven; both ends are as far from the optimum."""
    return float(80 ** (values["momentum"] - 0.545))


def _failing(values: Values) -> bool:
    """Three configurations in ten: a region whose border runs close beside the optimum."""
    return bool((values["momentum"] - 0.1) / 0.89 + values["max_dropout"] > 1.225)


_flat = lcbench.hyperparameters

PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("categories", _category_space, _categories, _best_categories(), _parallel),
        Problem("depth", _depth_space, _depth, 0.0, _parallel),
        Problem("bowl", _flat, bowl, -0.01, _parallel),
        Problem("crossing", _flat, bowl, -0.01, _crossing(26)),
        Problem("crossing early", _flat, bowl, -0.01, _crossing(12)),
        Problem("crossing late", _flat, bowl, -0.01, _crossing(38)),
        Problem("crossing, noise", _flat, bowl, -0.01, _crossing(26), noise=0.1),
        Problem("unrelated", _flat, bowl, -0.01, _unrelated),
        Problem("failing", _flat, bowl, -0.01, _parallel, fails=_failing),
        Problem("noise", _flat, bowl, -0.01, _parallel, noise=0.1),
        Problem("50 dimensions", _many, _wide_bowl, -0.07, _parallel),
        Problem("50, 43 useless", _many, _hidden_bowl, -0.01, _parallel),
        Problem("late", _flat, bowl, -0.01, _late),
        Problem("scale", _flat, bowl, -0.01, _parallel, factor=-1e6),
        Problem("small scale", _flat, bowl, -0.01, _parallel, factor=-1e-6),
        Problem("useless", _numbers(10), _useless((0, 1, 2, 4, 5, 6, 7, 8, 9)), 0.0, _parallel),
        Problem("mostly useless", _numbers(10), _useless((1, 4, 8)), 0.0, _parallel),
        Problem("ridge", _numbers(5), _ridge, 0.0, _parallel),
        Problem("stopping", _flat, _stopped_score, -0.016, _stopped_course, stops=_stop),
        Problem("costs", _flat, bowl, -0.01, _parallel, cost=_costs),
        Problem("rounded", _flat, lambda v: 0.9 + 0.01 * bowl(v), 0.8999, lambda _, s: s - 0.1 / _EPOCH, digits=3),
        Problem("orders", _order_space, _orders, 0.0, _parallel),
    )
}
