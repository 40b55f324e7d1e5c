"""Predicting with an exported model alone."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

import results
import spaces
from results import ResultError
from results.exporting.metadata import ModelInfo
from results.exporting.reading.answers import probabilities
from results.exporting.reading.loading import LoadedModel
from results.predicting.grid import draw_grid
from results.predicting.inputs import find_files, read_files
from results.predicting.output import as_table, chosen_format, write_predictions
from results.predicting.predictions import Prediction, _answers, _read
from results.predicting.show import show
from search.errors import DiskError
from spaces import DataInfo
from spaces.data.tables.encoding import ColumnEncoding


@pytest.fixture(scope="session")
def model(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported folder, somewhere else than it was made."""
    return Path(shutil.copytree(exported.directory, tmp_path_factory.mktemp("elsewhere") / "model"))


def certain(digits: Any, count: int) -> list[int]:
    """Test rows that the model classifies rightly, with confidence."""
    right = digits.expected.argmax(axis=1) == digits.data.test.y
    return [int(i) for i in np.flatnonzero(right & (digits.expected.max(axis=1) > 0.95))[:count]]


def saved(image: np.ndarray[Any, Any], path: Path, **options: Any) -> Path:
    Image.fromarray(image.astype(np.uint8)).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "savedmodel", "model.onnx", "model.tflite"])
def test_every_format_predicts_the_same(model: Path, digits: Any, name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", digits.data.test.x)
    found = results.predict(model / name, [tmp_path / "rows.npy"])
    assert [prediction.row for prediction in found] == list(range(len(digits.data.test)))
    probabilities = np.array([list(prediction.probabilities.values()) for prediction in found])
    np.testing.assert_allclose(probabilities, digits.expected, atol=1e-3)
    assert found[0].label == str(digits.expected[0].argmax())
    assert found[0].confidence == pytest.approx(digits.expected[0].max(), abs=1e-3)


def test_pictures_of_digits_however_they_were_saved(model: Path, digits: Any, tmp_path: Path) -> None:
    files, labels = [], []
    for index in certain(digits, 4):
        row = digits.data.test.x[index]
        stretched = np.rint(row / 16 * 255)
        colours = np.repeat(stretched[:, :, None], 3, axis=2)
        large = np.kron(stretched, np.ones((16, 16)))
        files += [
            saved(stretched, tmp_path / f"{index}-stretched.png"),
            saved(row, tmp_path / f"{index}-raw.png"),
            saved(colours, tmp_path / f"{index}-colours.PNG"),
            saved(large, tmp_path / f"{index}-large.bmp"),
            saved(large, tmp_path / f"{index}-large.jpg", quality=95),
        ]
        labels += [str(digits.data.test.y[index])] * 5
    found = results.predict(model, files)
    assert [prediction.label for prediction in found] == labels
    assert [prediction.file for prediction in found] == [str(file) for file in files]
    assert {prediction.row for prediction in found} == {None}
    # Stretched and raw are the same row.
    for stretched, raw in zip(found[::5], found[1::5], strict=True):
        np.testing.assert_array_equal(stretched.input, raw.input)
        assert stretched.confidence is not None
        assert stretched.confidence > 0.9


def test_rows_of_a_table_and_a_single_row(model: Path, digits: Any, tmp_path: Path) -> None:
    x = digits.data.test.x[:3]
    lines = [",".join(map(str, row.ravel())) for row in x]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    np.save(tmp_path / "one.npy", x[0])
    found = results.predict(model / "model.onnx", [tmp_path / "rows.csv", tmp_path / "one.npy"])
    assert [prediction.row for prediction in found] == [0, 1, 2, 0]
    assert [prediction.label for prediction in found[:3]] == [str(p.argmax()) for p in digits.expected[:3]]
    assert found[3].probabilities == pytest.approx(found[0].probabilities)


def test_a_folder_means_its_images_and_csv_has_a_line_for_each(model: Path, digits: Any, tmp_path: Path) -> None:
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    (tmp_path / "photos" / "Thumbs.db").write_bytes(b"no image")
    indexes = certain(digits, 3)
    for index, place in zip(indexes, ("b.png", "a.PNG", "inner/c.png"), strict=True):
        saved(np.rint(digits.data.test.x[index] / 16 * 255), tmp_path / "photos" / place, format="PNG")
    saved(np.zeros((8, 8)), tmp_path / "photos" / ".hidden.png")
    found = results.predict(model, [tmp_path / "photos"], inputs=1)
    assert [Path(one.file).name for one in found] == ["a.PNG", "b.png", "c.png"]
    assert [one.input.size for one in found] == [64, 0, 0]
    write_predictions(found, Console(), "csv", tmp_path / "found.csv")
    lines = list(csv.DictReader((tmp_path / "found.csv").open(newline="")))
    wanted = [str(digits.data.test.y[indexes[i]]) for i in (1, 0, 2)]
    assert [line["label"] for line in lines] == wanted
    assert [float(line[f"p_{label}"]) for line, label in zip(lines, wanted, strict=True)] == [
        float(line["confidence"]) for line in lines
    ]
    for path in (tmp_path / "photos", str(tmp_path / "photos")):
        assert [Path(one.file).name for one in results.predict(model, path, inputs=0)] == ["a.PNG", "b.png", "c.png"]
    assert len(results.predict(model, (tmp_path / "photos").glob("*.png"), inputs=0)) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResultError, match=r"empty: holds no file that the model takes; expected \.bmp"):
        results.predict(model, [tmp_path / "empty"])


