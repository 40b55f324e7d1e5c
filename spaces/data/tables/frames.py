"""Tables that a program holds in its memory, as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable
from spaces.data.parts import WORDS, PartName
from spaces.data.readers.objects import as_labels, column_names, is_frame, names_of
from spaces.data.readers.source import Part, RawData
from spaces.data.tables.cells import Cells, named
from spaces.data.tables.columns import unrounded
from spaces.data.tables.encoding import ColumnEncoding
from spaces.data.tables.loading import Beside, TableOptions, understand
from spaces.data.tables.rows import as_called
from spaces.data.types import Array, Task

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FrameReader:
    """Reads frames as files of the same cells are read.

    Attributes:
        options: what the space says about columns.
        task: whether targets are numbers or classes.
        known: the input columns, where it was found out before what they are.
        bare: whether frames of nothing but numbers are arrays, as a model of the user's own expects them.
        never: whether all frames are arrays.
    """

    options: TableOptions
    task: Task
    known: Sequence[ColumnEncoding] = ()
    bare: bool = False
    never: bool = False

    def takes(self, frames: Sequence[pd.DataFrame]) -> bool:
        """Whether these are read as a table, not as arrays."""
        return not self.never and not (self.bare and self._said is None and all(map(_is_bare, frames)))

    def refuse(self, where: str) -> None:
        """Refuses what the space says about columns, where the data are arrays."""
        if self._said is not None:
            raise DataError(f"{where}: holds arrays, which have no columns as data.{self._said} expects")

    def read(self, found: Mapping[PartName, tuple[pd.DataFrame, Any]], where: str) -> RawData:
        """The rows of all parts, understood as one table, and divided again.

        Args:
            found: rows by part, and their labels in a form that `as_labels` takes; None: among the columns.
            where: their origin, for messages.

        Raises:
            DataError: as for a file; columns of parts that differ, or that hold what stands in no cell.
        """
        import pandas as pd

        # What is no input may still group the rows, or be their time.
        read = (*self.options.groups, *self.options.times)
        left_out = [name for name, kind in self.options.columns.items() if kind == "drop" and name not in read]
        frames = {name: _plain(frame, where, left_out) for name, (frame, _) in found.items()}
        column_names(frames, where)
        counts = {name: len(frame) for name, frame in frames.items()}
        whole = pd.concat(frames.values(), ignore_index=True)
        categories = frozenset(name for frame, _ in found.values() for name in _categorical(frame))
        cells = replace(named(whole, Path(where), None, ()), categories=categories)
        labels = self._labels({name: y for name, (_, y) in found.items()}, counts, where)
        raw = understand(cells, self.options, self.task, self.known, labels)
        ends = np.cumsum(list(counts.values()))
        parts = {
            name: _some(raw.train, slice(end - counts[name], end), f"{where} ({WORDS[name]} part)")
            for name, end in zip(counts, ends.tolist(), strict=True)
        }
        keys = {column: values[: counts["train"]] for column, values in raw.keys.items()}
        return replace(raw, train=parts["train"], validation=parts.get("validation"), test=parts.get("test"), keys=keys)

    def _labels(self, given: Mapping[PartName, Any], counts: Mapping[PartName, int], where: str) -> Beside | None:
        """Those that stand beside the frames, of all parts."""
        if all(y is None for y in given.values()):
            return None
        if self._said == "target" or "target" in self.options.columns.values():
            raise DataError(f"{where}: data.target names a column, but labels are given beside the rows")
        found = {name: as_labels(y, where) for name, y in given.items()}
        for name, y in found.items():
            if len(y) != counts[name]:
                raise DataError(f"{where} ({WORDS[name]} part): {counts[name]} rows but {len(y)} labels")
            if y.shape[1:] != found["train"].shape[1:]:
                raise DataError(f"{where}: labels of the parts have different shapes")
        return Beside(np.concatenate(list(found.values())), _names(given["train"], found["train"]))

    @property
    def _said(self) -> str | None:
        """What the space says that only columns give a meaning, if anything."""
        options = self.options
        said = {
            "target": options.target is not None or options.labels_apart is not None,
            "columns": bool(options.columns),
            "validation": bool(options.groups or options.times),
        }
        return next((key for key, here in said.items() if here), None)


def _some(part: Part, rows: slice, where: str) -> Part:
    weight = None if part.weight is None else part.weight[rows]
    return Part(part.x[rows], part.y[rows], where, weight)


def _names(given: Any, y: Array) -> tuple[str, ...]:
    """What labels are called: as a Series or the columns of a DataFrame say."""
    if is_frame(given):
        return tuple(names_of(given))
    name = getattr(given, "name", None)
    name = printable(name) if isinstance(name, str) else "labels"
    return (name,) if y.ndim == 1 else tuple(f"{name} {number}" for number in range(1, y.shape[1] + 1))


def _is_bare(frame: pd.DataFrame) -> bool:
    """Whether all cells are numbers."""
    return all(kind.kind in "biuf" for kind in frame.dtypes) and not bool(frame.isna().to_numpy().any())


def _categorical(frame: pd.DataFrame) -> list[str]:
    """The names of the columns that are categories to pandas, be they words or numbers."""
    import pandas as pd

    found = zip(names_of(frame), frame.dtypes, strict=True)
    return [name for name, kind in found if isinstance(kind, pd.CategoricalDtype)]


def cells_of(frame: pd.DataFrame, where: str, wanted: Collection[str]) -> Cells:
    """The cells of a frame, as those of a file.

    Args:
        frame: at least the wanted columns.
        where: what messages call it.
        wanted: the columns that are read.

    Raises:
        DataError: it has no rows, names a column twice, or holds what stands in no cell.
    """
    names = names_of(frame)
    left_out = set(names) - set(as_called([*wanted], names))
    return named(_plain(frame, where, left_out), Path(where), None, ())


def _plain(frame: pd.DataFrame, where: str, left_out: Collection[str]) -> pd.DataFrame:
    """The same columns as a file gives them: numbers, booleans, moments, or text; what is left out without cells."""
    import pandas as pd

    names = names_of(frame)
    columns = [
        pd.Series([""] * len(frame), dtype=object)
        if name in left_out
        else _column(frame.iloc[:, i], f"{where}: column {name!r}")
        for i, name in enumerate(names)
    ]
    made = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(frame)))
    made.columns = pd.Index(names)
    return made


def _column(column: pd.Series[Any], what: str) -> pd.Series[Any]:
    import pandas as pd

    kind, values = column.dtype, column.reset_index(drop=True)
    if isinstance(kind, pd.PeriodDtype):
        values, kind = values.dt.to_timestamp(), np.dtype("datetime64[us]")
    if isinstance(kind, pd.CategoricalDtype) and kind.categories.dtype.kind in "iu" and not bool(values.isna().any()):
        kind = kind.categories.dtype
        values = values.astype(kind)
    if kind.kind == "M":
        moments = values.dt.tz_convert("UTC").dt.tz_localize(None) if isinstance(kind, pd.DatetimeTZDtype) else values
        return moments.astype("datetime64[us]")
    if kind.kind in "iu" and not bool(values.isna().any()):
        return pd.Series(unrounded(values.to_numpy(dtype=np.uint64 if kind.kind == "u" else np.int64)))
    if kind.kind in "iuf":
        return pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind.kind == "b" and not bool(values.isna().any()):
        return pd.Series(values.to_numpy(dtype=bool))
    if kind.kind in "cm":
        raise DataError(f"{what} holds values of type {kind}, which is not read")
    held = values.astype(object)
    empty = held.isna()
    odd = next((cell for cell in held[~empty] if not pd.api.types.is_scalar(cell) or isinstance(cell, bytes)), None)
    if odd is not None:
        raise DataError(f"{what} holds values of type {type(odd).__name__}, which is not read")
    if len(held) and not bool(empty.all()) and all(isinstance(cell, int | float) for cell in held[~empty]):
        booleans = all(isinstance(cell, bool) for cell in held[~empty])
        if not booleans:
            return pd.Series(held.astype(np.float64))
    return held.where(~empty, "").map(str).astype(object)
