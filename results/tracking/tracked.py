"""A run in the terms of experiment trackers: what is said about the search and about each of its configurations."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

from results.errors import ResultError
from results.ranked.finalists import winning_configuration
from results.ranked.measured import TEST, answering
from results.ranked.ranking import FAILURE, MEASURED, REASON, RECORDED, column_names, ranking
from results.ranked.tables import Row
from results.watching.progress import is_active
from results.watching.worked import trial_span
from search.errors import DiskError, not_written
from search.files.rundir import Run
from search.files.store import RunReader
from search.record.configuration import Configuration, configurations
from search.record.trial import TrialState
from spaces.basics.printable import writable

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

_SEARCH_STATUS: Mapping[str, Status] = {"done": "FINISHED", "failed": "FAILED"}
_SEARCH_SCORES = ("score", "retrained", "spread", "test", "best_epoch", "epochs", "parameters")
_ALLOWED = re.compile(r"[^\w\-. ]")
_LONGEST_NAME = 250
_SECRET = re.compile(r"[^/?#]*//([^/?#]+@)")


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Attributes:
        metric: Its name.
        step: The epoch, counted from 1.
        value: The value; it may be NaN.
        at: Unix time at which the epoch ended.
    """

    metric: str
    step: int
    value: float
    at: float


@dataclass(frozen=True)
class Tracked:
    """The search, or one configuration.

    Attributes:
        id: What it is found by again: unique for the search, and for a configuration unique in its search.
        name: What a person calls it.
        status: Where it stands.
        started: Unix time.
        ended: Unix time up to which something is known of it.
        parameters: Hyperparameters.
        curves: Metrics of every epoch, by epoch.
        scores: What was reached in the end; finite numbers.
        tags: Everything else that is known.
    """

    id: str
    name: str
    status: Status
    started: float
    ended: float
    parameters: Mapping[str, str] = field(default_factory=dict)
    curves: tuple[Point, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The same for the same content."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def tracked(run: Run) -> tuple[Tracked, list[Tracked]]:
    """The search of a run and the configurations of its ranked table, in the order in which they were asked for.

    Parameters, metrics and scores have names that trackers take (see `safe_names`); scores are called like the columns
    of the ranked table, and a metric of the epochs with such a name gets the prefix `epoch_`.

    Raises:
        RunError: The run is damaged.
    """
    # The table first: what a search that goes on adds in between is left to the next time.
    rows = {(row["kind"], row["name"]): row for row in ranking(run).rows}
    with run.read() as reader:
        active = is_active(run, reader)
        trials = reader.trials()
        found = [(c, rows[key]) for c in configurations(trials) if (key := _key(c)) in rows]
        metrics = dict.fromkeys(name for c, _ in found for epoch in c.epochs for name in epoch.metrics)
        names = safe_names(column_names(metrics, (*RECORDED, *MEASURED), "epoch_").values())
        metric_names = dict(zip(metrics, names, strict=True))
        parameters = dict.fromkeys(name for c, _ in found for name in c.values)
        parameter_names = dict(zip(parameters, safe_names(parameters), strict=True))
        children = [_configuration(c, row, metric_names, parameter_names, active) for c, row in found]
        winner = winning_configuration(trials, reader.meta("winner"))
        chosen = next((row for c, row in found if c.id == winner), None)
        leader = chosen or next((row for _, row in found if row["rank"] == 1), None)
        search = _search(run, reader, active, children, None if chosen is None else str(chosen["name"]), leader or {})
        if chosen is not None:
            mine = next(child for child in children if child.id == winner)
            # Only of a winner: the best so far may be another one tomorrow, and trackers only ever add to a run.
            search = replace(search, parameters=mine.parameters, curves=mine.curves)
            if (models := answering(reader)) > 1:
                # Their score on the test part is that of all.
                told = {"together": str(models)}
                search = replace(search, tags={**search.tags, **told})
                children[children.index(mine)] = replace(mine, tags={**mine.tags, **told})
        return search, children


def safe_names(names: Iterable[str]) -> list[str]:
    """A name for each that trackers take: letters, digits, `_`, `-`, `.` and spaces, at most 250 of them.

    Other characters become `_`, and so does a dot in front, which means a place where names are files. Names that are
    the same then are numbered.
    """
    found: list[str] = []
    for name in names:
        plain = _ALLOWED.sub("_", name)
        plain = (f"_{plain[1:]}" if plain.startswith(".") else plain)[:_LONGEST_NAME] or "_"
        chosen, number = plain, 2
        while chosen in found:
            ending = f"_{number}"
            chosen, number = plain[: _LONGEST_NAME - len(ending)] + ending, number + 1
        found.append(chosen)
    return found


def without_password(text: str, uri: object) -> str:
    """A text that quotes the address of a tracker, without the user name and the password that stand in it.

    A program may give something else for an address, as a path: what is wrong with it is told all the same.
    """
    found = _SECRET.match(str(uri))
    return text if found is None else text.replace(found[1], "")


def not_kept(uri: object, error: Exception) -> Exception:
    """What to raise where a tracker could not keep a run: a `DiskError` where the disk is full or fails.

    Args:
        uri: The address of the tracker, for the message, which tells no password.
        error: What its library raised; what the system said may stand behind that.
    """
    lines = str(error).strip().splitlines()
    told = without_password(f"{uri}: cannot be written ({lines[0] if lines else type(error).__name__})", uri)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | sqlite3.Error) and isinstance(not_written(uri, cause), DiskError):
            return DiskError(told)
        cause = cause.__cause__ or cause.__context__
    return ResultError(told)