def test_the_name_of_the_output_says_its_format(tmp_path: Path) -> None:
    assert [chosen_format(None, one) for one in (None, Path("a.CSV"), Path("a.json"))] == ["rich", "csv", "json"]
    with pytest.raises(ResultError, match=r"a\.xls: no format has this suffix"):
        chosen_format(None, Path("a.xls"))
    with pytest.raises(ResultError, match="--format xml"):
        chosen_format("xml", None)
    with pytest.raises(ResultError, match="there is no folder"):
        write_predictions([prediction("cat")], Console(), "json", tmp_path / "no" / "a.json")
    table = as_table([prediction(None)])
    assert table.rows == ({"file": "rows.csv", "row": 3, "value": 12.5},)


def test_a_name_that_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    found = [replace(prediction("cat"), file="caf\udce9.png")]
    for format in ("csv", "json", "rich"):
        write_predictions(found, Console(), format, tmp_path / format)
    assert "caf\\udce9.png" in (tmp_path / "csv").read_text()
    assert json.loads((tmp_path / "json").read_text())[0]["file"] == found[0].file


def test_a_name_that_steers_a_terminal_does_not_reach_csv(tmp_path: Path) -> None:
    write_predictions([replace(prediction("cat"), file="a\x1b[2Jb\x9b.png")], Console(), "csv", tmp_path / "csv")
    assert "a\ufffd[2Jb\ufffd.png,cat" in (tmp_path / "csv").read_text(encoding="utf-8")


def test_a_run_means_its_export(digits: Any, model: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(digits.directory, tmp_path / "run"))
    np.save(tmp_path / "row.npy", digits.data.test.x[0])
    with pytest.raises(ResultError, match="this run has no exported model yet; make one with `run-search export"):
        results.predict(run, [tmp_path / "row.npy"])
    shutil.copytree(model, run / "export")
    assert len(results.predict(run, [tmp_path / "row.npy"])) == 1


def test_without_metadata_classes_are_numbers(model: Path, digits: Any, tmp_path: Path) -> None:
    shutil.copy(model / "model.onnx", tmp_path / "lonely.onnx")
    np.save(tmp_path / "row.npy", digits.data.test.x[0])
    (found,) = results.predict(tmp_path / "lonely.onnx", [tmp_path / "row.npy"])
    assert found.label == str(digits.expected[0].argmax())
    assert list(found.probabilities) == [str(i) for i in range(10)]


