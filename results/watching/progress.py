"""How far a run is, running or not."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from results.ranked.measured import objective_metric
from results.ranked.ranking import Source, finite
from results.watching.walltime import elapsed
from search.files import layout
from search.files.lock import holder
from search.files.rundir import Run, open_run
from search.files.store import Event, RunReader
from search.record.configuration import Configuration, configurations
from search.record.marks import Mark, best_of, standings
from search.record.trial import Trial, TrialKind, TrialState

_WARNINGS = 5


def status(run: Source, now: float | None = None) -> dict[str, Any]:
    """The state of a run as plain JSON data; None stands for what is not known (yet).

    Keys: `run`, `name`, `algorithm`, `phase` (search, final, done), `exit` (why the last sitting ended; None while
    one goes on or if it was cut off), `active` (a process is working on it), `last_sign` (seconds since something
    was written), `elapsed` (seconds of work, pauses left out), `time_left` (seconds to the promised end);
    `objective`, `direction`; `trials` (of the search and the baselines: `done`, `failed`, `running`, `planned`,
    `left`), `configurations` (searched), `epochs` (in all); `best` and `baseline` (the best of the searched ones
    and of the baselines: `name`, `score`, `best_epoch`, `parameters`), `lead` (how much better `best` is, above 0
    is better), `since_improved` (seconds since `best` last got better), `hourly_gain` (by how much another hour of
    searching is expected to make `best` better, by the algorithm's model); `working_on` (unfinished trials: `trial`,
    `name`, `kind`, `epochs_from`, `epochs_to`, `seconds`), `winner` (`name`, `test`), `warnings` (the last five:
    `at`, `level`, `message`).

    Args:
        run: A run or its directory.
        now: Unix time to reckon from; None: the clock.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    opened = open_run(run)
    moment = time.time() if now is None else now
    with opened.read() as reader:
        marks = reader.marks()
        objective = reader.meta("objective")
        direction = objective["direction"]
        active = is_active(opened, reader)
        found = standings(marks)
        best = _whole(best_of(found, direction, baseline=False), marks, reader)
        baseline = _whole(best_of(found, direction, baseline=True), marks, reader)
        return {
            "run": str(opened.directory),
            "name": reader.meta("name"),
            "algorithm": reader.meta("algorithm"),
            "phase": reader.meta("phase"),
            "exit": reader.meta("exit"),
            "active": active,
            "last_sign": _last_sign(opened, moment),
            "elapsed": elapsed(reader, marks, moment, active),
            "time_left": max(0.0, reader.meta("until") - moment) if active and reader.meta("until") else None,
            "objective": objective["name"],
            "direction": direction,
            "trials": _counts(marks, reader.meta("planned", {})),
            "configurations": sum(not one.baseline for one in found.values()),
            "epochs": sum(one.epochs for one in marks),
            "best": best and _described(best),
            "baseline": baseline and _described(baseline),
            "lead": _lead(best, baseline, direction),
            "since_improved": _since_improved(marks, direction, reader.meta("finished") or moment),
            "hourly_gain": finite(reader.meta("hourly_gain")),
            "working_on": [_working(trial, moment) for trial in _running(marks, reader)],
            "winner": _winner(reader, objective["name"]),
            "warnings": [vars(event) for event in _warnings(reader.events())],
        }


def is_active(run: Run, reader: RunReader) -> bool:
    """Whether a process is working on the run: its last sitting has no end, and whoever locked the run is there."""
    if reader.meta("exit") is not None:
        return False
    locked_by = holder(run.directory)
    return locked_by is not None and locked_by.alive()


def _whole(name: str | None, marks: Sequence[Mark], reader: RunReader) -> Configuration | None:
    if name is None:
        return None
    return next(iter(configurations(reader.some(one.id for one in marks if one.configuration == name))), None)


def _running(marks: Sequence[Mark], reader: RunReader) -> list[Trial]:
    return reader.some(one.id for one in marks if one.state == TrialState.RUNNING)


def _described(configuration: Configuration) -> dict[str, Any]:
    return {
        "name": configuration.name,
        "score": finite(configuration.score),
        "best_epoch": configuration.best_epoch,
        "parameters": configuration.parameters,
    }


def _lead(best: Configuration | None, baseline: Configuration | None, direction: str) -> float | None:
    if best is None or baseline is None or best.score is None or baseline.score is None:
        return None
    return best.score - baseline.score if direction == "max" else baseline.score - best.score


def _counts(marks: Sequence[Mark], planned: dict[str, Any]) -> dict[str, int | None]:
    states = Counter(one.state for one in marks if one.kind in (TrialKind.SEARCH, TrialKind.BASELINE))
    count = {state: states[state] for state in TrialState}
    done = count[TrialState.COMPLETED] + count[TrialState.FAILED]
    expected = planned.get("trials")
    return {
        "done": done,
        "failed": count[TrialState.FAILED],
        "running": count[TrialState.RUNNING],
        "planned": expected,
        "left": None if expected is None else max(0, expected - done),
    }


def _since_improved(marks: Sequence[Mark], direction: str, now: float) -> float | None:
    sign = 1.0 if direction == "max" else -1.0
    best: float | None = None
    at: float | None = None
    scored = [one for one in marks if one.kind == TrialKind.SEARCH and one.score is not None]
    ended = [(one.finished, one.score or 0.0) for one in scored if one.finished is not None]
    for finished, score in sorted(ended, key=itemgetter(0)):
        if (best is None or sign * score > best) and math.isfinite(score):
            best, at = sign * score, finished
    return None if at is None else max(0.0, now - at)


def _working(trial: Trial, now: float) -> dict[str, Any]:
    return {
        "trial": trial.id,
        "name": trial.name or trial.configuration,
        "kind": str(trial.kind),
        "epochs_from": trial.epochs_from,
        "epochs_to": trial.epochs_to,
        "seconds": max(0.0, now - trial.started),
    }


def _last_sign(run: Run, now: float) -> float:
    # With write-ahead logging, commits change the file beside the store long before the store itself.
    files = [run.directory / layout.STORE, run.directory / f"{layout.STORE}-wal"]
    return max(0.0, now - max(file.stat().st_mtime for file in files if file.exists()))


def _winner(reader: RunReader, objective: str) -> dict[str, Any] | None:
    chosen = reader.meta("winner")
    winner = None if chosen is None else reader.trial(chosen)
    if winner is None:
        return None
    measured = [e for e in reader.evaluations() if e.trial == winner.id and e.part == "test"]
    return {
        "name": winner.name or winner.configuration,
        "test": finite(measured[0].metrics.get(objective_metric(objective))) if measured else None,
    }


def _warnings(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.level != "info"][-_WARNINGS:]
