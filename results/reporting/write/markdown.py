"""The report as Markdown, with its charts as PNG files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from results.reporting.chart import Chart, ParallelLines
from results.reporting.document import (
    Cell,
    Code,
    Document,
    Headline,
    Item,
    Mood,
    Pairs,
    Pictures,
    RankedTable,
    Section,
    Table,
    Text,
)
from results.reporting.words import number, scalar
from results.text import plural, unmarked

_MOST_ROWS = 20


def to_markdown(document: Document, files: Mapping[str, Sequence[str]]) -> str:
    """The text of `report.md`.

    Args:
        document: The report.
        files: Key of each chart and grid of pictures to the names of its PNG files; a chart without any is
            given by its caption alone.
    """
    blocks = [f"# {escape(document.title)}", escape(" · ".join([document.status, *document.summary]))]
    blocks += [f"**{escape(notice.text)}**" for notice in document.notices]
    blocks += _headline(document.headline)
    for section in document.sections:
        blocks += section_markdown(section, files)
    return "\n\n".join(block for block in blocks if block) + "\n"


def section_markdown(section: Section, files: Mapping[str, Sequence[str]]) -> list[str]:
    """The paragraphs of one section; `files` as for `to_markdown`."""
    return [f"## {escape(section.title)}", *(block for item in section.items for block in _item(item, files))]


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no links."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;")
    return unmarked(line)


def _headline(headline: Headline) -> list[str]:
    interval = f" ({escape(headline.interval)})" if headline.interval else ""
    blocks = [f"**{escape(headline.label)}: {escape(headline.number)}**{interval}", escape(headline.sentence)]
    if headline.versus:
        rows = [(v.name, v.score, v.difference, v.verdict) for v in headline.versus]
        blocks.append(
            _table(("baseline", "score", "winner is better by", "is it real?"), rows, (False, True, True, False))
        )
    blocks.append(_pairs(headline.facts))
    links = [f"[{escape(link.text)}]({link.target}) ({escape(link.detail)})" for link in headline.links]
    if links:
        blocks.append("Exported: " + ", ".join(links))
    return blocks


def _item(item: Item, files: Mapping[str, Sequence[str]]) -> list[str]:
    match item:
        case Text():
            text = escape(item.text)
            return [f"**{text}**" if item.mood in (Mood.BAD, Mood.GOOD) else text]
        case Code():
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", item.text)), default=0))
            return [f"{fence}\n{item.text}\n{fence}"]
        case Pairs():
            return [_pairs(item.pairs)]
        case Table():
            return [_table(item.columns, item.rows, item.numeric, item.strong)]
        case RankedTable():
            return _ranked(item)
        case Chart() | ParallelLines():
            return [*_images(files.get(item.key, ()), item.caption), escape(item.caption)]
        case Pictures():
            return [
                f"### {escape(item.title)}",
                *_images(files.get(item.key, ()), item.caption),
                escape(item.caption),
            ]


def _images(names: Iterable[str], caption: str) -> list[str]:
    return [f"![{escape(caption)}]({name})" for name in names]


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {escape(name)}: {escape(value)}" for name, value in pairs)


def _ranked(table: RankedTable) -> list[str]:
    rows = [
        [_cell(cell, c in table.scores) for c, cell in zip(table.columns, row.cells, strict=True)]
        for row in table.rows[:_MOST_ROWS]
    ]
    numeric = [
        all(isinstance(row.cells[i], int | float | None) for row in table.rows) for i in range(len(table.columns))
    ]
    strong = frozenset(i for i, row in enumerate(table.rows[:_MOST_ROWS]) if row.kind == "winner")
    blocks = [escape(table.caption), _table(table.columns, rows, numeric, strong)]
    left = len(table.rows) - _MOST_ROWS
    return blocks if left <= 0 else [*blocks, f"{plural(left, 'more row')}: `run-search table` shows all of them."]


def _cell(cell: Cell, score: bool) -> str:
    return number(cell) if score and isinstance(cell, int | float) else scalar(cell)


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    strong: frozenset[int] = frozenset(),
) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    body = [
        line(f"**{escape(cell)}**" if i in strong and cell else escape(cell) for cell in row)
        for i, row in enumerate(rows)
    ]
    rule = line("---:" if is_number else "---" for is_number in numeric)
    return "\n".join([line(escape(column) for column in columns), rule, *body])
