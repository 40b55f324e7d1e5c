"""What a table was understood as: which column is what, before anything is learnt from rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from spaces.data.stored.rows import StoredRows

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["number", "boolean", "category", "text", "date"]
KINDS: tuple[Kind, ...] = ("number", "boolean", "category", "text", "date")
DECIMAL_COMMAS = (";", "\t", "|")
"""Separators of files in which a comma in a number is rather a decimal sign."""
_WHOLE_IN_FLOAT64 = 2.0**53


def unrounded(whole: Array) -> Array:
    """Whole numbers as float64, unless that would round some: where they are names, two of them may become one."""
    found: Array = whole.astype(np.float64)
    return whole if len(found) and np.abs(found).max() >= _WHOLE_IN_FLOAT64 else found


@dataclass(frozen=True)
class Written:
    """How a text file is written, for other files of the same kind.

    Attributes:
        separator: what stands between two cells.
        encoding: Python name of the encoding.
    """

    separator: str
    encoding: str

    @property
    def prefers_commas(self) -> bool:
        """Whether a comma in a number is rather a decimal sign."""
        return self.separator in DECIMAL_COMMAS


@dataclass(frozen=True)
class Column:
    """An input column.

    Attributes:
        name: as the file has it.
        kind: what its cells are.
        form: decimal sign of numbers, format of dates; "" otherwise.
        values: of a category or text column all different cells, sorted; of a boolean one the words for 0 and 1. The
            rows hold their numbers. Of numbers the unit that stands behind them, if one does.
        missing: cells that give nothing.
        notes: what is a guess, or worth knowing.
        lenient: whether some cells are no numbers or dates, and taken as missing because the user says what the column
            is.
        sign: of numbers the percent sign or currency that they carry, see `numbers.Parsed.sign`.
        guessed: whether the decimal sign is a guess, see `numbers.Parsed.unsure`.
    """

    name: str
    kind: Kind
    form: str = ""
    values: tuple[str, ...] = ()
    missing: int = 0
    notes: tuple[str, ...] = ()
    lenient: bool = False
    sign: str = ""
    guessed: bool = False


@dataclass(frozen=True)
class Table:
    """What all columns are.

    Attributes:
        columns: the inputs, in the order of the rows' values.
        targets: names of the columns to predict.
        dropped: columns that are left out, each with the reason.
        notes: what holds for the whole file.
        weight: column that says how much each row counts; None: there is none.
        stored: the values of each column, shape (n,), where they are on the disk: the rows hold their own numbers then,
            shape (n, 1), until they are encoded.
        written: how the text file was; None: it came from no text.
    """

    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    dropped: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    weight: str | None = None
    stored: tuple[StoredRows, ...] = ()
    written: Written | None = None
