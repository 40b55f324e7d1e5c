"""Does the advice for the next night hold? Pairs of simulated nights on LCBench's development tasks.

    python benchmarks/advice.py                     # 10 pairs, freeze-thaw
    python benchmarks/advice.py --algorithm random --pairs 20

A first night searches a space whose ranges are a random 60 % of LCBench's on each scale, so that the best may lie
beyond them, and in which adam wants other learning rates than sgd. Then the second night is searched as often as there
are files for it: the first file once more, with another seed; the one that follows from the first night (`next.yaml`);
and that with a part of the advice only. Every night pays for so many full trainings, its baselines included.
What it gives is the true score of the configuration that it observed to be best. Regret is (best known - score) / (best
known - median of random configurations of the whole space). Needs the LCBench surrogate (see lcbench.py).
"""

import argparse
import json
import logging
import math
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import lcbench  # noqa: E402
import numpy as np  # noqa: E402

from spaces.sections.algorithms import ALGORITHMS  # noqa: E402

EPOCHS = lcbench.EPOCHS
FULL = 40
"""Full trainings that a night pays for."""
_SHARE = 0.6
_ADAM = 30.0
"""Adam trains with a learning rate as sgd does with so many times that."""
_RANDOM = 3000

# name in the space file: name in LCBench
_NAMES = {
    "learning_rate": "learning_rate",
    "momentum": "momentum",
    "weight_decay": "weight_decay",
    "layers": "num_layers",
    "units": "max_units",
    "dropout": "max_dropout",
}
_LIMITS = {"dropout": (0.0, 0.95)}


def space(task: str, seed: int) -> dict[str, Any]:
    """The first night's space file, as plain data."""
    rng = np.random.default_rng([int(task), seed])
    ranges: dict[str, dict[str, Any]] = {}
    for name, theirs in _NAMES.items():
        low, high, log, whole = lcbench.RANGES[theirs]
        low, high = _LIMITS.get(name, (low, high))
        start = rng.uniform(0, 1 - _SHARE)
        ends = []
        for place in (start, start + _SHARE):
            value = low * (high / low) ** place if log else low + (high - low) * place
            ends.append(round(value) if whole else float(f"{value:.3g}"))
        ranges[name] = {"min": ends[0], "max": max(ends[1], ends[0] + 1) if whole else ends[1]}
        ranges[name] |= {"log": True} if log else {}
    return {
        "name": f"lcbench-{task}",
        "data": {"source": "digits"},
        "model": {
            "family": "mlp",
            "layers": ranges["layers"],
            "units": {"shared": ranges["units"]},
            "dropout": ranges["dropout"],
        },
        "training": {
            "optimizer": ["sgd", "adam"],
            "learning_rate": ranges["learning_rate"],
            "momentum": {**ranges["momentum"], "when": {"optimizer": "sgd"}},
            "weight_decay": ranges["weight_decay"],
            "batch_size": [32, 64, 128, 256],
            "epochs": {"min": 2, "max": EPOCHS},
        },
        "search": {"algorithm": "freeze-thaw", "max_trials": 1000, "seed": seed},
    }


class World:
    """A task of LCBench, asked with values of such a space."""

    def __init__(self, task: str, folder: Path) -> None:
        self._task = lcbench.Task(task, folder)
        rng = np.random.default_rng(0)
        unit = rng.random((_RANDOM, len(lcbench.RANGES)))
        ends = np.where(rng.random(unit.shape) < 0.5, np.round(unit), unit)
        scores = self._task.curves(lcbench.raw(unit)).max(axis=1)
        best = max(float(scores.max()), float(self._task.curves(lcbench.raw(ends)).max()))
        self.scale = lcbench.Scale(best, float(np.median(scores)))

    def curve(self, values: dict[str, Any]) -> np.ndarray[Any, Any]:
        adam = values["optimizer"] == "adam"
        asked = {"batch_size": values["batch_size"]}
        asked |= {theirs: values.get(name, 0.9) for name, theirs in _NAMES.items()}
        asked["learning_rate"] *= _ADAM if adam else 1.0
        # What lies beyond LCBench's own ranges is as good as their ends.
        clipped = {n: min(max(asked[n], lcbench.RANGES[n][0]), lcbench.RANGES[n][1]) for n in lcbench.RANGES}
        return self._task.curve(clipped)


