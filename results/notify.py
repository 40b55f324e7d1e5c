"""The command that a user wants to be called when a run has ended, and what it is told."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from results.reporting.words import signed
from results.text import plural, together
from results.watching.progress import status
from search.files.rundir import Run
from spaces.basics.figures import duration, score

_PREFIX = "NIGHTSHIFT_"


def variables(
    run: Run | str | Path, reason: str, report: Path | None, late: float = 0.0, why: str = ""
) -> dict[str, str]:
    """What the command finds in its environment.

    `NIGHTSHIFT_HEADLINE` (one sentence), `NIGHTSHIFT_SCORE` (of the winner, while there is none of the best
    configuration, or of the best baseline where nothing else has a score),
    `NIGHTSHIFT_DIFFERENCE` (of that to the best baseline; above 0 is better), `NIGHTSHIFT_TEST` (the winner's on the
    test part, that of all where several models answer together), `NIGHTSHIFT_REPORT` (its path), `NIGHTSHIFT_RUN` (the
    run directory), `NIGHTSHIFT_EXIT` (done, interrupted or failed). What is not known is empty.

    Args:
        run: The run.
        reason: How it ended.
        report: Path of the report, or None.
        late: Seconds by which the promised time was missed.
        why: The reason why it could not begin, or go on.
    """
    directory = run.directory if isinstance(run, Run) else Path(run)
    # That of `.`, which a command in the folder of the run is given, is empty.
    name = directory.resolve().name
    told = {
        f"{_PREFIX}HEADLINE": f"{name} {reason}",
        f"{_PREFIX}SCORE": "",
        f"{_PREFIX}DIFFERENCE": "",
        f"{_PREFIX}TEST": "",
        f"{_PREFIX}REPORT": "" if report is None else str(report.resolve()),
        f"{_PREFIX}RUN": str(directory.resolve()),
        f"{_PREFIX}EXIT": reason,
    }
    # Somebody waits for this call: it comes also where the run itself can no longer be read.
    with contextlib.suppress(Exception):
        state = status(run)
        shown = state["winner"] or state["best"] or state["baseline"] or {"score": None}
        lead = shown.get("lead", state["lead"])
        told[f"{_PREFIX}HEADLINE"] = headline(state, reason, late)
        told[f"{_PREFIX}SCORE"] = "" if shown["score"] is None else repr(shown["score"])
        told[f"{_PREFIX}DIFFERENCE"] = "" if lead is None else repr(lead)
        told[f"{_PREFIX}TEST"] = "" if shown.get("test") is None else repr(shown["test"])
    if why:
        told[f"{_PREFIX}HEADLINE"] = f"{name} {reason}: {why}"
    return told


def call(command: str, environment: dict[str, str]) -> int:
    """Runs the user's command in a shell, with these variables besides those of this process; its exit status.

    What it prints goes to standard error: standard output is the table's.
    """
    settings = {**os.environ, **environment}
    return subprocess.run(command, shell=True, env=settings, stdout=sys.__stderr__, check=False).returncode


def headline(state: dict[str, Any], reason: str, late: float = 0.0) -> str:
    """The outcome of a run in one sentence.

    Args:
        state: What `results.status` gave.
        reason: How the run ended.
        late: Seconds by which the promised time was missed.
    """
    behind = f", {duration(late)} after the promised time" if late > 0 else ""
    lead, winner = state["lead"], state["winner"]
    best = state["best"] or state["baseline"]
    if best is None:
        return f"{state['name']} {reason}: no configuration has a score{behind}"
    text = f"{state['name']} {reason}: "
    if winner is None:
        name = best["name"] if state["best"] else f"{best['name']}, a baseline"
        text += f"best {state['objective']} {score(best['score'])} ({name})"
        return text + ("" if lead is None else f", {signed(lead, best['score'])} to the best baseline") + behind
    text += f"winner {winner['name']}{' (a baseline)' if winner['baseline'] else ''}"
    measured = []
    if winner["score"] is not None:
        measured.append(f"{state['objective']} {score(winner['score'])} in the search")
    if winner["retrained"] is not None:
        over = "as mean over" if winner["seeds"] > 1 else "over"
        measured.append(f"{score(winner['retrained'])} {over} {plural(winner['seeds'], 'fresh seed')}")
    if winner["test"] is not None:
        measured.append(f"test {score(winner['test'])}{together(winner['together'])}")
    if not winner["baseline"] and winner["lead"] is not None:
        measured.append(f"{signed(winner['lead'], winner['score'])} to the best baseline in the search")
    return ", ".join([text, *measured]) + behind
