"""Predictions for people, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.text import numbers, visible

if TYPE_CHECKING:
    from rich.console import Console

    from results.predicting.predictions import Prediction

_SHOWN = 3
_LEAST = 0.005


def show(predictions: Sequence[Prediction], console: Console) -> None:
    """Prints one line per prediction: file and row, class, confidence, and the next most probable classes.

    Args:
        predictions: Of one model.
        console: Where to.
    """
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    grid.add_column("file", overflow="fold")
    if numbered := any(prediction.row is not None for prediction in predictions):
        grid.add_column("row", justify="right")
    several = any(prediction.labels is not None for prediction in predictions)
    if regression := any(prediction.label is None for prediction in predictions):
        grid.add_column("value", justify="right")
    elif several:
        grid.add_column("labels", overflow="fold")
        grid.add_column("probabilities", overflow="fold")
    else:
        grid.add_column("class", overflow="fold")
        grid.add_column("confidence", justify="right")
        grid.add_column("else", overflow="fold")
    for prediction in predictions:
        cells = [Text(visible(prediction.file))]
        if numbered:
            cells.append(Text("" if prediction.row is None else str(prediction.row)))
        if regression:
            cells.append(Text(numbers(prediction.values)))
        elif several:
            cells.append(Text(visible(prediction.label or "none"), style="bold"))
            told = ", ".join(f"{name} {probability:.1%}" for name, probability in prediction.probabilities.items())
            cells.append(Text(visible(told), style="dim"))
        else:
            cells.append(Text(visible(prediction.label or ""), style="bold"))
            cells.append(Text(f"{prediction.confidence or 0:.1%}"))
            cells.append(Text(visible(others(prediction)), style="dim"))
        grid.add_row(*cells)
    console.print(grid)


def others(prediction: Prediction) -> str:
    """The most probable classes but the given one, with their probabilities."""
    rest = [item for item in prediction.probabilities.items() if item[0] != prediction.label]
    rest = sorted(rest, key=lambda item: -item[1])[: _SHOWN - 1]
    return ", ".join(f"{name} {probability:.1%}" for name, probability in rest if probability >= _LEAST)
