"""Cross-validation with pausing against all folds of every configuration, by random search on digits.

    python benchmarks/folds.py [--seeds 5] [--trials 24] [--folds 5] [--workers N] [--json folds.json]

Each seed searches the same configurations twice, in fresh runs: with `pause: false` every configuration has all its
folds, with `pause: true` the poor ones are paused. Counted are fold trainings; compared is the configuration that each
search ranks first.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import results
import search
import spaces

_SPACE: dict[str, Any] = {
    "name": "folds",
    "data": {"source": "digits"},
    "model": {
        "family": "mlp",
        "layers": {"min": 0, "max": 2},
        "units": {"shared": [16, 32, 64, 128]},
        "dropout": [0.0, 0.2, 0.4],
    },
    "training": {
        "optimizer": "adam",
        "learning_rate": {"min": 1e-4, "max": 1e-1, "log": True},
        "batch_size": 64,
        "epochs": 15,
        "early_stopping": {"monitor": "val_loss", "patience": 3},
    },
    "final": {"candidates": 1, "seeds": 0},
}


def main() -> None:
    """Prints a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'seed':<6}{'best of all folds':>18}{'of paused':>11}{'same':>6}{'trainings':>11}{'paused':>8}{'share':>7}")
    for seed in range(options.seeds):
        whole, paused = (_searched(options, seed, pause) for pause in (False, True))
        row = {"seed": seed, "whole": whole, "paused": paused, "share": paused["trainings"] / whole["trainings"]}
        rows.append(row)
        print(
            f"{seed:<6}{whole['score']:>18.4f}{paused['score']:>11.4f}{whole['best'] == paused['best']!s:>6}"
            f"{whole['trainings']:>11}{paused['trainings']:>8}{row['share']:>7.2f}",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n")


def _searched(options: argparse.Namespace, seed: int, pause: bool) -> dict[str, Any]:
    space = json.loads(json.dumps(_SPACE))
    space["data"] |= {"validation": {"folds": options.folds, "pause": pause}, "seed": seed}
    space["search"] = {"algorithm": "random", "max_trials": options.trials, "seed": seed}
    with tempfile.TemporaryDirectory() as scratch:
        run = search.run(spaces.load(space), run_dir=Path(scratch) / "run", workers=options.workers)
        table = results.table(run)
    best = table.iloc[0]
    return {"best": str(best["name"]), "score": float(best["score"]), "trainings": int(table["folds"].sum())}


if __name__ == "__main__":
    main()
