"""The PNG files of a report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping

from results.reporting.chart import Chart, ParallelLines
from results.reporting.document import Document, Pictures
from results.reporting.draw.png import draw_parallel, draw_pictures, draw_view


def pictures(
    document: Document, left: Callable[[], float] | None = None, first: float = 0.0
) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    """Draws each chart and grid of pictures: its key, and its PNG files by name.

    Args:
        document: The report.
        left: Tells how many seconds are left: no picture is begun that would take longer than the longest so far.
            None: no limit.
        first: Seconds that the first one may take.
    """
    longest = first
    for section in document.sections:
        for item in section.items:
            if not isinstance(item, Chart | ParallelLines | Pictures):
                continue
            if left is not None and left() <= longest:
                return
            began = time.monotonic()
            try:
                drawn = _drawn(item)
            except Exception as error:
                # The page has the chart by now, and report.md its caption.
                warnings.warn(f"{item.key} has no picture: {type(error).__name__}: {error}", stacklevel=2)
                continue
            yield item.key, drawn
            longest = max(longest, time.monotonic() - began)


def _drawn(item: Chart | ParallelLines | Pictures) -> Mapping[str, bytes]:
    if isinstance(item, Chart):
        return {f"{item.key}{_suffix(view.name)}.png": draw_view(view) for view in item.views}
    if isinstance(item, ParallelLines):
        return {f"{item.key}.png": draw_parallel(item)}
    return {f"{item.key}.png": draw_pictures(item)}


def _suffix(view: str) -> str:
    return "-" + "".join(c if c.isalnum() else "-" for c in view) if view else ""
