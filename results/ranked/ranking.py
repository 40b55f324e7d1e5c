"""The ranked table of one run or several, as plain records: one row per configuration, best first.

Nothing here needs pandas or TensorFlow, so that the reading commands answer at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from results.errors import OptionError, ResultError
from results.ranked.finalists import WINNER, Finalist, finalists, winning_configuration
from results.ranked.first_rows import first_rows
from results.ranked.measured import answering, test_scores
from results.ranked.tables import Row, Table, Value
from search.files.checked.door import harmless
from search.files.rundir import Run, open_run
from search.record.configuration import Configuration, configurations, ranked
from search.record.folds import spread, values
from search.record.trial import TrialState
from spaces.basics.printable import writable

Source = Run | str | Path

__all__ = ["Row", "Source", "Table", "Value", "ranking", "rows"]

RECORDED = (
    "rank", "name", "score", "best_epoch", "epochs", "parameters", "frozen_parameters", "seconds", "status", "kind",
    "stopped",
)  # fmt: skip
"""Known from the search itself; `score` is the one that chose."""
FOLDS = ("folds", "fold_spread")
"""Of a cross-validation: folds that were trained, and the standard deviation of the objective over them."""
MEASURED = ("retrained", "spread", "seeds", "test", "verdict")
"""Measured afterwards: mean and standard deviation over fresh seeds, and the test part."""
FAILURE = ("failure", "message")
REASON = ("why",)
"""Why the oracle trained the configuration, and went on with it the last time."""


@dataclass(frozen=True)
class _Entry:
    run: str
    objective: str
    configuration: Configuration
    finalist: Finalist | None
    test: float | None
    verdict: str | None


def ranking(runs: Source | Sequence[Source], top: int | None = None) -> Table:
    """The ranked table, with the columns that `results.table` names; None where a value is missing.

    Args:
        runs: A run or its directory, or several.
        top: So many rows, which are found in a long run without reading all of it, and below them the winner and what
            it is tied with (in a long run without their rank); None: all.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: The runs have different objectives, so that their scores cannot be ranked together.
    """
    sources = as_runs(runs)
    labels = run_labels(sources)
    objectives: dict[tuple[str, str], str] = {}
    entries: list[_Entry] = []
    named: list[Mapping[str, Any]] = []
    notes: list[str] = []
    cut = False
    for source, label in zip(sources, labels, strict=True):
        with source.read() as reader:
            objective = reader.meta("objective")
            objectives.setdefault((objective["name"], objective["direction"]), label)
            few = first_rows(reader, objective["direction"], top) if top is not None and len(sources) == 1 else None
            trials, named = few or (reader.trials(), [])
            cut = few is not None
            winner = winning_configuration(trials, reader.meta("winner"))
            final = {f.configuration: f for f in finalists(trials, objective["direction"], winner)}
            tests = test_scores(trials, reader.evaluations(), objective["name"])
            for one in configurations(trials):
                finalist = final.get(one.id)
                verdict = WINNER if one.id == winner else finalist.verdict if finalist else None
                entries.append(_Entry(label, objective["name"], one, finalist, tests.get(one.id), verdict))
                if one.id == winner and (models := answering(reader)) > 1:
                    whose = f"{one.name} in {label}" if len(sources) > 1 else one.name
                    notes.append(f"test of {whose} is that of {models} models together, of which it is the first")
    if len(objectives) > 1:
        names = "; ".join(f"{label}: {name} ({direction})" for (name, direction), label in objectives.items())
        raise ResultError(f"runs with different objectives cannot be ranked together ({names})")
    direction = next(iter(objectives))[1]
    ordered = _in_order(entries, direction)
    # The searched configurations speak for the order: a baseline may name settings that the space fixes.
    by_kind = sorted(ordered, key=lambda entry: entry.configuration.baseline)
    order = hyperparameter_order([*named, *(entry.configuration.values for entry in by_kind)])
    shown = ordered[:top] + ([] if top is None else [entry for entry in ordered[top:] if entry.verdict is not None])
    table = _table(shown, order, several=len(sources) > 1, ranks=_ranks(ordered, top if cut else None))
    return replace(table, notes=tuple(notes))


def rows(runs: Source | Sequence[Source]) -> list[Row]:
    """The rows of `table` as plain data, without pandas; None where a value is missing.

    Args:
        runs: A run or its directory, or several.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: The runs have different objectives, so that their scores cannot be ranked together.
    """
    return list(ranking(runs).rows)


def as_runs(runs: Source | Sequence[Source]) -> list[Run]:
    """Opens a run or several; one that is named twice is still one.

    Raises:
        RunError: One of them is no run.
        OptionError: None is given.
    """
    many = [runs] if isinstance(runs, Run | str | Path) else list(runs)
    if not many:
        raise OptionError("no run is given")
    found: dict[Path, Run] = {}
    for run in map(open_run, many):
        found.setdefault(run.directory.resolve(), run)
    return list(found.values())


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Names of the run directories, or their paths where the names alone are not unique; no sign steers a terminal."""
    names = [harmless(writable(run.directory.resolve().name)) for run in runs]
    paths = [harmless(writable(str(run.directory))) for run in runs]
    return names if len(set(names)) == len(names) else paths


