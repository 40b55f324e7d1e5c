"""Finding out what a user's `build(hp)` asks for: it is called with ever other values until nothing new appears."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from spaces.basics.errors import CodeError
from spaces.values.dimensions import Choice, Range, number_of
from spaces.values.of_keras_tuner import from_keras_tuner
from spaces.values.space import Condition, Hyperparameter

_MAX_CALLS = 100
# Of these, for what is asked for in loops, and with other values.
_KEPT = 10
# Random values that are tried where all others fail.
_TRIES = 20
# Values of a range that are tried like those of a choice.
_FEW = 8

# Keras's names of losses of regression, and what stands nearest to them in a space file.
_REGRESSION = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mae",
    "mean_squared_logarithmic_error": "mse",
    "huber": "huber",
    "huber_loss": "huber",
    "log_cosh": "log_cosh",
    "poisson": "mse",
}

Values = dict[str, Any]
# The name of a hyperparameter, and the scopes that it stands in: several may have one name.
_Place = tuple[str, tuple[Any, ...]]


class Explored(NamedTuple):
    """What calling a function has told about it.

    Attributes:
        hyperparameters: What it asks for, each under the scopes that it stands in.
        compiled: Whether it always compiles its model.
        loss: `regression_loss` of the first model that it made.
        names: Of all that it asks for, also of what it fixes.
    """

    hyperparameters: tuple[Hyperparameter, ...]
    compiled: bool
    loss: str | None
    names: frozenset[str]


def explore(build: Callable[[Any], Any], name: str, *, branches: bool = True) -> Explored:
    """Calls a function until each of its scopes, and each value of its choices and short ranges, has been active once.

    What stands behind a plain `if` is asked for only with the value that leads there. A function without such branches
    is not called with all values: with some it may end the process, which a trial survives. The largest values together
    are for what is made in a loop over another hyperparameter, in each scope and branch. Where all of them fail, random
    values are tried: the mistake may be in some branches only, whose trials then say so.

    Args:
        build: Takes Keras Tuner's hp and returns a Keras model.
        name: Of the function, for messages.
        branches: Whether it may ask for more with other values of a choice.

    Raises:
        CodeError: It raised something with any values that were tried, or asks for something new without end.
    """
    exploration = _Exploration(build, branches)
    exploration.exhaust()
    rng = random.Random(0)
    for _ in range(_TRIES if exploration.space.space else 0):
        if exploration.works:
            break
        exploration.call({one.name: one.random_sample(rng.randrange(2**31)) for one in exploration.space.space})
        exploration.exhaust()
    if not exploration.works and exploration.error is not None:
        raise exploration.error
    if not exploration.settled:
        raise CodeError(f"{name} still asks for new hyperparameters after {_MAX_CALLS} calls")
    found = exploration.space.space
    names = frozenset(one.name for one in found)
    return Explored(_translated(found), exploration.compiled, exploration.loss, names)


def regression_loss(model: Any) -> str | None:
    """The name of `training.loss` that comes nearest to a model's loss; None where that is none of regression."""
    from spaces.layers.loss import compiled_loss

    return _REGRESSION.get(compiled_loss(model) or "")


