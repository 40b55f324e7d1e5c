"""From columns to the numbers that a model takes: learnt from training rows, and described so that others can do it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spaces.data.tables import dates
from spaces.data.tables.columns import Array, Column, Kind

_FEW_ROWS = 10
_SHARE = 0.01
_MOST_VALUES = 1000
_MOST_WORDS = 100
_WORD = re.compile(r"\w+")
_WHOLE = re.compile(r"([+-]?\d+)(\.0)?")
_TRUTH = {word: (word, word.title(), word.upper()) for word in ("false", "true")}


@dataclass(frozen=True)
class ColumnEncoding:
    """How the cells of one column become inputs of the model, in the order of `inputs`.

    Attributes:
        name: of the column.
        kind: what its cells are. A number, and a boolean as 0 or 1, is one input. A category is one input of 0 or 1
            for each of `values`. A date gives days since 1970, year, month, day, weekday (Monday 0) and, with `times`,
            hour. A text gives for each word of `values` 1 if it occurs, in lower case, else 0.
        form: decimal sign of numbers, format of dates for `strptime` or `ISO8601`.
        values: the categories or words; the two words of a boolean; the unit behind numbers, if one stands there.
        fill: stands for missing numbers, booleans and dates (in days): the median of the training rows.
        other: whether there is an input for the values that are none of `values`; without it they have 0 everywhere.
        missing: whether there is an input that is 1 where the cell gives nothing.
        times: whether dates have a time.
        lenient: whether cells that are no numbers or dates are taken as missing, not as mistakes.
        sign: percent sign or currency that numbers carry, "" for none; None: nobody noted it, as in earlier versions,
            whose runs and models read cells as they did then.
        guessed: whether the decimal sign is a guess: no cell of training told it.
    """

    name: str
    kind: Kind
    form: str = ""
    values: tuple[str, ...] = ()
    fill: float = 0.0
    other: bool = False
    missing: bool = False
    times: bool = False
    lenient: bool = False
    sign: str | None = None
    guessed: bool = False

    @property
    def aliases(self) -> dict[str, str]:
        """For a category how other programs write its values, and the value.

        Whole numbers are `1` or `1.0`, and truth values `true`, `True` or `TRUE`; a column of these with gaps is read
        as `True`, however a file writes it.
        """
        known = frozenset(self.values)
        found = {}
        for value in self.values if self.kind == "category" else ():
            if match := _WHOLE.fullmatch(value):
                found[match[1] if match[2] else f"{value}.0"] = value
            elif (spelled := _TRUTH.get(value.lower())) and value in spelled:
                found |= dict.fromkeys(spelled, value)
        return {alias: value for alias, value in found.items() if alias not in known}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        match self.kind:
            case "category":
                found = [f"{self.name} = {value}" for value in self.values]
            case "text":
                found = [f"{self.name} has {word}" for word in self.values]
            case "date":
                found = [f"{self.name}: {part}" for part, _ in dates.parts(np.zeros(1), times=self.times)]
            case _:
                found = [self.name]
        found += [f"{self.name} is another"] if self.other else []
        return (*found, *([f"{self.name} is missing"] if self.missing else []))

    @property
    def indicators(self) -> tuple[bool, ...]:
        """For each input whether it is 0 or 1, and left so."""
        marks = self.other + self.missing
        own = len(self.inputs) - marks
        return (*[self.kind in ("category", "text")] * own, *[True] * marks)

    def encode(self, column: Column, values: Array) -> list[Array]:
        """The inputs, each of shape (n,) and type float32.

        Args:
            column: what `values` are; its words may be others than those of the training rows.
            values: as `Reader.understand` gives them.
        """
        absent = np.isnan(values)
        missing = [absent.astype(np.float32)] if self.missing else []
        if self.kind == "category":
            found = self._categories(column, values, absent)
        elif self.kind == "text":
            has = np.array([[word in words for word in self.values] for words in map(_words, column.values)], bool)
            has = has.reshape(len(column.values), len(self.values))  # also where either is none
            table = np.concatenate([has, np.zeros((1, len(self.values)), bool)])
            found = list(table[_numbers(values, len(column.values))].T)
        else:
            filled = np.where(absent, self.fill, values)
            found = [part for _, part in dates.parts(filled, times=self.times)] if self.kind == "date" else [filled]
        with np.errstate(over="ignore"):
            return [*(np.asarray(one, dtype=np.float32) for one in found), *missing]

    def _categories(self, column: Column, values: Array, absent: Array) -> list[Array]:
        position = {value: index for index, value in enumerate(self.values)}
        unknown = len(self.values)
        known = np.array([*(position.get(value, unknown) for value in column.values), unknown + 1], dtype=np.intp)
        rows = known[_numbers(values, len(column.values))]
        found = [rows == index for index in range(len(self.values))]
        if self.other:
            found.append((rows == unknown) | (absent if not self.missing else np.zeros(len(rows), bool)))
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data: what is left out is at its default."""
        plain = {key: value for key, value in dataclasses.asdict(self).items() if value != _DEFAULTS.get(key)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ColumnEncoding:
        """The object that `to_json` described.

        Raises:
            TypeError: a field is missing or unknown.
        """
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        return cls(**fields)


_DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(ColumnEncoding)
    if field.default is not dataclasses.MISSING
}


