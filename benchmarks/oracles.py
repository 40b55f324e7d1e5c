"""Compares search algorithms on simulated trainings: regret against epochs spent.

    python benchmarks/oracles.py                      # the 16 judging tasks, 3 seeds, all methods
    python benchmarks/oracles.py --tasks development --methods freeze-thaw random --seeds 1

Needs the LCBench surrogate (see lcbench.py), onnxruntime and optuna. Every method maximises val_accuracy over seven
hyperparameters with at most 52 epochs a configuration. What a method pays for is epochs. Its score at a budget is the
best accuracy over all 52 epochs of the configuration of which it has observed the best accuracy until then. Regret is
(best known - score) / (best known - median of random configurations): 0 is the best, 1 what chance gives.
Prints a table of mean regrets, and writes all of them as JSON.
"""

import argparse
import importlib.util
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

# One process per core, one thread per process.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import lcbench  # noqa: E402

BUDGETS = (2, 5, 10, 20, 40)
"""In full trainings of 52 epochs."""

Accounting = Iterator[tuple[int, float, float]]
"""Epochs paid, best accuracy observed in them, and the configuration's best accuracy over all epochs."""


def kt_oracle(make: Callable[[Any, int], Any]) -> Callable[[lcbench.Task, int], Accounting]:
    """A method that runs a `keras_tuner.Oracle`."""

    def run(task: lcbench.Task, seed: int) -> Accounting:
        oracle = make(lcbench.hyperparameters(), seed)
        oracle.verbose = 0
        oracle._save_trial, oracle.save = (lambda *_: None), (lambda *_: None)
        while True:
            trial = oracle.create_trial("worker")
            if trial.status != "RUNNING":
                return
            values = trial.hyperparameters.values
            start, end = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", lcbench.EPOCHS)
            curve = task.curve(values)
            for epoch in range(start + 1, end + 1):
                oracle.update_trial(trial.trial_id, {"val_accuracy": curve[epoch - 1]}, step=epoch)
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
            yield end - start, curve[start:end].max(), curve.max()

    return run


def _ours(name: str) -> Callable[[Any, int], Any]:
    def make(space: Any, seed: int) -> Any:
        import search

        arguments = {"objective": "val_accuracy", "max_epochs": lcbench.EPOCHS, "max_trials": 100_000, "seed": seed}
        return search.oracle(name, hyperparameters=space, **arguments)

    return make


def _stock(name: str, **arguments: Any) -> Callable[[Any, int], Any]:
    def make(space: Any, seed: int) -> Any:
        import keras_tuner

        # Keras Tuner replaces a seed of 0 by a random one.
        options = {"objective": "val_accuracy", "hyperparameters": space, "seed": seed + 1, **arguments}
        return getattr(keras_tuner.oracles, name)(**options)

    return make


def optuna_study(sampler: str, pruner: str | None = None) -> Callable[[lcbench.Task, int], Accounting]:
    """A method that runs an Optuna study; a pruner is asked after every epoch."""

    def run(task: lcbench.Task, seed: int) -> Accounting:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruners = {
            None: optuna.pruners.NopPruner,
            "median": optuna.pruners.MedianPruner,
            "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=lcbench.EPOCHS, reduction_factor=3),
        }
        study = optuna.create_study(
            direction="maximize",
            sampler=getattr(optuna.samplers, sampler)(seed=seed),
            pruner=pruners[pruner](),
        )
        while True:
            trial = study.ask()
            values = {}
            for name, (low, high, log, whole) in lcbench.RANGES.items():
                suggest = trial.suggest_int if whole else trial.suggest_float
                values[name] = suggest(name, low, high, log=log)
            curve = task.curve(values)
            epochs, pruned = lcbench.EPOCHS, False
            if pruner:
                for epochs in range(1, lcbench.EPOCHS + 1):
                    trial.report(float(curve[epochs - 1]), epochs)
                    if epochs < lcbench.EPOCHS and trial.should_prune():
                        pruned = True
                        break
            state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
            study.tell(trial, None if pruned else float(curve.max()), state=state)
            yield epochs, curve[:epochs].max(), curve.max()

    return run