def night(spec: Any, world: World) -> tuple[float, list[Any]]:
    """Regret of a night, and the configurations that it trained."""
    import keras_tuner
    from keras_tuner.src.engine.metrics_tracking import MetricObservation

    import search
    import spaces
    from spaces.specs.tuning import hyperparameters

    spent, curves, asked, best = 0, {}, {}, (-math.inf, 1.0)
    algorithm = spec.search.algorithm
    objective = keras_tuner.Objective("val_accuracy", "max")
    oracle: Any = search.oracle(
        algorithm,
        hyperparameters=hyperparameters(spec),
        objective=objective,
        min_epochs=spec.min_epochs,
        max_epochs=EPOCHS,
        max_trials=100_000,
        seed=spec.search.seed,
    )
    oracle.verbose = 0
    vars(oracle).update(_save_trial=lambda *_: None, save=lambda *_: None)
    # The baselines first, as a night does; an oracle that can learn from them does.
    for baseline in spec.baselines:
        values = dict(spaces.configure_baseline(spec, baseline).values)
        asked[baseline.name], curves[baseline.name] = values, [float(value) for value in world.curve(values)]
        spent += EPOCHS
        getattr(oracle, "add_evidence", lambda *_: None)(values, curves[baseline.name], None)
    while spent < FULL * EPOCHS:
        trial = oracle.create_trial("worker")
        if trial.status != "RUNNING":
            break
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
        start = trial.hyperparameters.values.get("tuner/initial_epoch", 0)
        end = trial.hyperparameters.values.get("tuner/epochs", EPOCHS)
        key = repr(sorted(values.items()))
        curve = [float(value) for value in world.curve(values)[:end]]
        spent += end - start
        asked[key], curves[key] = values, curve
        report = oracle.trials[trial.trial_id].metrics
        report.register("val_accuracy", direction="max")
        told = [MetricObservation(value, step=epoch + 1) for epoch, value in enumerate(curve) if epoch >= start]
        report.set_history("val_accuracy", told)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    for key, curve in curves.items():
        if max(curve) > best[0]:
            best = max(curve), world.scale.regret(float(world.curve(asked[key]).max()))
    names = {baseline.name for baseline in spec.baselines}
    return best[1], [_record(i, asked[key], curves[key]) for i, key in enumerate(curves) if key not in names]


def _record(index: int, values: dict[str, Any], curve: list[float]) -> Any:
    from search.record.configuration import Configuration
    from search.record.trial import Epoch, Stop, TrialState

    name = f"{index:04d}"
    epochs = tuple(Epoch(i + 1, {"val_accuracy": value}, 1.0, 1.0) for i, value in enumerate(curve))
    stopped = Stop.LENGTH
    return Configuration(
        name, name, False, values, {}, 0, (), epochs, max(curve), int(np.argmax(curve)) + 1, 1, float(len(curve)),
        TrialState.COMPLETED, stopped, None, None,
    )  # fmt: skip


def _arms() -> dict[str, Callable[[list[Any]], list[Any]] | None]:
    """Which part of the advice each second night follows; None: the first file."""
    from results.verdicts.advice import Rule

    return {
        "first file again": None,
        "its best as baselines": lambda advice: [],
        "and wider at edges": lambda advice: [one for one in advice if one.rule is Rule.EDGE],
        "and narrower": lambda advice: [one for one in advice if one.rule is not Rule.EDGE],
        "next.yaml": lambda advice: advice,
    }


def pair(number: int, algorithm: str, folder: Path) -> dict[str, Any]:
    """A first night, and a second one for each file; regrets by file, and what was advised."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    import spaces
    from results.verdicts.advice import advise_on
    from results.verdicts.next_night import next_spec
    from search.record.configuration import ranked

    task = lcbench.DEVELOPMENT[number % len(lcbench.DEVELOPMENT)]
    world, data = World(task, folder), space(task, number)
    data["search"]["algorithm"] = algorithm
    if not ALGORITHMS[algorithm].multi_fidelity:
        data["training"]["epochs"] = {"min": EPOCHS - 1, "max": EPOCHS}
    spec = spaces.load(data)
    before, found = night(spec, world)
    advice = advise_on(spec, found, "val_accuracy", "max")
    best = ranked(found, "max")[:3]
    again = spaces.load({**data, "search": {**data["search"], "seed": number + 1}})
    second = {"first night": before}
    nights: dict[str, float] = {}
    for name, chosen in _arms().items():
        follows = again if chosen is None else next_spec(spec, chosen(advice), best)[0]
        key = spaces.dump(follows)
        if key not in nights:
            nights[key] = night(follows, world)[0]
        second[name] = nights[key]
    return {"task": task, "regret": second, "advice": [f"{one.rule}: {one.setting}: {one.message}" for one in advice]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first pair")
    parser.add_argument("--algorithm", default="freeze-thaw", choices=ALGORITHMS.names())
    parser.add_argument("--folder", type=Path, default=lcbench.default_folder())
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if min(options.pairs, options.processes) < 1 or options.first < 0:
        parser.error("--pairs and --processes must be at least 1, and --first at least 0")
    if reason := lcbench.missing(options.folder):
        parser.error(reason)
    run = partial(pair, algorithm=options.algorithm, folder=options.folder)
    with ProcessPoolExecutor(options.processes) as pool:
        found = []
        for one in pool.map(run, range(options.first, options.first + options.pairs)):
            found.append(one)
            regrets = ", ".join(f"{name} {value:.3f}" for name, value in one["regret"].items())
            print(f"{one['task']}: {regrets}", *(f"    {text}" for text in one["advice"]), sep="\n", flush=True)
    print("\n| second night | mean regret | better / worse than the first file |\n|---|---:|---:|")
    for name in found[0]["regret"]:
        values, firsts = ([one["regret"][key] for one in found] for key in (name, "first file again"))
        better = sum(a < b - 1e-9 for a, b in zip(values, firsts, strict=True))
        worse = sum(a > b + 1e-9 for a, b in zip(values, firsts, strict=True))
        print(f"| {name} | {np.mean(values):.3f} | {better} / {worse} |")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
