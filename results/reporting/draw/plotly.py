"""Charts as Plotly figures, one for each panel: plain JSON data that the page draws.

Colours are written as `@tone`; the page puts in those of its theme. Names and values come from strangers: Plotly reads
a small markup in its texts, so they are escaped for it here, and no text is ever part of a template.
"""

from __future__ import annotations

import html
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from results.reporting.chart import Axis, Bars, Cells, Dots, Line, Mark, Panel, Tone, View
from results.reporting.comparison.columns import round_step
from results.reporting.theme import DASHES, SYMBOLS
from results.reporting.words import distinct, shortened

Figure = dict[str, Any]

_LONGEST_LABEL = 34


def figures(view: View) -> list[Figure]:
    """One figure for each panel: `data` and `layout` for Plotly, `title`, and the legend name of each trace."""
    span = _shared_span(view) if view.shared_y else None
    return [_figure(panel, view.height, span) for panel in view.panels]


def legend(view: View) -> list[dict[str, Any]]:
    """Entries of the legend that all panels of a view share; empty where there is only one."""
    found: dict[str, dict[str, Any]] = {}
    for panel in view.panels:
        for mark in panel.marks:
            if not isinstance(mark, Cells) and mark.name:
                found.setdefault(mark.name, {"name": mark.name, "tone": mark.tone, **_sign(mark)})
    return list(found.values()) if len(found) > 1 else []


def _sign(mark: Line | Dots | Bars) -> dict[str, Any]:
    if isinstance(mark, Line):
        return {"sign": "line", "dash": 0 if mark.dash is None else 1 + mark.dash % len(DASHES)}
    return {"sign": "bar"} if isinstance(mark, Bars) else {"sign": mark.symbol}


def _figure(panel: Panel, height: int, span: tuple[float, float] | None) -> Figure:
    y = Axis(panel.y.title, panel.y.log, span, panel.y.categories, panel.y.whole) if span else panel.y
    bars = any(isinstance(mark, Bars) for mark in panel.marks)
    labels = _labels(panel)
    layout: dict[str, Any] = {
        "height": height,
        "xaxis": _axis(panel.x, [v for mark in panel.marks for v in _along(mark, "x")], labels),
        "yaxis": _axis(y, [v for mark in panel.marks for v in _along(mark, "y")], labels),
    }
    if bars:
        layout["barmode"] = "stack"
        layout["xaxis"] |= _bar_span(panel)
        order = [labels[label] for label in panel.labels]
        layout["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": order}
        # All labels from the top down; by itself Plotly leaves out those without a bar.
        layout["yaxis"] |= {"range": [len(order) - 0.5, -0.5], "autorange": False, "showgrid": False, "ticksuffix": " "}
    elif panel.y.categories:
        layout["yaxis"]["autorange"] = "reversed"
    names = ["" if isinstance(mark, Cells) else mark.name for mark in panel.marks]
    return {
        "title": panel.title,
        "names": names,
        "data": [_trace(mark, labels) for mark in panel.marks],
        "layout": layout,
    }


def _bar_span(panel: Panel) -> dict[str, Any]:
    """Room for the texts at the ends of the bars, which Plotly leaves out of its own span."""
    stacked = [bars for bars in panel.marks if isinstance(bars, Bars)]
    ends: dict[str, float] = defaultdict(float)
    for bars in stacked:
        for label, value in zip(bars.labels, bars.values, strict=True):
            ends[label] += value
    longest = max([*ends.values(), *(high for bars in stacked for high in bars.high)], default=1.0)
    room = 1.45 if any(bars.texts for bars in stacked) else 1.04
    return {"range": [0, room * longest or 1.0], "autorange": False}


def _trace(mark: Mark, labels: Mapping[str, str]) -> dict[str, Any]:
    match mark:
        case Line():
            return _line(mark, labels)
        case Dots():
            return _dots(mark, labels)
        case Bars():
            return _bars(mark, labels)
        case Cells():
            return _cells(mark, labels)


def _line(mark: Line, labels: Mapping[str, str]) -> dict[str, Any]:
    words = mark.name if not mark.hover or mark.hover == mark.name else f"{mark.hover} {mark.name}".strip()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _values(mark.x, labels),
        "y": _values(mark.y, labels),
        "name": plotly_text(mark.name),
        "text": plotly_text(shortened(words, 60)),
        "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>",
        "line": {
            "color": f"@{mark.tone}",
            "width": mark.width,
            "shape": "hv" if mark.step else "linear",
            "dash": "solid" if mark.dash is None else DASHES[mark.dash % len(DASHES)],
        },
        "opacity": 0.55 if mark.tone is Tone.SOFT else 1.0,
    }


