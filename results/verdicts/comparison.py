"""Several runs side by side: what each searched, what it cost and what it found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.ranked.finalists import finalists, winning_configuration
from results.ranked.measured import test_scores
from results.ranked.ranking import Source, as_runs, column_names, finite, hyperparameter_order, run_labels
from results.ranked.tables import Row, Table
from results.text import cell, visible
from results.watching.progress import is_active
from results.watching.worked import elapsed
from search.files.rundir import Run
from search.record.configuration import Configuration, configurations, ranked
from search.record.trial import TrialKind

if TYPE_CHECKING:
    from rich.console import Console

_FIXED = (
    "run", "space", "algorithm", "objective", "direction", "trials", "configurations", "failed", "epochs", "hours",
    "score", "retrained", "spread", "seeds", "test", "winner", "parameters", "versus",
)  # fmt: skip


def compare(runs: Source | Sequence[Source]) -> Table:
    """One row per run, in the order in which they are given; their objectives may differ.

    Columns: `run`, `space`, `algorithm`, `objective`, `direction`; `trials`, `configurations` and `failed` of the
    search; `epochs` trained in all, retraining included, and `hours` of wall time, without what was taken over from
    another run; `score` (the best of the search, baselines left out); then of the winner, or of that best one while
    there is no winner: `retrained`, `spread`, `seeds`, `test`, `winner` (name), `parameters`, and the hyperparameters
    that the winners of all runs have. `versus` says how the winner stands against those of the other runs on the test
    rows that they share, row by row.

    Args:
        runs: Runs or their directories.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    sources = as_runs(runs)
    labels = run_labels(sources)
    described = [_row(source, label) for source, label in zip(sources, labels, strict=True)]
    winners = [winner.values if winner else {} for _, winner in described]
    from results.verdicts.pairs import pairs  # it needs NumPy, which importing the package does not load

    against = pairs(sources, labels)
    common = [name for name in hyperparameter_order(winners) if all(name in values for values in winners)]
    columns = column_names(common, _FIXED, "hp_")
    rows = tuple(
        {
            **row,
            "versus": "; ".join(str(pair) for pair in against if row["run"] in (pair.first, pair.second)) or None,
            **{column: finite(values[name]) for name, column in columns.items()},
        }
        for (row, _), values in zip(described, winners, strict=True)
    )
    return Table((*_FIXED, *columns.values()), rows, tuple(columns.values()))


def winner_or_best(found: Sequence[Configuration], chosen: str | None) -> Configuration | None:
    """The winner, or while there is none the best of the search, baselines left out; None without a score.

    Args:
        found: The configurations of a run, best first.
        chosen: Id of the winner, if there is one.
    """
    winner = next((c for c in found if c.id == chosen), None)
    return winner or next((c for c in found if not c.baseline and c.score is not None), None)


def show_comparison(table: Table, console: Console) -> None:
    """Prints the runs as columns and the facts as rows, and below them which winners can be told apart.

    No score is called the best for itself: that of one sample of rows says little about the next.
    """
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    grid.add_column("")
    for row in table.rows:
        grid.add_column(Text(visible(str(row["run"]))), justify="right", overflow="fold")
    for name in table.columns[1:]:
        if name == "versus" or all(row[name] is None for row in table.rows):
            continue
        cells = [Text(cell(name, row[name])) for row in table.rows]
        # The cells have their units with them.
        label = "time" if name == "hours" else visible(name)
        grid.add_row(Text(label, style="bold"), *cells)
    console.print(grid)
    told = dict.fromkeys(part for row in table.rows for part in str(row.get("versus") or "").split("; ") if part)
    for text in told:
        console.print(Text(visible(text)), soft_wrap=True)


def _row(run: Run, label: str) -> tuple[Row, Configuration | None]:
    with run.read() as reader:
        trials = reader.trials()
        objective = reader.meta("objective")
        chosen = winning_configuration(trials, reader.meta("winner"))
        found = ranked(configurations(trials), objective["direction"])
        searched = [c for c in found if not c.baseline]
        best, winner = winner_or_best(found, None), winner_or_best(found, chosen)
        final = {f.configuration: f for f in finalists(trials, objective["direction"], chosen)}
        finalist = final.get(winner.id) if winner else None
        tests = test_scores(trials, reader.evaluations(), objective["name"])
        row: Row = {
            "run": label,
            "space": finite(reader.meta("name")),
            "algorithm": finite(reader.meta("algorithm")),
            "objective": objective["name"],
            "direction": objective["direction"],
            "trials": sum(trial.kind is TrialKind.SEARCH for trial in trials),
            "configurations": len(searched),
            "failed": sum(c.failure is not None for c in searched),
            "epochs": sum(len(t.outcome.epochs) for t in trials if t.outcome and t.kind is not TrialKind.EVIDENCE),
            "hours": elapsed(reader, trials, time.time(), is_active(run, reader)) / 3600,
            "score": finite(best.score) if best else None,
            "retrained": finalist.mean if finalist else None,
            "spread": finalist.spread if finalist else None,
            "seeds": finalist.seeds if finalist else None,
            "test": finite(tests.get(winner.id)) if winner else None,
            "winner": winner.name if winner else None,
            "parameters": winner.parameters if winner else None,
        }
        return row, winner
