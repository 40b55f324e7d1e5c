"""The LCBench surrogate as a set of simulated trainings.

Validation accuracy of dense networks after each of 52 epochs on 34 tables, predicted by the surrogate of YAHPO Gym
(Pfisterer et al., 2022) for LCBench (Zimmer et al., "Auto-PyTorch Tabular", 2021). The surrogate is a file of its own,
not part of this project: its folder is given by the environment variable LCBENCH or an argument.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPOCHS = 52
DEVELOPMENT = [
    *("3945", "7593", "34539", "126025", "126026", "126029", "146212", "167104", "167149"),
    *("167152", "167161", "167168", "167181", "167184", "167185", "167190", "167200", "167201"),
]
"""Tasks on which methods may be tuned."""
JUDGING = [
    *("168329", "168330", "168331", "168335", "168868", "168908", "168910", "189354"),
    *("189862", "189865", "189866", "189873", "189905", "189906", "189908", "189909"),
]
"""Tasks for final figures only."""

# name: (lowest, highest, logarithmic, whole), in the order of the surrogate's inputs
RANGES = {
    "batch_size": (16, 512, True, True),
    "learning_rate": (1e-4, 1e-1, True, False),
    "momentum": (0.1, 0.99, False, False),
    "weight_decay": (1e-5, 1e-1, False, False),
    "num_layers": (1, 5, False, True),
    "max_units": (64, 1024, True, True),
    "max_dropout": (0.0, 1.0, False, False),
}


def default_folder() -> Path:
    """Folder of the surrogate: $LCBENCH, or shared/data/lcbench beside the repository."""
    return Path(os.environ.get("LCBENCH") or Path(__file__).parents[1] / ".." / "shared" / "data" / "lcbench").resolve()


def missing(folder: Path) -> str | None:
    """What to say where the surrogate is not in a folder; None: it is there."""
    if (folder / "model.onnx").is_file():
        return None
    return f"no LCBench surrogate (model.onnx) in {folder}; give its folder, or set LCBENCH to it"


@dataclass(frozen=True)
class Scale:
    """The two scores between which a task's regret runs: 0 at `best`, 1 at `median`."""

    best: float
    median: float

    def regret(self, score: float) -> float:
        """At least 0: what is better than the best known must not make up for what is worse elsewhere."""
        return max(0.0, (self.best - score) / (self.best - self.median))


class Task:
    """One table of LCBench. Accuracies are fractions, 0 to 1."""

    def __init__(self, task: str, folder: Path | None = None) -> None:
        """Args:
        task: an OpenML task number of `DEVELOPMENT` or `JUDGING`.
        folder: where `model.onnx` and `encoding.json` lie.

        Raises:
            FileNotFoundError: the surrogate is not there.
        """
        self.task, self.folder = task, folder or default_folder()
        if reason := missing(self.folder):
            raise FileNotFoundError(reason)
        self._code = json.loads((self.folder / "encoding.json").read_text())["OpenML_task_id"][task]

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self.folder / "model.onnx", options)

    def curves(self, configurations: Floats) -> Floats:
        """Validation accuracy after each epoch, shape (n, 52), of raw values in the order of `RANGES`, shape (n, 7)."""
        rows = np.repeat(np.asarray(configurations, dtype=np.float32), EPOCHS, axis=0)
        epochs = np.tile(np.arange(1, EPOCHS + 1, dtype=np.float32), len(configurations))
        inputs = {
            "x_cat": np.full((len(rows), 1), self._code, dtype=np.int32),
            "x_cont": np.column_stack([epochs, rows]),
        }
        output = self._session.run(None, inputs)[0]
        return np.asarray(output[:, 1], dtype=np.float64).reshape(-1, EPOCHS) / 100

    def curve(self, values: dict[str, Any]) -> Floats:
        """Validation accuracy after each epoch, shape (52,), of one configuration."""
        curve: Floats = self.curves(np.array([[values[name] for name in RANGES]]))[0]
        return curve

    def scale(self, cache: Path | None = None) -> Scale:
        """Best known and median score.

        The median is of 20,000 random configurations. The best 20 of them are refined, and so are the best 40 of 10,000
        with half of their hyperparameters at an end of the range: there most optima of this surrogate lie.

        Args:
            cache: a folder where the result is kept, so that it is computed once.
        """
        file = cache / f"{self.task}-with-ends.json" if cache else None
        if file and file.is_file():
            return Scale(**json.loads(file.read_text()))
        rng = np.random.default_rng(20_000)
        unit = rng.random((20_000, len(RANGES)))
        scores = self._best(unit)
        median = float(np.median(scores))
        ends = rng.random((10_000, len(RANGES)))
        ends = np.where(rng.random(ends.shape) < 0.5, np.round(ends), ends)
        at_ends = self._best(ends)
        first, second = np.argsort(-scores)[:20], np.argsort(-at_ends)[:40]
        unit, scores = np.vstack([unit[first], ends[second]]), np.concatenate([scores[first], at_ends[second]])
        for width in (0.1, 0.05, 0.02, 0.01, 0.005):
            for _ in range(6):
                shape = (len(unit), 20, len(RANGES))
                moves = rng.normal(scale=width, size=shape)
                tried = np.clip(unit[:, None, :] + moves * (rng.random(shape) < 0.5), 0, 1)
                tried = np.where(rng.random(shape) < 0.05, np.round(rng.random(shape)), tried)
                found = self._best(tried.reshape(-1, len(RANGES))).reshape(shape[:2])
                best = found.argmax(axis=1)
                better = found.max(axis=1) > scores
                unit = np.where(better[:, None], tried[np.arange(len(unit)), best], unit)
                scores = np.maximum(scores, found.max(axis=1))
        scale = Scale(best=float(scores.max()), median=median)
        if file:
            from search.files import atomic

            # Another process may be about to read it.
            atomic.write_bytes(file, json.dumps({"best": scale.best, "median": scale.median}).encode())
        return scale

    def _best(self, unit: Floats) -> Floats:
        parts = np.array_split(unit, max(1, len(unit) // 1000))
        return np.concatenate([self.curves(raw(part)).max(axis=1) for part in parts])


def raw(unit: Floats) -> Floats:
    """Raw values, shape (n, 7), of positions in [0, 1] on each hyperparameter's scale."""
    columns = []
    for position, (low, high, log, whole) in zip(unit.T, RANGES.values(), strict=True):
        value = low * (high / low) ** position if log else low + (high - low) * position
        columns.append(np.round(value) if whole else value)
    return np.column_stack(columns)


def hyperparameters() -> Any:
    """The seven hyperparameters as a `keras_tuner.HyperParameters`."""
    import keras_tuner

    space = keras_tuner.HyperParameters()
    for name, (low, high, log, whole) in RANGES.items():
        kind = space.Int if whole else space.Float
        kind(name, low, high, sampling="log" if log else "linear")
    return space