def _key(configuration: Configuration) -> tuple[str, str]:
    return str(configuration.trials[0].kind), configuration.name


def _search(
    run: Run, reader: RunReader, active: bool, children: Sequence[Tracked], winner: str | None, leader: Row
) -> Tracked:
    started, data, objective = reader.meta("started"), reader.meta("data"), reader.meta("objective")
    host = (reader.meta("hardware") or {}).get("host")
    # A run has no number of its own; no other one has begun at this microsecond of that machine, on these data.
    identity = json.dumps([reader.meta("name"), reader.meta("seed"), started, host, data["fingerprint"]])
    reason = reader.meta("exit")
    git = reader.meta("git") or {}
    tags = {
        "space": reader.meta("name"),
        "algorithm": reader.meta("algorithm"),
        "seed": reader.meta("seed"),
        "objective": objective["name"],
        "direction": objective["direction"],
        "state": "running" if active else reason or "cut off",
        "data": data["name"],
        "data_fingerprint": data["fingerprint"],
        "command": " ".join(reader.meta("command") or ()),
        "git_commit": git.get("commit"),
        "git_dirty": git.get("dirty"),
        "winner": winner,
        **{f"version.{package}": version for package, version in (reader.meta("versions") or {}).items()},
    }
    status: Status = "RUNNING" if active else _SEARCH_STATUS.get(reason or "", "KILLED")
    return Tracked(
        id=hashlib.sha256(identity.encode()).hexdigest()[:32],
        name=writable(run.directory.resolve().name),
        status=status,
        started=started,
        ended=max([started, *(child.ended for child in children), reader.meta("finished") or started]),
        scores={**_finite(leader, _SEARCH_SCORES), **(_measured(reader) if winner is not None else {})},
        tags=_texts(tags),
    )


def _configuration(
    configuration: Configuration,
    row: Row,
    metric_names: Mapping[str, str],
    parameter_names: Mapping[str, str],
    active: bool,
) -> Tracked:
    trials = configuration.trials
    curves = tuple(_points(configuration, metric_names))
    spans = [span for trial in trials if (span := trial_span(trial)) is not None]
    status: Status = "FAILED" if configuration.state is TrialState.FAILED else "FINISHED"
    if configuration.state is TrialState.RUNNING:
        status = "RUNNING" if active else "KILLED"
    columns = (*RECORDED, *MEASURED, *FAILURE, *REASON)
    # Name and score of a row have their places; its rank changes with every other configuration.
    said = {column: row[column] for column in columns if isinstance(row[column], str) and column != "name"}
    return Tracked(
        id=configuration.id,
        name=configuration.name,
        status=status,
        started=trials[0].started,
        ended=max([trials[0].started, *(end for _, end in spans)]),
        parameters={parameter_names[name]: str(value) for name, value in configuration.values.items()},
        curves=curves,
        scores=_finite(row, [column for column in (*RECORDED, *MEASURED) if column != "rank"]),
        tags=_texts({**said, "seed": configuration.seed}),
    )


def _points(configuration: Configuration, names: Mapping[str, str]) -> Iterable[Point]:
    for trial in configuration.trials:
        span = trial_span(trial)
        if trial.outcome is None or span is None:
            continue
        epochs = trial.outcome.epochs
        begun = span[0] + trial.outcome.build_seconds
        ends = list(accumulate((epoch.seconds for epoch in epochs), initial=begun))[1:]
        for epoch, end in zip(epochs, ends, strict=True):
            for metric, value in epoch.metrics.items():
                yield Point(names[metric], epoch.number, float(value), min(end, span[1]))


def _measured(reader: RunReader) -> dict[str, float]:
    """Everything that was measured of the winner on the test part, as `test_accuracy` and the like."""
    chosen = reader.meta("winner")
    found = next((e for e in reader.evaluations() if e.trial == chosen and e.part == TEST), None)
    metrics = {} if found is None else dict(found.metrics)
    names = safe_names(f"test_{name}" for name in metrics)
    return {n: float(v) for n, v in zip(names, metrics.values(), strict=True) if v is not None and math.isfinite(v)}


def _finite(row: Mapping[str, Any], columns: Iterable[str]) -> dict[str, float]:
    # Cells of the ranked table are finite already, and None where there is no value.
    return {column: float(value) for column in columns if isinstance(value := row.get(column), int | float)}


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in facts.items() if value not in (None, "")}