class _Exploration:
    """The calls of one function, and what they have told."""

    def __init__(self, build: Callable[[Any], Any], branches: bool) -> None:
        import keras_tuner

        self._build = build
        self._branches = branches
        self._new = keras_tuner.HyperParameters
        self.space = self._new()
        self.works = self.settled = False
        self.compiled = True
        self.loss: str | None = None
        self.error: CodeError | None = None
        self._calls = self._failed = 0
        # The values of the first call that asked for it, by name and scope: with them it is asked for again.
        self._contexts: dict[_Place, Values] = {}
        self._tried: set[tuple[_Place, Any]] = set()
        self._first: dict[_Place, Any] = {}
        self._entered: list[Any] = []
        self._waiting: list[tuple[Any, Values]] = []
        self._enlarged = 0

    def exhaust(self) -> None:
        """Goes on until nothing new appears, or there were calls enough."""
        while self._calls < _MAX_CALLS:
            if not self._calls:
                self.call({})
            elif self._waiting:
                self._enter()
            elif self._enlarged < len(self.space.space):
                self._enlarged = len(self.space.space)
                self.call({one.name: _largest(one) for one in self.space.space})
            elif self._branches and (untried := self._untried()):
                self.settled = True
                self._try(*untried)
            elif (one := self._small()) is not None:
                self.settled = True
                self._enlarge(one)
            else:
                self.settled = True
                return

    def call(self, values: Mapping[str, Any], replaced: Set[str] = frozenset()) -> None:
        """Calls the function once more. An error may belong to these values only.

        Args:
            values: By name.
            replaced: Names of those that have taken the place of what no configuration has.
        """
        hp = self._new()
        hp.values = dict(values)
        self._calls += 1
        error: CodeError | None = None
        try:
            model = self._build(hp)
        except CodeError as raised:
            error = raised
        if self._calls < _MAX_CALLS and (legal := self._legal(hp, replaced)):
            # A default, or what the same name has in another scope: what it leads to nobody asks for.
            self.call({**values, **legal}, {*replaced, *legal})
            return
        if error is not None:
            self.error = self.error or error
            self._failed += 1
            self._learn(hp, works=False)
            return
        self._learn(hp, works=True)
        self.loss = self.loss if self.works else regression_loss(model)
        self.compiled = self.compiled and bool(model.compiled)
        self.works = True

    def _legal(self, hp: Any, replaced: Set[str]) -> Values:
        """What takes the place of values that no configuration has: the nearest end of a range, or a choice's default.

        Of what a function asks for in two ways under one name the first way holds, as in Keras Tuner.
        """
        found: Values = {}
        for asked in hp.space:
            one = self._first.get(_place(asked), asked)
            if one.name in replaced or type(one).__name__ == "Fixed" or not hp.is_active(asked):
                continue
            dimension, value = from_keras_tuner(one).dimension, hp.values[one.name]
            if isinstance(dimension, Choice):
                found |= {} if value in dimension.choices else {one.name: one.default}
            elif not isinstance(value, int | float) or value < dimension.min:
                found[one.name] = dimension.min
            elif value > dimension.max:
                found[one.name] = _largest(one)
        return found

    def _learn(self, hp: Any, *, works: bool) -> None:
        self.space.merge(hp, overwrite=False)
        for one in hp.space:
            self._first.setdefault(_place(one), one)
        context = {one.name: hp.values[one.name] for one in hp.space if hp.is_active(one)}
        for place, name in ((_place(one), one.name) for one in hp.space if hp.is_active(one)):
            self._contexts.setdefault(place, context)
            if works:
                self._tried.add((place, context[name]))
        self._entered += hp.active_scopes
        self._waiting += [(scope, context) for scope in hp.inactive_scopes]
        self._waiting = [(scope, values) for scope, values in self._waiting if scope not in self._entered]

    def _enter(self) -> None:
        """Calls with values that lead to the scope that has waited longest."""
        scope, context = self._waiting.pop(0)
        # One that is not reached because of a mistake will not be reached by asking again.
        self._entered.append(scope)
        wanted = {condition.name: condition.values[0] for condition in scope}
        # One after the other is the rule: what they ask for keeps its order then.
        if len({_key(other) for other, _ in self._waiting}) > _MAX_CALLS - self._calls - _KEPT:
            wanted = _together([scope, *(other for other, _ in self._waiting)])
        self.call(self._led(context, wanted))

    def _led(self, context: Values, wanted: Values) -> Values:
        """Some values with others that lead elsewhere, without those of the scopes that are left by that."""
        values = {**context, **wanted}
        active = [one for one in self.space.space if _holds(one.conditions, context)]
        left = {one.name for one in active} - {one.name for one in active if _holds(one.conditions, values)}
        return {name: value for name, value in values.items() if name in wanted or name not in left}

    def _untried(self) -> list[tuple[Any, Any]]:
        """The choices, and ranges of few values, that have one that no call has asked for, each with that value."""
        found = []
        for one in self.space.space:
            place = _place(one)
            new = (value for value in _each(one) if (place, value) not in self._tried)
            if place in self._contexts and (value := next(new, None)) is not None:
                found.append((one, value))
        return found

    def _try(self, first: tuple[Any, Any], *others: tuple[Any, Any]) -> None:
        """Calls with one value of each; by itself the first of them, where the others have kept it from being asked."""
        one, value = first
        alone = {**self._contexts[_place(one)], one.name: value}
        together, names, needed = dict(alone), {one.name}, [*one.conditions]
        for other, another in others:
            leading = None if other.name in names else _leading(other.conditions, together, needed)
            if leading is not None and not names & leading.keys():
                together = {**(self._led(together, leading) if leading else together), other.name: another}
                names.add(other.name)
                needed += other.conditions
        self.call(together)
        if (_place(one), value) not in self._tried and self._calls < _MAX_CALLS:
            self._tried.add((_place(one), value))
            self.call(alone)

    def _small(self) -> Any:
        """A range whose largest value no call has asked for, as other values lead elsewhere; None: there is none."""
        for one in self.space.space:
            asked = _place(one) in self._contexts and isinstance(from_keras_tuner(one).dimension, Range)
            if asked and (_place(one), _largest(one)) not in self._tried:
                return one
        return None

    def _enlarge(self, one: Any) -> None:
        """Calls with the largest values of a range and of all that are there with it, or else with its own alone."""
        context, parents = self._contexts[_place(one)], {condition.name for condition in one.conditions}
        there = [
            other
            for other in self.space.space
            if isinstance(from_keras_tuner(other).dimension, Range)
            and other.name not in {*parents, one.name}
            and _holds(other.conditions, context)
        ]
        failed = self._failed
        self.call({**context, **{other.name: _largest(other) for other in there}, one.name: _largest(one)})
        if self._failed > failed:
            # All that has failed together would fail once more for each of them.
            self._tried |= {(_place(other), _largest(other)) for other in there}
        elif (_place(one), _largest(one)) not in self._tried and self._calls < _MAX_CALLS:
            self.call({**context, one.name: _largest(one)})
        self._tried.add((_place(one), _largest(one)))


