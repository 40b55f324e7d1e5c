"""Does going on bring what freeze-thaw expects of it? Expected against real gain of the best observed score.

    python benchmarks/outlook.py --tasks problems --only bowl ridge
    python benchmarks/outlook.py --tasks development --seeds 2

After 5, 10 and 20 full trainings the oracle says how much better five more will make the best score; then it goes on.
Tasks as in oracles.py. Prints a row for each moment, gains in units of the regret (best known - median), and the
correlation of the logarithms of expected and real gains over all rows that have both.
"""

import argparse
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import lcbench
import numpy as np
import oracles

MOMENTS = (5, 10, 20)
AHEAD = 5


def gains(name: str, seed: int, folder: Path, cache: Path) -> list[tuple[int, float, float]]:
    """Full trainings so far, expected and real gain by five more, for one search of freeze-thaw."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    task, scale = oracles.task_and_scale(name, seed, folder, cache)
    made: list[Any] = []

    def make(**arguments: Any) -> Any:
        import search

        made.append(search.oracle("freeze-thaw", max_epochs=oracles.EPOCHS, max_trials=100_000, **arguments))
        return made[0]

    spent, best, expected = 0.0, -math.inf, {}
    standing: dict[int, float] = {}
    marks = sorted({*MOMENTS, *(moment + AHEAD for moment in MOMENTS)})
    for paid, seen, _ in oracles.kt_oracle(make)(task, seed):
        spent, best = spent + paid, max(best, seen)
        while marks and spent >= marks[0] * oracles.EPOCHS:
            mark = marks.pop(0)
            standing[mark] = best
            if mark in MOMENTS and made[0].outlook is not None:
                expected[mark] = made[0].outlook.gain(AHEAD)
        if not marks:
            break
    unit = task.unit * (scale.best - scale.median)
    return [(m, e / unit, (standing[m + AHEAD] - standing[m]) / unit) for m, e in expected.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surrogate", type=Path, default=lcbench.default_folder(), help="folder of model.onnx")
    parser.add_argument("--tasks", choices=oracles.GROUPS, default="development")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="these of the tasks")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds a task")
    parser.add_argument("--cache", type=Path, default=Path("build/lcbench"), help="where the tasks' scales are kept")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    names = oracles.asked(parser, options)
    rows = []
    print("| task | seed | after | expected | real |\n|---|---:|---:|---:|---:|")
    for name in names:
        for seed in range(options.seeds):
            for moment, expected, real in gains(name, seed, options.surrogate, options.cache):
                rows.append((moment, expected, real))
                print(f"| {name} | {seed} | {moment} | {expected:.4f} | {real:.4f} |", flush=True)
    for moment in MOMENTS:
        some = [row[1:] for row in rows if row[0] == moment]
        if some:
            print(f"after {moment}: expected {np.mean(some, axis=0)[0]:.4f}, real {np.mean(some, axis=0)[1]:.4f}")
    both = np.log([row[1:] for row in rows if min(row[1:]) > 0])
    if len(both) > 2:
        print(f"correlation of the logarithms: {np.corrcoef(both.T)[0, 1]:.2f} ({len(both)} of {len(rows)} rows)")


if __name__ == "__main__":
    main()
