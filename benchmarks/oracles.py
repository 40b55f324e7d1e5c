"""Compares search algorithms on simulated trainings: regret against epochs spent.

    python benchmarks/oracles.py                      # the 16 judging tasks, 3 seeds, all methods
    python benchmarks/oracles.py --tasks development --methods freeze-thaw random --seeds 1
    python benchmarks/oracles.py --tasks problems --seeds 5
    python benchmarks/oracles.py --tasks development --methods freeze-thaw hyperband --workers 1 4 16 64

Needs the LCBench surrogate (see lcbench.py), onnxruntime and optuna; the problems (see problems.py) need optuna only.
A configuration is trained for at most 52 epochs. What a method pays for is epochs, or their seconds where the
configurations differ in them. Its score at a budget is the true score at full length of the configuration of which it
has observed the best score until then. Regret is (best known - score) / (best known - median of random
configurations): 0 is the best, 1 what chance gives. Prints a table of mean regrets, and writes all of them as JSON.
"""

import argparse
import heapq
import importlib.util
import json
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

# One process per core, one thread per process.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import lcbench  # noqa: E402
import numpy as np  # noqa: E402
import problems  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

EPOCHS = lcbench.EPOCHS

BUDGETS = (2, 5, 10, 20, 40)
"""In full trainings of 52 epochs."""

Accounting = Iterator[tuple[float, float, float]]
"""Per trial: epochs paid, best score observed in them, and the configuration's score; more is better."""

Method = Callable[..., Accounting]
"""Runs on a task, from a seed; the oracles of Keras Tuner also with several workers."""


class Task(Protocol):
    """Simulated trainings as a method sees them."""

    direction: str
    unit: float
    """What 1 of the score is in what is observed."""

    def space(self) -> Any:
        """The hyperparameters, a `keras_tuner.HyperParameters`."""

    def curve(self, values: dict[str, Any]) -> NDArray[np.float64] | None:
        """What is observed after each epoch, to the last one at most; None: the training fails in its first epoch."""

    def score(self, values: dict[str, Any]) -> float:
        """What the configuration is worth, more is better."""

    def seconds(self, values: dict[str, Any]) -> float | None:
        """Of an epoch; None: nobody measures them, and every epoch costs one."""


class Surrogate:
    """A table of LCBench as a task."""

    direction = "max"
    unit = 1.0

    def __init__(self, task: lcbench.Task) -> None:
        self._task = task

    def space(self) -> Any:
        return lcbench.hyperparameters()

    def curve(self, values: dict[str, Any]) -> NDArray[np.float64]:
        return self._task.curve(values)

    def score(self, values: dict[str, Any]) -> float:
        return float(self._task.curve(values).max())

    def seconds(self, _: dict[str, Any]) -> None:
        return None


