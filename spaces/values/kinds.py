"""What values a setting takes, and how the three forms of a dimension are read for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from spaces.basics.section import Refusals, is_short, listed, refuse, shown, suggestion, unknown
from spaces.values.dimensions import Choice, Dimension, Fixed, PerLayer, Range, Value, When, plain

# Key of a placeholder for a reference: pydantic does not know definitions that are not its own.
DEFINITION = "x-definition"

# Above it lie infinity and whole numbers that are no float; NaN compares false.
_HUGE = 1e300

# A search keeps a list of every value of a range that has a step.
_MOST_VALUES = {"integer": 1_000_000, "number": 100_000}

_RANGE_KEYS = ("min", "max", "step", "log", "when")


@dataclass(frozen=True)
class Kind:
    """The values that one setting takes; put in `Annotated[Dimension, Kind(...)]` it validates a field.

    Attributes:
        type: kind of every value.
        ge, gt, le, lt: limits of numbers (at least, above, at most, below); None for none.
        words: the words allowed, for type `word`.
        endings: how paths end that are allowed beside the words; they are made absolute.
        per_layer: whether the setting is one of the layers of a stack, so that `{shared: ...}` is known.
    """

    type: Literal["integer", "number", "boolean", "word"]
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    words: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    per_layer: bool = False

    def describe(self) -> str:
        """The allowed values, in words."""
        if self.type == "boolean":
            return "true or false"
        if self.type == "word":
            paths = f", or a path ending in {' or '.join(self.endings)}" if self.endings else ""
            return listed(self.words) + paths
        number = "a whole number" if self.type == "integer" else "a number"
        limits = (("of at least", self.ge), ("above", self.gt), ("at most", self.le), ("below", self.lt))
        bounds = [f"{text} {shown(limit)}" for text, limit in limits if limit is not None]
        return f"{number} {' and '.join(bounds)}".strip()

    def scalar(self, value: Any) -> Value:
        """The value, in its canonical type.

        Raises:
            PydanticCustomError: it is none of the allowed values.
        """
        fault = f"found {shown(value)}; allowed: {self.describe()}"
        if self.type == "boolean":
            if isinstance(value, bool):
                return value
        elif self.type == "word":
            if isinstance(value, str) and value in self.words:
                return value
            if isinstance(value, str) and self.endings and value.endswith(self.endings):
                # Not resolve(): a link stays the name that its owner chose.
                return os.path.abspath(os.path.expanduser(value))
            fault += suggestion(value, self.words) if isinstance(value, str) else ""
        elif isinstance(value, int | float) and not isinstance(value, bool) and -_HUGE < value < _HUGE:
            whole = value == int(value) and is_short(value)
            if self.within(value) and (whole or self.type == "number"):
                return int(value) if self.type == "integer" else float(value)
        raise refuse(fault)

    def within(self, value: float) -> bool:
        """Whether a number lies between the ends."""
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    def parse(self, raw: Any) -> Dimension | PerLayer:
        """Reads a dimension of this kind from plain data.

        Raises:
            PydanticCustomError: with every mistake in it.
        """
        if isinstance(raw, Fixed | Choice | Range | PerLayer):
            raw = plain(raw)
        if not self.per_layer:
            return self._dimension(raw, ())
        if isinstance(raw, dict) and "shared" in raw:
            if len(raw) > 1:
                raise refuse("'shared' stands alone; allowed: {shared: value, list or range}")
            inner = self._dimension(raw["shared"], ("shared",))
            return PerLayer(inner, shared=True)
        inner = self._dimension(raw, ())
        return PerLayer(inner, shared=isinstance(inner, Fixed))

    def _dimension(self, raw: Any, path: tuple[str, ...]) -> Dimension:
        refusals = Refusals()
        made = self._read(raw, path, refusals)
        refusals.raise_if_any()
        assert made is not None
        return made

    def _read(self, raw: Any, path: tuple[str, ...], refusals: Refusals) -> Dimension | None:
        if isinstance(raw, list | tuple):
            return self._choice(raw, path, (), refusals)
        if not isinstance(raw, dict):
            value = self._checked(raw, path, refusals)
            return None if value is None else Fixed(value)
        when = _when(raw["when"], (*path, "when"), refusals) if "when" in raw else ()
        if "choices" in raw or "value" in raw:
            key = "choices" if "choices" in raw else "value"
            _known_keys(raw, (key, "when"), path, refusals)
            if key == "value":
                value = self._checked(raw["value"], (*path, "value"), refusals)
                return None if value is None else Fixed(value, when)
            if not isinstance(raw["choices"], list | tuple):
                refusals.add(f"found {shown(raw['choices'])}; allowed: a list of values", *path, "choices")
                return None
            return self._choice(raw["choices"], (*path, "choices"), when, refusals)
        return self._range(raw, path, when, refusals)

    def _checked(self, value: Any, path: Iterable[str | int], refusals: Refusals) -> Value | None:
        if isinstance(value, dict | list):
            refusals.add(f"found {shown(value)}; allowed: {self.describe()}", *path)
            return None
        try:
            return self.scalar(value)
        except PydanticCustomError as error:
            for below, message in (error.context or {})["found"]:
                refusals.add(message, *path, *below)
            return None

    def _choice(self, raw: Any, path: tuple[str, ...], when: When, refusals: Refusals) -> Dimension | None:
        if not raw:
            refusals.add("found an empty list; allowed: at least one value", *path)
            return None
        values: dict[Value, None] = {}
        for index, item in enumerate(raw):
            value = self._checked(item, (*path, index), refusals)
            if value is not None and value in values:
                refusals.add(f"{shown(item)} is listed twice", *path, index)
            elif value is not None:
                values[value] = None
        if not values:
            return None
        # A list of one is no choice, and a fixed value never becomes a hyperparameter.
        return Choice(tuple(values), when) if len(values) > 1 else Fixed(next(iter(values)), when)

    def _range(self, raw: dict[str, Any], path: tuple[str, ...], when: When, refusals: Refusals) -> Dimension | None:
        if self.type in ("boolean", "word"):
            refusals.add(f"found a mapping; allowed: {self.describe()}, or a list of them", *path)
            return None
        before = len(refusals.found)
        _known_keys(raw, _RANGE_KEYS + (("shared",) if self.per_layer and not path else ()), path, refusals)
        for key in ("min", "max"):
            if key not in raw:
                refusals.add(f"'{key}' is missing; a range has min and max", *path)
        low = self._checked(raw["min"], (*path, "min"), refusals) if "min" in raw else None
        high = self._checked(raw["max"], (*path, "max"), refusals) if "max" in raw else None
        step, log = raw.get("step"), raw.get("log", False)
        if not isinstance(log, bool):
            refusals.add(f"found {shown(log)}; allowed: true or false", *path, "log")
            log = False
        if step is not None:
            self._check_step(step, log, (*path, "step"), refusals)
        if isinstance(low, int | float) and isinstance(high, int | float):
            if low > high:
                refusals.add(f"min {shown(low)} is greater than max {shown(high)}", *path)
            if log and low <= 0:
                message = f"found {shown(low)}; allowed: a number above 0 where log is true"
                refusals.add(message, *path, "min")
            if len(refusals.found) == before:
                if low == high:
                    return Fixed(low, when)
                made = Range(low, high, self.type == "integer", step, log, when)
                self._check_count(made, path, refusals)
                return made
        return None

    def _check_count(self, made: Range, path: tuple[str, ...], refusals: Refusals) -> None:
        most = _MOST_VALUES[self.type]
        try:
            count = made.size
        except OverflowError:
            count = most + 1
        if count == 1:
            refusals.add(f"found {shown(made.step)}: no second value fits between min and max", *path, "step")
        elif count is not None and count > most and made.step is None:
            refusals.add(f"holds too many whole numbers; allowed: at most {most}", *path)
        elif count is not None and count > most:
            instead = "" if made.integer else ", or no step for every number between min and max"
            message = f"found {shown(made.step)}: makes too many values; allowed: at most {most}{instead}"
            refusals.add(message, *path, "step")

    def _check_step(self, step: Any, log: bool, path: tuple[str, ...], refusals: Refusals) -> None:
        number = isinstance(step, int | float) and not isinstance(step, bool) and -_HUGE < step < _HUGE
        whole = self.type == "number" or (number and step == int(step))
        if not number or not whole or step <= (1 if log else 0):
            kind = "a whole number" if self.type == "integer" else "a number"
            above = "above 1, the ratio of neighbours, where log is true" if log else "above 0"
            refusals.add(f"found {shown(step)}; allowed: {kind} {above}", *path)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json_schema()

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of a dimension of this kind."""
        value = self._value_schema()
        choices = {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}
        when = {DEFINITION: "When"}
        forms: list[dict[str, Any]] = [
            value,
            choices,
            _object({"choices": choices, "when": when}, ["choices"]),
            _object({"value": value, "when": when}, ["value"]),
        ]
        if self.type in ("integer", "number"):
            step = {"type": self.type, "exclusiveMinimum": 0}
            keys = {"min": value, "max": value, "step": step, "log": {"type": "boolean"}, "when": when}
            forms.append(_object(keys, ["min", "max"]))
        if self.per_layer:
            forms.append(_object({"shared": {"anyOf": list(forms)}}, ["shared"]))
        return {"anyOf": forms}

    def _value_schema(self) -> dict[str, Any]:
        if self.type == "word":
            words: dict[str, Any] = {"type": "string", "enum": list(self.words)}
            paths = [{"type": "string", "pattern": rf"{re.escape(ending)}$"} for ending in self.endings]
            return {"anyOf": [words, *paths]} if paths else words
        limits = {"minimum": self.ge, "exclusiveMinimum": self.gt, "maximum": self.le, "exclusiveMaximum": self.lt}
        return {"type": self.type, **{key: limit for key, limit in limits.items() if limit is not None}}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _known_keys(raw: dict[str, Any], known: tuple[str, ...], path: tuple[str, ...], refusals: Refusals) -> None:
    for key in raw:
        if key not in known:
            refusals.add(unknown("key", key, known), *path, key)


def _when(raw: Any, path: tuple[str, ...], refusals: Refusals) -> When:
    if not isinstance(raw, dict) or not raw:
        refusals.add(f"found {shown(raw)}; allowed: a mapping from hyperparameters to values", *path)
        return ()
    conditions = []
    for name, values in raw.items():
        listed_values = tuple(values) if isinstance(values, list | tuple) else (values,)
        no_values = [shown(value) for value in listed_values if value is None or isinstance(value, dict | list)]
        if no_values or not listed_values:
            found = no_values[0] if no_values else "an empty list"
            refusals.add(f"found {found}; allowed: a value or a list of values", *path, name)
        else:
            conditions.append((name, listed_values))
    return tuple(conditions)
