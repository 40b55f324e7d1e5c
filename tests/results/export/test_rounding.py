"""Files whose weights are rounded: calibrated on training rows, measured on test rows, refused if it costs too much."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import results
import search
import spaces
from results.errors import ResultError
from results.exporting import rounding
from results.exporting.exported import _Rounding
from results.exporting.formats import FORMATS
from results.exporting.reading.loading import load
from results.exporting.rounding import RoundingLoss, RunRows
from search.files import layout
from search.files.store import RunReader, Work
from search.record.trial import TrialKind
from spaces import DataInfo, Dataset, Split

SPACE = """\
name: rounded
data: {source: digits, validation: 0.2, test: 0.2}
model: {family: cnn, blocks: 1, filters: 8, batch_normalization: true, global_pooling: max, output: logits}
training: {epochs: 4, batch_size: [32], learning_rate: 0.01}
search: {algorithm: random}
export: {formats: [tflite, tflite-float16, tflite-int8], quantisation_loss: 0.02}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> Any:
    file = tmp_path_factory.mktemp("space") / "space.yaml"
    file.write_text(SPACE, encoding="utf-8")
    spec = spaces.load(file)
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {"batch_size": 32})
    model = spaces.build_model(settings, data.info, seed=4)
    model.fit(data.train.x, data.train.y, epochs=4, verbose=0)
    return spec, data, settings, model


def run_of(write_run: Any, made: Any) -> Any:
    _, data, settings, model = made
    run = write_run(SPACE, data)
    run.trial("0000", TrialKind.SEARCH, settings, 0.5, best=run.weights("0000", model.get_weights()))
    run.rows(data.test.x, data.test.y)
    return run


@pytest.mark.night
def test_rounded_files_are_smaller_and_their_accuracy_stands_beside_that_of_the_model(
    write_run: Any, made: Any
) -> None:
    _, data, _, model = made
    run = run_of(write_run, made)
    result = results.export(run.directory)
    assert [file.failure for file in result.files] == [None] * 3
    described = json.loads((result.directory / "metadata.json").read_text(encoding="utf-8"))
    entries = {entry["format"]: entry for entry in described["files"]}
    assert entries["tflite"]["rounding"] is None
    expected = float(np.mean(model.predict(data.test.x, verbose=0).argmax(axis=1) == data.test.y))
    card = (result.directory / "model_card.md").read_text(encoding="utf-8")
    for name in ("float16", "int8"):
        found = entries[f"tflite-{name}"]["rounding"]
        file = result.directory / f"model-{name}.tflite"
        answers = load(file).predict(data.test.x)
        assert found == {
            "measure": "accuracy", "part": "test", "rows": len(data.test), "model": pytest.approx(expected),
            "file": pytest.approx(float(np.mean(answers.argmax(axis=1) == data.test.y))),
        }  # fmt: skip
        assert f"{file.name} is rounded: accuracy {found['file']:.4f}" in card
    difference = {name: entries[f"tflite-{name}"]["verification"]["difference"] for name in ("float16", "int8")}
    assert 0 < difference["float16"] < difference["int8"]
    again = results.export(run.directory, formats=["keras"])
    kept = json.loads((again.directory / "metadata.json").read_text(encoding="utf-8"))["files"]
    assert [entry for entry in kept if entry["format"] != "keras"] == list(entries.values())