def _together(scopes: Sequence[Sequence[Any]]) -> Values:
    """Values that lead to the first of some scopes, and to others in their order, as far as one call can."""
    often = Counter((one.name, value) for scope in scopes for one in scope for value in one.values)
    wanted: Values = {}
    for scope in scopes:
        leading = dict(max(((one.name, value) for value in one.values), key=often.__getitem__) for one in scope)
        if all(wanted.get(one.name, leading[one.name]) in one.values for one in scope):
            wanted = {**leading, **wanted}
    return wanted


def _each(hp: Any) -> Sequence[Any]:
    """The values of a hyperparameter that are tried one after the other: as the search chooses them."""
    dimension = from_keras_tuner(hp).dimension
    if type(hp).__name__ == "Fixed" or dimension.values is None:
        return ()
    few = isinstance(dimension, Choice) or number_of(dimension.values) <= _FEW
    return list(dimension.values) if few else ()


def _place(one: Any) -> _Place:
    return one.name, _key(one.conditions)


def _leading(conditions: Sequence[Any], values: Values, needed: Iterable[Any]) -> Values | None:
    """Values in the place of given ones with which these conditions hold beside those needed; None: there are none."""
    wanted: Values = {}
    required = [*needed, *conditions]
    for condition in conditions:
        if not condition.is_active({**values, **wanted}):
            same = [one.values for one in required if one.name == condition.name]
            allowed = [value for value in condition.values if all(value in one for one in same)]
            if not allowed:
                return None
            wanted[condition.name] = allowed[0]
    return wanted


def _holds(conditions: Iterable[Any], values: Mapping[str, Any]) -> bool:
    return all(condition.is_active(values) for condition in conditions)


def _largest(hp: Any) -> Any:
    """The largest value that a search may choose: the steps of a range need not lead to its end."""
    dimension = from_keras_tuner(hp).dimension
    if isinstance(dimension, Range):
        return dimension.max if dimension.values is None else dimension.values[-1]
    values = list(hp.values)
    return values[-1] if isinstance(values[-1], str) else max(values)


def _translated(space: Iterable[Any]) -> tuple[Hyperparameter, ...]:
    """Those that the search decides, under the conditions that it decides.

    What is asked for in a scope and outside of it, too, has one value: it is there once, and not where it is fixed.
    """
    found: list[Hyperparameter] = []
    fixed: dict[Any, Any] = {}
    given: list[Hyperparameter] = []
    for one in space:
        new = from_keras_tuner(one)
        if type(one).__name__ == "Fixed":
            fixed[one.name, _key(one.conditions)] = one.value
            given.append(new)
        elif not any(map(partial(_covers, new), given)) and (decided := _decided(one.conditions, fixed)) is not None:
            _add(replace(new, conditions=decided), found)
    return tuple(found)


def _add(new: Hyperparameter, found: list[Hyperparameter]) -> None:
    """Adds a hyperparameter, or puts it in the place of those that are there only where it is."""
    same = [one for one in found if one.dimension == new.dimension]
    if any(_covers(new, one) for one in same):
        return
    within = [one for one in same if _covers(one, new)]
    if within:
        found[found.index(within[0])] = new
        found[:] = [one for one in found if one not in within]
    else:
        found.append(new)


def _covers(one: Hyperparameter, general: Hyperparameter) -> bool:
    """Whether another of the same name is there wherever this one is."""
    allowed = {condition.name: {*condition.values} for condition in one.conditions}
    return one.name == general.name and all(
        condition.name in allowed and allowed[condition.name] <= {*condition.values} for condition in general.conditions
    )


def _decided(conditions: Sequence[Any], fixed: Mapping[Any, Any]) -> tuple[Condition, ...] | None:
    """The conditions without those on what is fixed; None where one of these never holds."""
    kept = []
    for number, condition in enumerate(conditions):
        parent = condition.name, _key(conditions[:number])
        if parent not in fixed:
            kept.append(Condition(condition.name, tuple(condition.values)))
        elif fixed[parent] not in condition.values:
            return None
    return tuple(kept)


def _key(conditions: Iterable[Any]) -> tuple[Any, ...]:
    return tuple((condition.name, tuple(condition.values)) for condition in conditions)
