"""What a paused training tells about the whole one, under each schedule of the learning rate.

Dense networks on some rows of Fashion-MNIST, the same random configurations under every recipe, each with several
seeds. A paused score is that after a third of the epochs of a training whose schedule spans all of them. The rows with
"then" are of the other way: configurations are chosen by a paused score under the first recipe, and the chosen one is
trained from its beginning to its end under the second.

    python -m benchmarks.schedules --configurations 12 --seeds 3 --rows 4000 --epochs 9

Prints a table, and the same as JSON with --json FILE.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from spaces.outside.backend import load_tensorflow

RECIPES: dict[str, dict[str, Any]] = {
    "constant": {},
    "constant, ema": {"ema": 0.98},
    "cosine": {"schedule": "cosine"},
    "cosine, ema": {"schedule": "cosine", "ema": 0.98},
    "one-cycle": {"schedule": "one-cycle", "warmup": 0.25},
}

OTHER_WAY = [("constant, ema", "cosine"), ("constant, ema", "one-cycle"), ("constant", "one-cycle")]
"""Recipes of the search and of the final training."""


def _space(rows: int, epochs: int) -> spaces.SearchSpec:
    return spaces.load(
        {
            "name": "schedules",
            "data": {"source": "fashion-mnist", "limit": rows, "validation": 0.25, "test": 0.01},
            # Of one graph for each recipe: compiling takes longer than training.
            "model": {
                "family": "mlp",
                "layers": 2,
                "units": [32, 64, 128, 256],
                "dropout": {"min": 0.1, "max": 0.5, "step": 0.1},
            },
            "training": {
                "optimizer": "sgd",
                "learning_rate": {"min": 3e-3, "max": 0.3, "log": True},
                "momentum": [0.8, 0.9, 0.95],
                "batch_size": [32, 64, 128],
                "epochs": epochs,
            },
            "search": {"algorithm": "random", "seed": 1},
        }
    )


def _curves(spec: spaces.SearchSpec, configurations: int, seeds: int) -> dict[str, np.ndarray]:
    """Validation accuracies by recipe, shape (seeds, configurations, epochs)."""
    from search.training import threads
    from search.training.engine import Rows
    from search.training.reuse.networks import Networks

    threads.configure(1)
    data = spaces.load_data(spec)
    train, validation, networks = Rows(data.train), Rows(data.validation), Networks(data.info)
    found = {}
    for name, changes in RECIPES.items():
        found[name] = np.full((seeds, configurations, spec.max_epochs), np.nan)
        for index, values in enumerate(spaces.sample(spec, 1, configurations)):
            made = spaces.configure(spec, values)
            settings = replace(made, training=replace(made.training, **changes))
            for seed in range(seeds):
                engine = networks.engine(settings, seed, train, networks.parameters(settings))
                for epoch in range(spec.max_epochs):
                    engine.train_epoch(train, epoch + 1)
                    found[name][seed, index, epoch] = engine.evaluate(validation)["accuracy"]
    return found


def _row(searched: np.ndarray, finished: np.ndarray) -> dict[str, float]:
    """Figures of one recipe for the search and one for what is chosen, each a mean over the seeds."""
    paused, whole = searched[:, :, searched.shape[2] // 3 - 1], finished[:, :, -1]
    ranks = [np.argsort(np.argsort(scores, axis=1), axis=1) for scores in (paused, whole)]
    alike = [np.corrcoef(one, other)[0, 1] for one, other in zip(*ranks, strict=True)]
    chosen = np.take_along_axis(whole, paused.argmax(axis=1)[:, None], axis=1)[:, 0]
    return {
        "whole, mean": float(whole.mean()),
        "whole, best": float(whole.max(axis=1).mean()),
        "rank correlation": float(np.mean(alike)),
        "whole, chosen": float(chosen.mean()),
        "lost by choosing paused": float((whole.max(axis=1) - chosen).mean()),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("configurations", 12), ("seeds", 3), ("rows", 4000), ("epochs", 9)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.epochs < 3 or asked.configurations < 2 or asked.seeds < 1:
        parser.error("--epochs must be at least 3, --configurations at least 2, and --seeds at least 1")
    load_tensorflow(for_training_only=True)
    curves = _curves(_space(asked.rows, asked.epochs), asked.configurations, asked.seeds)
    rows = {name: _row(found, found) for name, found in curves.items()}
    rows |= {f"{first}, then {last}": _row(curves[first], curves[last]) for first, last in OTHER_WAY}
    print("| recipe | " + " | ".join(rows["constant"]) + " |\n|---|" + "---:|" * len(rows["constant"]))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in row.values()) + " |")
    if asked.json is not None:
        asked.json.write_text(json.dumps({"asked": vars(asked) | {"json": None}, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
