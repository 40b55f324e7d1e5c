"""The time from the command to the first training step, against importing TensorFlow and loading the data."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import search  # noqa: E402

# As a user would write it, for the digits data.
_LEAST = """
import tensorflow as tf, keras
import numpy as np
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
tf.constant(1.0) + 1.0
"""


def startup(rounds: int) -> dict[str, float]:
    """Measures in turn, prints, and returns seconds (medians) and their ratio."""
    measured: dict[str, list[float]] = {"import_and_data": [], "command_to_first_step": []}
    for _ in range(max(3, rounds)):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", _LEAST], check=True, capture_output=True)
        measured["import_and_data"].append(time.perf_counter() - started)
        measured["command_to_first_step"].append(_command())
    result = {name: statistics.median(seconds) for name, seconds in measured.items()}
    result["ratio"] = result["command_to_first_step"] / result["import_and_data"]
    print(
        f"\nstart: TensorFlow and the digits data {result['import_and_data']:.2f} s, `run digits` to its first "
        f"training step {result['command_to_first_step']:.2f} s, ratio {result['ratio']:.2f}",
        flush=True,
    )
    return result


def _command() -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        launched = time.time()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run_search.py"), "run", "digits", "--run-dir", str(run), "-q"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while process.poll() is None:
                time.sleep(0.2)
                first = _first_step(run)
                if first is not None:
                    return first - launched
        finally:
            process.kill()
            process.wait()
    raise RuntimeError("the command ended without a trained trial")


def _first_step(run: Path) -> float | None:
    """Unix time of the first training step, None while no trial is finished."""
    try:
        with search.open_run(run).read() as reader:
            trials = reader.trials()
    except search.RunError:
        return None
    return min((trial.started + trial.outcome.build_seconds for trial in trials if trial.outcome), default=None)
