"""Cross-validation with pausing against all folds of every configuration, by random search on digits.

    python benchmarks/folds.py [--seeds 5] [--trials 20] [--folds 5] [--workers N] [--json folds.json] [--replay]

Each seed searches the same configurations twice, in fresh runs: with `pause: false` every configuration has all its
folds, with `pause: true` the poor ones are paused. Counted are fold trainings; compared is the configuration that each
search ranks first. With --replay the second search is not run: its bars are held against the folds of the first, which
are, fold by fold, those that it would train.
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
from search.record.folds import Bars
from search.record.trial import Trial, TrialKind

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
        "batch_size": 128,
        "epochs": 12,
        "early_stopping": {"monitor": "val_loss", "patience": 3},
    },
    "final": {"candidates": 1, "seeds": 0},
}


def main() -> None:
    """Prints a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--replay", action="store_true", help="do not run the paused search")
    options = parser.parse_args()
    if min(options.seeds, options.trials) < 1 or not 2 <= options.folds <= 50:
        parser.error("--seeds and --trials must be at least 1, and --folds 2 to 50")
    rows = []
    print(f"{'seed':<6}{'best of all folds':>18}{'of paused':>11}{'same':>6}{'trainings':>11}{'paused':>8}{'share':>7}")
    for seed in range(options.seeds):
        whole, replayed = _searched(options, seed, pause=False)
        paused = replayed if options.replay else _searched(options, seed, pause=True)[0]
        row = {"seed": seed, "whole": whole, "paused": paused, "share": paused["trainings"] / whole["trainings"]}
        rows.append(row)
        print(
            f"{seed:<6}{whole['score']:>18.4f}{paused['score']:>11.4f}{whole['best'] == paused['best']!s:>6}"
            f"{whole['trainings']:>11}{paused['trainings']:>8}{row['share']:>7.2f}",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n")


def _searched(options: argparse.Namespace, seed: int, pause: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a search has found, and what one that pauses would have found of the same folds."""
    space = json.loads(json.dumps(_SPACE))
    space["data"] |= {"validation": {"folds": options.folds, "pause": pause}, "seed": seed}
    space["search"] = {"algorithm": "random", "max_trials": options.trials, "seed": seed}
    with tempfile.TemporaryDirectory() as scratch:
        run = search.run(spaces.load(space), run_dir=Path(scratch) / "run", workers=options.workers)
        table = results.table(run)
        with run.read() as reader:
            trials = reader.trials(TrialKind.SEARCH)
    best = table.iloc[0]
    found = {"best": str(best["name"]), "score": float(best["score"]), "trainings": int(table["folds"].sum())}
    return found, _replayed(trials, options.folds)


def _replayed(trials: list[Trial], count: int) -> dict[str, Any]:
    bars, trainings = Bars("val_accuracy", "max", count), 0
    scores: dict[str, float] = {}
    for trial in trials:
        assert trial.outcome is not None
        curve, targets, offsets = trial.outcome.epochs, bars.targets(), (*bars.offsets(), 0.0)
        if len(curve) < count:
            # It failed in one of its folds.
            trainings += len(curve)
            continue
        reached = [k for k, target in enumerate(targets, 1) if target.reached(curve[k - 1].metrics)]
        length = reached[0] if reached else count
        trainings += length
        scores[trial.id] = curve[length - 1].metrics["val_accuracy"] + (offsets[length - 1] if reached else 0.0)
        bars.take(curve[:length])
    best = max(scores, key=lambda name: scores[name])
    return {"best": best, "score": scores[best], "trainings": trainings}


if __name__ == "__main__":
    main()
