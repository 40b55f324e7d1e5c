"""Trials per minute with one and with two workers, measured in one run, alternating.

    python benchmarks/parallel.py [--spaces digits fashion-mnist-mlp] [--trials 12] [--epochs 3] [--repeats 3]

Both contenders train the same list of configurations (random search, one length for all). Counted is the time from
the start of the first to the end of the last trial of the search; the start of the workers is shown beside.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import search
import spaces
from search.record.trial import TrialKind


def main() -> None:
    """Measures and prints a table; with --json also a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spaces", nargs="+", default=["digits", "fashion-mnist-mlp"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if min(options.trials, options.epochs, options.repeats) < 1 or min(options.workers) < 0:
        parser.error("--trials, --epochs and --repeats must be at least 1, and --workers at least 0")
    results = []
    for name in options.spaces:
        measured: dict[int, list[dict[str, float]]] = {workers: [] for workers in options.workers}
        for _ in range(options.repeats):
            for workers in options.workers:
                measured[workers].append(_measure(name, workers, options.trials, options.epochs))
        results += [_row(name, workers, runs, measured[options.workers[0]]) for workers, runs in measured.items()]
    print(f"{'space':<20}{'workers':>8}{'trials/min':>12}{'min to max':>16}{'ratio':>8}{'start s':>9}")
    for row in results:
        spread = f"{row['least']:.1f} to {row['most']:.1f}"
        print(
            f"{row['space']:<20}{row['workers']:>8}{row['trials_per_minute']:>12.1f}{spread:>16}"
            f"{row['ratio']:>8.2f}{row['start_seconds']:>9.1f}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2))


def _measure(name: str, workers: int, trials: int, epochs: int) -> dict[str, float]:
    spec = spaces.load(
        name,
        (
            "search.algorithm=random",
            f"search.max_trials={trials}",
            f"training.epochs={epochs}",
            "baselines=[]",
            "final.candidates=1",
            "final.seeds=0",
        ),
    )
    begun = time.time()
    with tempfile.TemporaryDirectory() as folder:
        run = search.run(spec, run_dir=Path(folder) / "run", workers=workers)
        with run.read() as reader:
            done = reader.trials(TrialKind.SEARCH)
    first = min(trial.finished - trial.outcome.seconds for trial in done if trial.finished and trial.outcome)
    last = max(trial.finished for trial in done if trial.finished)
    return {"per_minute": 60 * len(done) / (last - first), "start": first - begun}


def _row(name: str, workers: int, runs: list[dict[str, float]], base: list[dict[str, float]]) -> dict[str, float | str]:
    rates = [run["per_minute"] for run in runs]
    ratios = [run["per_minute"] / other["per_minute"] for run, other in zip(runs, base, strict=True)]
    return {
        "space": name,
        "workers": workers,
        "trials_per_minute": statistics.median(rates),
        "least": min(rates),
        "most": max(rates),
        "ratio": statistics.median(ratios),
        "start_seconds": statistics.median(run["start"] for run in runs),
    }


if __name__ == "__main__":
    main()
