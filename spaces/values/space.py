"""The hyperparameters of a space with the conditions under which they are active, and what follows from them:
how many configurations there are, random ones, and the smallest and largest."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from spaces.basics.errors import Problem, problem
from spaces.basics.section import listed, shown, unknown
from spaces.values.dimensions import Choice, Range, Value, number_of
from spaces.values.setting import ByWord, Need, Setting


@dataclass(frozen=True)
class Condition:
    """The named hyperparameter is active and has one of `values`."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Hyperparameter:
    """A choice or range that the search decides, active where all conditions hold."""

    name: str
    dimension: Choice | Range
    conditions: tuple[Condition, ...] = ()


def holds(conditions: Iterable[Condition], active: Mapping[str, Value]) -> bool:
    """Whether all conditions hold, given the values of the active hyperparameters."""
    return all(c.name in active and active[c.name] in c.values for c in conditions)


@dataclass(frozen=True)
class Space:
    """All settings of a space in an order where each follows those it depends on.

    Attributes:
        settings: every setting that can have an effect.
        conditions: by name of the setting, when its dimension counts; elsewhere its default does.
    """

    settings: tuple[Setting, ...]
    conditions: Mapping[str, tuple[Condition, ...]]

    @property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """The settings that the search decides."""
        return tuple(
            Hyperparameter(setting.name, setting.dimension, self.conditions[setting.name])
            for setting in self.settings
            if isinstance(setting.dimension, Choice | Range)
        )


def compile_space(settings: list[Setting], *, begun: bool = False) -> tuple[Space, list[Problem]]:
    """Works out the conditions of all settings, and finds what is missing, useless or contradictory.

    Args:
        settings: those of the space.
        begun: whether a run has begun with them: needs that exclude each other were passed over in earlier versions.
    """
    compiler = _Compiler(settings, begun)
    for setting in settings:
        compiler.visit(setting.name, ())
    space = Space(tuple(compiler.order), compiler.conditions)
    unique = {(found.path, found.message): found for found in compiler.problems}
    return space, list(unique.values())