class Formula:
    """A problem of problems.py, with the noise of one seed, as a task."""

    def __init__(self, problem: problems.Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self.direction, self.space, self.score = problem.direction, problem.space, problem.score
        self.unit = abs(problem.factor)

    def curve(self, values: dict[str, Any]) -> NDArray[np.float64] | None:
        return self._problem.observed(values, self._seed)

    def seconds(self, values: dict[str, Any]) -> float | None:
        return self._problem.cost(values) if self._problem.cost else None


def _paid(task: Task, values: dict[str, Any], epochs: int) -> float:
    return epochs * (task.seconds(values) or 1.0)


@dataclass(frozen=True)
class _Training:
    """What a trial costs, and what is observed of each epoch from 1, with its seconds; of a failed one nothing."""

    paid: float
    observed: dict[int, float]
    seconds: dict[int, float]


def _trained(task: Task, values: dict[str, Any]) -> _Training:
    start, end = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", EPOCHS)
    curve, seconds = task.curve(values), task.seconds(values)
    if curve is None:
        return _Training(seconds or 1.0, {}, {})
    # A training that stopped before is begun and stops again at once.
    epochs = range(start + 1, max(start + 1, min(end, len(curve))) + 1)
    observed = {epoch: float(curve[min(epoch, len(curve)) - 1]) for epoch in epochs}
    timed = {} if seconds is None else dict.fromkeys(epochs, seconds)
    return _Training(len(epochs) * (seconds or 1.0), observed, timed)


def kt_oracle(make: Callable[..., Any]) -> Method:
    """A method that runs a `keras_tuner.Oracle`: each of the workers asks for a trial as soon as its last one ends."""

    def run(task: Task, seed: int, workers: int = 1) -> Accounting:
        import keras_tuner
        from keras_tuner.src.engine.metrics_tracking import MetricObservation

        objective = keras_tuner.Objective("val_accuracy", task.direction)
        oracle = make(hyperparameters=task.space(), objective=objective, seed=seed)
        oracle.verbose = 0
        oracle._save_trial, oracle.save = (lambda *_: None), (lambda *_: None)
        sign = 1 if task.direction == "max" else -1

        running: list[tuple[float, int, Any, _Training]] = []
        now, asked = 0.0, 0
        while True:
            while len(running) < workers:
                trial = oracle.create_trial(f"worker-{asked}")
                if trial.status != "RUNNING":
                    break
                training = _trained(task, trial.hyperparameters.values)
                heapq.heappush(running, (now + training.paid, asked, trial, training))
                asked += 1
            if not running:
                return
            now, _, trial, training = heapq.heappop(running)
            report = oracle.trials[trial.trial_id].metrics
            # All at once: every single `update_trial` costs Keras Tuner two milliseconds.
            for name, direction, told in (
                ("val_accuracy", task.direction, training.observed),
                ("seconds_per_epoch", "min", training.seconds),
            ):
                if told:
                    report.register(name, direction=direction)
                    report.set_history(name, [MetricObservation(value, step=epoch) for epoch, value in told.items()])
            trial.status = "COMPLETED" if training.observed else "FAILED"
            oracle.end_trial(trial)
            best = max((sign * value for value in training.observed.values()), default=-math.inf)
            yield training.paid, best, task.score(trial.hyperparameters.values)

    return run


def _ours(name: str) -> Callable[..., Any]:
    def make(**arguments: Any) -> Any:
        import search

        return search.oracle(name, max_epochs=EPOCHS, max_trials=100_000, **arguments)

    return make


def _stock(name: str, **options: Any) -> Callable[..., Any]:
    def make(*, seed: int, **arguments: Any) -> Any:
        import keras_tuner

        # Keras Tuner replaces a seed of 0 by a random one.
        oracle = getattr(keras_tuner.oracles, name)(seed=seed + 1, **arguments, **options)
        oracle._check_consecutive_failures = lambda: None
        return oracle

    return make


def optuna_study(sampler: str, pruner: str | None = None) -> Method:
    """A method that runs an Optuna study; a pruner is asked after every epoch."""

    def run(task: Task, seed: int, workers: int = 1) -> Accounting:
        import optuna

        if workers != 1:
            raise ValueError("a study is optimised by one worker here")

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruners = {
            None: optuna.pruners.NopPruner,
            "median": optuna.pruners.MedianPruner,
            "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=EPOCHS, reduction_factor=3),
        }
        study = optuna.create_study(
            direction="maximize",
            sampler=getattr(optuna.samplers, sampler)(seed=seed),
            pruner=pruners[pruner](),
        )
        sign = 1 if task.direction == "max" else -1
        while True:
            trial = study.ask()
            values = _suggested(trial, task.space())
            curve = task.curve(values)
            if curve is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                yield _paid(task, values, 1), -math.inf, -math.inf
                continue
            curve = sign * curve
            epochs, pruned = len(curve), False
            if pruner:
                for epochs in range(1, len(curve) + 1):
                    trial.report(float(curve[epochs - 1]), epochs)
                    if epochs < len(curve) and trial.should_prune():
                        pruned = True
                        break
            state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
            study.tell(trial, None if pruned else float(curve.max()), state=state)
            yield _paid(task, values, epochs), curve[:epochs].max(), task.score(values)

    return run


def _suggested(trial: Any, space: Any) -> dict[str, Any]:
    """An Optuna trial's values for a `keras_tuner.HyperParameters`, those of inactive hyperparameters left out."""
    from keras_tuner.engine import hyperparameters as kinds

    values: dict[str, Any] = {}
    for hp in space.space:
        if not all(condition.is_active(values) for condition in hp.conditions):
            continue
        if isinstance(hp, kinds.Choice):
            values[hp.name] = trial.suggest_categorical(hp.name, hp.values)
        else:
            suggest = trial.suggest_int if isinstance(hp, kinds.Int) else trial.suggest_float
            log = hp.sampling == "log"
            step = {} if log or hp.step is None else {"step": hp.step}
            values[hp.name] = suggest(hp.name, hp.min_value, hp.max_value, log=log, **step)
    return values


METHODS: dict[str, Method] = {
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


def task_and_scale(name: str, seed: int, folder: Path, cache: Path) -> tuple[Task, lcbench.Scale]:
    """A task or problem by its name, and the scores between which its regret runs; arguments as for `regrets`."""
    if name in problems.PROBLEMS:
        problem = problems.PROBLEMS[name]
        return Formula(problem, seed), problem.scale
    surrogate = lcbench.Task(name, folder)
    return Surrogate(surrogate), surrogate.scale(cache)


def regrets(
    method: str,
    name: str,
    seed: int,
    folder: Path,
    cache: Path,
    budgets: Sequence[int] = BUDGETS,
    workers: int = 1,
) -> list[float]:
    """Regret of one search at each budget; 1 where no configuration had ended yet.

    Args:
        method: one of `METHODS`.
        name: a task of LCBench or one of `problems.PROBLEMS`.
        seed: of the search, and of a problem's noise.
        folder: where the LCBench surrogate lies; not read for a problem.
        cache: where the scales of LCBench's tasks are kept.
        budgets: in full trainings, all workers together.
        workers: that train at the same time.
    """
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    task, scale = task_and_scale(name, seed, folder, cache)
    limits = [budget * EPOCHS for budget in budgets]
    found: list[float] = []
    spent, observed, regret = 0.0, -math.inf, 1.0
    for epochs, seen, score in METHODS[method](task, seed, workers):
        spent += epochs
        while len(found) < len(limits) and spent > limits[len(found)]:
            found.append(regret)
        if len(found) == len(limits):
            break
        if seen > observed:
            observed, regret = seen, scale.regret(score)
    return found + [regret] * (len(limits) - len(found))


def left_out(method: str, workers: int) -> str | None:
    """Why a method cannot run with so many workers here, or None."""
    needed = [module for prefix, module in _NEEDS.items() if method.startswith(prefix)]
    if workers > 1 and method.startswith("Optuna"):
        return "a study is optimised by one worker here"
    return next((f"needs {module}" for module in needed if importlib.util.find_spec(module) is None), None)


def table(results: dict[str, list[list[float]]], budgets: Sequence[int] = BUDGETS) -> str:
    """Mean regrets as a Markdown table, a row for each method."""
    lines = ["| method | " + " | ".join(f"{b} full" for b in budgets) + " |", "|---|" + "---:|" * len(budgets)]
    for method, rows in results.items():
        lines.append(f"| {method} | " + " | ".join(f"{mean:.2f}" for mean in _means(rows)) + " |")
    return "\n".join(lines)


def table_by_problem(results: dict[str, dict[str, list[list[float]]]]) -> str:
    """Mean regrets as a Markdown table, a row for each problem and a column for each method."""
    lines = ["| problem | " + " | ".join(results) + " |", "|---|" + "---|" * len(results)]
    for name in next(iter(results.values())):
        cells = [" ".join(f"{mean:.2f}" for mean in _means(rows[name])) for rows in results.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _means(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]


GROUPS = {
    "judging": lcbench.JUDGING,
    "development": lcbench.DEVELOPMENT,
    "all": lcbench.DEVELOPMENT + lcbench.JUDGING,
    "problems": list(problems.PROBLEMS),
}
"""The tasks that may be asked for together."""


def asked(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The tasks of `--tasks` and `--only`; ends with a message where there are no such ones, or no surrogate."""
    names: list[str] = options.only or GROUPS[options.tasks]
    if unknown := set(names) - set(GROUPS[options.tasks]):
        parser.error(f"no {options.tasks} tasks: {', '.join(sorted(unknown))}")
    if options.tasks != "problems" and (reason := lcbench.missing(options.surrogate)):
        parser.error(reason)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surrogate", type=Path, default=lcbench.default_folder(), help="folder of model.onnx")
    parser.add_argument("--tasks", choices=GROUPS, default="judging")
    parser.add_argument("--only", nargs="+", metavar="TASK", help="these of the tasks")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds a task")
    parser.add_argument(
        "--workers", nargs="+", type=int, default=[1], help="that train at the same time, one search for each number"
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=Path("build/lcbench"), help="where the tasks' scales are kept")
    parser.add_argument("--json", type=Path, default=Path("build/oracles.json"))
    options = parser.parse_args()
    if min(options.seeds, *options.workers, options.processes) < 1:
        parser.error("--seeds, --workers and --processes must be at least 1")
    names = asked(parser, options)

    results: dict[str, dict[str, list[list[float]]]] = {}
    with ProcessPoolExecutor(options.processes) as pool:
        for method, workers in product(options.methods, options.workers):
            title = method if len(options.workers) == 1 else f"{method}, {workers} at a time"
            if reason := left_out(method, workers):
                print(f"{title}: left out, {reason}", file=sys.stderr)
                continue
            begin = time.monotonic()
            jobs = {
                name: [
                    pool.submit(regrets, method, name, seed, options.surrogate, options.cache, workers=workers)
                    for seed in range(options.seeds)
                ]
                for name in names
            }
            results[title] = {name: [job.result() for job in searches] for name, searches in jobs.items()}
            print(f"{title}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
            record = {"tasks": options.tasks, "seeds": options.seeds, "budgets": BUDGETS, "regret": results}
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(record))
    if not results:
        parser.error("none of the methods can run here")
    if options.tasks == "problems":
        print(table_by_problem(results))
    else:
        print(table({method: [row for rows in by.values() for row in rows] for method, by in results.items()}))


if __name__ == "__main__":
    main()
