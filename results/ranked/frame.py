"""The ranked table as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.ranked.curves import epochs as curves
from results.ranked.formats import fits_64_bits
from results.ranked.ranking import Source, ranking

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS: dict[str, type] = {
    **dict.fromkeys(("rank", "folds", "best_epoch", "epochs", "parameters", "frozen_parameters", "seeds"), int),
    **dict.fromkeys(("score", "fold_spread", "seconds", "retrained", "spread", "test"), float),
}
"""The columns of numbers that may have none at all, as before anything is measured, with their types."""


def table(
    runs: Source | Sequence[Source],
    *,
    where: str | None = None,
    sort: str | None = None,
    top: int | None = None,
    columns: str | Sequence[str] | None = None,
    epochs: bool = False,
) -> pd.DataFrame:
    """The ranked table as a DataFrame: one row for each configuration, best first, those without a score last.

    Columns: `rank` (from 1; none without a score), `name` (the baseline's, else the id), `score` (best objective
    of the search; of a cross-validation the mean over folds, and then `folds`, those that were trained, and
    `fold_spread`, their standard deviation), `best_epoch` (of `score`, counted from 1), `epochs` (trained in all),
    `parameters`, `frozen_parameters` (those of them that training left as they were), `seconds`, `status` (completed,
    running, failed), `kind` (search, baseline, or evidence of the run that this one was forked from), `stopped`
    (length, early stopping, paused, target, interrupted, deadline); then what was measured afterwards: `retrained`
    (mean objective over fresh seeds), `spread` (their standard deviation), `seeds` (their number), `test` (the
    objective's metric on the test part), `verdict` (`winner`, `tied with #1`, or `tied with #1, smallest`); `failure`
    and `message`; `why` (the search algorithm's reason for its last trial); then the hyperparameters in the order of
    the space, empty where they do not apply. A hyperparameter named like one of the columns gets the prefix `hp_`. For
    several runs a column `run` comes first, and they are ranked together.

    Whole numbers stay whole (`Int64` where some or all are missing, objects where one is beyond 64 bits); other missing
    numbers are NaN.

    Args:
        runs: A run or its directory, or several.
        where: Condition on the rows, such as `layers >= 2 and score > 0.9`: columns, numbers, words in quotes, `true`
            and `false`, compared by `<`, `<=`, `>`, `>=`, `==`, `!=`, `in ('adam', 'sgd')` and `not in`, put together
            by `and`, `or`, `not` and brackets. A missing value makes every comparison false; `test == none` asks for
            it. The name of a column that is no plain word stands between backquotes.
        sort: A column, with a leading `-` in descending order; None: by rank.
        top: At most so many rows, at least 1.
        columns: The columns wanted, in this order, as a list or a text with commas between them, `units` for all of
            `units_0`, `units_1`, ...; None: all.
        epochs: One row per configuration and epoch instead, with the columns of `epochs`.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: An option is not understood, or the runs have different objectives.
    """
    import pandas as pd

    whole = curves(runs) if epochs else ranking(runs, None if where or sort else top)
    found = whole.select(where=where, sort=sort, top=top, columns=columns)
    frame = pd.DataFrame([found.shown(row) for row in found.rows], columns=list(found.columns))
    for name in found.columns:
        values = [row[name] for row in found.rows]
        kinds = {type(value) for value in values if value is not None}
        if not kinds and name in _NUMBERS:
            # As objects they could not be compared with a number.
            kinds = {_NUMBERS[name]}
        if kinds == {int} and not fits_64_bits(values):
            # As objects they keep all their digits.
            frame[name] = pd.Series(values, dtype=object)
        elif kinds == {int} and None in values:
            frame[name] = pd.array(values, dtype="Int64")
        elif kinds == {float} and None in values:
            frame[name] = pd.array([float("nan") if v is None else v for v in values], dtype="float64")
    return frame
