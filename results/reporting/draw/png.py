"""Charts as PNG files, drawn by Matplotlib without a display."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from results.fonts import any_script
from results.reporting.chart import Axis, Bars, Cells, Dots, Line, Panel, ParallelLines, Symbol, Tone, View
from results.reporting.document import Pictures
from results.reporting.theme import LIGHT, SYMBOLS
from results.reporting.words import compact, shortened
from spaces.basics.printable import cut

_DPI = 130
_WIDTH = 8.6
_DASHES: tuple[Any, ...] = (
    (0, (5, 2)),
    (0, (1, 1.6)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (9, 3)),
    (0, (9, 2, 1, 2)),
    "-",
)
_STYLE: dict[Any, Any] = {
    "font.size": 9.5, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": LIGHT["grid"], "axes.edgecolor": LIGHT["line"], "axes.labelcolor": LIGHT["muted"],
    "xtick.color": LIGHT["muted"], "ytick.color": LIGHT["muted"], "text.color": LIGHT[Tone.INK],
    "axes.titlecolor": LIGHT[Tone.INK], "legend.frameon": False, "legend.fontsize": 8.5, "text.usetex": False,
    "text.parse_math": False, "svg.fonttype": "none", "axes.unicode_minus": True,
}  # fmt: skip


def draw_view(view: View) -> bytes:
    """A PNG file of one view of a chart."""
    columns = min(view.columns, len(view.panels))
    rows = -(-len(view.panels) // columns)
    with _Figure(rows, columns, view.height / 100 * rows, view.shared_y) as (figure, axes):
        for axis, panel in zip(axes, view.panels, strict=False):
            _draw_panel(axis, panel)
        for axis in axes[len(view.panels) :]:
            axis.remove()
        _legend(figure, axes[: len(view.panels)])
        return _saved(figure)


def draw_parallel(lines: ParallelLines) -> bytes:
    """A PNG file of parallel coordinates."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("quality", [LIGHT[Tone.FAINT], LIGHT[Tone.SOFT]])
    colours = [LIGHT[Tone.ACCENT] if i < lines.best else shades(q) for i, q in enumerate(lines.quality)]
    with _Figure(1, 1, 4.2, False) as (figure, axes):
        axis = axes[0]
        axis.grid(visible=False)
        order = sorted(range(len(lines.names)), key=lambda i: lines.quality[i])
        paths = [[(x, y) for x, y in enumerate(lines.positions[i])] for i in order]
        axis.add_collection(
            LineCollection([p for p in paths if len(p) > 1], linewidths=1.0, alpha=0.7,
                           colors=[colours[i] for i, p in zip(order, paths, strict=True) if len(p) > 1])
        )  # fmt: skip
        for x, one in enumerate(lines.axes):
            axis.axvline(x, color=LIGHT["line"], linewidth=1)
            for y, text in one.ticks:
                axis.text(x + 0.03, y, text, fontsize=7.5, color=LIGHT["muted"], va="center")
        axis.set_xlim(-0.1, len(lines.axes) - 0.6)
        axis.set_ylim(-0.16, 1.04)
        axis.set_yticks([])
        axis.set_xticks(range(len(lines.axes)), [one.name for one in lines.axes], rotation=30, ha="right")
        axis.spines[["left", "bottom"]].set_visible(False)
        return _saved(figure)


def draw_pictures(pictures: Pictures) -> bytes:
    """A PNG file of a grid of pictures, the predictions in green or red."""
    columns = min(5, len(pictures.pictures))
    rows = -(-len(pictures.pictures) // columns)
    with _Figure(1, 1, 1.9 * rows, False) as (figure, axes):
        # One set of axes for all of them: laying out dozens takes seconds.
        axis = axes[0]
        axis.set_axis_off()
        for k, picture in enumerate(pictures.pictures):
            left, top = 1.15 * (k % columns), -1.35 * (k // columns)
            height, width = (side / max(picture.pixels.shape[:2]) for side in picture.pixels.shape[:2])
            corner = left + (1 - width) / 2
            axis.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest",
                        extent=(corner, corner + width, top - height, top))  # fmt: skip
            words = shortened(picture.predicted, 24)
            words += "" if picture.right else f"\n({shortened(picture.actual, 22)})"
            colour = LIGHT[Tone.GOOD if picture.right else Tone.BAD]
            axis.text(left + 0.5, top + 0.03, words, fontsize=8, color=colour, ha="center", va="bottom")
        axis.set_xlim(0, 1.15 * columns - 0.15)
        axis.set_ylim(-1.35 * rows + 0.3, 0.3)
        return _saved(figure)


class _Figure:
    """A figure with its axes in one list, in the report's style, closed at the end."""

    def __init__(self, rows: int, columns: int, height: float, shared_y: bool) -> None:
        self._grid = (rows, columns, height, shared_y)

    def __enter__(self) -> tuple[Any, list[Any]]:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style = ExitStack()
        self._style.enter_context(mpl.rc_context(_STYLE))
        self._style.enter_context(any_script())
        rows, columns, height, shared_y = self._grid
        # A figure of its own, not pyplot's: pyplot keeps global state and picks a display.
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=shared_y)
        return figure, [axis for row in axes for axis in row]

    def __exit__(self, *exc: object) -> None:
        self._style.close()


