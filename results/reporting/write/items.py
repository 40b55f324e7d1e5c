"""The parts of a section as HTML; charts and large tables leave their data for the page's script."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

from results.reporting.chart import Chart, ParallelLines
from results.reporting.document import Code, Item, Pairs, Picture, Pictures, RankedTable, Table, Text
from results.reporting.draw.plotly import figures, legend
from results.reporting.pixels import shrunk, to_png


class Charts:
    """Collects what the page's script draws: `collected["charts"]`, `["parallel"]` and `["tables"]`, by key."""

    def __init__(self) -> None:
        self.collected: dict[str, dict[str, Any]] = {"charts": {}, "parallel": {}, "tables": {}}


def item_html(item: Item, charts: Charts) -> str:
    """One part of a section."""
    match item:
        case Text():
            return f'<p class="{item.mood}">{escape(item.text)}</p>'
        case Code():
            return f"<pre><code>{escape(item.text)}</code></pre>"
        case Pairs():
            pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in item.pairs)
            return f'<dl class="pairs">{pairs}</dl>'
        case Table():
            return _table(item)
        case RankedTable():
            return _ranked(item, charts)
        case Chart():
            return _chart(item, charts)
        case ParallelLines():
            return _parallel(item, charts)
        case Pictures():
            return _pictures(item)


def _chart(chart: Chart, charts: Charts) -> str:
    views = [
        {
            "name": view.name,
            "columns": view.columns,
            "width": view.width,
            "legend": legend(view),
            "panels": figures(view),
        }
        for view in chart.views
    ]
    charts.collected["charts"][chart.key] = views
    switch = ""
    if len(chart.views) > 1:
        buttons = "".join(
            f'<button type="button" data-view="{i}" aria-pressed="{"true" if i == 0 else "false"}">'
            f"{escape(view.name)}</button>"
            for i, view in enumerate(chart.views)
        )
        switch = f'<div class="switch" role="group">{buttons}</div>'
    return (
        f'<figure class="chart" data-chart="{escape(chart.key)}"><figcaption>{escape(chart.caption)}</figcaption>'
        f'{switch}<div class="legend"></div><div class="views"></div></figure>'
    )


def _parallel(lines: ParallelLines, charts: Charts) -> str:
    charts.collected["parallel"][lines.key] = {
        "axes": [{"name": axis.name, "ticks": axis.ticks} for axis in lines.axes],
        "names": lines.names,
        "positions": [[round(y, 4) for y in line] for line in lines.positions],
        "best": lines.best,
        "quality": [round(q, 4) for q in lines.quality],
    }
    return (
        f'<figure class="chart" data-parallel="{escape(lines.key)}"><figcaption>{escape(lines.caption)}</figcaption>'
        '<p class="hint">Drag along an axis to keep only some of its values; the ranked table follows. '
        '<button type="button" class="clear" hidden>Show all again</button></p>'
        f'<div class="wide"><canvas role="img" aria-label="{escape(lines.caption)}"></canvas></div></figure>'
    )


def _ranked(table: RankedTable, charts: Charts) -> str:
    charts.collected["tables"]["ranking"] = {
        "columns": list(table.columns),
        "scores": sorted(table.scores),
        "rows": [[row.kind, *row.cells] for row in table.rows],
    }
    return (
        f'<p class="caption">{escape(table.caption)}</p><div class="ranked" data-table="ranking">'
        '<div class="tools"><input type="search" aria-label="Filter the table" '
        'placeholder="Filter: words, or layers&gt;=2 optimizer=adam score&gt;0.9">'
        '<span class="found" role="status"></span></div>'
        '<div class="wide"><table><thead></thead><tbody></tbody></table></div>'
        '<button type="button" class="more" hidden></button></div>'
    )


def _table(table: Table) -> str:
    def cell(tag: str, i: int, text: str) -> str:
        return f"<{tag}{' class=n' if table.numeric[i] else ''}>{escape(text)}</{tag}>"

    head = "".join(cell("th", i, column) for i, column in enumerate(table.columns))
    rows = "".join(
        f"<tr{' class=strong' if k in table.strong else ''}>"
        + "".join(cell("td", i, text) for i, text in enumerate(row))
        + "</tr>"
        for k, row in enumerate(table.rows)
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _pictures(pictures: Pictures) -> str:
    shown = "".join(_picture(picture) for picture in pictures.pictures)
    return (
        f'<h3>{escape(pictures.title)}</h3><p class="caption">{escape(pictures.caption)}</p>'
        f'<div class="pictures">{shown}</div>'
    )


def _picture(picture: Picture) -> str:
    image = base64.b64encode(to_png(shrunk(picture.pixels))).decode()
    mood = "good" if picture.right else "bad"
    answer = "right" if picture.right else f"it is {picture.actual}"
    label = "" if picture.right else f"<small>({escape(picture.actual)})</small>"
    return (
        f'<figure class="{mood}"><img alt="{escape(picture.predicted)}, {escape(answer)}" '
        f'src="data:image/png;base64,{image}"><figcaption>{escape(picture.predicted)}{label}</figcaption></figure>'
    )
