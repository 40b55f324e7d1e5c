"""The command that a user wants to be called when a run has ended, and what it is told."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Any

from results.reporting.words import duration
from results.watching.progress import status
from search.files.rundir import Run

_PREFIX = "NIGHTSHIFT_"


def facts(run: Run | str | Path, reason: str, report: Path | None, late: float = 0.0) -> dict[str, str]:
    """What the command finds in its environment.

    `NIGHTSHIFT_HEADLINE` (one sentence), `NIGHTSHIFT_SCORE`, `NIGHTSHIFT_DIFFERENCE` (to the best baseline; above 0
    is better), `NIGHTSHIFT_REPORT` (its path), `NIGHTSHIFT_RUN` (the run directory), `NIGHTSHIFT_EXIT` (done,
    interrupted or failed). What is not known is empty.

    Args:
        run: The run.
        reason: How it ended.
        report: Path of the report, or None.
        late: Seconds by which the promised time was missed.
    """
    directory = run.directory if isinstance(run, Run) else Path(run)
    told = {
        f"{_PREFIX}HEADLINE": f"{directory.name} {reason}",
        f"{_PREFIX}SCORE": "",
        f"{_PREFIX}DIFFERENCE": "",
        f"{_PREFIX}REPORT": "" if report is None else str(report.resolve()),
        f"{_PREFIX}RUN": str(directory.resolve()),
        f"{_PREFIX}EXIT": reason,
    }
    # Somebody waits for this call: it comes also where the run itself can no longer be read.
    with contextlib.suppress(Exception):
        state = status(run)
        best, lead = state["best"], state["lead"]
        told[f"{_PREFIX}HEADLINE"] = headline(state, reason, late)
        told[f"{_PREFIX}SCORE"] = "" if best is None else repr(best["score"])
        told[f"{_PREFIX}DIFFERENCE"] = "" if lead is None else repr(lead)
    return told


def call(command: str, environment: dict[str, str]) -> int:
    """Runs the user's command in a shell, with these variables besides those of this process; its exit status."""
    return subprocess.run(command, shell=True, env={**os.environ, **environment}, check=False).returncode


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
    text = f"{state['name']} {reason}: best {state['objective']} {best['score']:.4f} ({best['name']})"
    if lead is not None:
        text += f", {lead:+.4f} to the best baseline"
    if winner and winner["test"] is not None:
        text += f", test {winner['test']:.4f}"
    return text + behind
