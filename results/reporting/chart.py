"""What a chart holds, independent of what draws it.

Charts are plain frozen data: marks with numbers and the part they play (`Tone`), never colours or pixels. The
interactive page and the PNG files are drawn from the same charts, so they cannot tell different stories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Position = float | str


class Tone(StrEnum):
    """The part a mark plays; each theme gives it a colour."""

    ACCENT = "accent"
    """The one thing to look at: the winner, the best so far."""
    INK = "ink"
    """A statement in the text colour."""
    SOFT = "soft"
    """An ordinary observation."""
    FAINT = "faint"
    """Context that is there to be compared with."""
    BASELINE = "baseline"
    GOOD = "good"
    BAD = "bad"


class Symbol(StrEnum):
    """Shapes of dots, so that no chart depends on colour alone."""

    CIRCLE = "circle"
    RING = "ring"
    CROSS = "cross"
    DIAMOND = "diamond"
    STAR = "star"


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: What it measures, with its unit.
        log: Logarithmic, base 10.
        span: First and last value shown, or None for all of the data.
        categories: The values in their order, where they are names instead of numbers.
        whole: Only whole numbers are marked.
    """

    title: str = ""
    log: bool = False
    span: tuple[float, float] | None = None
    categories: tuple[str, ...] | None = None
    whole: bool = False


@dataclass(frozen=True)
class Line:
    """Points joined by a line.

    Attributes:
        x, y: The points; equally long.
        name: Its words in the legend; empty for a line without an entry.
        dash: None for a solid line, else which of the dash patterns.
        step: The value holds until the next point.
        width: In points.
        hover: One text for the whole line, shown with the values.
    """

    x: Sequence[Position]
    y: Sequence[Position]
    tone: Tone
    name: str = ""
    dash: int | None = None
    step: bool = False
    width: float = 1.5
    hover: str = ""


@dataclass(frozen=True)
class Dots:
    """Single observations.

    Attributes:
        x, y: The points; equally long.
        hover: What is shown for each of them, lines separated by a newline; empty for nothing.
        size: Diameter in points.
    """

    x: Sequence[Position]
    y: Sequence[Position]
    tone: Tone
    name: str = ""
    hover: Sequence[str] = ()
    symbol: Symbol = Symbol.CIRCLE
    size: float = 6.0


@dataclass(frozen=True)
class Bars:
    """Horizontal bars, from the top down. Several `Bars` of one panel are stacked where they share labels.

    The order of the labels is that of the panel's `y.categories`, or of their first appearance.

    Attributes:
        labels: Names of the bars.
        values: Their lengths.
        low, high: Ends of an interval around each value, or empty.
        texts: What is written at the end of each bar, or empty.
    """

    labels: Sequence[str]
    values: Sequence[float]
    tone: Tone
    name: str = ""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class Cells:
    """A matrix of shares, dark where they are large.

    Attributes:
        rows, columns: Labels.
        shares: Row by row, each 0 to 1.
        texts: What stands in each cell, row by row.
        hover: What is shown for each cell, row by row.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    shares: Sequence[Sequence[float]]
    texts: Sequence[Sequence[str]]
    hover: Sequence[Sequence[str]]


Mark = Line | Dots | Bars | Cells


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    marks: Sequence[Mark]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    title: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its bars in their order."""
        if self.y.categories is not None:
            return self.y.categories
        return tuple(dict.fromkeys(label for mark in self.marks if isinstance(mark, Bars) for label in mark.labels))


@dataclass(frozen=True)
class View:
    """One way to look at a chart.

    Attributes:
        name: Its words on the switch between views; empty where there is only one.
        panels: Side by side, in rows of `columns`.
        height: Of a row of panels, in pixels.
        shared_y: All panels show the same span of y.
        width: Of a panel at most, in pixels; None for all there is.
    """

    panels: tuple[Panel, ...]
    name: str = ""
    columns: int = 1
    height: int = 340
    shared_y: bool = False
    width: int | None = None


@dataclass(frozen=True)
class Chart:
    """A chart with its caption.

    Attributes:
        key: Names its files and its place in the page: lower-case letters and hyphens.
        caption: What it shows for this run, computed from the data.
        views: At least one; the page switches between them, the PNG files show each.
    """

    key: str
    caption: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class ParallelAxis:
    """One axis of `ParallelLines`.

    Attributes:
        name: The hyperparameter, or the score.
        ticks: Position (0 at the bottom, 1 at the top) and text of its marks.
    """

    name: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class ParallelLines:
    """All configurations as lines over one axis per hyperparameter.

    Attributes:
        key, caption: As in `Chart`.
        axes: From left to right; the last one is the score.
        names: Name of each line.
        positions: For each line its position on each axis; below 0 where the hyperparameter is inactive.
        quality: For each line 0 (worst) to 1 (best).
        best: How many lines, the first ones, are drawn in the accent colour.
    """

    key: str
    caption: str
    axes: tuple[ParallelAxis, ...]
    names: tuple[str, ...]
    positions: tuple[tuple[float, ...], ...]
    quality: tuple[float, ...]
    best: int
