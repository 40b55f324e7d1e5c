"""Checks exported files: each is loaded in a fresh process and must predict what the model in memory predicts.

`verify` starts that process; this module, run with FOLDER as argument, is it. One process checks all files, and
writes down which one it is at, so that a file that kills it is known; another process goes on with the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from results.errors import ResultError
from results.exporting.reading.loading import Several, load
from spaces.values.packing import Structure

Array = np.ndarray[Any, np.dtype[Any]]

SECONDS = 300.0
"""Longest time for one process. Loading takes seconds; a file that takes this long hangs."""

_ROWS, _LOG = "rows.npz", "verified.jsonl"


@dataclass(frozen=True)
class Task:
    """One file to check.

    Attributes:
        name: Of its format.
        path: The file or folder.
        tolerance: Largest difference allowed, as a multiple of max(unit, |expected|).
        several: Whether it has several inputs or outputs.
        inputs: What the bytes of a row are where it has several inputs, in plain data.
        units: What each output, or all of them, is exact in proportion to, however near 0 it is.
    """

    name: str
    path: str
    tolerance: float
    several: bool = False
    inputs: Mapping[str, Any] | None = None
    units: Sequence[float] = (1.0,)


@dataclass(frozen=True)
class Verdict:
    """What the check of one file gave.

    Attributes:
        difference: Largest difference found, as a multiple of max(unit, |expected|); None if there are no predictions.
        failure: Why the file does not count, or None.
    """

    difference: float | None
    failure: str | None


def verify(tasks: Sequence[Task], rows: Array, expected: Array, folder: Path) -> dict[str, Verdict]:
    """Checks files in a fresh process.

    Args:
        tasks: The files.
        rows: Raw rows, shape (n, *input_shape).
        expected: Predictions of the model in memory, shape (n, outputs).
        folder: For the files that pass to and from the process; the caller deletes it.

    Returns:
        A verdict for each task, by its name.
    """
    np.savez(folder / _ROWS, rows=rows, expected=expected)
    verdicts: dict[str, Verdict] = {}
    waiting = list(tasks)
    while waiting:
        (folder / _LOG).write_text("", encoding="utf-8")
        ended = _run(waiting, folder)
        lines = [json.loads(line) for line in (folder / _LOG).read_text(encoding="utf-8").splitlines()]
        verdicts |= {line["name"]: Verdict(line["difference"], line["failure"]) for line in lines}
        left = [task for task in waiting if task.name not in verdicts]
        if left:
            # The process ended early: what it was at is what ended it.
            verdicts[left[0].name] = Verdict(None, f"loading or predicting with it ended the process ({ended})")
        waiting = left[1:]
    return verdicts


def _run(tasks: Sequence[Task], folder: Path) -> str:
    """Runs one checking process to its end and says how it ended."""
    (folder / "tasks.json").write_text(json.dumps([asdict(task) for task in tasks]), encoding="utf-8")
    return in_fresh_process("results.exporting.verify", folder)


def in_fresh_process(module: str, folder: Path) -> str:
    """Runs a module of this program on a folder, to its end, and says how it ended."""
    # Here, for the checking process itself starts without the other packages.
    from spaces.outside import launch

    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # A model travels to machines without a GPU, and the memory of this one's may be taken.
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    command = launch.command(module, str(folder))
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {SECONDS:.0f} s"
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"exit code {done.returncode}" + (f": {last[0][:300]}" if last else "")


def _check(task: Mapping[str, Any], rows: Array, expected: Array) -> Verdict:
    try:
        inputs = task["inputs"] and Structure.from_json(task["inputs"])
        found = load(Path(task["path"]), Several(inputs) if task["several"] else None).predict(rows)
    except ResultError as error:
        return Verdict(None, str(error))
    except Exception as error:  # an engine may raise anything while it predicts
        return Verdict(None, f"cannot predict ({type(error).__name__}: {str(error)[:300]})")
    if found.shape != expected.shape:
        return Verdict(None, f"predicts values of shape {found.shape}, the model in memory {expected.shape}")
    for who, answers in (("the model in memory", expected), ("the file", found)):
        if count := int((~np.isfinite(answers).all(axis=1)).sum()):
            return Verdict(None, f"{who} predicts NaN or infinity for {count} of {len(answers)} rows")
    difference = largest_difference(found, expected, task["units"])
    if difference > task["tolerance"]:
        return Verdict(
            difference,
            f"predicts something else than the model in memory: difference {difference:.3g}, "
            f"allowed {task['tolerance']:g}",
        )
    return Verdict(difference, None)


def largest_difference(found: Array, expected: Array, units: Sequence[float]) -> float:
    """Of answers of shape (n, outputs), as a multiple of max(unit, |expected|); a unit for each output, or for all."""
    return float(np.max(np.abs(found - expected) / np.maximum(np.asarray(units), np.abs(expected))))


def main(folder: Path) -> None:
    """The checking process: reads `tasks.json` and the rows, appends a line to the log for every file checked."""
    with np.load(folder / _ROWS, allow_pickle=False) as stored:
        rows, expected = stored["rows"], stored["expected"]
    for task in json.loads((folder / "tasks.json").read_text(encoding="utf-8")):
        verdict = _check(task, rows, expected)
        with (folder / _LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"name": task["name"], **asdict(verdict)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
