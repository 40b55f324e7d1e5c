"""What each part of a recipe brings and costs: accuracy gained and seconds paid, on one small network.

A plain convolutional network on a third of Fashion-MNIST, with SGD at a constant rate; every part is added to it by
itself, and at the end all that practitioners use together. Each is trained with the same seeds, so that differences are
those of pairs.

    python -m benchmarks.recipes --seeds 5 --rows 20000 --epochs 6
    python -m benchmarks.recipes --on one-cycle --only ema flip shift --seeds 3 --jobs 4 --threads 1

Prints a table as it goes, and the same as JSON with --json FILE.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from spaces.outside.backend import load_tensorflow

MODEL: dict[str, Any] = {
    "family": "cnn", "blocks": 3, "convolutions": 1, "filters": {"shared": 16}, "growth": 2, "padding": "same",
    "batch_normalization": True, "global_pooling": "average",
}  # fmt: skip
TRAINING: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "batch_size": 128,
}  # fmt: skip
CYCLE = {"schedule": "one-cycle", "learning_rate": 0.2}

# Changes of the model and of the training; those of the augmentation are named as in a space file.
PARTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "one-cycle": ({}, CYCLE),
    "cosine": ({}, {"schedule": "cosine", "warmup": 0.1, "learning_rate": 0.1}),
    "linear": ({}, {"schedule": "linear", "warmup": 0.1, "learning_rate": 0.1}),
    "weight_decay": ({}, {"weight_decay": 5e-4}),
    "label_smoothing": ({}, {"label_smoothing": 0.05}),
    "ema": ({}, {"ema": 0.98}),
    "gradient_clip": ({}, {"gradient_clip": 1.0}),
    "bfloat16": ({}, {"precision": "bfloat16"}),
    "adam": ({}, {"optimizer": "adam", "learning_rate": 0.002}),
    "nadam": ({}, {"optimizer": "nadam", "learning_rate": 0.002}),
    "lion": ({}, {"optimizer": "lion", "learning_rate": 3e-4}),
    "muon": ({}, {"optimizer": "muon", "learning_rate": 0.002, "weight_decay": 0}),
    "flip": ({"augmentation": {"flip": "horizontal"}}, {}),
    "shift": ({"augmentation": {"shift": 0.07}}, {}),
    "cutout": ({"augmentation": {"cutout": 0.3}}, {}),
    "brightness": ({"augmentation": {"brightness": 0.1}}, {}),
    "contrast": ({"augmentation": {"contrast": 0.2}}, {}),
    "rotation": ({"augmentation": {"rotation": 0.02}}, {}),
    "zoom": ({"augmentation": {"zoom": 0.1}}, {}),
    "mixup": ({"augmentation": {"mixup": 0.2}}, {}),
    "residual": ({"block": "residual", "padding": None}, {}),
    "separable": ({"block": "separable"}, {}),
    "squeeze_excitation": ({"squeeze_excitation": True}, {}),
    "stride": ({"downsampling": "stride"}, {}),
    "silu": ({"activation": "silu"}, {}),
    "together": (
        {"block": "residual", "padding": None, "augmentation": {"flip": "horizontal", "shift": 0.07}},
        {**CYCLE, "weight_decay": 5e-4, "label_smoothing": 0.05},
    ),
}  # fmt: skip


def _spec(parts: Sequence[str], rows: int, epochs: int) -> spaces.SearchSpec:
    network, recipe = dict(MODEL), dict(TRAINING)
    for model, training in (PARTS[part] for part in parts):
        # Of two parts that change images both do.
        augmentation = network.get("augmentation", {}) | model.get("augmentation", {})
        network |= model | ({"augmentation": augmentation} if augmentation else {})
        recipe |= training
    network = {name: value for name, value in network.items() if value is not None}
    recipe["epochs"] = epochs
    if recipe["optimizer"] != "sgd":
        recipe = {name: value for name, value in recipe.items() if name not in ("momentum", "nesterov")}
    data = {"source": "fashion-mnist", "limit": rows + 5000, "validation": {"first": 5000}, "test": "given"}
    return spaces.load({"name": "recipes", "data": data, "model": network, "training": recipe})


class _Bench:
    """Trains the network with one part after the other on the same rows; one in every process that trains."""

    def __init__(self, rows: int, epochs: int, threads_used: int) -> None:
        from search.training import threads
        from search.training.engine import Rows
        from search.training.reuse.networks import Networks

        load_tensorflow(for_training_only=True)
        threads.configure(threads_used)
        self._rows, self._epochs = rows, epochs
        data = spaces.load_data(_spec((), rows, epochs))
        assert data.test is not None
        self._train, self._test = Rows(data.train), Rows(data.test)
        self._networks = Networks(data.info)

    def measure(self, parts: Sequence[str], seed: int) -> dict[str, float]:
        """Accuracy on the test rows and seconds of training, compiling not counted."""
        settings = spaces.configure(_spec(parts, self._rows, self._epochs), {})
        parameters = self._networks.parameters(settings)
        self._networks.engine(settings, seed, self._train, parameters).pace(self._train, 0.0)
        engine = self._networks.engine(settings, seed, self._train, parameters)
        wall, processor = time.perf_counter(), time.process_time()
        for epoch in range(self._epochs):
            engine.train_epoch(self._train, epoch + 1)
        found = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        found["accuracy"] = engine.evaluate(self._test)["accuracy"]
        self._networks.forget()
        return found


_bench: _Bench | None = None


def _start(rows: int, epochs: int, threads_used: int) -> None:
    global _bench
    _bench = _Bench(rows, epochs, threads_used)


def _measure(parts: Sequence[str], seed: int) -> dict[str, float]:
    assert _bench is not None
    return _bench.measure(parts, seed)


def _row(name: str, found: dict[str, list[float]], plain: dict[str, list[float]]) -> str:
    gained = np.subtract(found["accuracy"], plain["accuracy"])
    error = f"{gained.std(ddof=1) / np.sqrt(len(gained)):.4f}" if len(gained) > 1 else "-"
    seconds, before = np.mean(found["processor"]), np.mean(plain["processor"])
    return (
        f"| {name} | {np.mean(found['accuracy']):.4f} | {gained.mean():+.4f} | {error} | {seconds:.1f} "
        f"| {seconds - before:+.1f} | {np.mean(found['wall']):.1f} |"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 20_000), ("epochs", 6), ("seeds", 5), ("threads", 2), ("jobs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", nargs="+", choices=list(PARTS)[1:], default=list(PARTS)[1:], metavar="PART")
    parser.add_argument(
        "--on", choices=list(PARTS), default="plain", metavar="PART", help="what every part is added to"
    )
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if min(asked.rows, asked.epochs, asked.seeds, asked.threads, asked.jobs) < 1:
        parser.error("--rows, --epochs, --seeds, --threads and --jobs must be at least 1")
    rows: dict[str, dict[str, list[float]]] = {}
    start = (asked.rows, asked.epochs, asked.threads)
    print("| part | accuracy | gained | standard error | processor s | paid | wall s |\n|---|" + "---:|" * 6)
    with ProcessPoolExecutor(asked.jobs, get_context("spawn"), _start, start) as pool:
        waiting = {
            part: [pool.submit(_measure, (asked.on, part), seed) for seed in range(asked.seeds)]
            for part in ["plain", *asked.only]
        }
        for part, futures in waiting.items():
            found = [future.result() for future in futures]
            rows[part] = {name: [one[name] for one in found] for name in found[0]}
            print(_row(part, rows[part], rows["plain"]), flush=True)
            if asked.json is not None:
                asked.json.write_text(
                    json.dumps({"asked": vars(asked) | {"json": None}, "rows": rows}, indent=2) + "\n"
                )


if __name__ == "__main__":
    main()
