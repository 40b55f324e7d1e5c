"""How long the oracles think: milliseconds from the question to the answer, against what they have observed.

    python benchmarks/suggest.py

A simulated search over seven hyperparameters (those of LCBench, with a score that is a formula) fills each oracle;
then the next suggestions are timed one by one, without training. For freeze-thaw the count is that of observed rungs,
for the Bayesian oracle that of trials. One thread. Prints a table of median and largest time.
"""

import os
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import lcbench  # noqa: E402

SIZES = {"bayesian": (100, 1000), "freeze-thaw": (200, 2000)}
SUGGESTIONS = 20


def score(values: dict[str, Any], epoch: int) -> float:
    """A learning curve: how near the configuration is to an optimum, approached over the epochs."""
    total = 0.0
    for (low, high, log, _), name in zip(lcbench.RANGES.values(), lcbench.RANGES, strict=True):
        span = (values[name] / low, high / low) if log else (values[name] - low + 1, high - low + 1)
        position = (span[0] - 1) / (span[1] - 1)
        total += (position - 0.6) ** 2
    return 0.95 - 0.1 * total - 0.3 * (1 + total) / (epoch + 2)


def step(oracle: Any) -> float:
    """One trial; returns the seconds of the suggestion."""
    begin = time.perf_counter()
    trial = oracle.create_trial("worker")
    seconds = time.perf_counter() - begin
    values = trial.hyperparameters.values
    start, end = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", lcbench.EPOCHS)
    for epoch in range(start + 1, end + 1):
        oracle.update_trial(trial.trial_id, {"val_accuracy": score(values, epoch)}, step=epoch)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    return seconds


def main() -> None:
    warnings.filterwarnings("ignore")
    import search

    print("| oracle | observed | median, ms | largest, ms |\n|---|---:|---:|---:|")
    for name, sizes in SIZES.items():
        space = lcbench.hyperparameters()
        oracle = search.oracle(name, hyperparameters=space, objective="val_accuracy", max_epochs=lcbench.EPOCHS)
        for size in sizes:
            while len(oracle.trials) < size:
                step(oracle)
            times = [1000 * step(oracle) for _ in range(SUGGESTIONS)]
            print(f"| {name} | {size:,} | {statistics.median(times):.0f} | {max(times):.0f} |", flush=True)


if __name__ == "__main__":
    main()
