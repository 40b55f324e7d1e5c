"""The serving bundle: what people have goes in, class names and probabilities come out; plain scripts do the same."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
from results.exporting.formats import FORMATS
from results.exporting.metadata import read_model_info
from results.exporting.serving import scripts
from results.exporting.serving.inputs import served_inputs
from results.exporting.serving.samples import cells
from spaces import DataInfo
from spaces.data.tables.encoding import ColumnEncoding

PHOTOS = DataInfo("image", (18, 20, 3), "uint8", "classification", "integer", 2, ("a", "b"), resized=True, white=255.0)
COLUMNS = (
    ColumnEncoding("hours per week", "number", ".", fill=40.0, missing=True),
    ColumnEncoding("Hours_per_week", "number", ",", fill=1.5),
    ColumnEncoding("größe", "category", values=("klein", "groß"), other=True, missing=True),
    ColumnEncoding("town", "category", values=("A", "NA"), other=True),
    ColumnEncoding("owner", "boolean", values=("nein", "ja"), fill=1.0, missing=True),
    ColumnEncoding("note", "text", values=("big", "öl"), missing=True),
    ColumnEncoding("sold", "date", "%d.%m.%Y", fill=18000.5),
    ColumnEncoding("seen", "date", "%d.%m.%Y %H:%M", fill=18000.25, missing=True, times=True),
)
WIDTH = sum(len(column.inputs) for column in COLUMNS)
TABLE = DataInfo(
    "tabular", (WIDTH,), "float32", "classification", "integer", 2, ("no", "yes"),
    columns=tuple(column.name for column in COLUMNS), table=COLUMNS,
)  # fmt: skip


def test_columns_have_names_that_tensorflow_takes_and_tells_apart() -> None:
    names = [(one.name, one.dtype) for one in served_inputs(TABLE)]
    assert names == [
        ("hours_per_week", "float32"),
        ("Hours_per_week_2", "float32"),
        ("gr__e", "string"),
        ("town", "string"),
        ("owner", "string"),
        ("note", "string"),
        ("sold", "string"),
        ("seen", "string"),
    ]


@pytest.mark.parametrize("format", ["keras", "h5", "savedmodel", "onnx", "tflite", "tflite-int8"])
def test_scripts_are_short_and_do_only_what_their_rows_need(format: str) -> None:
    text = scripts.script(format, PHOTOS, "logits", 2)
    ast.parse(text)
    assert len([line for line in text.splitlines() if line.strip()]) <= 38
    assert "nightshift" not in text.lower()
    assert "csv" not in text
    numbers = DataInfo("tabular", (1,), "float32", "regression", "number", 1, columns=("x",))
    plain = scripts.script(format, numbers, "values", 1)
    ast.parse(plain)
    assert "date" not in plain
    assert "classes" not in plain


@pytest.mark.parametrize("format", ["savedmodel", "onnx", "tflite", "tflite-int8"])
def test_scripts_give_a_model_of_whole_numbers_such(format: str) -> None:
    words = DataInfo("tabular", (6,), "float32", "classification", "integer", 2)
    text = scripts.script(format, words, "probabilities", 2, dtype="int32")
    ast.parse(text)
    assert "int32" in text
    assert "float32" not in text


def test_a_signature_is_held_against_weights_that_are_not_rounded(tmp_path: Path, monkeypatch: Any) -> None:
    from results.exporting import writing
    from results.exporting.serving import bundle

    written: list[Path] = []
    monkeypatch.setattr(writing, "write_model", lambda model, format, path: written.append(path))
    model: Any = None
    assert bundle._unrounded(model, ["tflite-int8", "onnx"], tmp_path) == "model.onnx"
    assert not written
    name = bundle._unrounded(model, ["tflite-int8"], tmp_path)
    assert written == [tmp_path / name]
    assert name not in [known.file for known in FORMATS.values()], "it would take the place of an earlier export"


def test_cells_are_what_a_plain_csv_file_has() -> None:
    assert cells(COLUMNS[0], np.array([[40.0, 1.0], [1.25, 0.0]])) == ["", "1.25"]
    assert cells(COLUMNS[2], np.array([[0, 1, 0, 0], [0, 0, 1, 0]])) == ["groß", "never seen before"]
    assert cells(COLUMNS[7], np.array([[19789.5, 0, 0, 0, 0, 0, 0]])) == ["2024-03-07 12:00:00"]


@pytest.mark.parametrize(
    ("column", "written"),
    [
        (
            ColumnEncoding("floor", "category", values=("0", "1.0", "top"), other=True),
            {"0": 0, "0.0": 0, " 1": 1, "1.0": 1, "top": 2, "2": 3},
        ),
        (ColumnEncoding("sold", "category", values=("True",), missing=True), {"TRUE": 0, "true": 0, "True": 0, "?": 1}),
        # That a text is one of the known words does not make it one that says something.
        (ColumnEncoding("note", "text", values=("big", "none"), missing=True), {"big": 0, "none": 2, "None": 2}),
        (ColumnEncoding("note", "text", values=("big", "none")), {"big": 0, "none": 1}),
    ],
)
def test_cells_that_are_written_in_other_ways_are_served(
    tmp_path: Path, tensorflow: Any, column: ColumnEncoding, written: dict[str, int]
) -> None:
    import tensorflow as tf

    from results.exporting.serving.columns import encoded

    given, width = list(written), len(column.inputs)
    expected = np.eye(width)[list(written.values())].tolist()
    assert encoded(column, tf.constant(given)).numpy().tolist() == expected
    assert read_by_a_script(tmp_path, column, given) == expected
    assert "aliases" not in scripts.script("onnx", TABLE, "logits", 2)


def test_scripts_read_cells_that_hold_documents(tmp_path: Path) -> None:
    column = ColumnEncoding("note", "text", values=("big",))
    assert read_by_a_script(tmp_path, column, ["a" * 200_000, "big " * 50_000]) == [[0.0], [1.0]]
    assert scripts._LONG_CELLS in scripts.signature_script(TABLE, "logits")
    assert "csv" not in scripts.signature_script(PHOTOS, "logits")


def test_scripts_know_columns_with_blanks_around_their_names(tmp_path: Path) -> None:
    # A frame that pandas has read from such a file has them in its names.
    for name, header in (("b", " b"), (" b", "b"), (" b", " b")):
        assert read_by_a_script(tmp_path, ColumnEncoding(name, "number"), ["1.5"], header) == [[1.5]]
    framed = replace(TABLE, columns=(" b",), table=(ColumnEncoding(" b", "number"),))
    text = scripts.signature_script(framed, "logits")
    assert set(scripts._CELLS) <= set(text.splitlines())
    assert "row['b']" in text


def test_scripts_take_lines_that_lack_cells_and_names_that_cannot_be_printed(tmp_path: Path) -> None:
    town, size = ColumnEncoding("town", "category", values=("A",), missing=True), ColumnEncoding("size", "number")
    assert rows_of(ask_a_script(tmp_path, (size, town), "size,town\n1,A\n2\n")) == [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]
    hidden = (replace(size, name="si\\u200bze"),)
    assert rows_of(ask_a_script(tmp_path, hidden, "si\u200bze\n3\n")) == [[3.0]]
    assert "unicode_escape" not in scripts.script("onnx", TABLE, "logits", 2)
    for table in (TABLE, replace(TABLE, columns=(hidden[0].name,), table=hidden)):
        text = scripts.signature_script(table, "logits")
        ast.parse(text)
        assert set(scripts._cells(table)) <= set(text.splitlines())


@pytest.mark.parametrize("text", ["", "size\n"])
def test_scripts_say_of_a_table_without_rows_that_it_has_none(tmp_path: Path, text: str) -> None:
    done = ask_a_script(tmp_path, (ColumnEncoding("size", "number"),), text)
    assert (done.returncode, done.stderr.strip()) == (1, f"{tmp_path / 'new.csv'}: holds no rows")
    assert set(scripts._ROWS) <= set(scripts.signature_script(TABLE, "logits").splitlines())


def read_by_a_script(folder: Path, column: ColumnEncoding, given: Sequence[str], header: str = "") -> Any:
    """What a script makes of the cells of a table with one column."""
    text = f"{header or column.name}\n" + "".join(f"{cell}\n" for cell in given)
    return rows_of(ask_a_script(folder, (column,), text))


def rows_of(done: subprocess.CompletedProcess[str]) -> Any:
    """The rows that a script has printed."""
    assert not done.returncode, done.stderr
    return ast.literal_eval(done.stdout)


def ask_a_script(folder: Path, columns: tuple[ColumnEncoding, ...], text: str) -> subprocess.CompletedProcess[str]:
    """Lets a script print what it makes of a table."""
    info = DataInfo(
        "tabular", (sum(len(column.inputs) for column in columns),), "float32", "regression", "number", 1,
        columns=tuple(column.name for column in columns), table=columns,
    )  # fmt: skip
    (folder / "columns.json").write_text(json.dumps(scripts.table(info)), encoding="utf-8")
    lines = scripts.script("onnx", info, "values", 1).splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith("    answers = "))
    read = [line for line in lines[:end] if "session" not in line and "onnxruntime" not in line]
    (folder / "read.py").write_text("\n".join([*read, "    print(rows.tolist())"]), encoding="utf-8")
    (folder / "new.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, str(folder / "read.py"), str(folder / "new.csv")]
    return subprocess.run(command, capture_output=True, check=False, text=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tensorflow: Any) -> tuple[Path, dict[str, Any]]:
    """A model of columns of every kind with its bundle, and what is said about it."""
    import keras

    from results.exporting.serving.bundle import make_bundle

    folder = tmp_path_factory.mktemp("serving")
    inputs = keras.Input((WIDTH,))
    names = [name for column in COLUMNS for name in column.inputs]
    scales = [1e8 if "1970" in name else 4e6 if "year" in name else 400.0 if "eek" in name else 1.0 for name in names]
    scaled = keras.layers.Normalization(mean=[0.0] * WIDTH, variance=scales)(inputs)
    keras.utils.set_random_seed(1)
    model = keras.Model(
        inputs, keras.layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(0, 0.3))(scaled)
    )
    model.save(folder / "model.keras")
    rows = np.zeros((6, WIDTH), np.float32)
    rows[:, 0], rows[:, 2], rows[:, 4], rows[:, 7] = 1.25, 0.125, 1, 1
    rows[:, -7] = np.linspace(-20_000, 40_000, 6)
    np.savez(folder / "rows.npz", rows=rows, expected=model.predict(rows, verbose=0))
    described = {
        "format_version": 1,
        "input": TABLE.to_json(),
        "output": {"kind": "logits", "units": 2, "classes": ["no", "yes"]},
        "files": [{"format": "keras", "file": "model.keras"}],
    }
    return folder, make_bundle(model, TABLE, described, folder)


@pytest.mark.night
def test_the_signature_takes_named_columns(bundle: tuple[Path, dict[str, Any]]) -> None:
    import keras
    import tensorflow as tf

    from spaces.data.inputs import read_rows

    folder, told = bundle
    assert (told["takes"], told["verification"]) == ("columns", {"rows": 8})
    assert told["scripts"] == {"keras": "predict_keras.py", "signature": "predict_signature.py"}
    table = {
        "hours per week": ["?", "12.5"],
        "Hours_per_week": ["3", "1000"],
        "größe": ["klein", " groß "],
        "town": ["NA", "Z"],
        "owner": ["Ja", "?"],
        "note": ["ÖL, big!", ""],
        "sold": ["2000-02-29", "-"],
        "seen": ["1969-12-31T23:59:30", "2024-02-29 06:30"],
    }
    (folder / "two.csv").write_text(
        "\n".join(";".join(line) for line in [list(table), *zip(*table.values(), strict=True)]) + "\n", encoding="utf-8"
    )
    expected = keras.saving.load_model(folder / "model.keras").predict(read_rows(folder / "two.csv", TABLE), verbose=0)
    given = {
        one["name"]: tf.constant(
            [float(cell.replace("?", "nan")) for cell in cells] if one["type"] == "float32" else cells
        )
        for one, cells in zip(told["inputs"], table.values(), strict=True)
    }
    served = tf.saved_model.load(str(folder / "serve")).signatures["serving_default"]
    found = served(**given)
    np.testing.assert_allclose(found["probabilities"], tf.nn.softmax(expected), atol=1e-5)
    assert found["class"].numpy().tolist() == [b"no yes".split()[i] for i in expected.argmax(axis=1)]
    assert found["classes"].numpy().tolist() == [[b"no", b"yes"]] * 2
    (folder / "plain.csv").write_text(
        ",".join(f'"{name}"' for name in table) + "\n?,3,klein,NA,Ja,-,2000-02-29,?\n", encoding="utf-8"
    )
    script = str(folder / "serve" / "predict_signature.py")
    done = subprocess.run([sys.executable, script, str(folder / "plain.csv")], capture_output=True, check=True)
    assert json.loads(done.stdout)["class"] in ("no", "yes"), "an unknown number is NA or ? too"
    with pytest.raises(tf.errors.InvalidArgumentError, match="sold: holds no date like"):
        served(**{**given, "sold": tf.constant(["29.02.2000", "x"])})


def test_a_script_that_says_something_else_is_found(
    bundle: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from results.exporting.serving import checking

    folder, _ = bundle
    good = (folder / "serve" / "predict_keras.py").read_text(encoding="utf-8")
    samples = checking.make_samples(tmp_path / "samples", np.zeros((3, WIDTH), np.float32), TABLE)
    monkeypatch.setattr(sys, "path", sys.path)
    known = read_model_info(folder / "metadata.json")
    right = checking._ask(folder / "serve" / "predict_keras.py", samples, known)
    bad = folder / "serve" / "predict_bad.py"
    bad.write_text(good.replace('column["fill"] if absent else float(cell)', "float(cell or 0)"), encoding="utf-8")
    wrong = checking._ask(bad, samples, known)
    bad.unlink()
    checking._compare(right, right, known)
    with pytest.raises(ValueError, match="answers something else than the model"):
        checking._compare(wrong, right, known)


def test_a_threshold_decides_and_a_row_may_have_several_labels(tensorflow: Any) -> None:
    import tensorflow as tf

    from results.exporting.serving.signature import _classes

    shares = tf.constant([[0.65, 0.35], [0.75, 0.25]])
    found = _classes(shares, "probabilities", ("no", "yes"), 0.3, several=False)
    assert found["class"].numpy().tolist() == [b"yes", b"no"]
    np.testing.assert_allclose(found["confidence"], [0.35, 0.75])
    logits = tf.constant([[2.0, 1.0, -1.0], [-1.0, -1.0, -1.0]])
    several = _classes(logits, "logits", ("a", "b", "c"), None, several=True)
    assert several["labels"].numpy().tolist() == [b"a, b", b""]
    np.testing.assert_allclose(several["probabilities"], tf.sigmoid(logits))
    named = {"no": 0.65, "yes": 0.35}
    printed: list[str] = []
    for info, threshold in ((PHOTOS, 0.3), (PHOTOS, None), (replace(PHOTOS, labels="multi-label"), None)):
        line = scripts._line(info, threshold)
        exec(line, {"json": json, "file": "f", "row": 0, "named": named, "print": printed.append})
    told = [json.loads(line) for line in printed]
    assert [one.get("class", one.get("labels")) for one in told] == ["yes", "no", ["no"]]


@pytest.mark.night
def test_images_are_served_from_their_bytes(digits: Any, tmp_path: Path) -> None:
    import tensorflow as tf
    from PIL import Image

    done = results.export(digits.directory, formats=["keras"], output=tmp_path / "model", serve=True)
    assert [(file.format, file.failure) for file in done.files] == [("keras", None), ("serve", None)]
    assert [file.told(done.rows).rpartition(": ")[2] for file in done.files] == [
        f"verified on {done.rows} rows",
        "signature and scripts verified on 4 rows",
    ]
    row = int(np.argmax(digits.expected.max(axis=1)))
    stretched = np.rint(digits.data.test.x[row] / 16 * 255).astype(np.uint8)
    Image.fromarray(np.kron(stretched, np.ones((20, 20), np.uint8))).save(tmp_path / "a.jpg", quality=95)
    served = tf.saved_model.load(str(tmp_path / "model" / "serve")).signatures["serving_default"]
    found = served(image=tf.constant([(tmp_path / "a.jpg").read_bytes()] * 2))
    label = str(digits.expected[row].argmax())
    assert found["class"].numpy().tolist() == [label.encode()] * 2
    [told] = results.predict(tmp_path / "model" / "serve", [tmp_path / "a.jpg"])
    assert told.label == label
    np.testing.assert_allclose(found["probabilities"][0], list(told.probabilities.values()), atol=1e-4)
    script = tmp_path / "model" / "serve" / "predict_keras.py"
    printed = subprocess.run(
        [sys.executable, script, "a.jpg"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(printed.stdout)["class"] == label
    card = (tmp_path / "model" / "model_card.md").read_text(encoding="utf-8")
    assert "`python serve/predict_keras.py FILE...` (keras)" in card
    # The same weights in another format leave it; another model takes it away.
    results.export(digits.directory, formats=["h5"], output=tmp_path / "model")
    described = json.loads((tmp_path / "model" / "metadata.json").read_text(encoding="utf-8"))
    assert described["serve"]["scripts"] == {"keras": "predict_keras.py", "signature": "predict_signature.py"}
    results.export(digits.directory, trial="plain", formats=["h5"], output=tmp_path / "model")
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == [
        "metadata.json",
        "model.h5",
        "model_card.md",
    ]


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("name", ["large.png", "deep.png"])
def test_pictures_are_resized_alike_by_signature_scripts_and_predict(
    tmp_path: Path, antialias: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf
    from PIL import Image

    from results.exporting.serving import signature
    from spaces.data.inputs import read_image

    noise = np.random.default_rng(0).integers(0, 2**16, (180, 200), dtype=np.uint16)
    Image.fromarray((noise >> 8).astype(np.uint8)).convert("RGB").save(tmp_path / "large.png")
    Image.fromarray(noise).save(tmp_path / "deep.png")
    info = replace(PHOTOS, antialias=antialias)
    expected = read_image(tmp_path / name, info).astype(int)
    # Averaged over a hundred pixels, noise is grey.
    assert bool(expected.std() < 20) is antialias
    served = signature._pixels((tf.constant([(tmp_path / name).read_bytes()]),), info).numpy()[0]
    assert np.abs(served - expected).max() <= 1
    monkeypatch.setattr("sys.argv", ["script", str(tmp_path / name)])
    seen: dict[str, Any] = {}
    exec("\n".join(["import sys", "import numpy as np", "from PIL import Image", *scripts._image(info)]), seen)
    assert np.abs(seen["rows"][0].astype(int) - expected).max() <= 1


def test_rows_without_a_known_white_are_asked_for_as_they_are() -> None:
    assert served_inputs(PHOTOS)[0].name == "image"
    assert served_inputs(replace(PHOTOS, dtype="float32", white=None))[0].name == "rows"