METHODS: dict[str, Callable[[lcbench.Task, int], Accounting]] = {
    "random": kt_oracle(_ours("random")),
    "Keras Tuner Hyperband": kt_oracle(_stock("HyperbandOracle", max_epochs=52, factor=3, hyperband_iterations=100)),
    "Keras Tuner Bayesian": kt_oracle(_stock("BayesianOptimizationOracle", max_trials=1000)),
    "Optuna TPE": optuna_study("TPESampler"),
    "Optuna TPE, median pruning": optuna_study("TPESampler", "median"),
    "Optuna TPE, Hyperband pruning": optuna_study("TPESampler", "hyperband"),
    "Optuna GP": optuna_study("GPSampler"),
    "hyperband": kt_oracle(_ours("hyperband")),
    "bayesian": kt_oracle(_ours("bayesian")),
    "freeze-thaw": kt_oracle(_ours("freeze-thaw")),
}
_NEEDS = {"Optuna": "optuna", "Optuna GP": "torch"}


def regrets(
    method: str, task: str, seed: int, folder: Path, cache: Path, budgets: Iterable[int] = BUDGETS
) -> list[float]:
    """Regret of one search at each budget; 1 where no configuration had ended yet."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    surrogate = lcbench.Task(task, folder)
    scale = surrogate.scale(cache)
    limits = [budget * lcbench.EPOCHS for budget in budgets]
    found, spent, observed, regret = [], 0, -1.0, 1.0
    for epochs, seen, score in METHODS[method](surrogate, seed):
        spent += epochs
        while len(found) < len(limits) and spent > limits[len(found)]:
            found.append(regret)
        if len(found) == len(limits):
            break
        if seen > observed:
            observed, regret = seen, scale.regret(score)
    return found + [regret] * (len(limits) - len(found))


def missing(method: str) -> str | None:
    """The module that a method needs and that is not installed, or None."""
    needed = [module for prefix, module in _NEEDS.items() if method.startswith(prefix)]
    return next((module for module in needed if importlib.util.find_spec(module) is None), None)


def table(results: dict[str, list[list[float]]], budgets: Iterable[int] = BUDGETS) -> str:
    """Mean regrets as a Markdown table."""
    lines = ["| method | " + " | ".join(f"{b} full" for b in budgets) + " |", "|---|" + "---:|" * len(list(budgets))]
    for method, rows in results.items():
        means = [sum(column) / len(column) for column in zip(*rows, strict=True)]
        lines.append(f"| {method} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")
    return "\n".join(lines)


def main() -> None:
    groups = {"judging": lcbench.JUDGING, "development": lcbench.DEVELOPMENT}
    groups["all"] = groups["development"] + groups["judging"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surrogate", type=Path, default=lcbench.default_folder(), help="folder of model.onnx")
    parser.add_argument("--tasks", choices=groups, default="judging")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds a task")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("build/lcbench"), help="where the tasks' scales are kept")
    parser.add_argument("--json", type=Path, default=Path("build/oracles.json"))
    options = parser.parse_args()
    if not (options.surrogate / "model.onnx").is_file():
        parser.error(f"no LCBench surrogate (model.onnx) in {options.surrogate}; give --surrogate or set LCBENCH")

    results: dict[str, list[list[float]]] = {}
    with ProcessPoolExecutor(options.processes) as pool:
        for method in options.methods:
            if module := missing(method):
                print(f"{method}: left out, needs {module}", file=sys.stderr)
                continue
            begin = time.monotonic()
            jobs = [
                pool.submit(regrets, method, task, seed, options.surrogate, options.cache)
                for task in groups[options.tasks]
                for seed in range(options.seeds)
            ]
            results[method] = [job.result() for job in jobs]
            print(f"{method}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
            record = {"tasks": options.tasks, "seeds": options.seeds, "budgets": BUDGETS, "regret": results}
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(record))
    print(table(results))


if __name__ == "__main__":
    main()
