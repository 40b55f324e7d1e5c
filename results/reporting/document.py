"""The report as a document: headings, sentences, tables, charts and pictures, whatever writes them.

Everything is plain text and numbers. Whoever writes a format escapes for it; nothing here is markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from results.reporting.chart import Chart, ParallelLines


class Mood(StrEnum):
    """How a sentence or a badge is meant."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    NOTE = "note"


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    mood: Mood = Mood.PLAIN


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """Names and values, one pair a line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A small table, shown whole.

    Attributes:
        columns: Headings.
        rows: Cells as text.
        numeric: Which columns hold numbers and are set flush right.
        strong: Indexes of rows to be stressed.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[bool]
    strong: frozenset[int] = frozenset()


Cell = str | float | int | bool | None


@dataclass(frozen=True)
class RankedRow:
    """One configuration of the ranked table.

    Attributes:
        cells: A value for each column; None for an empty cell.
        kind: `winner`, `tied`, `baseline`, `failed` or empty.
    """

    cells: Sequence[Cell]
    kind: str = ""


@dataclass(frozen=True)
class RankedTable:
    """The ranked table; the page sorts and filters it, other formats show its first rows.

    Attributes:
        columns: Headings; every one a single word, as the filter uses them.
        rows: Best first.
        caption: Computed from the data.
        scores: The columns that hold scores, written with all their digits.
    """

    columns: Sequence[str]
    rows: Sequence[RankedRow]
    caption: str
    scores: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Picture:
    """One input with what the model says about it.

    Attributes:
        pixels: uint8 (height, width) or (height, width, 3).
        predicted: The model's answer, with its confidence.
        actual: The label.
        right: Whether they agree.
    """

    pixels: NDArray[np.uint8]
    predicted: str
    actual: str
    right: bool


@dataclass(frozen=True)
class Pictures:
    """A grid of pictures.

    Attributes:
        key: Names its file.
        title: Its heading.
    """

    key: str
    title: str
    caption: str
    pictures: Sequence[Picture]


Item = Text | Code | Pairs | Table | RankedTable | Chart | ParallelLines | Pictures


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it.

    Attributes:
        key: Anchor: lower-case letters and hyphens.
        short: Its entry in the page's navigation.
    """

    key: str
    title: str
    items: Sequence[Item]
    short: str = ""


@dataclass(frozen=True)
class Link:
    """A file that can be taken away.

    Attributes:
        text: Its words.
        target: Path relative to the report's folder, with forward slashes.
        detail: Its size, for example.
    """

    text: str
    target: str
    detail: str


@dataclass(frozen=True)
class Versus:
    """The winner beside one baseline.

    Attributes:
        name: The baseline.
        score: Its score.
        difference: Winner minus baseline, signed, better is positive.
        verdict: Whether the difference is real, in words.
        mood: `GOOD` if it is real and in the winner's favour, `BAD` if against it, else `NOTE`.
    """

    name: str
    score: str
    difference: str
    verdict: str
    mood: Mood


@dataclass(frozen=True)
class Headline:
    """The first screen.

    Attributes:
        label: What the big number is, for example `test accuracy`.
        number: The big number, or a few words where there is none.
        interval: Its 95 % interval in words, or empty.
        sentence: The result in one or two sentences.
        versus: The baselines.
        facts: Small facts: name and value.
        links: The exported files.
    """

    label: str
    number: str
    interval: str
    sentence: str
    versus: Sequence[Versus] = ()
    facts: Sequence[tuple[str, str]] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Document:
    """The whole report.

    Attributes:
        title: The run's name.
        status: What became of the run, in a few words.
        finished: Whether nothing more will come.
        summary: Space, algorithm, data, times: short phrases.
        notices: Sentences that must be read first, for example that the run is not finished.
    """

    title: str
    status: str
    finished: bool
    summary: Sequence[str]
    headline: Headline
    sections: Sequence[Section]
    notices: Sequence[Text] = field(default_factory=tuple)
