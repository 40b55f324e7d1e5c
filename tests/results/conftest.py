"""Synthetic runs: what a search leaves behind, written through the real store in milliseconds."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.files import layout
from search.files.lock import RunLock
from search.files.store import Evaluation, RunStore
from search.record.trial import Epoch, Failure, FailureReason, Outcome, Stop, Trial, TrialKind, TrialState

STARTED = 1_780_000_000.0

SPACE = """\
name: digits
data: {source: digits, validation: 0.2, test: 0.2}
model:
  family: mlp
  layers: {min: 1, max: 3}
  units: {min: 16, max: 128, step: 16}
  dropout: {min: 0.0, max: 0.5, step: 0.1}
  activation: relu
training:
  optimizer: [adam, sgd]
  learning_rate: {min: 1e-4, max: 1e-1, log: true}
  momentum: {min: 0.8, max: 0.99, when: {optimizer: sgd}}
  batch_size: 32
  epochs: {min: 1, max: 9}
  early_stopping: {monitor: val_loss, patience: 3, min_delta: 0}
search: {algorithm: hyperband, objective: val_accuracy, max_trials: 30, seed: 7}
baselines:
  - name: linear
    values: {layers: 0, optimizer: adam, learning_rate: 0.001}
    epochs: 5
final: {candidates: 3, seeds: 2, train_on_validation: true}
export: {formats: [keras]}
"""

Values = Mapping[str, Any]


class Builder:
    """Writes one run directory; see the fixture `make_run` for its options."""

    def __init__(self, directory: Path, options: Mapping[str, Any], held: contextlib.ExitStack) -> None:
        self.directory = directory
        self.held = held
        self.option: dict[str, Any] = {
            "configurations": 9, "promotions": True, "failures": (), "baselines": ("linear",), "candidates": 3,
            "seeds": 2, "winner": True, "evaluate": True, "running": False, "task": "classification", "seed": 0,
            "values": None, "score": None, "epochs": 9, "space": SPACE, "test_part": "test", "meta": {},
            "class_names": tuple("0123456789"),
        }  # fmt: skip
        unknown = set(options) - set(self.option)
        if unknown:
            raise TypeError(f"make_run has no option {sorted(unknown)}")
        self.option.update(options)
        self.rng = np.random.default_rng(self.option["seed"])
        self.regression = self.option["task"] == "regression"
        self.objective = "val_loss" if self.regression else "val_accuracy"
        self.direction = "min" if self.regression else "max"
        self.clock = STARTED
        self.history: dict[str, list[Epoch]] = {}

    def build(self) -> Path:
        option = self.option
        self.directory.mkdir(parents=True)
        (self.directory / layout.SPACE).write_text(option["space"], encoding="utf-8")
        with RunStore.create(self.directory, self.meta()) as store:
            # Nothing has to survive a power cut here, and waiting for the disk is most of the time.
            store._connection.execute("PRAGMA synchronous = OFF")
            self.store = store
            usual = {"layers": 0, "optimizer": "adam", "learning_rate": 0.001}
            named = option["baselines"]
            for name, values in (named if isinstance(named, Mapping) else dict.fromkeys(named, usual)).items():
                self.train(f"baseline-{name}", TrialKind.BASELINE, values, 0, 5, name=name, level=0.80)
            survivors = self.search()
            if option["running"]:
                self.held.enter_context(RunLock(self.directory))
                self.begin("9000", "9000", TrialKind.SEARCH, self.values(9000), 0, option["epochs"])
                return self.directory
            store.put_meta(phase="final")
            for trial in survivors[: option["candidates"]]:
                for k in range(option["seeds"]):
                    name = f"candidate-{trial}-{k}"
                    self.train(name, TrialKind.CANDIDATE, self.known[trial], 0, option["epochs"], trial)
            if option["winner"] and survivors:
                best = survivors[0]
                self.train(f"winner-{best}", TrialKind.WINNER, self.known[best], 0, option["epochs"], best)
                store.put_meta(winner=f"winner-{best}")
            if option["evaluate"]:
                self.evaluate([t.id for t in store.trials(TrialKind.WINNER, TrialKind.BASELINE)])
            sitting = {"started": STARTED, "ended": self.clock, "command": self.meta()["command"], "reason": "done"}
            store.put_meta(phase="done", exit="done", finished=self.clock)
            store.put_meta(sessions=self.option["meta"].get("sessions", [sitting]))
        return self.directory

    def search(self) -> list[str]:
        """Random configurations, a third of them promoted at each rung; returns them best first."""
        option = self.option
        self.known: dict[str, Values] = {}
        scores: dict[str, float] = {}
        ids = (f"{i:04d}" for i in itertools.count())
        rungs = [option["epochs"]]
        while option["promotions"] and rungs[0] >= 3:
            rungs.insert(0, rungs[0] // 3)
        for i in range(option["configurations"]):
            name = next(ids)
            self.known[name] = self.values(i)
            scores[name] = self.train(name, TrialKind.SEARCH, self.known[name], 0, rungs[0])
        for reason in option["failures"]:
            self.fail(next(ids), FailureReason(reason))
        alive = {name: name for name in scores}
        for low, high in itertools.pairwise(rungs):
            best = sorted(alive, key=lambda n: scores[n], reverse=not self.regression)
            alive = {name: alive[name] for name in best[: max(1, math.ceil(len(best) / 3))]}
            for name, parent in alive.items():
                alive[name] = next(ids)
                scores[name] = self.train(
                    alive[name], TrialKind.SEARCH, self.known[name], low, high, name, parent=parent
                )
        return sorted(scores, key=lambda n: scores[n], reverse=not self.regression)

    def values(self, index: int) -> Values:
        """Values of the `index`-th configuration, active ones only, in the order of the space."""
        if self.option["values"] is not None:
            return dict(self.option["values"](index, self.rng))
        layers = int(self.rng.integers(1, 4))
        units = {f"units_{i}": int(16 * self.rng.integers(1, 9)) for i in range(layers)}
        optimizer = str(self.rng.choice(["adam", "sgd"]))
        return {
            "layers": layers, **units, "dropout": round(0.1 * int(self.rng.integers(0, 6)), 1),
            "optimizer": optimizer, "learning_rate": float(10 ** self.rng.uniform(-4, -1)),
            **({"momentum": float(self.rng.uniform(0.8, 0.99))} if optimizer == "sgd" else {}),
        }  # fmt: skip

    def level(self, values: Values) -> float:
        """Accuracy that a configuration tends to; best near a learning rate of 0.003."""
        if self.option["score"] is not None:
            return float(self.option["score"](values))
        distance = math.log10(values.get("learning_rate", 0.003)) - math.log10(0.003)
        return 0.97 - 0.03 * distance**2 - 0.02 * values.get("dropout", 0.0)

    def train(
        self, trial_id: str, kind: TrialKind, values: Values, low: int, high: int, configuration: str | None = None,
        *, parent: str | None = None, name: str = "", level: float | None = None,
    ) -> float:  # fmt: skip
        """A finished trial; returns its score."""
        configuration = configuration or trial_id
        top = (self.level(values) if level is None else level) + float(self.rng.normal(0, 0.003))
        fresh = [self.epoch(number, top) for number in range(low + 1, high + 1)]
        before = self.history.get(configuration, []) if low else []
        history = [*before, *fresh]
        pick = min if self.regression else max
        best = pick(history, key=lambda epoch: epoch.metrics[self.objective])
        if kind in (TrialKind.SEARCH, TrialKind.BASELINE):
            self.history[configuration] = history
        self.begin(trial_id, configuration, kind, values, low, high, parent, name)
        seconds = 0.8 + sum(epoch.seconds for epoch in fresh)
        self.clock += seconds
        outcome = Outcome(
            epochs=tuple(fresh), score=best.metrics[self.objective], best_epoch=best.number, stopped=Stop.LENGTH,
            parameters=self.parameters(values), seconds=seconds, build_seconds=0.7,
        )  # fmt: skip
        self.store.finish(trial_id, outcome, self.clock)
        return outcome.score or 0.0

    def fail(self, trial_id: str, reason: FailureReason) -> None:
        """A configuration that gave no score."""
        self.begin(trial_id, trial_id, TrialKind.SEARCH, self.values(0), 0, 1)
        self.clock += 2.0
        failure = Failure(reason, f"synthetic failure: {reason} | <b>[red]x[/red]</b>", "Traceback ...")
        self.store.finish(trial_id, Outcome(seconds=2.0, failure=failure, parameters=5000), self.clock)

    def begin(
        self, trial_id: str, configuration: str, kind: TrialKind, values: Values, low: int, high: int,
        parent: str | None = None, name: str = "",
    ) -> None:  # fmt: skip
        settings = {
            "family": "mlp",
            "model": {"layers": values.get("layers", 1), "activation": "relu", "output": "probabilities"},
            "training": {"optimizer": values.get("optimizer", "adam"), "batch_size": 32, "epochs": high},
            "values": dict(values),
        }
        self.store.begin(
            Trial(
                trial_id, configuration, kind, name, dict(values), settings, 1, low, high, parent,
                TrialState.RUNNING, None, self.clock, None,
            )
        )  # fmt: skip

    def epoch(self, number: int, level: float) -> Epoch:
        accuracy = level - 0.4 * math.exp(-number / 1.5) + float(self.rng.normal(0, 0.001))
        metrics = {"accuracy": accuracy + 0.01, "loss": 1.2 - accuracy}
        metrics |= {"val_accuracy": accuracy, "val_loss": 1.25 - accuracy}
        if self.regression:
            metrics = {"mae" if key == "accuracy" else key: value for key, value in metrics.items()}
            metrics = {"val_mae" if key == "val_accuracy" else key: value for key, value in metrics.items()}
        return Epoch(number, metrics, 0.5, 0.4)

    @staticmethod
    def parameters(values: Values) -> int:
        widths = [64, *(values.get(f"units_{i}", 32) for i in range(int(values.get("layers", 1)))), 10]
        return sum((a + 1) * b for a, b in itertools.pairwise(widths))

    def evaluate(self, trials: Sequence[str]) -> None:
        """Predictions on 200 rows for each of these trials, the winner right more often than the others."""
        (self.directory / layout.EVALUATION).mkdir()
        outputs = 1 if self.regression else 10
        rows = self.rng.integers(0, 17, (200, 8, 8, 1)).astype(np.uint8)
        labels = self.rng.integers(0, 10, 200)
        target = labels.astype(np.float32) if self.regression else labels.astype(np.int32)
        np.savez(self.directory / layout.TEST_ROWS, x=rows[:64], y=target[:64])
        for trial in trials:
            right = self.rng.random(200) < (0.95 if trial.startswith("winner") else 0.8)
            if self.regression:
                predictions = (target + self.rng.normal(0, 0.3, 200)).astype(np.float32)[:, None]
                metrics = {"loss": float(np.mean((predictions[:, 0] - target) ** 2))}
            else:
                shown = np.where(right, labels, (labels + 1) % outputs)
                predictions = np.full((200, outputs), 0.02, np.float32)
                predictions[np.arange(200), shown] = 1 - 0.02 * (outputs - 1)
                metrics = {"accuracy": float(right.mean()), "loss": 0.4}
            index = np.arange(50, dtype=np.int64)
            file = layout.evaluation_file(trial)
            np.savez(
                self.directory / file, predictions=predictions, labels=target, examples_index=index,
                examples=rows[index],
            )  # fmt: skip
            self.clock += 1.0
            part = self.option["test_part"]
            self.store.add_evaluation(Evaluation(trial, part, metrics, 200, 1.0, file, self.clock))

    def meta(self) -> dict[str, Any]:
        info = {
            "kind": "image", "input_shape": [8, 8, 1], "dtype": "uint8", "task": self.option["task"],
            "labels": "number" if self.regression else "integer",
            "outputs": 1 if self.regression else len(self.option["class_names"]),
            "class_names": [] if self.regression else list(self.option["class_names"]), "scale": 1 / 16, "mean": None,
            "std": None, "image_size": None, "resized": False, "white": 16.0, "columns": [], "categories": {},
        }  # fmt: skip
        rows = {"train": 1149, "validation": 288, "test": 360 if self.option["test_part"] == "test" else 0}
        return {
            "name": "digits", "space": "digits", "command": ["run-search", "run", "digits"],
            "objective": {"name": self.objective, "direction": self.direction}, "algorithm": "hyperband", "seed": 7,
            "versions": {
                "python": "3.11.7", "tensorflow": "2.21.0", "keras": "3.15.0", "keras_tuner": "1.4.8",
                "numpy": "2.4.6", "keras_nightshift": "0.1.0",
            },
            "hardware": {"cpu": "test", "cores": 2, "memory_bytes": 8 << 30, "gpus": [], "host": "test"},
            "git": None,
            "data": {
                "name": "digits", "origin": "scikit-learn", "fingerprint": "0" * 64, "rows": rows, "info": info,
            },
            "started": STARTED, "finished": None, "phase": "search", "exit": None, "winner": None,
            "planned": {"trials": 30}, "until": None, "sessions": [],
            **self.option["meta"],
        }  # fmt: skip


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`make_run(folder="digits-run", **options)` writes a synthetic run and returns its directory.

    Options, with their defaults:
        configurations (9): searched ones, on top of the failures.
        promotions (True): Hyperband's rungs of epochs/9, epochs/3 and epochs; else each has all epochs at once.
        failures (()): one failed configuration for each of these `FailureReason` values.
        baselines (("linear",)): names, or names with their values.
        candidates (3), seeds (2): retrained configurations and seeds of each.
        winner (True), evaluate (True): whether there is one; whether the test part was measured.
        running (False): the search is not finished, one trial is running; nothing is retrained. It is locked until the
            test is over.
        task ("classification"): or "regression" (objective val_loss, direction min).
        seed (0): of the synthetic numbers. epochs (9): longest training.
        values (None): function (index, numpy generator) -> values. score (None): function values -> accuracy.
        space, meta, test_part ("test"), class_names: text of space.yaml; facts that replace the default ones; the
            part that evaluations name; names of the ten classes.
    """

    with contextlib.ExitStack() as held:
        yield lambda folder="digits-run", **options: Builder(tmp_path / folder, options, held).build()
