"""Seconds until a validation accuracy is first reached on Fashion-MNIST: real training, several searches, alternating.

    python benchmarks/real_search.py [--seconds 150] [--seeds 3] [--workers N] [--json real_search.json]
    python benchmarks/real_search.py --space fashion-mnist-cnn --levels 0.90 0.91 0.92 --seconds 3600

Compared are this project's freeze-thaw, Hyperband and Bayesian searches of a shipped space, without its baselines and
its limit on trials, and a plain Keras Tuner Hyperband script over the same space. Each search runs in a fresh process
for the same time; the clock starts with its first training. The project's own have a time budget far beyond that, with
which freeze-thaw weighs improvement against seconds; --workers is theirs, measured by the run if not given. Reported is
the median over the seeds; a level that more than half of the searches did not reach is shown as a dash, and so is the
best of searches that had no epoch by then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

_METHODS = ("freeze-thaw", "hyperband", "bayesian", "Keras Tuner Hyperband")


def main() -> None:
    """Runs all searches in turn and prints a table; with --child one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="fashion-mnist-mlp")
    parser.add_argument("--levels", nargs="+", type=float, default=[0.890, 0.895, 0.900], metavar="ACCURACY")
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, metavar=("METHOD", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seeds < 1 or options.seconds <= 0:
        parser.error("--seeds must be at least 1, and --seconds above 0")
    if options.child:
        method, seed = options.child[0], int(options.child[1])
        search = _keras_tuner if method == "Keras Tuner Hyperband" else _ours
        print(json.dumps(search(options.space, method, seed, options.seconds, options.workers)))
        return
    found: dict[str, list[list[tuple[float, float]]]] = {method: [] for method in _METHODS}
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        for method in _METHODS:
            found[method].append(_in_fresh_process(method, seed, options))
            curve = found[method][-1]
            first = [_shown(_first(curve, level)) for level in options.levels]
            print(f"{method}, seed {seed}: {', '.join(first)}, best {_score(_best(curve))}", flush=True)
            rows = [{"method": name, **_row(curves, options.levels)} for name, curves in found.items() if curves]
            if options.json is not None:
                # After every search: what is measured stays, whatever becomes of the next.
                record = {"space": options.space, "seconds": options.seconds, "rows": rows, "curves": found}
                options.json.write_text(json.dumps(record))
    print(f"{'method':<24}" + "".join(f"{level:>9.3f}" for level in options.levels) + f"{'best':>9}")
    for row in rows:
        times = "".join(f"{_shown(row[str(level)]):>9}" for level in options.levels)
        print(f"{row['method']:<24}{times}{_score(row['best']):>9}")


def _in_fresh_process(method: str, seed: int, options: argparse.Namespace) -> list[tuple[float, float]]:
    command = [sys.executable, __file__, "--child", method, str(seed)]
    command += ["--space", options.space, "--seconds", str(options.seconds)]
    command += [] if options.workers is None else ["--workers", str(options.workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{method}, seed {seed}: exit code {done.returncode}\n{done.stderr}")
    curve: list[tuple[float, float]] = [(at, score) for at, score in json.loads(done.stdout.splitlines()[-1])]
    return curve


def _ours(space: str, method: str, seed: int, seconds: float, workers: int | None) -> list[tuple[float, float]]:
    """Seconds since the first training began, and validation accuracy, of each epoch."""
    import search
    import spaces
    from search.loop.observer import Observer

    curve: list[tuple[float, float]] = []
    begun: list[float] = []
    stopped: list[float] = []

    class Watch(Observer):
        def started(self, trial: Any) -> None:
            begun.append(time.time())

        def epoch(self, trial: Any, epoch: Any) -> None:
            curve.append((time.time() - begun[0], epoch.metrics["val_accuracy"]))
            if time.time() - begun[0] > seconds and not stopped:
                stopped.append(time.time())
                # As one Ctrl-C does: the search ends after the epochs that are being trained.
                os.kill(os.getpid(), signal.SIGINT)

    changes = [f"search.algorithm={method}", f"search.seed={seed}", "baselines=[]", "search.max_trials=100000"]
    spec = spaces.load(space, changes)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        search.run(spec, run_dir=place, budget="10h", workers=workers, observers=[Watch()], on_interrupt="return")
    return [point for point in curve if point[0] <= seconds]


def _keras_tuner(space: str, method: str, seed: int, seconds: float, workers: int | None) -> list[tuple[float, float]]:
    """The same of a script as Keras Tuner's documentation shows it."""
    import keras
    import keras_tuner

    import spaces

    spec = spaces.load(space, ["baselines=[]"])
    data = spaces.load_data(spec)
    curve: list[tuple[float, float]] = []
    begun: list[float] = []

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            if not begun:
                begun.append(time.time())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            at = time.time() - begun[0]
            if at > seconds:
                raise keras_tuner.errors.FatalError("time is up")
            curve.append((at, logs["val_accuracy"]))

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.Hyperband(
            spaces.hypermodel(spec, data.info),
            objective="val_accuracy",
            max_epochs=spec.max_epochs,
            hyperband_iterations=100,
            seed=seed + 1,
            directory=folder,
            project_name="plain",
        )
        with contextlib.suppress(keras_tuner.errors.FatalError):
            tuner.search(
                data.train.x,
                data.train.y,
                validation_data=(data.validation.x, data.validation.y),
                callbacks=[Watch(), keras.callbacks.EarlyStopping("val_loss", patience=3)],
                verbose=0,
            )
    return curve


def _row(curves: list[list[tuple[float, float]]], levels: list[float]) -> dict[str, float]:
    reached = {str(level): statistics.median(_first(curve, level) for curve in curves) for level in levels}
    return {**reached, "best": statistics.median(map(_best, curves))}


def _best(curve: list[tuple[float, float]]) -> float:
    return max((score for _, score in curve), default=-math.inf)


def _first(curve: list[tuple[float, float]], level: float) -> float:
    # Scores are shares of 5,000 rows in single precision: 0.9 comes as 0.89999998.
    return min((at for at, score in curve if score >= level - 1e-6), default=math.inf)


def _shown(seconds: float) -> str:
    return "-" if math.isinf(seconds) else f"{seconds:.0f} s"


def _score(score: float) -> str:
    return "-" if math.isinf(score) else f"{score:.4f}"


if __name__ == "__main__":
    main()
