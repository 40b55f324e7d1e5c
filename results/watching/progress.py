"""How far a run is, running or not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from results.ranked.finalists import finalists
from results.ranked.measured import answering, objective_metric
from results.ranked.ranking import Source, finite
from results.watching.worked import elapsed_in_all
from search.files import layout
from search.files.lock import is_held
from search.files.rundir import Run, open_run
from search.files.store import Event, RunReader
from search.record.configuration import Configuration, configurations
from search.record.overview import Overview
from search.record.trial import Trial

_WARNINGS = 5
_MORNING = ("export", "report")


def status(run: Source, now: float | None = None) -> dict[str, Any]:
    """The state of a run as plain JSON data; None stands for what is not known (yet).

    Keys: `run`, `name`, `algorithm`, `phase` (measuring workers, search, retraining, training again, final training,
    comparing an ensemble, evaluation, export, report, done), `exit` (why the last sitting ended; None while
    one goes on or if it was cut off), `active` (a process is working on it), `last_sign` (seconds since something
    was written), `elapsed` (seconds of work, pauses left out), `time_left` (seconds to the promised end);
    `objective`, `direction`; `trials` (of the search and the baselines: `done`, `failed`, `running`, `planned`,
    `left`), `configurations` (searched), `epochs` (in all, without what was taken over from another run); `best` and
    `baseline` (the best of the searched ones and of the baselines: `name`, `score`, `best_epoch`, `parameters`),
    `lead` (how much better `best` is, above 0 is better), `since_improved` (seconds since `best` last got better),
    `hourly_gain` (by how much another hour of searching is expected to make `best` better, by the algorithm's model);
    `working_on` (unfinished trials of an active run: `trial`, `name`, `kind`, `epochs_from`, `epochs_to`,
    `epochs_done` of these, as known some seconds ago, `seconds`), `waiting` (how many more wait for a worker), `winner`
    (`name`, `baseline`: whether it is one, `score` in the search, `lead` over the best baseline there, `retrained`:
    mean over `seeds` fresh seeds, `test`, `together`: how many models answer together as the winner, whose score on
    the test part is that of all), `cluster` (of a run on other machines: `workers` at work, `room` for how many,
    `needs` of each in words, `nodes`: `name`, `cpus`, `gpus`, `room`, `refused`: why it gets no trials), `warnings`
    (the last five: `at`, `level`, `message`).

    Args:
        run: A run or its directory.
        now: Unix time to reckon from; None: the clock.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    opened = open_run(run)
    moment = time.time() if now is None else now
    with opened.read() as reader:
        objective = reader.meta("objective")
        direction = objective["direction"]
        step, following = _step(opened, reader)
        active = is_active(opened, reader) or following
        found = reader.overview(direction)
        # One more than there are workers may be at hand; the oldest are those that are trained.
        cluster = reader.meta("cluster", {}) or {}
        open_trials = found.open if active else []
        at_once = cluster["workers"] if cluster else reader.meta("at_once") or len(open_trials)
        reached, sitting = reader.meta("reached", {}) if active else {}, reader.meta("sitting") or 0.0
        best, baseline = _whole(found.best, reader), _whole(found.baseline, reader)
        return {
            "run": str(opened.directory),
            "name": reader.meta("name"),
            "algorithm": reader.meta("algorithm"),
            "phase": step,
            "exit": None if step in _MORNING else reader.meta("exit"),
            "active": active,
            "last_sign": _last_sign(opened, moment),
            "elapsed": elapsed_in_all(reader, moment, active),
            "time_left": max(0.0, reader.meta("until") - moment) if active and reader.meta("until") else None,
            "objective": objective["name"],
            "direction": direction,
            "trials": _counts(found, reader.meta("planned", {}), at_once if active else 0),
            "configurations": found.configurations,
            "epochs": found.epochs,
            "best": best and _described(best),
            "baseline": baseline and _described(baseline),
            "lead": _lead(best, baseline, direction),
            "since_improved": _since(found.improved, reader.meta("finished") or moment),
            "hourly_gain": finite(reader.meta("hourly_gain")),
            "working_on": [_working(trial, reached, sitting, moment) for trial in reader.some(open_trials[:at_once])],
            "waiting": len(open_trials[at_once:]),
            "winner": _winner(reader, objective, baseline),
            "cluster": cluster or None,
            "warnings": [vars(event) for event in _warnings(reader.events())],
        }


def _step(run: Run, reader: RunReader) -> tuple[str, bool]:
    """What a run is at, or was when it was cut off; and whether what follows the search is being done just now."""
    phase, morning = str(reader.meta("phase")), reader.meta("morning")
    if phase == "done":
        return (phase, False) if morning is None else (str(morning), is_held(run.directory))
    return str(reader.meta("step") or ("retraining" if phase == "final" else phase)), False


def is_active(run: Run, reader: RunReader) -> bool:
    """Whether a process is working on the run: its last sitting has no end, and somebody holds the run."""
    return reader.meta("exit") is None and is_held(run.directory)


def _whole(trials: Sequence[str], reader: RunReader) -> Configuration | None:
    return next(iter(configurations(reader.some(trials))), None)


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


def _counts(found: Overview, planned: dict[str, Any], at_once: int) -> dict[str, int | None]:
    expected = planned.get("trials")
    return {
        "done": found.done,
        "failed": found.failed,
        "running": min(found.running, at_once),
        "planned": expected,
        "left": None if expected is None else max(0, expected - found.done),
    }


def _since(improved: float | None, now: float) -> float | None:
    return None if improved is None else max(0.0, now - improved)


def _working(trial: Trial, reached: Mapping[str, int], sitting: float, now: float) -> dict[str, Any]:
    # One that was interrupted goes on since this sitting began; the pause is no work.
    before = 0.0 if trial.outcome is None else trial.outcome.seconds
    return {
        "trial": trial.id,
        "name": trial.name or trial.configuration,
        "kind": str(trial.kind),
        "epochs_from": trial.epochs_from,
        "epochs_to": trial.epochs_to,
        "epochs_done": max(0, reached.get(trial.id, trial.epochs_before) - trial.epochs_from),
        "seconds": before + max(0.0, now - max(trial.started, sitting)),
    }


def _last_sign(run: Run, now: float) -> float:
    # With write-ahead logging, commits change the file beside the store long before the store itself.
    files = [run.directory / layout.STORE, run.directory / f"{layout.STORE}-wal"]
    return max(0.0, now - max(file.stat().st_mtime for file in files if file.exists()))


def _winner(reader: RunReader, objective: dict[str, str], baseline: Configuration | None) -> dict[str, Any] | None:
    chosen = reader.meta("winner")
    trial = None if chosen is None else reader.trial(chosen)
    if trial is None:
        return None
    own = reader.of_configuration(trial.configuration)
    kept = next(iter(configurations(own)), None)
    final = next(iter(finalists(own, objective["direction"])), None)
    measured = [e for e in reader.evaluations() if e.trial == trial.id and e.part == "test"]
    return {
        "name": trial.name or trial.configuration,
        "baseline": kept is not None and kept.baseline,
        "score": finite(kept.score) if kept is not None else None,
        "lead": None if kept is None or kept.baseline else _lead(kept, baseline, objective["direction"]),
        "retrained": final.mean if final is not None else None,
        "seeds": final.seeds if final is not None else 0,
        "test": finite(measured[0].metrics.get(objective_metric(objective["name"]))) if measured else None,
        "together": answering(reader),
    }


def _warnings(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.level != "info"][-_WARNINGS:]
