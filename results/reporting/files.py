"""The PNG files of a report."""

from __future__ import annotations

from collections.abc import Mapping

from results.reporting.chart import Chart, ParallelLines
from results.reporting.document import Document, Pictures
from results.reporting.draw.png import draw_parallel, draw_pictures, draw_view


def pictures(document: Document) -> Mapping[str, Mapping[str, bytes]]:
    """Key of each chart and grid of pictures to its PNG files, name to content."""
    found: dict[str, dict[str, bytes]] = {}
    for section in document.sections:
        for item in section.items:
            if isinstance(item, Chart):
                named = {f"{item.key}{_suffix(view.name)}.png": draw_view(view) for view in item.views}
                found[item.key] = named
            elif isinstance(item, ParallelLines):
                found[item.key] = {f"{item.key}.png": draw_parallel(item)}
            elif isinstance(item, Pictures):
                found[item.key] = {f"{item.key}.png": draw_pictures(item)}
    return found


def _suffix(view: str) -> str:
    return "-" + "".join(c if c.isalnum() else "-" for c in view) if view else ""
