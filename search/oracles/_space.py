"""A search space as a matrix: sampling, encoding and enumerating configurations with conditional hyperparameters.

A configuration is a row of codes (see `_columns`), one per hyperparameter of the space, NaN where the hyperparameter
is inactive. The hyperparameters are in an order in which a condition's parent always comes first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spaces.values.of_keras_tuner import from_keras_tuner
from spaces.values.space import Condition, Hyperparameter, holds

from ._columns import Floats, Ints, column

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Values = dict[str, Any]

_ALL_CHANGE = 0.3
"""Share of neighbours in which every hyperparameter changes."""
_MOST_JUMPS = 0.25
"""Share of the changes that lead to an end of the range, at most."""
_ENDS = 3.5
"""Hyperparameters at an end of their range in a configuration drawn from the ends, at most half of them."""
_COLLISIONS = 50
"""Used configurations that are drawn at a time; where all are, a new one is looked for systematically."""
_FEW = 10
"""Number of values up to which the next one is no small step away."""


class Space:
    """The columns of hyperparameters, and whole configurations over them."""

    def __init__(self, hyperparameters: Iterable[Hyperparameter]) -> None:
        self.hyperparameters = list(hyperparameters)
        self.columns = [column(hp.dimension) for hp in self.hyperparameters]
        widths = [c.width for c in self.columns if c.width]
        self.width = sum(widths)
        """Number of features of a configuration; 0 if there is only one configuration."""
        self.varying = len(widths)
        """Number of hyperparameters that can have more than one value."""
        self.feature_groups: Ints = np.repeat(np.arange(len(widths)), widths)
        """Number of the hyperparameter that each feature describes, shape (width,), fixed ones not counted."""
        self._ends = min(0.5, _ENDS / max(1, len(widths)))
        self._jumps = min(_MOST_JUMPS, self._ends / 2)
        self._parents = {condition.name for hp in self.hyperparameters for condition in hp.conditions}
        self._encoded: dict[str, Floats] = {}

    @classmethod
    def of_keras_tuner(cls, hyperparameters: "HyperParameters") -> "Space":
        """The columns of Keras Tuner's hyperparameters, which keep its order."""
        return cls(map(from_keras_tuner, hyperparameters.space))

    def __len__(self) -> int:
        return len(self.columns)

    # --- values and codes -------------------------------------------------------------------------------------

    def values(self, codes: Floats) -> Values:
        """The active values of one row of codes."""
        return {
            hp.name: c.value(code)
            for hp, c, code in zip(self.hyperparameters, self.columns, codes, strict=True)
            if not np.isnan(code)
        }

    def codes(self, values: Mapping[str, Any]) -> Floats:
        """The row of codes, shape (columns,), nearest to `values`.

        A hyperparameter that is missing, inactive or of an unknown category gets NaN; values that are no
        hyperparameters of the space are ignored. What is active is asked of the nearest values too: the layers of a
        network deeper than any of the space are those of the deepest.
        """
        row = np.full(len(self), np.nan)
        nearest = dict(values)
        for index, (hp, c) in enumerate(zip(self.hyperparameters, self.columns, strict=True)):
            if hp.name in values and (holds(hp.conditions, values) or holds(hp.conditions, nearest)):
                row[index] = c.code(values[hp.name])
                if not np.isnan(row[index]):
                    nearest[hp.name] = c.value(row[index])
        return row

    def encoded(self, key: str, values: Mapping[str, Any]) -> Floats:
        """As `codes`, computed once for each `key`, which stands for the values."""
        if key not in self._encoded:
            self._encoded[key] = self.codes(values)
        return self._encoded[key]

    def features(self, codes: Floats) -> Floats:
        """Features of shape (n, features), each 0 to 1, of codes of shape (n, columns).

        An inactive hyperparameter sits at the centre of its range, or on no category: two configurations without it
        do not differ by it.
        """
        blocks = [np.empty((len(codes), 0))]
        for c, column_codes in zip(self.columns, codes.T, strict=True):
            active = ~np.isnan(column_codes)
            block = np.full((len(codes), c.width), 0.5 if c.width == 1 else 0.0)
            if c.width and active.any():
                block[active] = c.features(column_codes[active])
            blocks.append(block)
        return np.hstack(blocks)

    # --- random configurations --------------------------------------------------------------------------------

    def draw(self, uniform: Floats) -> Floats:
        """Configurations of shape (n, columns) for uniform numbers in [0, 1) of the same shape.

        Every hyperparameter is drawn from its own distribution within its scope, so that a branch with many
        conditional hyperparameters is not drawn more often than one with few.
        """
        # A space with nothing to choose has no columns; its one configuration is a row without codes.
        drawn = np.empty_like(uniform)
        for index, c in enumerate(self.columns):
            drawn[:, index] = c.draw(uniform[:, index])
        return self.prune(drawn)

    def unused(self, rng: np.random.Generator, used: Callable[[Values], bool], batches: int = 1) -> Values | None:
        """A random configuration that is not `used`, or None if there is none left.

        Args:
            rng: draws.
            used: tells what is out of the question.
            batches: so often 50 are drawn before one is looked for systematically, which begins in one corner of the
                space.
        """
        for _ in range(batches):
            for codes in self.draw(rng.random((_COLLISIONS, len(self)))):
                values = self.values(codes)
                if not used(values):
                    return values

        def choices(index: int) -> list[Any]:
            c = self.columns[index]
            codes = rng.permutation(c.count) if c.count is not None else c.draw(rng.random(1))
            return [c.value(code) for code in codes]

        return next((values for values in self.enumerate(choices) if not used(values)), None)

    def draw_ends(self, uniform: Floats, rng: np.random.Generator) -> Floats:
        """As `draw`, with half of the hyperparameters at an end of their range, in large spaces three or four."""
        at_end, ends = rng.random(uniform.shape) < self._ends, rng.random(uniform.shape)
        drawn = np.empty_like(uniform)
        for i, c in enumerate(self.columns):
            drawn[:, i] = np.where(at_end[:, i], c.end(ends[:, i]), c.draw(uniform[:, i]))
        return self.prune(drawn)

    def near(self, codes: Floats, rng: np.random.Generator, scale: float) -> Floats:
        """Neighbours, shape (n, columns), of configurations of the same shape.

        In most rows about two hyperparameters change, in some all: an ordered one by a normal step with a standard
        deviation of `scale` (1 is its whole range) or to an end of its range, a category to a random one. What
        becomes active is drawn at random.
        """
        shape = codes.shape
        uniform, normal = rng.random(shape), rng.normal(scale=scale, size=shape)
        movable = np.array([c.width > 0 for c in self.columns])
        share = np.where(rng.random((shape[0], 1)) < _ALL_CHANGE, 1.0, 2 / max(2, movable.sum()))
        changes, jumps = rng.random(shape) < share, rng.random(shape) < self._jumps
        rows = np.arange(len(codes))
        if movable.any():
            changes[rows, rng.choice(np.flatnonzero(movable), size=len(codes))] = True
        result = np.empty(shape)
        for index, c in enumerate(self.columns):
            old = codes[:, index]
            known = ~np.isnan(old)
            new = c.draw(uniform[:, index])
            step = c.near(old[known], uniform[known, index], normal[known, index])
            moved = np.where(jumps[known, index], c.end(uniform[known, index]), step)
            new[known] = np.where(changes[known, index], moved, old[known])
            result[:, index] = new
        return self.prune(result)

    def fine(self, codes: Floats) -> NDArray[np.bool_]:
        """Along which features configurations can move in small steps.

        Args:
            codes: configurations, shape (n, columns).

        Returns:
            Shape (n, features): those of active real numbers and of active ordered values, if these are many. A
            hyperparameter on which others depend is none of them.
        """
        fine = [
            c.width == 1 and (c.count is None or c.count > _FEW) and hp.name not in self._parents
            for hp, c in zip(self.hyperparameters, self.columns, strict=True)
        ]
        return np.repeat(~np.isnan(codes) & np.array(fine, dtype=bool), [c.width for c in self.columns], axis=1)

    def placed(self, codes: Floats, features: Floats, chosen: NDArray[np.bool_]) -> Floats:
        """The configurations with some hyperparameters at the values nearest to given features.

        Args:
            codes: shape (n, columns).
            features: shape (n, features).
            chosen: which features count, shape (n, features): some of those that `fine` tells.
        """
        result = codes.copy()
        first = np.cumsum([0, *(c.width for c in self.columns)])
        for index, c in enumerate(self.columns):
            if c.width == 1:
                rows = chosen[:, first[index]]
                # From the lower end the step is the position.
                zeros = np.zeros(int(rows.sum()))
                result[rows, index] = c.near(zeros, zeros, features[rows, first[index]])
        return result

    def prune(self, codes: Floats) -> Floats:
        """The configurations with NaN wherever a hyperparameter is inactive; `codes` has a code everywhere."""
        codes = codes.copy()
        for index, required in enumerate(self._required):
            for allowed in required:
                met = np.zeros(len(codes), dtype=bool)
                for parent, exact in allowed:
                    met |= np.isin(codes[:, parent], exact)
                codes[~met, index] = np.nan
        return codes

    @cached_property
    def _required(self) -> list[list[list[tuple[int, Floats]]]]:
        """For each condition of each hyperparameter the columns that may meet it, each with the codes that do.

        Looked up once: in a deep network each layer has a condition that names all depths from its own on.
        """

        @cache
        def exact(parent: int, value: Any) -> float | None:
            code = self.columns[parent].code(value)
            return code if not np.isnan(code) and self.columns[parent].value(code) == value else None

        def meeting(condition: Condition, parent: int) -> Floats:
            found = (exact(parent, value) for value in condition.values)
            return np.array([code for code in found if code is not None], dtype=np.float64)

        earlier: dict[str, list[int]] = {}
        required = []
        for index, hp in enumerate(self.hyperparameters):
            parents = ((one, earlier.get(one.name, ())) for one in hp.conditions)
            required.append([[(parent, meeting(one, parent)) for parent in found] for one, found in parents])
            earlier.setdefault(hp.name, []).append(index)
        return required

    # --- all configurations -----------------------------------------------------------------------------------

    def enumerate(self, choices: Callable[[int], Sequence[Any]]) -> Iterator[Values]:
        """All configurations depth first, each once; `choices(index)` gives a hyperparameter's values, in order.

        `choices` is asked anew whenever the hyperparameter is reached and active.
        """
        values: Values = {}
        # Of each active hyperparameter: its number, the values that are left, and what else had its name. No function
        # calls itself for the next one: of a thousand that would be deeper than Python allows.
        way: list[tuple[int, Iterator[Any], Values]] = []
        index = 0
        while True:
            for number, hp in enumerate(self.hyperparameters[index:], index):
                if holds(hp.conditions, values):
                    # Another one of this name may be active too: where both are, the later one decides, as in `values`.
                    above = {hp.name: values[hp.name]} if hp.name in values else {}
                    left = iter(choices(number))
                    values[hp.name] = next(left)
                    way.append((number, left, above))
            yield dict(values)
            while way:
                number, left, above = way[-1]
                name = self.hyperparameters[number].name
                try:
                    values[name] = next(left)
                except StopIteration:
                    way.pop()
                    del values[name]
                    values |= above
                else:
                    break
            if not way:
                return
            index = way[-1][0] + 1
