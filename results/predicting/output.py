"""Predictions as a table of plain values, and where they go: terminal, standard output, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results.predicting.predictions import Prediction
from results.ranked import formats
from results.ranked.formats import drawn, plain_json, replaced_by, write
from results.ranked.tables import Row, Table
from search.files.checked.door import harmless
from spaces.basics.printable import writable

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("rich", "json", "csv")
_SUFFIXES = {".csv": "csv", ".json": "json", ".txt": "rich"}


def chosen_format(format: str | None, output: Path | None) -> str:
    """What to write predictions as; see `results.ranked.formats.chosen_format`."""
    return formats.chosen_format(format, output, FORMATS, _SUFFIXES)


def as_table(predictions: Sequence[Prediction]) -> Table:
    """One row each: `file`, `row` where files hold several, and `label`, `confidence` and the probability of each class
    as `p_CLASS`, or `value` (`value_0`, `value_1`, ... where there are several).

    Args:
        predictions: Of one model, at least one.
    """
    numbered = any(prediction.row is not None for prediction in predictions)
    rows: list[Row] = []
    for prediction in predictions:
        row: Row = {"file": harmless(writable(prediction.file)), **({"row": prediction.row} if numbered else {})}
        if prediction.label is None:
            several = len(prediction.values) > 1
            row |= {f"value_{i}" if several else "value": value for i, value in enumerate(prediction.values)}
        else:
            row |= {"label": prediction.label, "confidence": prediction.confidence}
            row |= {f"p_{name}": value for name, value in prediction.probabilities.items()}
        rows.append(row)
    return Table(tuple(rows[0]), tuple(rows))


def write_predictions(
    predictions: Sequence[Prediction], console: Console, format: str, output: Path | None = None
) -> None:
    """Writes predictions to the console, or to a file.

    Args:
        predictions: Of one model, at least one.
        console: Where they go without `output`.
        format: One of `FORMATS`.
        output: File to write, see `results.ranked.formats.replaced_by`.

    Raises:
        ResultError: The file cannot be written.
        DiskError: The disk is full.
    """
    if format == "csv":
        write(as_table(predictions), console, format, output)
    elif format == "json":
        text = plain_json([prediction.to_json() for prediction in predictions]) + "\n"
        console.file.write(text) if output is None else replaced_by(output, text)
    elif output is None:
        _show(predictions, console)
    else:
        replaced_by(output, drawn(lambda file: _show(predictions, file)))


def _show(predictions: Sequence[Prediction], console: Console) -> None:
    from results.predicting.show import show

    show(predictions, console)
