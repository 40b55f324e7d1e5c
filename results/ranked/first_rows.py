"""The first rows of a long run's ranked table, found without reading all of it."""

from __future__ import annotations

from collections.abc import Mapping

from search.files.store import LONG, RunReader
from search.record.marks import COUNTED, best_first, contenders
from search.record.trial import Trial


def first_rows(reader: RunReader, direction: str, top: int) -> tuple[list[Trial], list[Mapping[str, None]]] | None:
    """What it takes to show the best of a run.

    Args:
        reader: The run.
        direction: `min` or `max`, of the objective.
        top: How many configurations, at least 1.

    Returns:
        The trials of the best configurations, of the baselines, and of whatever was trained again, in the order in
        which they were asked for; and the names of hyperparameters that configurations have, as `hyperparameter_order`
        wants them of the whole table. None where the run is short, or has fewer scores: then all of it is to be read.
    """
    if reader.count < LONG:
        return None
    marks = reader.leading(direction, top)
    found = contenders(marks)
    order = best_first(found, direction)
    if len(order) < top:
        return None
    winner = reader.meta("winner")
    again = {one.configuration for one in marks if one.kind not in COUNTED or one.id == winner}
    shown = {*order[:top], *again, *(name for name, one in found.items() if one.baseline)}
    trials = reader.some(one.id for one in marks if one.configuration in shown)
    return trials, [dict.fromkeys(each) for each in reader.names_by_rank(direction)]
