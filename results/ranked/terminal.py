"""The ranked table on a terminal: what fits is shown, the rest is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from results.ranked.finalists import SMALLEST, TIED, WINNER
from results.ranked.tables import Row, Table
from results.text import cell, visible

if TYPE_CHECKING:
    from rich.console import Console

_FIRST = ("run", "rank", "name", "configuration", "epoch", "score", "status", "retrained", "test", "epochs")
_LAST = ("why", "spread", "frozen_parameters", "parameters", "seconds", "best_epoch", "stopped", "seeds", "message")
_TOLD = ("kind", "failure", "verdict")
"""Said without a column of their own: a mark on baselines, the reason as the status, a line below the table."""
_WIDEST = 40
_GAP = 2


def show(table: Table, console: Console, *, notes: bool = True) -> None:
    """Prints the table, the best row emphasised, baselines marked, failures with their reason.

    Columns that are empty throughout are left out, and hyperparameters with an index become one column (`units`
    for `units_0`, `units_1`, ...). Where the terminal is too narrow, the less important columns are left out too,
    and named below the table. Columns that the user has picked are all shown as they are.
    """
    from rich.cells import cell_len
    from rich.table import Table as Grid
    from rich.text import Text

    if not table.rows:
        console.print("no rows")
        return
    shown = table
    if not table.picked:
        shown = _layers_joined(table)
    texts = {name: [_text(name, row, table.picked) for row in shown.rows] for name in shown.columns}
    names = list(shown.columns) if table.picked else _useful(shown, texts)
    headers = {name: visible(name) if table.picked else _header(name, texts[name]) for name in names}
    widths = {
        # Signs of Chinese, Japanese and Korean are two cells wide.
        name: max(max(map(cell_len, headers[name].split("\n"))), *(min(cell_len(t), _WIDEST) for t in texts[name]))
        for name in names
    }
    fitting = names if table.picked else _fitting(shown, names, widths, console.width)
    grid = Grid(box=None, padding=(0, _GAP, 0, 0), header_style="bold", pad_edge=False)
    for name in fitting:
        left = any(isinstance(row[name], str) for row in shown.rows)
        grid.add_column(
            Text(headers[name]), justify="left" if left else "right", no_wrap=not table.picked,
            overflow="fold" if table.picked else "ellipsis", max_width=None if table.picked else widths[name],
        )  # fmt: skip
    decided = any(row.get("verdict") == WINNER for row in table.rows)
    for i, row in enumerate(shown.rows):
        grid.add_row(*(Text(texts[name][i]) for name in fitting), style=_style(row, decided))
    console.print(grid)
    for line in _notes(shown, names, fitting) if notes else ():
        console.print(Text(line), style="dim")


def _layers_joined(table: Table) -> Table:
    """Values per layer (`units_0`, `units_1`, ...) as one text such as `128-64`."""
    groups = table.layered
    base_of = {name: base for base, names in groups.items() for name in names}
    columns = tuple(dict.fromkeys(base_of.get(name, name) for name in table.columns))
    rows = []
    for row in table.rows:
        joined = {
            base: "-".join(cell(name, row[name]) for name in names if row[name] is not None)
            for base, names in groups.items()
        }
        rows.append({name: joined[name] or None if name in joined else row[name] for name in columns})
    hyperparameters = tuple(dict.fromkeys(base_of.get(name, name) for name in table.hyperparameters))
    return replace(table, columns=columns, rows=tuple(rows), hyperparameters=hyperparameters)


def _header(name: str, texts: Sequence[str]) -> str:
    """The name, on two lines if it is what makes the column wide."""
    from rich.cells import cell_len

    name = visible(name)
    start, sign, end = name.rpartition("_")
    wide = cell_len(name) > max(map(cell_len, texts))
    return f"{start}{sign}\n{end}" if wide and start and end else name


def _useful(table: Table, texts: dict[str, list[str]]) -> list[str]:
    return [name for name in table.columns if any(texts[name]) and name not in _TOLD]


def _fitting(table: Table, names: Sequence[str], widths: dict[str, int], room: int) -> list[str]:
    chosen: set[str] = set()
    left = room + _GAP
    for name in sorted(names, key=lambda name: _importance(table, name)):
        needed = widths[name] + _GAP
        if needed <= left or not chosen:
            chosen.add(name)
            left -= needed
    return [name for name in names if name in chosen]


def _importance(table: Table, name: str) -> tuple[int, int]:
    if name in _FIRST:
        return 0, _FIRST.index(name)
    if name in _LAST:
        return 2, _LAST.index(name)
    values = [row[name] for row in table.rows if row.get("kind") != "baseline"]
    # A hyperparameter that only baselines set, or that never changes, explains no difference between rows.
    dull = len(values) > 1 and len(set(values)) == 1
    return (3 if dull else 1), table.columns.index(name)


def _text(name: str, row: Row, picked: bool) -> str:
    if name == "name" and row.get("kind") == "baseline":
        return f"* {cell(name, row[name])}"
    if name == "status" and not picked:
        return "" if row[name] == "completed" else cell(name, row.get("failure") or row[name])
    return cell(name, row[name])


def _style(row: Row, decided: bool) -> str:
    if row.get("verdict") == WINNER if decided else row.get("rank") == 1:
        return "bold green"
    if row.get("status") == "failed":
        return "red"
    return "cyan" if row.get("kind") == "baseline" else ""


def _notes(table: Table, names: Sequence[str], shown: Sequence[str]) -> list[str]:
    notes = []
    if "name" in shown and any(row.get("kind") == "baseline" for row in table.rows):
        notes.append("* baseline")
    if "retrained" in shown and "score" in shown:
        notes.append("score chose; retrained (mean over fresh seeds) and test were measured afterwards")
    notes += table.notes if "test" in shown else ()
    told = {WINNER: "winner", TIED: "tied with the winner", SMALLEST: "tied with the winner and the smallest"}
    for verdict, words in told.items():
        equal = [cell("name", row["name"]) for row in table.rows if row.get("verdict") == verdict and "name" in row]
        written = verdict == WINNER and any(
            row.get("verdict") == WINNER and row.get("kind") == "baseline" for row in table.rows
        )
        if equal:
            notes.append(f"{words}: {', '.join(equal)}{', a baseline of the space file' if written else ''}")
    if not table.picked:
        notes += _failures(table)
    left_out = [visible(name) for name in names if name not in shown]
    if left_out:
        notes.append(f"no room for {', '.join(left_out)}: see --columns, --format csv, or widen the terminal")
    return notes


def _failures(table: Table) -> list[str]:
    """A line for each reason: the column of messages is narrow, and may have found no room."""
    messages: dict[str, list[str]] = {}
    for row in table.rows:
        if row.get("failure") and row.get("message"):
            messages.setdefault(cell("failure", row["failure"]), []).append(cell("message", row["message"]))
    return [
        f"{reason} ({len(told)}){', for example' if len(set(told)) > 1 else ''}: {told[-1]}"
        for reason, told in messages.items()
    ]
