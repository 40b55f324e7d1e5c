"""A run on digits with a small model that has really been trained, and its export in every format."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from search.files import checkpoint, layout
from search.files.store import Evaluation, RunStore
from search.record.trial import Checkpoint, Epoch, Outcome, Stop, Trial, TrialKind, TrialState

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FORMATS = ("keras", "h5", "savedmodel", "onnx", "tflite")

SPACE = """\
name: digits-small
data: {source: digits, validation: 0.2, test: 0.2}
model: {family: mlp, layers: [1, 2], units: {shared: 48}, dropout: 0.2, batch_normalization: true}
training: {epochs: 20, learning_rate: 0.01}
search: {algorithm: random, max_trials: 3}
baselines: [{name: plain, values: {layers: 1}}]
export: {formats: [keras, h5, savedmodel, onnx, tflite]}
"""

Arrays = list[np.ndarray[Any, np.dtype[Any]]]


class RunWriter:
    """Writes the records of a run around weights that were trained elsewhere."""

    def __init__(self, directory: Path, space: str, data: spaces.Dataset) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / layout.SPACE).write_text(space, encoding="utf-8")
        rows = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test or ())}
        meta = {
            "name": "digits-small",
            "objective": {"name": "val_accuracy", "direction": "max"},
            "algorithm": "random",
            "seed": 7,
            "versions": {"python": "3.11", "keras": "3"},
            "data": {
                "name": data.name,
                "origin": "a private/folder",
                "fingerprint": data.fingerprint,
                "rows": rows,
                "info": data.info.to_json(),
            },
            "winner": None,
        }
        RunStore.create(directory, meta).close()

    def weights(self, trial: str, arrays: Arrays, epoch: int = 20) -> Checkpoint:
        file = f"{layout.trial_folder(trial)}/best.npz"
        return checkpoint.write(self.directory, file, {"weights": arrays}, epoch)

    def trial(
        self,
        trial: str,
        kind: TrialKind,
        settings: spaces.Settings,
        score: float | None,
        *,
        best: Checkpoint | None = None,
        last: Checkpoint | None = None,
        configuration: str | None = None,
        name: str = "",
        parent: str | None = None,
    ) -> None:
        record = Trial(
            trial, configuration or trial, kind, name, settings.values, settings.to_json(), 1, 0, 20, parent,
            TrialState.RUNNING, None, 1.0, None,
        )  # fmt: skip
        epochs = (Epoch(20, {"val_accuracy": score or 0.0}, 0.1, 0.1),)
        outcome = Outcome(
            epochs=epochs, score=score, best_epoch=20, stopped=Stop.LENGTH, parameters=4000, best=best, last=last
        )
        with RunStore(self.directory) as store:
            store.begin(record)
            store.finish(trial, outcome, 2.0)

    def rows(self, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
        (self.directory / layout.EVALUATION).mkdir()
        np.savez(self.directory / layout.TEST_ROWS, x=x[:64], y=y[:64])

    def evaluation(self, trial: str, accuracy: float, rows: int) -> None:
        with RunStore(self.directory) as store:
            file = layout.evaluation_file(trial)
            store.add_evaluation(Evaluation(trial, "test", {"accuracy": accuracy}, rows, 0.1, file, 3.0))

    def meta(self, **facts: Any) -> None:
        with RunStore(self.directory) as store:
            store.put_meta(**facts)


def shown_code(card: str, folder: Path, rows: Any) -> list[Any]:
    """What each piece of code in a model card gives, which is run in a folder."""
    found = []
    for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
        *lines, last = code.replace("ai_edge_litert.interpreter", "tensorflow.lite.python.interpreter").splitlines()
        names = {"rows": rows}
        with contextlib.chdir(folder):
            exec("\n".join(lines), names)
            found.append(eval(last, names))
    return found


@dataclass(frozen=True)
class Digits:
    """The trained digits model and where it is recorded.

    Attributes:
        directory: A finished run: configurations 0000 (better) and 0001, a baseline, candidates, the winner.
        data: The digits.
        settings: Those of the winner.
        weights: Those of the winner.
        expected: The winner's predictions on the test part.
        accuracy: Of the winner on the test part.
    """

    directory: Path
    data: spaces.Dataset
    settings: spaces.Settings
    weights: Arrays
    expected: np.ndarray[Any, np.dtype[Any]]
    accuracy: float


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    """See `Digits`. The run is for reading: tests that change it copy it."""
    spec = _loaded(tmp_path_factory)
    data = spaces.load_data(spec)
    assert data.test is not None
    settings = spaces.configure(spec, {"layers": 1})
    model = spaces.build_model(settings, data.info, seed=1)
    model.fit(data.train.x, data.train.y, batch_size=64, epochs=12, verbose=0)
    expected = model.predict(data.test.x, batch_size=512, verbose=0)
    accuracy = float((expected.argmax(axis=1) == data.test.y).mean())
    weights = model.get_weights()
    run = RunWriter(tmp_path_factory.mktemp("runs") / "digits-run", SPACE, data)
    other = [array + 0.25 for array in weights]
    run.trial("0000", TrialKind.SEARCH, settings, 0.97, best=run.weights("0000", other))
    deeper = spaces.configure(spec, {"layers": 2})
    run.trial("0001", TrialKind.SEARCH, deeper, 0.90)
    plain, kept = spaces.configure_baseline(spec, spec.baselines[0]), run.weights("baseline-plain", other)
    run.trial("baseline-plain", TrialKind.BASELINE, plain, 0.91, name="plain", best=kept)
    for seed, score in enumerate((0.95, 0.96)):
        run.trial(f"candidate-0000-{seed}", TrialKind.CANDIDATE, settings, score, configuration="0000")
    last = run.weights("winner-0000", weights, epoch=12)
    run.trial("winner-0000", TrialKind.WINNER, settings, None, last=last, configuration="0000", parent="0000")
    run.rows(data.test.x, data.test.y)
    run.evaluation("winner-0000", accuracy, len(data.test))
    run.meta(winner="winner-0000")
    return Digits(run.directory, data, settings, weights, expected, accuracy)


def _loaded(tmp_path_factory: pytest.TempPathFactory) -> spaces.SearchSpec:
    file = tmp_path_factory.mktemp("space") / "space.yaml"
    file.write_text(SPACE, encoding="utf-8")
    return spaces.load(file)


@pytest.fixture(scope="session")
def exported(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The `ExportResult` of the digits winner in all formats, in a folder away from the run."""
    pytest.importorskip("tf2onnx")
    import results

    return results.export(digits.directory, formats=FORMATS, output=tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[[str, spaces.Dataset], RunWriter]:
    """`write_run(space, data)` gives the writer of an empty run."""
    return lambda space, data: RunWriter(tmp_path / "run", space, data)