def _dots(mark: Dots, labels: Mapping[str, str]) -> dict[str, Any]:
    open_symbol = SYMBOLS[mark.symbol][0].endswith("-open")
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": _values(mark.x, labels),
        "y": _values(mark.y, labels),
        "name": plotly_text(mark.name),
        "marker": {
            "color": f"@{mark.tone}",
            "size": mark.size,
            "symbol": SYMBOLS[mark.symbol][0],
            "line": {
                "width": 2 if open_symbol else 0.5,
                "color": f"@{mark.tone}" if open_symbol else "@surface",
            },
        },
        "opacity": 0.8 if mark.tone is Tone.SOFT else 1.0,
        "cliponaxis": False,
    }
    if mark.hover:
        return trace | {
            "text": [plotly_text(t) for t in mark.hover],
            "hovertemplate": "%{text}<extra></extra>",
        }
    return trace | {"hoverinfo": "skip"}


def _bars(mark: Bars, labels: Mapping[str, str]) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "x": list(mark.values),
        "y": [labels[label] for label in mark.labels],
        "name": plotly_text(mark.name),
        "customdata": [plotly_text(f"{label}\n{mark.name}".strip()) for label in mark.labels],
        "hovertemplate": "%{customdata}<br>%{x:.4~g}<extra></extra>",
        "marker": {"color": f"@{mark.tone}"},
        "width": 0.62,
        "cliponaxis": False,
    }
    if mark.texts:
        trace |= {"text": [plotly_text(text) for text in mark.texts], "textposition": "outside"}
    if mark.low:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [high - v for v, high in zip(mark.values, mark.high, strict=True)],
            "arrayminus": [v - low for v, low in zip(mark.values, mark.low, strict=True)],
            "color": f"@{Tone.INK}",
            "thickness": 1.2,
            "width": 4,
        }
    return trace


def _cells(mark: Cells, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": [labels[label] for label in mark.columns],
        "y": [labels[label] for label in mark.rows],
        "z": [[round(share, 4) for share in row] for row in mark.shares],
        "text": [list(row) for row in mark.texts],
        "texttemplate": "%{text}",
        "hovertext": [[plotly_text(text) for text in row] for row in mark.hover],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "colorscale": [[0, "@surface"], [1, f"@{Tone.ACCENT}"]],
        "zmin": 0,
        "zmax": 1,
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }


def _axis(axis: Axis, values: Sequence[float | str], labels: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"title": {"text": plotly_text(axis.title)}}
    numbers = [value for value in values if not isinstance(value, str)]
    if axis.categories is not None:
        order = [labels[name] for name in axis.categories]
        return found | {"type": "category", "categoryorder": "array", "categoryarray": order}
    if axis.log:
        found |= {"type": "log", "tickmode": "array", "tickvals": _log_marks(numbers)}
        found["tickformat"] = "~s" if numbers and min(numbers) >= 1 else "~g"
    else:
        found["type"] = "linear"
    if axis.span is not None:
        ends = [math.log10(end) for end in axis.span] if axis.log else list(axis.span)
        found |= {"range": ends, "autorange": False}
    if axis.whole and numbers:
        # Marks between whole numbers would be rounded to labels that repeat.
        found |= {
            "dtick": round_step((max(numbers) - min(numbers)) / 8, whole=True),
            "tick0": 0,
            "tickformat": ",d",
        }
    return found


def _log_marks(numbers: Sequence[float]) -> list[float]:
    """1, 2 and 5 times the powers of ten around the numbers; Plotly's own marks differ in size and stand uneven."""
    positive = [value for value in numbers if value > 0]
    if not positive:
        return []
    low, high = min(positive) * 0.8, max(positive) * 1.25
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [mark for power in powers for mark in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if low <= mark <= high]


def _shared_span(view: View) -> tuple[float, float] | None:
    if any(panel.y.span for panel in view.panels):
        return next(panel.y.span for panel in view.panels if panel.y.span)
    values = [v for p in view.panels for mark in p.marks for v in _along(mark, "y") if not isinstance(v, str)]
    if not values:
        return None
    margin = 0.06 * (max(values) - min(values)) or 0.05
    return min(values) - margin, max(values) + margin


def _along(mark: Mark, which: str) -> Sequence[float | str]:
    if isinstance(mark, Line | Dots):
        return mark.x if which == "x" else mark.y
    if isinstance(mark, Bars):
        return [0.0, *mark.values] if which == "x" else list(mark.labels)
    return mark.columns if which == "x" else mark.rows


def _values(values: Sequence[float | str], labels: Mapping[str, str]) -> list[float | str]:
    """Numbers to six digits, more than a screen can show, so that large pages stay small."""
    return [labels[v] if isinstance(v, str) else float(f"{v:.6g}") for v in values]


def _labels(panel: Panel) -> dict[str, str]:
    """What stands at the axes for each name in a panel: Plotly takes two that read alike for one."""
    along = [value for mark in panel.marks for which in ("x", "y") for value in _along(mark, which)]
    categories = [*(panel.x.categories or ()), *(panel.y.categories or ())]
    names = list(dict.fromkeys(name for name in (*categories, *along) if isinstance(name, str)))
    return dict(zip(names, map(plotly_text, distinct(names, _LONGEST_LABEL)), strict=True))


def plotly_text(text: str) -> str:
    """Text that Plotly shows as it is: its markup and its entities escaped, lines kept."""
    return html.escape(text, quote=False).replace("\n", "<br>")
