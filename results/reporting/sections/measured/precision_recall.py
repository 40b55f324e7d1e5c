"""Precision and recall of each class against all others, at every threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.reporting.chart import Axis, Chart, Line, Panel, Tone, View
from results.reporting.document import Item
from results.reporting.words import count, distinct, number

_MOST_LINES = 8
_POINTS = 150
_TONES = (Tone.ACCENT, Tone.INK, Tone.BASELINE, Tone.GOOD, Tone.BAD, Tone.SOFT, Tone.FAINT, Tone.FAINT)


def precision_recall(names: list[str], probabilities: NDArray[np.float64], given: NDArray[Any]) -> list[Item]:
    """The curves; of many classes those with the smallest areas. Nothing where no class occurs beside others.

    Args:
        names: Of the classes; of two the second is drawn.
        probabilities: float (rows, classes).
        given: bool (rows, classes): whether a row is of the class.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    given = np.asarray(given, dtype=bool)
    exclusive = len(names) == 2 and bool((given.sum(axis=1) == 1).all())
    drawn = [k for k in ([1] if exclusive else range(len(names))) if 0 < given[:, k].sum() < len(given)]
    if not drawn:
        return []
    areas = {k: float(average_precision_score(given[:, k], probabilities[:, k])) for k in drawn}
    shown = sorted(areas, key=lambda k: areas[k])[:_MOST_LINES]
    short = distinct(names, 18)
    lines = []
    for position, k in enumerate(shown):
        precision, recall, _ = precision_recall_curve(given[:, k], probabilities[:, k])
        points = np.unique(np.linspace(0, len(recall) - 1, _POINTS).astype(int))
        lines.append(
            Line(
                [float(v) for v in recall[points][::-1]],
                [float(v) for v in precision[points][::-1]],
                _TONES[position],
                f"{short[k]} {number(areas[k])}",
                dash=position if len(shown) > 1 else None,
                hover=names[k],
            )
        )
    caption = (
        f"Of the rows that a threshold gives {names[shown[0]]}, how many are (precision), against how many of those "
        f"that are it finds (recall); area {number(areas[shown[0]])}, a row drawn at random would be with probability "
        f"{number(float(given[:, shown[0]].mean()))}."
    )
    if len(areas) > 1:
        rest = f" The {count(len(shown))} with the smallest areas are shown." if len(areas) > len(shown) else ""
        caption = (
            "Precision against recall of each class at every threshold, with the area under the curve; mean area "
            f"{number(float(np.mean(list(areas.values()))))}.{rest}"
        )
    panel = Panel(lines, Axis("recall", span=(0.0, 1.0)), Axis("precision", span=(0.0, 1.02)))
    return [Chart("precision-recall", caption, (View((panel,), height=340, width=560),))]