def hyperparameter_order(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """All names in the order of the space, from mappings that each hold the active ones in that order.

    A name seen for the first time is put behind the one it follows, so that `units_2`, which only deep
    configurations have, comes after `units_1` and not at the end.
    """
    order: list[str] = []
    known: set[str] = set()
    for mapping in values:
        # Nearly all bring no new name, and the place of a name takes long to find among very many.
        if mapping.keys() <= known:
            continue
        position = 0
        for name in mapping:
            if name in known:
                position = order.index(name) + 1
            else:
                order.insert(position, name)
                known.add(name)
                position += 1
    return order


def finite(value: Any) -> Value:
    """A plain value for a table cell: numpy scalars unwrapped, NaN and infinity to None, other types to text."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def column_names(names: Iterable[str], taken: Iterable[str], prefix: str) -> dict[str, str]:
    """A column name for each of `names`; those in `taken` get the prefix."""
    used = set(taken)
    columns: dict[str, str] = {}
    for name in names:
        column = name
        while column in used:
            column = prefix + column
        used.add(column)
        columns[name] = column
    return columns


def _in_order(entries: list[_Entry], direction: str) -> list[_Entry]:
    # `ranked` knows configurations only; identity leads back to the entry, since ids repeat over runs.
    owner = {id(entry.configuration): entry for entry in entries}
    return [owner[id(c)] for c in ranked([entry.configuration for entry in entries], direction)]


def _ranks(ordered: Sequence[_Entry], known: int | None) -> dict[int, int]:
    """Ranks of the entries that have a score, by identity; of a run that was not read whole the first `known`."""
    scored = [entry for entry in ordered if entry.configuration.score is not None]
    return {id(entry): rank for rank, entry in enumerate(scored[:known], 1)}


def _table(entries: Sequence[_Entry], names: Sequence[str], several: bool, ranks: Mapping[int, int]) -> Table:
    folded = any(values(entry.configuration.epochs, entry.objective) for entry in entries)
    recorded = (*RECORDED[:3], *FOLDS, *RECORDED[3:]) if folded else RECORDED
    fixed = (*(("run",) if several else ()), *recorded, *MEASURED, *FAILURE, *REASON)
    columns = column_names(names, fixed, "hp_")
    found = []
    for entry in entries:
        row = _row(entry, ranks.get(id(entry)))
        row = {column: value for column, value in row.items() if column not in FOLDS or folded}
        if several:
            row = {"run": entry.run, **row}
        row |= {column: finite(entry.configuration.values.get(name)) for name, column in columns.items()}
        found.append(row)
    return Table((*fixed, *columns.values()), tuple(found), tuple(columns.values()))


def _row(entry: _Entry, rank: int | None) -> Row:
    configuration, finalist = entry.configuration, entry.finalist
    failure = configuration.failure
    running = configuration.state is TrialState.RUNNING
    return {
        "rank": rank,
        "name": configuration.name,
        "score": finite(configuration.score),
        "folds": len(values(configuration.epochs, entry.objective)),
        "fold_spread": finite(spread(configuration.epochs, entry.objective)),
        "best_epoch": configuration.best_epoch,
        "epochs": len(configuration.epochs),
        "parameters": configuration.parameters,
        "frozen_parameters": configuration.frozen,
        "seconds": finite(configuration.seconds),
        "status": str(configuration.state),
        "kind": str(configuration.trials[0].kind),
        "stopped": None if running or configuration.stopped is None else str(configuration.stopped),
        "retrained": finalist.mean if finalist else None,
        "spread": finalist.spread if finalist else None,
        "seeds": finalist.seeds if finalist else None,
        "test": finite(entry.test),
        "verdict": entry.verdict,
        "failure": str(failure.reason) if failure else None,
        "message": failure.message if failure else None,
        "why": configuration.trials[-1].note or None,
    }
