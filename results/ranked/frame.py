"""The ranked table as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.ranked.curves import epochs as curves
from results.ranked.ranking import Source, ranking

if TYPE_CHECKING:
    import pandas as pd


def table(
    runs: Source | Sequence[Source],
    *,
    where: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    columns: str | Sequence[str] | None = None,
    epochs: bool = False,
) -> pd.DataFrame:
    """The ranked table, best first, as a DataFrame; the columns are those of `results.ranked.ranking.ranking`.

    Whole numbers stay whole (`Int64` where some are missing); other missing numbers are NaN.

    Args:
        runs: A run or its directory, or several.
        where: Condition on the rows, such as `layers >= 2 and score > 0.9`.
        sort: A column, with a leading `-` in descending order; None: by rank.
        top: At most so many rows.
        columns: The columns wanted, in this order, as a list or a text with commas between them; None: all.
        epochs: One row per configuration and epoch instead.

    Raises:
        RunError: There is no run, or it is damaged.
        OptionError: An option is not understood.
    """
    import pandas as pd

    whole = curves(runs) if epochs else ranking(runs, None if where or sort else top)
    found = whole.select(where=where, sort=sort, top=top, columns=columns)
    frame = pd.DataFrame([found.shown(row) for row in found.rows], columns=list(found.columns))
    for name in found.columns:
        values = [row[name] for row in found.rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int} and None in values:
            frame[name] = pd.array(values, dtype="Int64")
        elif kinds == {float} and None in values:
            frame[name] = pd.array([float("nan") if v is None else v for v in values], dtype="float64")
    return frame