class _Compiler:
    def __init__(self, settings: list[Setting], begun: bool) -> None:
        self.begun = begun
        self.by_name = {setting.name: setting for setting in settings}
        self.order: list[Setting] = []
        self.conditions: dict[str, tuple[Condition, ...]] = {}
        self.natural: dict[str, dict[str, tuple[Value, ...]]] = {}
        self.useless: set[str] = set()
        self.problems: list[Problem] = []

    def visit(self, name: str, waiting: tuple[str, ...]) -> None:
        """Compiles a setting after those it depends on."""
        if name in self.conditions or name in self.useless:
            return
        setting = self.by_name[name]
        if name in waiting:
            chain = " needs ".join((*waiting[waiting.index(name) :], name))
            self._report(setting, f"conditions go in a circle: {chain}", "when")
            self.conditions[name] = ()
            return
        for parent in setting.parents:
            if parent in self.by_name:
                self.visit(parent, (*waiting, name))
        if name in self.conditions:
            return
        found: dict[str, tuple[Value, ...]] = {}
        if not self._natural(setting, found):
            self.useless.add(name)
            return
        self.natural[name] = dict(found)
        self._stated(setting, found)
        if setting.dimension is None and setting.default is None:
            self._report(setting, "is missing")
        if setting.dimension is not None and setting.dimension.when and setting.default is None:
            self._report(setting, "takes no condition, since it has no value where that does not hold", "when")
        names = [*(s.name for s in self.order), name]
        self.conditions[name] = tuple(Condition(n, found[n]) for n in names if n in found)
        self.order.append(setting)

    def _natural(self, setting: Setting, found: dict[str, tuple[Value, ...]]) -> bool:
        """Adds the conditions of the needs; False where they can never be met."""
        ways = [self._ways(need) for need in setting.needs]
        for chosen in itertools.product(*ways):
            together = _together(chosen)
            if all(together.values()):
                found |= together
                return True
        if setting.dimension is not None:
            self._report_unmet(setting, ways)
        return False

    def _report_unmet(self, setting: Setting, ways: list[list[dict[str, tuple[Value, ...]]]]) -> None:
        never = next((need.text for need, some in zip(setting.needs, ways, strict=True) if not some), None)
        # Of a setting that itself has conditions which exclude each other, that is told where it stands.
        each = all(any(all(way.values()) for way in some) for some in ways)
        if never is not None:
            self._report(setting, f"has no effect: it needs {never}")
        elif each and not self.begun:
            needed = " and ".join(need.text for need in setting.needs)
            self._report(setting, f"has no effect: it needs {needed}, which exclude each other")

    def _ways(self, need: Need) -> list[dict[str, tuple[Value, ...]]]:
        """The conditions under which a need is met, for each way in which it may be; the usual one first."""
        parent = self.by_name[need.setting]
        if need.setting in self.useless:
            return []
        values = self._defaults(parent) or None if parent.dimension is None else parent.dimension.values
        possible = None if values is None else tuple(v for v in values if need.holds(v))
        if isinstance(parent.dimension, Range) and values is None and not need.holds(parent.dimension.middle):
            # What holds at an end of a continuous range alone holds almost never.
            possible = ()
        made: list[dict[str, tuple[Value, ...]]] = []
        if possible != ():
            way: dict[str, tuple[Value, ...]] = {}
            decided = isinstance(parent.dimension, Choice | Range)
            if decided and values is not None and possible is not None and len(possible) < len(values):
                way[need.setting] = possible
            self._inherit(need.setting, way)
            made.append(way)
        return made + self._ways_by_default(parent, need)

    def _ways_by_default(self, parent: Setting, need: Need) -> list[dict[str, tuple[Value, ...]]]:
        """The same where a condition that the file states for the parent does not hold, and its default is enough."""
        made: list[dict[str, tuple[Value, ...]]] = []
        for name, values in () if parent.dimension is None else parent.dimension.when:
            way = dict(self.natural.get(parent.name, {}))
            other = self.by_name.get(name)
            if other is None:
                continue
            if isinstance(other.dimension, Choice | Range):
                if other.dimension.values is None:
                    continue
                meant = {other.dimension.nearest(value) for value in values}
                _intersect(way, name, tuple(v for v in other.dimension.values if v not in meant))
                self._inherit(name, way)
            elif any(value in values for value in self._fixed(other)):
                continue
            if self._is_enough(parent, need, way):
                made.append(way)
        return made

    def _is_enough(self, parent: Setting, need: Need, way: dict[str, tuple[Value, ...]]) -> bool:
        """Whether the default of a setting meets a need; of one that follows a word `way` gets the words with which."""
        default = parent.default
        if isinstance(default, ByWord) and default.setting in self.conditions:
            words = self.by_name[default.setting].dimension
            if isinstance(words, Choice):
                _intersect(way, default.setting, tuple(w for w in words.values if need.holds(default.defaults[str(w)])))
                self._inherit(default.setting, way)
                return True
        defaults = self._defaults(parent)
        return bool(defaults) and all(map(need.holds, defaults))

    def _stated(self, setting: Setting, found: dict[str, tuple[Value, ...]]) -> None:
        for name, values in () if setting.dimension is None else setting.dimension.when:
            parent = self.by_name.get(name)
            known = [s.name for s in self.by_name.values() if isinstance(s.dimension, Choice | Range)]
            if parent is None or name == setting.name:
                self._report(setting, unknown("hyperparameter", name, [n for n in known if n != setting.name]), "when")
                continue
            if not isinstance(parent.dimension, Choice | Range):
                fixed = self._fixed(parent)
                if isinstance(parent.default, ByWord) and len(fixed) > 1:
                    message = f"{name} has a default that depends on {parent.default.setting}: give it a value"
                    self._report(setting, f"{message} to condition on it", "when", name)
                elif not any(value in values for value in fixed):
                    message = f"never holds: {name} is always {shown(next(iter(fixed), None))}"
                    self._report(setting, message, "when", name)
                self._inherit(name, found)
                continue
            if parent.dimension.values is None:
                message = f"{name} is a continuous range; allowed: a choice or a range with a step"
                self._report(setting, message, "when", name)
                continue
            possible = [parent.dimension.nearest(value) for value in values]
            for value, near in zip(values, possible, strict=True):
                if near is None:
                    message = f"{name} is never {shown(value)}; allowed: {_allowed(parent.dimension)}"
                    self._report(setting, message, "when", name)
            if None not in possible:
                _intersect(found, name, tuple(v for v in possible if v is not None))
                self._inherit(name, found)
        if not all(found.values()):
            self._report(setting, "its conditions exclude each other", "when")

    def _fixed(self, setting: Setting) -> tuple[Value, ...]:
        """What a setting that the search does not decide is, where it counts."""
        return self._defaults(setting) if setting.dimension is None else tuple(setting.dimension.values or ())

    def _defaults(self, setting: Setting) -> tuple[Value, ...]:
        """What a setting may be of which the space says nothing: several values where its word is not fixed."""
        default = setting.default
        if not isinstance(default, ByWord):
            return () if default is None else (default,)
        word = self.by_name[default.setting]
        words = () if word.dimension is None else tuple(word.dimension.values or ())
        if word.dimension is None or word.dimension.when:
            words += self._defaults(word)
        return tuple(dict.fromkeys(default.defaults[str(one)] for one in words))

    def _inherit(self, parent: str, found: dict[str, tuple[Value, ...]]) -> None:
        for condition in self.conditions.get(parent, ()):
            _intersect(found, condition.name, condition.values)

    def _report(self, setting: Setting, message: str, *below: str) -> None:
        self.problems.append(problem((*setting.path, *below), message))


