"""Models of several inputs or outputs in every format: the names of their inputs, and the order of their outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from results.errors import ResultError
from results.exporting import card
from results.exporting.formats import FORMATS
from results.exporting.inference import inference_model, require_fitting
from results.exporting.reading.loading import Several, load
from results.exporting.writing import write_model
from results.predicting.inputs import find_files, held, read_files
from spaces import DataInfo
from spaces.values.packing import Piece, Structure, flat, pack_inputs, pack_targets, unpack_inputs
from tests.results.export.conftest import shown_code

ROWS = 5


def of_names() -> tuple[Any, Any]:
    """Keys that come in another order than the alphabet's, and Inputs that are called something else."""
    import keras

    table, image = keras.Input((4,), name="t"), keras.Input((6, 6, 1), dtype="uint8", name="i")
    pixels = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    both = keras.layers.Concatenate()([keras.layers.Dense(3)(table), keras.layers.Dropout(0.5)(pixels)])
    outputs = {"kind": keras.layers.Dense(3, activation="softmax")(both), "age": keras.layers.Dense(1)(both)}
    generator = np.random.default_rng(1)
    rows = {
        "table": generator.normal(size=(ROWS, 4)).astype("float32"),
        "image": generator.integers(0, 256, (ROWS, 6, 6, 1)).astype("uint8"),
    }
    return keras.Model({"table": table, "image": image}, outputs), rows


def of_places() -> tuple[Any, Any]:
    """A list of inputs, and of twelve outputs, which the alphabet would order in another way."""
    import keras

    words, number = keras.Input((3,), dtype="int32", name="words"), keras.Input((1,), name="number")
    known = keras.layers.Flatten()(keras.layers.Embedding(7, 2)(words))
    both = keras.layers.Concatenate()([known, number])
    outputs = [keras.layers.Dense(1, name=f"out{i}")(both) for i in range(12)]
    generator = np.random.default_rng(2)
    rows = (generator.integers(0, 7, (ROWS, 3)), generator.normal(size=(ROWS, 1)).astype("float32"))
    return keras.Model([words, number], outputs), rows


def of_flat_rows() -> tuple[Any, Any]:
    """Rows without an axis, which Keras takes for an Input of one value, and rows of one value for an Input without."""
    import keras

    one, none = keras.Input((1,), name="one"), keras.Input((), name="none")
    both = keras.layers.Concatenate()([one, keras.layers.Reshape((1,))(none)])
    generator = np.random.default_rng(4)
    rows = {
        "one": generator.normal(size=ROWS).astype("float32"),
        "none": generator.normal(size=(ROWS, 1)).astype("float32"),
    }
    return keras.Model({"one": one, "none": none}, keras.layers.Dense(2)(both)), rows


def of_one_input() -> tuple[Any, Any]:
    """One input, two outputs."""
    import keras

    inputs = keras.Input((4,), name="table")
    outputs = [keras.layers.Dense(2)(inputs), keras.layers.Dense(3)(inputs)]
    return keras.Model(inputs, outputs), np.random.default_rng(3).normal(size=(ROWS, 4)).astype("float32")


@pytest.mark.parametrize(
    "make",
    [of_names, of_one_input, *(pytest.param(one, marks=pytest.mark.night) for one in (of_places, of_flat_rows))],
)
def test_every_format_answers_as_the_model_in_memory(make, tmp_path):
    model, rows = make()
    expected = flat(model(rows, training=False))
    packed, structure = (rows, None) if isinstance(rows, np.ndarray) else pack_inputs(rows, "rows")
    _, targets = pack_targets((np.zeros((ROWS, 1)), np.zeros((ROWS, 1))), "targets")
    info: Any = SimpleNamespace(inputs=structure, targets=targets)
    fixed = inference_model(model, info)
    for format in (f for f in FORMATS.values() if f.name in ("keras", "h5", "savedmodel", "onnx", "tflite")):
        require_fitting(format, fixed, info)
        write_model(fixed, format, tmp_path / format.file)
        found = load(tmp_path / format.file, Several.of(info)).predict(packed)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=format.name)


def test_one_output_in_a_dict_is_that_output(tmp_path):
    import keras

    inputs = keras.Input((4,), name="table")
    model = keras.Model(inputs, {"digit": keras.layers.Dense(3)(inputs)})
    rows = np.random.default_rng(3).normal(size=(ROWS, 4)).astype("float32")
    expected = model(rows)["digit"].numpy()
    info: Any = SimpleNamespace(inputs=None, targets=None)
    fixed = inference_model(model, info)
    assert fixed.output_shape == (None, 3)
    for format in (FORMATS["keras"], FORMATS["savedmodel"]):
        write_model(fixed, format, tmp_path / format.file)
        loaded = load(tmp_path / format.file)
        assert loaded.outputs == 3
        np.testing.assert_allclose(loaded.predict(rows), expected, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "theirs.keras")
    np.testing.assert_allclose(load(tmp_path / "theirs.keras").predict(rows), expected, rtol=1e-4, atol=1e-5)