def _saved(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", facecolor=LIGHT["surface"])
    return stream.getvalue()


def _draw_panel(axis: Any, panel: Panel) -> None:
    bars = [mark for mark in panel.marks if isinstance(mark, Bars)]
    if bars:
        _draw_bars(axis, bars, panel.labels)
    for mark in panel.marks:
        if isinstance(mark, Line):
            dash = "-" if mark.dash is None else _DASHES[mark.dash % len(_DASHES)]
            axis.plot(mark.x, mark.y, color=LIGHT[mark.tone], linestyle=dash, linewidth=0.8 * mark.width,
                      drawstyle="steps-post" if mark.step else "default", label=mark.name or "_")  # fmt: skip
        elif isinstance(mark, Dots):
            hollow = mark.symbol is Symbol.RING
            colour = {"facecolors": "none", "edgecolors": LIGHT[mark.tone]} if hollow else {"color": LIGHT[mark.tone]}
            axis.scatter(mark.x, mark.y, s=(0.75 * mark.size) ** 2, marker=SYMBOLS[mark.symbol][1], zorder=3,
                         alpha=0.75 if mark.tone is Tone.SOFT else 1.0, linewidths=1.2 if hollow else 0.8,
                         label=mark.name or "_", **colour)  # fmt: skip
        elif isinstance(mark, Cells):
            _draw_cells(axis, mark)
    axis.set_title(panel.title)
    _set_axis(axis, "x", panel.x)
    _set_axis(axis, "y", panel.y)
    if panel.y.categories and not any(isinstance(mark, Cells) for mark in panel.marks):
        axis.set_ylim(len(panel.y.categories) - 0.5, -0.5)


def _draw_bars(axis: Any, stacked: Sequence[Bars], labels: Sequence[str]) -> None:
    place = {label: i for i, label in enumerate(labels)}
    base = [0.0] * len(labels)
    for bars in stacked:
        at = [place[label] for label in bars.labels]
        error = None
        if bars.low:
            error = [
                [v - low for v, low in zip(bars.values, bars.low, strict=True)],
                [high - v for v, high in zip(bars.values, bars.high, strict=True)],
            ]
        axis.barh(at, bars.values, left=[base[i] for i in at], height=0.62, color=LIGHT[bars.tone], xerr=error,
                  ecolor=LIGHT[Tone.INK], capsize=2.5, label=bars.name or "_")  # fmt: skip
        for i, value in zip(at, bars.values, strict=True):
            base[i] += value
        for i, text in zip(at, bars.texts, strict=False):
            axis.annotate(text, (base[i], i), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    if any(bars.texts for bars in stacked):
        axis.margins(x=0.22)


def _draw_cells(axis: Any, cells: Cells) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("shares", [LIGHT["surface"], LIGHT[Tone.ACCENT]])
    axis.imshow(cells.shares, cmap=colours, vmin=0, vmax=1, aspect="auto")
    axis.grid(visible=False)
    small = 8 if len(cells.columns) <= 12 else 6.5
    for i, row in enumerate(cells.texts):
        for j, text in enumerate(row):
            if text:
                colour = LIGHT["surface"] if cells.shares[i][j] > 0.6 else LIGHT[Tone.INK]
                axis.text(j, i, text, ha="center", va="center", fontsize=small, color=colour)
    if len(cells.columns) <= 60:
        slanted = {"rotation": 45, "ha": "right"} if max(map(len, cells.columns)) > 3 else {}
        axis.set_xticks(range(len(cells.columns)), cells.columns, fontsize=small, **slanted)
        axis.set_yticks(range(len(cells.rows)), cells.rows, fontsize=small)


def _set_axis(axis: Any, which: str, spec: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    getattr(axis, f"set_{which}label")(spec.title)
    if spec.log:
        getattr(axis, f"set_{which}scale")("log")
        ticks = getattr(axis, f"{which}axis")
        ticks.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        ticks.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        ticks.set_minor_formatter(NullFormatter())
    if spec.whole:
        getattr(axis, f"{which}axis").set_major_locator(MaxNLocator(integer=True))
    if spec.span is not None:
        getattr(axis, f"set_{which}lim")(*spec.span)


def _legend(figure: Any, axes: Sequence[Any]) -> None:
    found: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if len(found) > 1:
        figure.legend(list(found.values()), [cut(name, 40) for name in found], loc="outside upper left", ncols=3)
