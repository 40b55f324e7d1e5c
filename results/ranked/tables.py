"""A table of plain values, and what `--where`, `--sort`, `--top` and `--columns` do to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from results.errors import OptionError
from results.named import named
from results.ranked.where import unknown_column
from results.ranked.where import where as parse_condition

Value = bool | int | float | str | None
Row = dict[str, Value]


@dataclass(frozen=True)
class Table:
    """Rows that all have the same columns.

    Attributes:
        columns: Their names, in the order in which they are shown.
        rows: Each with these columns; None where there is no value. Numbers are finite. Where the user has picked
            columns, they keep the others, which say what a row is.
        hyperparameters: The columns that hold hyperparameter values.
        picked: Whether the user named the columns, so that all of them are to be shown.
        notes: What is to be known of its scores on the test part, a line each.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    hyperparameters: tuple[str, ...] = ()
    picked: bool = False
    notes: tuple[str, ...] = ()

    def select(
        self,
        *,
        where: str | None = None,
        sort: str | None = None,
        top: int | None = None,
        columns: str | Sequence[str] | None = None,
        finalists: bool = False,
    ) -> Table:
        """Filters, then sorts, then cuts, then picks columns.

        Args:
            where: Condition that a row must meet, as `results.table` takes it.
            sort: A column; with a leading `-` in descending order. Rows without a value stay last either way,
                equal ones in their order.
            top: At most so many rows, at least 1.
            columns: The columns to show, in this order, as a list or a text with commas between them; `units` means all
                of `units_0`, `units_1`, ...
            finalists: Keep the winner, and what it is tied with, below the others where they would be left out.

        Raises:
            ResultError: A column is unknown, or none is named, the condition is not understood, or `top` is below 1.
        """
        rows = list(self.rows)
        if where is not None:
            holds = parse_condition(where, self.columns)
            rows = [row for row in rows if holds(row)]
        if sort is not None:
            rows = self._sorted(rows, sort)
        if top is not None:
            if top < 1:
                raise OptionError(f"--top: must be at least 1, got {top}")
            rows = rows[:top]
        if finalists:
            kept = set(map(id, rows))
            rows += [row for row in self.rows if row.get("verdict") is not None and id(row) not in kept]
        if columns is None:
            return replace(self, rows=tuple(rows))
        wanted = tuple(dict.fromkeys(column for name in named(columns) for column in self._meant(name)))
        if not wanted:
            raise OptionError("--columns: names none")
        return Table(
            columns=wanted,
            rows=tuple(rows),
            hyperparameters=tuple(name for name in self.hyperparameters if name in wanted),
            picked=True,
            notes=self.notes if "test" in wanted else (),
        )

    @property
    def layered(self) -> dict[str, list[str]]:
        """The columns with a value per layer (`units_0`, `units_1`, ...) under the name that they have together."""
        groups: dict[str, list[str]] = {}
        for name in self.hyperparameters:
            match = re.fullmatch(r"(.+)_\d+", name)
            if match:
                groups.setdefault(match[1], []).append(name)
        return {base: names for base, names in groups.items() if len(names) > 1 and base not in self.columns}

    def shown(self, row: Row) -> Row:
        """What a row has in the columns."""
        return {name: row[name] for name in self.columns}

    def _meant(self, name: str) -> Sequence[str]:
        if name in self.columns:
            return [name]
        if name in (layered := self.layered):
            return layered[name]
        raise OptionError(f"--columns: {unknown_column(name, [*self.columns, *layered])}")

    def _sorted(self, rows: list[Row], sort: str) -> list[Row]:
        descending = sort.startswith("-") and sort not in self.columns
        name = sort[1:] if descending else sort
        if name not in self.columns:
            raise OptionError(f"--sort: {unknown_column(name, self.columns)}")
        present = [row for row in rows if row[name] is not None]
        # Numbers before text, so that a column with both has an order.
        present.sort(key=lambda row: (isinstance(row[name], str), row[name]), reverse=descending)
        return present + [row for row in rows if row[name] is None]
