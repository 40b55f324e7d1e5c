"""Learning curves as one tidy long table: a row per configuration and epoch."""

from __future__ import annotations

from collections.abc import Sequence

from results.ranked.ranking import Source, as_runs, column_names, finite, run_labels
from results.ranked.tables import Row, Table
from search.record.configuration import configurations

_FIXED = ("configuration", "name", "kind", "epoch", "seconds")


def epochs(runs: Source | Sequence[Source]) -> Table:
    """All epochs of the configurations of the ranked table, in the order in which these were asked for.

    Columns: `configuration` (id), `name` and `kind` as there, `epoch` (from 1; of a cross-validation the folds are
    counted so), `seconds`, then the metrics under their names (`metric_` in front of one that is named like a column
    before it), None where an epoch has no such value. For several runs a column `run` comes first.

    Args:
        runs: A run or its directory, or several.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    sources = as_runs(runs)
    found: list[tuple[Row, dict[str, float]]] = []
    for source, label in zip(sources, run_labels(sources), strict=True):
        first: Row = {"run": label} if len(sources) > 1 else {}
        with source.read() as reader:
            for configuration in configurations(reader.trials()):
                kind = str(configuration.trials[0].kind)
                head = {**first, "configuration": configuration.id, "name": configuration.name, "kind": kind}
                for epoch in configuration.epochs:
                    row = {**head, "epoch": epoch.number, "seconds": finite(epoch.seconds)}
                    found.append((row, dict(epoch.metrics)))
    fixed = (*(("run",) if len(sources) > 1 else ()), *_FIXED)
    names = dict.fromkeys(name for _, metrics in found for name in metrics)
    columns = column_names(names, fixed, "metric_")
    rows = tuple(
        {**row, **{column: finite(metrics.get(name)) for name, column in columns.items()}} for row, metrics in found
    )
    return Table((*fixed, *columns.values()), rows)
