"""The ranked table: one row for each configuration."""

from __future__ import annotations

from results.ranked.finalists import WINNER
from results.ranked.ranking import FOLDS, REASON, Row, Table, ranking
from results.ranked.sample import MOST
from results.reporting.document import Item, RankedRow, RankedTable, Section
from results.reporting.facts import Facts
from results.reporting.words import number
from results.text import plural
from search.files.rundir import Run
from search.record.trial import Stop

_ALWAYS = ("rank", "name", "score")
_IF_MEASURED = ("retrained", "spread", "test", "verdict")
_SCORES = frozenset({"score", "fold_spread", "retrained", "spread", "test"})
_LAST = ("best_epoch", "seconds", "status")


def ranked_table(facts: Facts, run: Run) -> Section | None:
    """The section, or None before the first configuration."""
    table = ranking(run, MOST if facts.sampled else None)
    if not table.rows:
        return None
    measured = [c for c in _IF_MEASURED if any(row[c] is not None for row in table.rows)]
    used = [h for h in table.hyperparameters if any(row[h] is not None for row in table.rows)]
    reasons = [c for c in REASON if any(row[c] is not None for row in table.rows)]
    folded = [c for c in FOLDS if c in table.columns]
    columns = [*_ALWAYS, *folded, *measured, "parameters", "epochs", *used, *_LAST, *reasons]
    rows = [RankedRow([_cell(row, column) for column in columns], _kind(facts, row)) for row in table.rows]
    items: list[Item] = [RankedTable(columns, rows, _caption(facts, table, [*measured, *reasons]), _SCORES)]
    return Section("ranking", "Ranked table", items, "Table")


def _cell(row: Row, column: str) -> str | float | int | bool | None:
    value = row[column]
    if column == "status" and row["failure"]:
        return f"failed: {row['failure']}"
    if column == "status" and row["stopped"] and row["stopped"] != Stop.LENGTH:
        return str(row["stopped"])
    if column == "seconds" and isinstance(value, float):
        return round(value, 1)
    return value


def _kind(facts: Facts, row: Row) -> str:
    # Names are ids here except for the baselines, which are marked as such.
    if facts.winner is not None and facts.leader is not None and row["name"] == facts.leader.name:
        return "winner"
    if row["kind"] == "baseline":
        return "baseline"
    if row["failure"]:
        return "failed"
    return "tied" if row["verdict"] and row["verdict"] != WINNER else ""


def _caption(facts: Facts, table: Table, shown: list[str]) -> str:
    baselines = len(facts.baselines)
    text = plural(facts.every - baselines, "configuration")
    if baselines:
        text += f" and {plural(baselines, 'baseline')}"
    if facts.sampled:
        text = f"The best {len(table.rows):,} of {text}"
    text += f", ranked by score, the best {facts.objective} during the search"
    if facts.scored:
        text += f" ({number(facts.scored[0].score)} to {number(facts.scored[-1].score)})"
    if FOLDS[0] in table.columns:
        text += "; a score is the mean over folds, fold_spread their standard deviation"
    told = [words for column, words in (
        ("retrained", "retrained, the mean over fresh seeds,"), ("test", "test, the score on rows kept back,"),
    ) if column in shown]  # fmt: skip
    if told:
        text += f"; {' and '.join(told)} {'were' if len(told) > 1 else 'was'} measured afterwards"
    text += "".join(f"; {note}" for note in table.notes)
    if REASON[0] in shown:
        text += f"; {REASON[0]} is the oracle's reason for its last step with the configuration"
        text += ", and the score it expected at full length"
    return text + "."