def write(path: Path, content: bytes = b"") -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["t.pq", "t.parq", "t.parquet.gzip"])
def test_a_parquet_table_may_have_any_name(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    encodings = (ColumnEncoding("a", "number", "."),)
    info = spaces.DataInfo("tabular", (1,), "float32", "regression", "number", 1, columns=("a",), table=encodings)
    pd.DataFrame({"emb": [[1.0]] * 3, "a": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / name)
    (rows,) = read_files([tmp_path / name], info)
    assert rows.values.tolist() == [[1], [2], [3]]


def test_rows_may_be_lists_of_numbers() -> None:
    info = DataInfo("tabular", (2,), "float32", "classification", "integer", 2)
    for given, expected in (([[1, 2], [3, 4]], [[1, 2], [3, 4]]), ((5, 6), [[5, 6]])):
        [found] = _read(given, info, "refuse")
        np.testing.assert_array_equal(found.values, expected)
    with pytest.raises(ResultError, match="rows: holds values of type object, numbers are expected"):
        _read([{"a": 1}], info, "refuse")


@pytest.mark.parametrize("given", [5, None, b"a.png", iter([("a.png",)])])
def test_what_is_neither_files_nor_rows_is_told(given: Any) -> None:
    info = DataInfo("image", (8, 8), "uint8", "classification", "integer", 2, white=255.0)
    with pytest.raises(ResultError, match=r"^rows: found [a-zA-Z_]+; allowed: files and folders, a DataFrame, or an"):
        _read(given, info, "refuse")


def test_what_is_done_about_bad_files_is_one_of_two_words() -> None:
    with pytest.raises(ResultError, match="broken 'Skip': must be refuse or skip"):
        results.predict("model.keras", "a.png", broken="Skip")  # type: ignore[arg-type]


def test_bad_files_are_named(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "shape.npy", np.zeros((3, 9, 9)))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "scaled.npy", np.full((8, 8), 0.5))
    np.save(tmp_path / "bright.npy", np.full((8, 8), 255))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    bad = {
        "missing.png": "missing.png: no such file",
        "notes.docx": "notes.docx: unknown type of file; expected .bmp, .gif",
        "shape.npy": r"shape.npy: has shape \(3, 9, 9\), the model takes rows of shape \(8, 8\)",
        "text.npy": "text.npy: .*numbers are expected",
        "objects.npy": "objects.npy: .*objects",
        "bright.npy": "bright.npy: values go from 255 to 255; the model takes raw pixels from 0 to 16",
        "torn.png": "torn.png: is not a readable image",
        "empty.csv": "empty.csv",
        "scaled.npy": "scaled.npy",
    }
    write(tmp_path / "notes.docx")
    write(tmp_path / "torn.png", b"\x89PNG\r\n\x1a\n\0\0")
    write(tmp_path / "empty.csv")
    for name, message in bad.items():
        with pytest.raises(ResultError, match=message):
            results.predict(model, [tmp_path / name])
    with pytest.raises(ResultError, match="no file to predict"):
        results.predict(model, [])


def test_files_that_cannot_be_used_are_all_named_or_left_out(
    model: Path, digits: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pictures"
    (folder / "@eaDir").mkdir(parents=True)
    write(folder / "@eaDir" / "SYNOFILE_THUMB_M.jpg")
    image = digits.data.test.x[certain(digits, 1)[0]] * (255 / 16)
    for name in ("a.png", "c.png"):
        saved(image, folder / name)
    for name in ("b.png", "d.png"):
        write(folder / name, (folder / "a.png").read_bytes()[:60])
    with pytest.raises(ResultError, match=r"2 of 4 files cannot be used: .*b.png: is not .*; .*d.png: .*broken: skip"):
        results.predict(model, folder)
    found = results.predict(model, folder, broken="skip")
    assert [Path(one.file).name for one in found] == ["a.png", "c.png"]
    assert "2 of 4 files cannot be used" in caplog.text
    with pytest.raises(ResultError, match=r"b.png: is not a readable image"):
        results.predict(model, folder / "b.png", broken="skip")


def test_bad_models_are_named(model: Path, tmp_path: Path, digits: Any) -> None:
    np.save(tmp_path / "row.npy", digits.data.test.x[0])
    write(tmp_path / "model.pkl")
    write(tmp_path / "torn.keras", b"PK")
    write(tmp_path / "torn.onnx", b"torn")
    (tmp_path / "empty").mkdir()
    bad = {
        "missing.keras": "missing.keras: no such file or folder",
        "model.pkl": r"model.pkl: not an exported model; expected .keras, .h5, .onnx, .tflite or the folder of",
        "torn.keras": "torn.keras: cannot be loaded",
        "torn.onnx": "torn.onnx: cannot be loaded",
        "empty": "empty: no exported model here; expected model.keras",
    }
    for name, message in bad.items():
        with pytest.raises(ResultError, match=message):
            results.predict(tmp_path / name, [tmp_path / "row.npy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=9), "has format version 9, this program reads 1"),
        (lambda d: d["input"].update(input_shape=[4, 4]), "they do not belong together"),
        (lambda d: d["input"].update(input_shape=[10**12, "x"]), "impossible input shape"),
        (lambda d: d["input"].update(class_names=["a"]), "1 class names for 10 outputs"),
        (lambda d: d["input"].update(class_names=[1] * 10), "class names are not a list of texts"),
        (lambda d: d["input"].update(white="bright"), "impossible value of white"),
        (lambda d: d["input"].update(surprise=1), "not a readable metadata file"),
        (lambda d: d["output"].update(kind="magic"), "unknown kind of output"),
        (lambda d: d.pop("output"), "not a readable metadata file"),
    ],
)
def test_metadata_from_elsewhere_is_checked(
    model: Path, tmp_path: Path, digits: Any, change: Any, message: str
) -> None:
    shutil.copy(model / "model.onnx", tmp_path)
    described = json.loads((model / "metadata.json").read_text())
    change(described)
    (tmp_path / "metadata.json").write_text(json.dumps(described))
    shape = (4, 4) if described.get("input", {}).get("input_shape") == [4, 4] else (8, 8)
    np.save(tmp_path / "row.npy", np.zeros(shape))
    with pytest.raises(ResultError, match=message):
        results.predict(tmp_path / "model.onnx", [tmp_path / "row.npy"])


def _engine_that_fails(rows: Any) -> Any:
    raise RuntimeError("Non-zero status code\nwhile running Reshape")


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (_engine_that_fails, r"cannot predict \(RuntimeError: Non-zero status code while running Reshape\)"),
        (lambda rows: np.float32(1), r"cannot predict \(TypeError: "),
        (lambda rows: np.ones((1, 3)), r"predicts values of shape \(1, 3\) for 4 rows"),
        (lambda rows: np.ones((len(rows), 5)), r"predicts values of shape \(4, 5\) for 4 rows"),
    ],
)
def test_a_model_that_loads_and_cannot_answer_is_refused_by_name(run: Any, message: str) -> None:
    known = ModelInfo(DataInfo("tabular", (2,), "float32", "classification", "integer", 3), "probabilities", 3)
    with pytest.raises(ResultError, match=f"^model.onnx: {message}"):
        _answers(LoadedModel((2,), None, run), Path("model.onnx"), np.ones((4, 2), np.float32), known)