def fit(columns: Sequence[Column], values: Iterable[Array]) -> tuple[ColumnEncoding, ...]:
    """What is learnt from training rows: medians, categories, words, and where something is missing.

    Of more than a few values of a category those that less than one row in a hundred has, and fewer than ten rows, are
    taken together.

    Args:
        columns: the columns.
        values: of the training rows, shape (n,) for each column.
    """
    return tuple(_fit(column, found) for column, found in zip(columns, values, strict=True))


def encode(encodings: Sequence[ColumnEncoding], columns: Sequence[Column], rows: Array) -> Array:
    """Rows as a model takes them, float32 of shape (n, inputs)."""
    inputs: list[Array] = []
    for index, (encoding, column) in enumerate(zip(encodings, columns, strict=True)):
        inputs += encoding.encode(column, rows[:, index])
    return np.stack(inputs, axis=1) if inputs else np.empty((len(rows), 0), np.float32)


def earlier(columns: Sequence[str], categories: Mapping[str, Sequence[str]]) -> tuple[ColumnEncoding, ...]:
    """The encoding of runs and models that name their columns and categories only."""
    return tuple(
        ColumnEncoding(name, "category", values=tuple(categories[name]))
        if name in categories
        else ColumnEncoding(name, "number", ".")
        for name in columns
    )


def _fit(column: Column, values: Array) -> ColumnEncoding:
    given = values[~np.isnan(values)]
    missing = len(given) < len(values)
    if column.kind == "category":
        counts = np.bincount(given.astype(np.intp), minlength=len(column.values))
        rare = min(_FEW_ROWS, int(len(values) * _SHARE))
        common = np.flatnonzero(counts >= max(1, rare))
        common = common[np.argsort(-counts[common], kind="stable")][:_MOST_VALUES]
        kept = tuple(column.values[index] for index in np.sort(common))
        other = int((counts > 0).sum()) > len(kept)
        return ColumnEncoding(column.name, "category", "", kept, other=other, missing=missing, sign=column.sign)
    if column.kind == "text":
        seen = Counter(word for index in given.astype(np.intp) for word in _words(column.values[index]))
        least = max(2, min(_FEW_ROWS, int(len(values) * _SHARE)))
        words = [word for word, count in seen.most_common() if least <= count < len(values)][:_MOST_WORDS]
        return ColumnEncoding(column.name, "text", "", tuple(sorted(words)), missing=missing, sign=column.sign)
    fill = float(np.median(given)) if len(given) else 0.0
    times = column.kind == "date" and bool((given != np.floor(given)).any())
    return ColumnEncoding(
        column.name,
        column.kind,
        column.form,
        column.values,
        fill,
        missing=missing,
        times=times,
        lenient=column.lenient,
        sign=column.sign,
        guessed=column.guessed,
    )


def _numbers(values: Array, missing: int) -> Array:
    return np.where(np.isnan(values), missing, values).astype(np.intp)


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))
