"""The interface of a data source: it reads rows as they are and judges nothing.

A source is a function that returns `RawData`. Everything after it (labels, checks, splits, preprocessing) is
the same for all sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from spaces.data.parts import PartName
from spaces.data.tables.columns import Table
from spaces.data.types import AnyRows, Array
from spaces.values.packing import Structure


@dataclass(frozen=True)
class Part:
    """Rows and labels of one file or folder, labels in whatever form they came.

    Attributes:
        x: rows, the first axis counts them; on the disk where there are too many for the memory.
        y: labels: numbers, strings, or a matrix (one-hot labels or several targets).
        where: file, folder or function that the part came from, for error messages.
        weight: how much each row counts, (n,); None: all alike.
    """

    x: AnyRows
    y: Array
    where: str
    weight: Array | None = None


@dataclass(frozen=True)
class RawData:
    """What a source yields.

    Attributes:
        name: short name of the data set.
        origin: where it came from, for people.
        train: rows to train on, and to split off the parts that are not given.
        validation: a validation part that comes with the data.
        test: a test part that comes with the data.
        class_names: names of the labels 0, 1, ...; None: the labels name themselves.
        white: value of a white pixel; None: found from the rows.
        shuffled: the training rows are in random order already, so that splits are cut from their end.
        resized: the rows were image files of other sizes.
        table: what the columns of a table are, whose rows are not encoded yet.
        keys: by column what divides the training rows: the number of a group, or a time.
        inputs: what the bytes of a row are, where rows are several arrays; see `spaces.values.packing`.
        targets: what the columns of the labels are, likewise.
        multi_label: labels are rows of 0 and 1, of which several may be 1.
        changing: the source may give other rows, or these in another order, when it is read again.
        frame_columns: names of the columns of rows that came as a DataFrame and are an array; () for others.
    """

    name: str
    origin: str
    train: Part
    validation: Part | None = None
    test: Part | None = None
    class_names: tuple[str, ...] | None = None
    white: float | None = None
    shuffled: bool = False
    resized: bool = False
    table: Table | None = None
    keys: Mapping[str, Array] = field(default_factory=dict)
    inputs: Structure | None = None
    targets: Structure | None = None
    multi_label: bool = False
    changing: bool = False
    frame_columns: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts there are, training first."""
        return tuple(part for part in (self.train, self.validation, self.test) if part is not None)

    def map_parts(self, change: Callable[[Part], Part]) -> Self:
        """The same data with every part changed."""
        return replace(
            self,
            train=change(self.train),
            validation=self.validation and change(self.validation),
            test=self.test and change(self.test),
        )


class ReadsFrames(Protocol):
    """What makes a data set of DataFrames; `spaces.data.tables.frames.FrameReader` is one."""

    def takes(self, frames: Sequence[Any]) -> bool:
        """Whether these are read as a table, not as arrays."""

    def refuse(self, where: str) -> None:
        """Refuses what the space says about columns, where the data are arrays."""

    def read(self, found: Mapping[PartName, tuple[Any, Any]], where: str) -> RawData:
        """The data set, of frames and labels by part; labels of None are among the columns."""