def test_a_file_that_loses_too_much_is_refused_with_both_scores(
    write_run: Any, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(write_run, made)
    lost = RoundingLoss("accuracy", "test", 360, 0.9, 0.93)
    monkeypatch.setattr(RunRows, "loss", lambda *_: lost)
    result = results.export(run.directory, formats=["tflite", "tflite-float16"])
    assert not result.verified
    refused = result.files[1]
    assert refused.path is None
    assert refused.failure == (
        "rounding costs too much: accuracy 0.9000 on 360 test rows, that of the model is 0.9300; allowed is a loss of "
        "0.02 (export.quantisation_loss)"
    )
    assert not (result.directory / "model-float16.tflite").exists()
    assert (result.directory / "model.tflite").exists()


def test_they_are_calibrated_on_training_rows_of_the_same_data(write_run: Any, made: Any) -> None:
    spec, data, _, _ = made
    run = run_of(write_run, made)
    with RunReader(run.directory) as reader:
        rows = RunRows(spec, reader, data.info).calibration()
        changed = RunRows(spaces.load(spec, ["data.seed=9"]), reader, data.info)
    train = {row.tobytes() for row in data.train.x}
    assert len(rows) == 100
    assert all(row.tobytes() in train for row in rows)
    with pytest.raises(ResultError, match="the data are no longer the same"):
        changed.calibration()


def test_as_long_as_reading_took_it_is_reckoned_with(tmp_path: Any) -> None:
    work = [Work("data", 10.0, 250.0), Work("export", 300.0, 900.0), Work("data", 1000.0, 1001.0)]
    reader = SimpleNamespace(directory=tmp_path, meta=lambda _: {}, work=lambda: work)
    rows = RunRows(None, reader, None)  # type: ignore[arg-type]
    assert rows.seconds == 240.0
    costs = object.__new__(_Rounding)
    costs.rows = rows
    assert [costs.reading([FORMATS[name] for name in names]) for names in (["keras"], ["keras", "tflite-int8"])] == [
        0.0, 240.0,
    ]  # fmt: skip
    (tmp_path / layout.SAMPLE).parent.mkdir()
    (tmp_path / layout.SAMPLE).touch()
    assert rows.seconds == 0.0


SHUFFLED = """
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

def rows():
    digits = load_digits()
    order = np.random.default_rng().permutation(len(digits.target))
    images = digits.images[order].astype("uint8")
    return tf.data.Dataset.from_tensor_slices((images, digits.target[order])).batch(100)
"""


@pytest.mark.night
def test_rows_of_a_data_set_that_comes_in_another_order_are_kept(tensorflow: None, tmp_path: Any) -> None:
    (tmp_path / "mine.py").write_text(SHUFFLED)
    spec = spaces.load({
        "name": "shuffled",
        "data": {"source": {"python": f"{tmp_path / 'mine.py'}:rows"}, "validation": 0.2, "test": 0.2},
        "model": {"family": "mlp", "layers": 1, "units": 16},
        "training": {"epochs": 1},
        "search": {"algorithm": "random", "max_trials": 1},
        "final": {"candidates": 1, "seeds": 0},
        "export": {"formats": ["tflite-float16", "tflite-int8"], "quantisation_loss": 1},
    })  # fmt: skip
    run = search.run(spec, run_dir=tmp_path / "run", workers=0, check=False, quiet=True)
    assert not (run.directory / layout.ROWS).exists()
    result = results.export(run)
    assert [file.failure for file in result.files] == [None, None]
    with run.read() as reader:
        rows = reader.meta("data")["rows"]["test"]
    assert [(file.rounding.part, file.rounding.rows) for file in result.files if file.rounding] == [("test", rows)] * 2
    assert search.resume(run.directory, workers=0, quiet=True).directory == run.directory, "there is nothing to do"
    (run.directory / layout.SAMPLE).write_bytes(b"torn")
    (refused,) = results.export(run, formats=["tflite-float16"]).files
    assert "sample.npz: damaged" in str(refused.failure)


@pytest.mark.parametrize(
    ("task", "logits", "answers", "y", "expected"),
    [
        ("classification", True, [[0.1], [-0.2], [0.3]], [1, 0, 0], 2 / 3),
        ("classification", False, [[0.6], [0.4], [0.3]], [1, 1, 0], 2 / 3),
        # As Keras counts: exactly one half is the first class.
        ("classification", False, [[0.5], [0.6]], [0, 1], 1.0),
        ("classification", True, [[0.0], [0.1]], [0, 1], 1.0),
        ("regression", False, [[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0], 1 - 1 / 2),
        # One target is met, the other, of a smaller unit, is lost.
        ("regression", False, [[0.0, 1e4], [0.0, 2e4]], [[0.0, 1e4], [1.0, 2e4]], (1 - 2 + 1) / 2),
        ("regression", False, [[1e-9], [1e-9]], [1e-9, 3e-9], 1 - 2),
        ("regression", False, [[2.0, 1.0], [3.0, 1.0]], [[2.0, 1.0], [3.0, 1.0]], 1.0),
    ],
)
def test_what_is_compared(task: Any, logits: bool, answers: Any, y: Any, expected: float, made: Any) -> None:
    info = replace(made[1].info, task=task, labels="integer" if task == "classification" else "number")
    rows = object.__new__(RunRows)
    rows._info = info
    assert rows._score(np.array(answers), np.array(y), logits) == pytest.approx(expected)


def test_a_model_that_takes_whole_numbers_is_calibrated_with_such(tensorflow: None, tmp_path: Any) -> None:
    import keras

    from results.exporting.writing import write_model

    rows = np.random.default_rng(0).integers(0, 20, (30, 6))
    inputs = keras.Input((6,), dtype="int32")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(20, 4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    format = FORMATS["tflite-int8"]
    write_model(model, format, tmp_path / format.file, lambda: rows)
    found = load(tmp_path / format.file).predict(rows)
    np.testing.assert_allclose(found, model.predict(rows, verbose=0), atol=0.02)


ROWS = DataInfo("tabular", (3,), "float32", "classification", "integer", 2, ("no", "yes"))
X = np.random.default_rng(0).random((600, 3), np.float32)
KEPT = {"calibration": X[:5], "x": X, "y": (X[:, 0] > 0.5).astype(np.int32)}


def kept(folder: Any, info: DataInfo = ROWS, **arrays: Any) -> RunRows:
    """The rows of a run that kept these."""
    (folder / layout.SAMPLE).parent.mkdir(exist_ok=True)
    np.savez(folder / layout.SAMPLE, **{**KEPT, **arrays})
    reader: Any = SimpleNamespace(directory=folder, meta=lambda _: {"rows": {"test": 600}}, work=list)
    return RunRows(None, reader, info)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "arrays"),
    [
        ("integer", {"y": KEPT["y"][:, None]}),
        ("integer", {"y": np.zeros(())}),
        ("one-hot", {}),
        ("multi-label", {"y": np.zeros((600, 3))}),
        ("number", {}),
        ("integer", {"x": X[:0], "y": KEPT["y"][:0]}),
        ("integer", {"calibration": X[:0]}),
        ("integer", {"weight": np.zeros(600)}),
        ("integer", {"weight": np.ones(5)}),
    ],
)
def test_kept_rows_that_are_not_those_of_the_model_are_refused(tmp_path: Any, labels: Any, arrays: Any) -> None:
    assert len(kept(tmp_path).calibration()) == 5
    with pytest.raises(ResultError, match="holds no rows that the model takes"):
        kept(tmp_path, replace(ROWS, labels=labels), **arrays).calibration()


def test_rows_are_measured_in_portions_and_count_with_their_weights(tmp_path: Any, monkeypatch: Any) -> None:
    asked: list[int] = []

    def answer(rows: Any, verbose: int) -> Any:
        asked.append(len(rows))
        return rows[:, :1]

    file = SimpleNamespace(predict=lambda rows: np.zeros((len(rows), 1)))
    monkeypatch.setattr(rounding, "load", lambda _: file)
    model: Any = SimpleNamespace(predict=answer)
    weight = np.where(KEPT["y"] == 1, 3.0, 1.0)
    found = kept(tmp_path, weight=weight).loss(tmp_path / "model-int8.tflite", model, logits=False)
    assert (sum(asked), max(asked)) == (600, 256)
    assert (found.model, found.rows) == (1.0, 600)
    assert found.file == pytest.approx(weight[KEPT["y"] == 0].sum() / weight.sum())
    regression = kept(tmp_path, replace(ROWS, task="regression", labels="number", outputs=1))
    answers, y = np.array([[1.5], [2.0], [0.0]]), np.array([1.0, 2.0, 9.0])
    told = regression._score(answers, y, False, np.array([1.0, 2.0, 0.0]))
    assert told == pytest.approx(1 - 0.25 / ((1 - 5 / 3) ** 2 + 2 * (2 - 5 / 3) ** 2))


def test_no_row_of_weight_0_is_measured() -> None:
    part = Split(X, KEPT["y"], (np.arange(600) % 3 == 0).astype(np.float32))
    sample = Dataset("rows", ROWS, part, part, part, "", "").sample().measured
    assert sample.weight is not None
    assert (len(sample), sample.weight.min()) == (200, 1.0)
    alike = Dataset("rows", ROWS, Split(X, part.y), Split(X, part.y), None, "", "").sample().measured
    assert alike.weight is None
    assert len(alike) == 600
