"""How long the oracles think: processor time from the question to the answer, against what they have observed.

    python benchmarks/suggest.py

Each oracle gets results over seven hyperparameters (those of LCBench, with a score that is a formula), then its next
suggestions are timed one by one. For the Bayesian oracle the count is that of trials, for freeze-thaw that of observed
rungs (3, 6, 12, 25, 47 epochs of random configurations, given as evidence). One thread. Prints a table of median and
largest time, and the largest resident memory of this process until then, with Keras Tuner's Bayesian oracle after 100
trials beside them; then how good the suggestions are: on each test function (functions.py) how far below its maximum
the best of 40 trials is, for both Bayesian oracles and for chance, over several seeds. Keras Tuner's oracle takes most
of the time: `--peer-seeds 6` gives it more searches.
"""

import argparse
import math
import os
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import lcbench  # noqa: E402
import numpy as np  # noqa: E402
from functions import FUNCTIONS, Function  # noqa: E402

SIZES = {"bayesian": (100, 1000), "freeze-thaw": (200, 2000, 10_000)}
SUGGESTIONS = 20
PEER_SUGGESTIONS = 3
QUALITY_TRIALS = 40
RUNGS = (3, 6, 12, 25, 47)


def score(values: dict[str, Any], epoch: int) -> float:
    """A learning curve: how near the configuration is to an optimum, approached over the epochs."""
    total = 0.0
    for (low, high, log, _), name in zip(lcbench.RANGES.values(), lcbench.RANGES, strict=True):
        span = (values[name] / low, high / low) if log else (values[name] - low + 1, high - low + 1)
        position = (span[0] - 1) / (span[1] - 1)
        total += (position - 0.6) ** 2
    return 0.95 - 0.1 * total - 0.3 * (1 + total) / (epoch + 2)


def step(oracle: Any) -> float:
    """One trial; returns the processor seconds of the suggestion."""
    begin = time.process_time()
    trial = oracle.create_trial("worker")
    seconds = time.process_time() - begin
    values = trial.hyperparameters.values
    start, end = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", lcbench.EPOCHS)
    for epoch in range(start + 1, end + 1):
        oracle.update_trial(trial.trial_id, {"val_accuracy": score(values, epoch)}, step=epoch)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    return seconds


def timed(name: str, observed: int, oracle: Any, suggestions: int) -> str:
    """A row of the table: how long so many suggestions take, one after the other."""
    times = [1000 * step(oracle) for _ in range(suggestions)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return f"| {name} | {observed:,} | {statistics.median(times):.0f} | {max(times):.0f} | {memory:,.0f} |"


def filled(name: str, size: int) -> Any:
    """An oracle that has observed `size` results of random configurations."""
    import search

    arguments: dict[str, Any] = {
        "hyperparameters": lcbench.hyperparameters(), "objective": "val_accuracy", "max_epochs": 52,
    }  # fmt: skip
    oracle, chance = search.oracle(name, **arguments), search.oracle("random", **arguments)
    random = np.random.default_rng(0)
    observed = 0
    while observed < size:
        trial = chance.create_trial("worker")
        values = trial.hyperparameters.values
        if name == "freeze-thaw":
            rungs = min(int(random.integers(1, len(RUNGS) + 1)), size - observed)
            oracle.add_evidence(values, [score(values, epoch) for epoch in range(1, RUNGS[rungs - 1] + 1)])
            observed += rungs
        else:
            oracle.trials[trial.trial_id] = trial
            oracle.update_trial(trial.trial_id, {"val_accuracy": score(values, lcbench.EPOCHS)})
            oracle.score_trial(trial)
            observed += 1
        trial.status = "COMPLETED"
        chance.ongoing_trials.clear()
    return oracle


def peer(space: Any, seed: int, folder: str) -> Any:
    """Keras Tuner's own Bayesian oracle; it writes its state into a new folder in `folder`."""
    import keras_tuner

    # Keras Tuner replaces a seed of 0 by a random one.
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective="val_accuracy", max_trials=100_000, hyperparameters=space, seed=seed + 1
    )
    oracle.verbose = 0
    oracle._set_project_dir(tempfile.mkdtemp(dir=folder), "oracle")
    return oracle


def shortfall(oracle: Any, function: Function, trials: int) -> float:
    """How far the best of so many proposals stays below the function's maximum."""
    best = -math.inf
    for _ in range(trials):
        trial = oracle.create_trial("worker")
        score = function.score(trial.hyperparameters.values)
        best = max(best, score)
        oracle.update_trial(trial.trial_id, {"val_accuracy": score})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    return function.maximum - best


def compare(function: Function, seeds: int, peer_seeds: int, folder: str) -> Iterable[tuple[str, list[float]]]:
    """Oracles and their shortfalls, one per seed."""
    import search

    def ours(name: str) -> Callable[[int], Any]:
        arguments: dict[str, Any] = {"objective": "val_accuracy", "max_epochs": lcbench.EPOCHS}
        return lambda seed: search.oracle(name, hyperparameters=function.space(), seed=seed, **arguments)

    contenders: list[tuple[str, Callable[[int], Any], int]] = [
        ("bayesian", ours("bayesian"), seeds),
        ("Keras Tuner Bayesian", lambda seed: peer(function.space(), seed, folder), peer_seeds),
        ("random", ours("random"), seeds),
    ]
    for name, make, count in contenders:
        yield name, [shortfall(make(seed), function, QUALITY_TRIALS) for seed in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="searches of a function by our oracles")
    parser.add_argument("--peer-seeds", type=int, default=2, help="searches of a function by Keras Tuner's oracle")
    options = parser.parse_args()
    if min(options.seeds, options.peer_seeds) < 1:
        parser.error("--seeds and --peer-seeds must be at least 1")
    warnings.filterwarnings("ignore")

    print("| oracle | observed | median, ms | largest, ms | memory, MB |\n|---|---:|---:|---:|---:|")
    for name, sizes in SIZES.items():
        for size in sizes:
            print(timed(name, size, filled(name, size), SUGGESTIONS), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        oracle = peer(lcbench.hyperparameters(), 0, folder)
        oracle.trials.update(filled("bayesian", 100).trials)
        print(timed("Keras Tuner Bayesian", 100, oracle, PEER_SUGGESTIONS), flush=True)

        print(f"\n| function | oracle | mean shortfall of {QUALITY_TRIALS} trials | median | by seed |")
        print("|---|---|---:|---:|---|")
        for name, function in FUNCTIONS.items():
            for contender, found in compare(function, options.seeds, options.peer_seeds, folder):
                row = f"{statistics.fmean(found):.3f} | {statistics.median(found):.3f}"
                print(f"| {name} | {contender} | {row} | {' '.join(f'{gap:.3f}' for gap in found)} |", flush=True)


if __name__ == "__main__":
    main()