def test_names_that_no_file_can_have_are_told() -> None:
    info = DataInfo("tabular", (2,), "float32", "classification", "integer", 2)
    with pytest.raises(ResultError, match="aaa: cannot be read: File name too long"):
        results.predict("a" * 300, ["row.npy"])
    with pytest.raises(ResultError, match=r"aaa\.npy: cannot be read: File name too long"):
        list(read_files(find_files(["a" * 300 + ".npy"], info), info))
    with pytest.raises(ResultError, match="there is no folder"):
        write_predictions([prediction("cat")], Console(), "json", Path("a" * 300) / "a.json")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_code_in_a_keras_file_is_not_run(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    lambda_layer = keras.layers.Lambda(lambda x: [x, open("executed", "w")][0])  # noqa: SIM115
    file = tmp_path / f"evil.{suffix}"
    keras.Sequential([keras.Input((2,)), lambda_layer, keras.layers.Dense(2)]).save(file)
    (tmp_path / "executed").unlink()
    np.save(tmp_path / "row.npy", np.zeros(2))
    with pytest.raises(ResultError, match="Lambda layer, which is code; code in a model is never run"):
        results.predict(file, [tmp_path / "row.npy"])
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("operation", ["write", "read", "python"])
def test_a_saved_model_that_does_more_than_compute_is_refused(tmp_path: Path, operation: str) -> None:
    import tensorflow as tf

    target = str(tmp_path / "touched")

    def inner(x: Any) -> Any:
        if operation == "write":
            tf.io.write_file(target, "x")
        elif operation == "read":
            x = x + tf.cast(tf.strings.length(tf.io.read_file(target)), tf.float32)
        else:
            x = tf.ensure_shape(tf.py_function(lambda y: y, [x], tf.float32), (None, 2))
        return x

    class Evil(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            # Hidden in a branch that is its own function.
            return tf.cond(tf.reduce_sum(x) > -1.0, lambda: inner(x), lambda: x)

    evil = Evil()
    tf.saved_model.save(evil, str(tmp_path / "evil"), signatures={"serving_default": evil.__call__})
    np.save(tmp_path / "row.npy", np.zeros(2))
    with pytest.raises(ResultError, match=r"refused: it uses the operation (WriteFile|ReadFile|EagerPyFunc)"):
        results.predict(tmp_path / "evil", [tmp_path / "row.npy"])
    assert not Path(target).exists()


def test_a_lite_model_with_foreign_operations_is_refused(tmp_path: Path) -> None:
    import tensorflow as tf

    class Foreign(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((1, 2), tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return tf.raw_ops.Tan(x=x)

    foreign = Foreign()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([foreign.__call__.get_concrete_function()], foreign)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    file = write(tmp_path / "foreign.tflite", converter.convert())
    np.save(tmp_path / "row.npy", np.zeros(2))
    with pytest.raises(ResultError, match="refused: it uses the operation FlexTan"):
        results.predict(file, [tmp_path / "row.npy"])


def test_outputs_become_probabilities() -> None:
    one = np.array([[0.0], [2.0]])
    np.testing.assert_allclose(probabilities(one + 0.25, "probabilities")[0], [0.75, 0.25])
    np.testing.assert_allclose(probabilities(one, "logits"), [[0.5, 0.5], [0.119203, 0.880797]], atol=1e-6)
    several = probabilities(np.array([[1000.0, 1000.0, 0.0]]), "logits")
    np.testing.assert_allclose(several, [[0.5, 0.5, 0.0]])
    with pytest.raises(ResultError, match="NaN"):
        probabilities(np.array([[np.nan, 0.0]]), "logits")


def prediction(label: str | None = "[red]cat[/red]\n$x_1$", value: float = 0.5) -> Prediction:
    if label is None:
        return Prediction("rows.csv", 3, None, None, {}, (12.5,), np.zeros(2))
    probabilities = {label: 0.9, "dog": 0.08, "eel": 0.02}
    return Prediction("a[b].png", None, label, 0.9, probabilities, (), np.full((4, 4), value))


def test_json_holds_what_is_known() -> None:
    assert prediction("cat").to_json() == {
        "file": "a[b].png",
        "row": None,
        "label": "cat",
        "confidence": 0.9,
        "probabilities": {"cat": 0.9, "dog": 0.08, "eel": 0.02},
    }
    assert prediction(None).to_json() == {"file": "rows.csv", "row": 3, "values": [12.5]}


def test_the_terminal_shows_names_as_they_are() -> None:
    stream = io.StringIO()
    show([prediction()], Console(file=stream, width=100))
    text = stream.getvalue()
    assert "a[b].png" in text
    assert "[red]cat[/red] $x_1$" in text
    assert "90.0%" in text
    assert "dog 8.0%, eel 2.0%" in text
    stream = io.StringIO()
    show([replace(prediction(None), values=(12.5, 123_456.7))], Console(file=stream, width=100))
    assert "12.5; 123,457" in stream.getvalue()


def test_a_grid_is_drawn(tmp_path: Path) -> None:
    shown = [prediction(value=i / 12) for i in range(12)]
    assert draw_grid(shown, tmp_path / "grid.png") == 12
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.width > 1000
        gray = np.asarray(picture.convert("L"))
    assert gray.std() > 10
    dark = [Prediction("a.png", None, "a", 1.0, {"a": 1.0}, (), np.full((4, 4), 8, np.uint8), 16.0)]
    draw_grid(dark, tmp_path / "dark.png")
    with Image.open(tmp_path / "dark.png") as picture:
        middle = picture.convert("L").getpixel((picture.width // 2, picture.height * 3 // 5))
    assert middle == pytest.approx(128, abs=2)
    # Red, with a fourth channel.
    red = np.zeros((4, 4, 4), np.uint8)
    red[..., [0, 3]] = 255
    draw_grid([replace(dark[0], input=red, white=255.0)], tmp_path / "red.png")
    with Image.open(tmp_path / "red.png") as picture:
        found = picture.convert("RGB").getpixel((picture.width // 2, picture.height * 3 // 5))
    assert found == (255, 0, 0)
    assert draw_grid(shown[:1] * 300, tmp_path / "grid.png") == 100
    with pytest.raises(ResultError, match="these rows are none"):
        draw_grid([prediction(None)], tmp_path / "grid.png")
    with pytest.raises(ResultError, match="cannot be written"):
        draw_grid(shown, tmp_path / "no" / "grid.png")


def test_a_full_disk_under_a_grid_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(figure: Any, stream: Any, **options: Any) -> None:
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "grid.png").write_bytes(b"an earlier one")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(DiskError, match=r"grid.png: cannot be written \(No space left on device\)"):
        draw_grid([prediction(value=0.5)], tmp_path / "grid.png")
    assert (tmp_path / "grid.png").read_bytes() == b"an earlier one"
    assert len([*tmp_path.iterdir()]) == 1


@pytest.mark.parametrize(("name", "made", "begins"), [("a", "a.png", b"\x89PNG"), ("a.SVG", "a.SVG", b"<?xml")])
def test_the_ending_says_what_a_grid_is_written_as(tmp_path: Path, name: str, made: str, begins: bytes) -> None:
    draw_grid([prediction(value=0.5)], tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [made]
    assert (tmp_path / made).read_bytes().startswith(begins)
    with pytest.raises(ResultError, match=r"a.doc: cannot be written \(Format 'doc' is not supported"):
        draw_grid([prediction(value=0.5)], tmp_path / "a.doc")
    assert [path.name for path in tmp_path.iterdir()] == [made]