def test_the_code_of_the_card_gives_every_output_of_one_input(tmp_path, monkeypatch):
    class Session:
        def get_inputs(self):
            return [SimpleNamespace(name="table", type="tensor(float)")]

        def run(self, names, given):
            assert names is None
            return [given["table"][:, :1], given["table"][:, :3]]

    described = {
        "input": {"input_shape": [4], "dtype": "float32"},
        "output": {"parts": [{"name": "kind", "values": 1}, {"name": "age", "values": 3}]},
        "dtypes": ["float32"],
        "files": [{"format": "onnx", "file": "model.onnx"}],
    }
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=lambda file: Session()))
    (found,) = shown_code("\n".join(card._loading(described)), tmp_path, np.zeros((ROWS, 4)))
    assert [(answer.shape, answer.dtype) for answer in found] == [((ROWS, 1), np.float32), ((ROWS, 3), np.float32)]
    described["files"] = [{"format": "savedmodel", "file": "savedmodel"}, {"format": "tflite", "file": "model.tflite"}]
    told = "\n".join(card._loading(described))
    assert ".numpy()" not in told, "several outputs come in a dict or list"
    assert "get_signature_runner" in told


def test_rounded_formats_are_refused():
    model, rows = of_names()
    _, structure = pack_inputs(rows, "rows")
    info: Any = SimpleNamespace(inputs=structure, targets=None)
    with pytest.raises(ResultError, match="tflite-int8 is not written for it"):
        require_fitting(FORMATS["tflite-int8"], model, info)


def test_a_file_of_other_inputs_says_which_it_takes(tmp_path):
    model, rows = of_names()
    packed, structure = pack_inputs(rows, "rows")
    _, others = pack_inputs({"table": rows["table"], "photo": rows["image"]}, "rows")
    path: Path = tmp_path / "model.onnx"
    write_model(inference_model(model, SimpleNamespace(inputs=structure)), FORMATS["onnx"], path)
    with pytest.raises(ResultError, match="takes image, table, not table, photo"):
        load(path, Several(others)).predict(packed)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"words": np.array([[1, 2]]), "age": [[31]], "more": [1]}, None),
        ([np.array([[1.0, 2.0]]), np.array([[31]])], None),
        ({"words": np.array([[1, 2.5]]), "age": [[31]]}, "words holds numbers that are none of int32"),
        ({"words": np.array([["a", "b"]]), "age": [[31]]}, "words holds values of type <U1; numbers are expected"),
        ({"words": np.array([[1, 2]])}, "hold no age; the model takes words, age"),
        ([np.array([[1, 2]])], "are list of length 1; the model takes words, age, an array of each"),
        ({"words": np.array([[1, 2]]), "age": [31]}, r"age has shape \(1,\), the model takes rows of \(1,\)"),
    ],
)
def test_rows_of_other_types_are_taken_where_their_numbers_stay_the_same(
    given: Any, told: str | None, tmp_path: Path
) -> None:
    structure = Structure((Piece("words", (2,), "int32"), Piece("age", (1,), "float32")), named=True)
    info = DataInfo("tabular", (12,), "uint8", "classification", "integer", 2, inputs=structure)
    if told is None:
        found = unpack_inputs(held(given, info).values, structure)
        np.testing.assert_array_equal(found["words"], [[1, 2]])
        np.testing.assert_array_equal(found["age"], [[31]])
        return
    with pytest.raises(ResultError, match=f"rows: {told}"):
        held(given, info)
    if isinstance(given, dict) and len(given) == 2:
        np.savez(tmp_path / "rows.npz", **given)
        with pytest.raises(ResultError, match=f"rows.npz: {told}"):
            list(read_files([tmp_path / "rows.npz"], info))


def test_a_folder_means_the_files_that_the_model_takes(tmp_path: Path) -> None:
    structure = Structure((Piece("table", (4,), "float32"), Piece("age", (1,), "float32")), named=True)
    info = DataInfo("tabular", (5,), "float32", "classification", "integer", 2, inputs=structure)
    for name in ("b.npz", "a.npy", "c.csv"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_files([tmp_path], info)] == ["a.npy", "b.npz"]
    (tmp_path / "folder" / "linked").mkdir(parents=True)
    (tmp_path / "folder" / "d.npy").write_bytes(b"")
    (tmp_path / "folder" / "linked" / "e.npy").write_bytes(b"")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "down").symlink_to(tmp_path / "folder" / "linked", target_is_directory=True)
    (inner / "up").symlink_to(tmp_path, target_is_directory=True)
    assert find_files([inner], info) == [inner / "down" / "e.npy"]
    (inner / "f.npy").symlink_to(tmp_path / "unmounted")
    with pytest.raises(ResultError, match=r"f\.npy: is a link that leads nowhere"):
        list(read_files(find_files([inner], info), info))


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (("run.sqlite", "report/accuracy.png"), "a run"),
        (("metadata.json", "model.onnx", "picture.png"), "an exported model"),
        (("saved_model.pb", "picture.png"), "an exported model"),
        (("metadata.json", "picture.png"), None),
    ],
)
def test_a_folder_that_is_a_run_or_a_model_is_not_taken_for_pictures(
    tmp_path: Path, files: Any, what: str | None
) -> None:
    info = DataInfo("image", (8, 8, 1), "uint8", "classification", "integer", 2)
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    if what is None:
        assert [path.name for path in find_files([tmp_path], info)] == ["picture.png"]
        return
    with pytest.raises(ResultError, match=f"is {what}, and not rows to predict; one model comes first, then files"):
        find_files([tmp_path], info)