def _together(parts: Iterable[Mapping[str, tuple[Value, ...]]]) -> dict[str, tuple[Value, ...]]:
    """The conditions of all parts at once."""
    found: dict[str, tuple[Value, ...]] = {}
    for part in parts:
        for name, values in part.items():
            _intersect(found, name, values)
    return found


def _intersect(found: dict[str, tuple[Value, ...]], name: str, values: tuple[Value, ...]) -> None:
    if name not in found:
        found[name] = values
        return
    both = set(values)
    found[name] = tuple(value for value in found[name] if value in both)


def _allowed(dimension: Choice | Range) -> str:
    if isinstance(dimension, Choice):
        return listed(dimension.choices)
    return f"{shown(dimension.min)} to {shown(dimension.max)}" + (
        "" if dimension.step is None else f" in steps of {shown(dimension.step)}"
    )


def count(
    hyperparameters: Iterable[Hyperparameter],
    values: Callable[[Choice | Range], Sequence[Value] | None] = attrgetter("values"),
) -> int | None:
    """Number of different configurations, inactive hyperparameters not counted; None if it is not finite.

    Args:
        hyperparameters: Parents before those that depend on them.
        values: Of a dimension those that count; None where they have no end.
    """
    order = _children_at_once(hyperparameters)
    # So many ways lead to each choice of the values that later conditions are about.
    ways: dict[tuple[tuple[str, Value], ...], int] = {(): 1}
    for index, hyperparameter in enumerate(order):
        later = [condition for one in order[index + 1 :] for condition in one.conditions]
        still_asked = {condition.name for condition in later}
        options = values(hyperparameter.dimension)
        branches = [] if options is None else _branches(hyperparameter.name, options, later)
        found: dict[tuple[tuple[str, Value], ...], int] = {}
        for known, number in ways.items():
            active = dict(known)
            is_active = holds(hyperparameter.conditions, active)
            if is_active and options is None:
                return None
            for chosen, size in branches if is_active else [({}, 1)]:
                now = tuple(pair for pair in (active | chosen).items() if pair[0] in still_asked)
                found[now] = found.get(now, 0) + number * size
        ways = found
    return sum(ways.values())


def _branches(name: str, options: Sequence[Value], later: Iterable[Condition]) -> list[tuple[dict[str, Value], int]]:
    """The values of a hyperparameter, those that decide later conditions alike as one of them and their number."""
    asked = [set(condition.values) for condition in later if condition.name == name]
    groups: dict[tuple[bool, ...], list[Value]] = {}
    for value in set().union(*asked):
        if value in options:
            groups.setdefault(tuple(value in wanted for wanted in asked), []).append(value)
    # No condition asks for the others.
    others = number_of(options) - sum(map(len, groups.values()))
    return [({name: alike[0]}, len(alike)) for alike in groups.values()] + ([({}, others)] if others else [])


def _children_at_once(hyperparameters: Iterable[Hyperparameter]) -> list[Hyperparameter]:
    """Those with conditions as soon as their parents are there, so that no value is kept in mind for long."""
    waiting, order = list(hyperparameters), []
    while waiting:
        names = {one.name for one in waiting}
        ready = (one for one in waiting if one.conditions and names.isdisjoint(c.name for c in one.conditions))
        order.append(next(ready, waiting[0]))
        waiting.remove(order[-1])
    return order


def draw(hyperparameters: Iterable[Hyperparameter], rng: random.Random) -> dict[str, Value]:
    """One random configuration: the values of its active hyperparameters."""
    active: dict[str, Value] = {}
    for hyperparameter in hyperparameters:
        if holds(hyperparameter.conditions, active):
            active[hyperparameter.name] = hyperparameter.dimension.sample(rng)
    return active


def extreme(
    hyperparameters: Iterable[Hyperparameter], sizes: Mapping[str, tuple[str, ...]], *, largest: bool
) -> dict[str, Value]:
    """The configuration with the smallest, or the largest, value of every hyperparameter.

    Args:
        hyperparameters: Parents before those that depend on them.
        sizes: Words from light to heavy, by hyperparameter.
        largest: Which of the two.
    """
    active: dict[str, Value] = {}
    for hyperparameter in hyperparameters:
        if not holds(hyperparameter.conditions, active):
            continue
        name, dimension = hyperparameter.name, hyperparameter.dimension
        if isinstance(dimension, Range):
            values = dimension.values
            active[name] = (dimension.min, dimension.max)[largest] if values is None else values[-1 if largest else 0]
            continue
        order = sizes.get(name, ())
        ranked = sorted(dimension.choices, key=lambda v: order.index(v) if isinstance(v, str) and v in order else 0)
        if not any(isinstance(value, str) for value in ranked):
            ranked = sorted(dimension.choices)
        active[name] = ranked[-1 if largest else 0]
    return active
