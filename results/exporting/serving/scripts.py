"""Plain scripts that use exported files without Nightshift: `python predict_onnx.py FILE...`.

Each is written for one model, with the steps that its rows need and no others. It reads the metadata beside the model
and prints a line of JSON for each row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from results.exporting.formats import FORMATS
from results.exporting.serving.inputs import COLUMNS, IMAGE, served_inputs, takes
from spaces import DataInfo
from spaces.data.tables import dates
from spaces.data.tables.kinds import boolean_words
from spaces.data.tables.numbers import MISSING
from spaces.models.outputs import OutputKind
from spaces.models.thresholds import PLAIN

SIGNATURE = "predict_signature.py"
TABLE = "columns.json"
# What training reads: a document may be longer than Python takes by itself.
_LONG_CELLS = "csv.field_size_limit(2**20)"
# Blanks in the header of `a, b, c` are no part of a name, wherever training had the names from. Cells that a line lacks
# at its end are empty, as in training.
_CELLS = (
    '    cells = csv.DictReader(open(file, newline="", encoding="utf-8-sig"), restval="")',
    "    cells.fieldnames = [name.strip() for name in cells.fieldnames or ()]",
)
_ESCAPED = (
    "    # Signs that cannot be printed are known as escapes.",
    '    signs = {c: c.encode("unicode_escape").decode() for c in "".join(cells.fieldnames) if not c.isprintable()}',
    "    cells.fieldnames = [name.translate(str.maketrans(signs)) for name in cells.fieldnames]",
)
_ROWS = ("    if not len(rows):", '        sys.exit(f"{file}: holds no rows")')


def script_name(format: str) -> str:
    """Name of the script for a format."""
    return f"predict_{format.replace('-', '_')}.py"


@dataclass(frozen=True)
class _Engine:
    """How a format is loaded and asked.

    Attributes:
        imports: Lines that import what it needs.
        load: Lines that load it, with FILE for its path.
        answer: Expression for the answers to `rows`, or lines that end in one.
    """

    imports: tuple[str, ...]
    load: tuple[str, ...]
    answer: tuple[str, ...]


_KERAS = _Engine(
    ("import keras",), ("model = keras.saving.load_model(FILE, compile=False)",), ("model.predict_on_batch(rows)",)
)
_SAVED_MODEL = _Engine(
    ("import tensorflow as tf",),
    ("model = tf.saved_model.load(str(FILE))",),
    ("model.serve(tf.cast(rows, tf.float32)).numpy()",),
)
_ONNX = _Engine(
    ("import onnxruntime",),
    ("session = onnxruntime.InferenceSession(str(FILE))",),
    ('session.run(None, {session.get_inputs()[0].name: rows.astype("float32")})[0]',),
)
_LITE = _Engine(
    (
        "try:",
        "    from ai_edge_litert.interpreter import Interpreter",
        "except ImportError:",
        "    from tensorflow.lite.python.interpreter import Interpreter",
    ),
    (
        "lite = Interpreter(str(FILE))",
        "given, taken = lite.get_input_details()[0], lite.get_output_details()[0]",
    ),
    (
        'lite.resize_tensor_input(given["index"], rows.shape)',
        "lite.allocate_tensors()",
        'lite.set_tensor(given["index"], rows.astype("float32"))',
        "lite.invoke()",
        'lite.get_tensor(taken["index"])',
    ),
)
_ENGINES = {"keras": _KERAS, "h5": _KERAS, "savedmodel": _SAVED_MODEL, "onnx": _ONNX}


def script(
    format: str,
    info: DataInfo,
    output: OutputKind,
    units: int,
    threshold: float | None = None,
    dtype: str = "float32",
) -> str:
    """The text of the script for an exported file.

    Args:
        format: Its format.
        info: The rows it takes.
        output: What it returns.
        units: Values per prediction.
        threshold: Probability from which on a row belongs to the second of two classes; None: the more probable.
        dtype: Type of the model's input, such as "int32" where rows are numbers of words.
    """
    engine = _ENGINES.get(format, _LITE)
    what, standard, packages, rows = _reading(info)
    load = [line.replace("FILE", f'FOLDER / "{FORMATS[format].file}"') for line in engine.load]
    *before, last = (line.replace("float32", dtype) for line in engine.answer)
    lines = [
        f'"""{what}: python {script_name(format)} FILE..."""',
        "",
        *sorted(["import json", "import sys", "from pathlib import Path", *standard], key=_order),
        "",
        *sorted([*(engine.imports if len(engine.imports) == 1 else ()), *packages], key=_order),
        *(["", *engine.imports] if len(engine.imports) > 1 else []),
        "",
        "FOLDER = Path(__file__).resolve().parent.parent",
        *load,
        *(
            []
            if output == "values"
            else ['classes = json.loads((FOLDER / "metadata.json").read_text("utf-8"))["output"]["classes"]']
            if info.class_names
            else [f"classes = [str(number) for number in range({max(2, units)})]"]
        ),
        *rows,
        *(f"    {line}" for line in before),
        f"    answers = {last}",
        *_printing(info, output, units, threshold),
    ]
    return "\n".join(lines) + "\n"


def signature_script(info: DataInfo, output: OutputKind, threshold: float | None = None) -> str:
    """The text of the script for the bundle's own SavedModel."""
    inputs = served_inputs(info)
    lines = [f'"""The signature of this SavedModel: python {SIGNATURE} FILE..."""', ""]
    kind = takes(info)
    lines += ["import csv"] if kind == COLUMNS else []
    lines += ["import json", "import sys", "from pathlib import Path", ""]
    lines += ["import numpy as np"] if kind not in (COLUMNS, IMAGE) else []
    lines += ["import tensorflow as tf", "", "loaded = tf.saved_model.load(str(Path(__file__).resolve().parent))"]
    lines += ['predict = loaded.signatures["serving_default"]']
    lines += [_LONG_CELLS] if kind == COLUMNS else []
    if kind == COLUMNS and any(one.dtype == "float32" for one in inputs):
        lines += [f'table = (Path(__file__).resolve().parent / "{TABLE}").read_text("utf-8")']
        lines += ['missing = json.loads(table)["missing"]', "", "", "def number(cell):"]
        lines += ['    return float("nan" if cell.strip().lower() in missing else cell)', "", ""]
    lines += ["for file in sys.argv[1:]:"]
    if kind == IMAGE:
        lines += ["    found = predict(image=tf.constant([Path(file).read_bytes()]))"]
    elif kind == COLUMNS:
        numbers = {one.name: one.column.strip() for one in inputs if one.dtype == "float32"}
        words = {one.name: one.column.strip() for one in inputs if one.dtype == "string"}
        lines += [*_cells(info), "    rows = list(cells)", *_ROWS, "    columns = {"]
        lines += [
            f'        "{name}": tf.constant([number(row[{column!r}]) for row in rows]),'
            for name, column in numbers.items()
        ]
        lines += [
            f'        "{name}": tf.constant([row[{column!r}] for row in rows]),' for name, column in words.items()
        ]
        lines += ["    }", "    found = predict(**columns)"]
    else:
        shape = ", ".join(map(str, info.input_shape))
        lines += [
            f"    rows = np.load(file).reshape(-1, {shape})",
            "    found = predict(rows=tf.cast(rows, tf.float32))",
        ]
    if output == "values":
        lines += ['    for row, values in enumerate(found["values"].numpy().tolist()):']
        lines += ['        print(json.dumps({"file": file, "row": row, "values": values}))']
    else:
        lines += [
            '    for row, (names, probabilities) in enumerate(zip(found["classes"].numpy(), '
            'found["probabilities"].numpy())):',
            "        named = {name.decode(): float(share) for name, share in zip(names, probabilities)}",
            f"        {_line(info, threshold)}",
        ]
    return "\n".join(lines) + "\n"


def table(info: DataInfo) -> dict[str, Any]:
    """What the scripts have to know of the columns of a table, in plain data."""
    columns = []
    for encoding in info.encodings:
        filled: Any = encoding.fill
        if encoding.kind == "date":
            import numpy as np

            filled = [float(v[0]) for _, v in dates.parts(np.array([encoding.fill]), times=encoding.times)]
        told = {"name": encoding.name.strip(), "kind": encoding.kind, "values": list(encoding.values), "fill": filled}
        told |= {"other": encoding.other, "missing": encoding.missing, "times": encoding.times}
        told |= {"aliases": encoding.aliases} if encoding.aliases else {}
        columns.append(told | ({"meant": boolean_words(encoding.values)} if encoding.kind == "boolean" else {}))
    return {"missing": sorted(MISSING), "columns": columns}


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _reading(info: DataInfo) -> tuple[str, list[str], list[str], list[str]]:
    """What is read, further imports from the standard library and of packages, and the lines up to `rows`."""
    match takes(info):
        case "image":
            return "Class of image files", [], ["import numpy as np", "from PIL import Image"], _image(info)
        case "columns":
            kinds = {encoding.kind for encoding in info.encodings}
            standard = ["import csv", *(["import re"] if "text" in kinds else [])]
            standard += ["from datetime import datetime"] if "date" in kinds else []
            aliases = any(encoding.aliases for encoding in info.encodings)
            read = _table(kinds, _cells(info), aliases=aliases)
            return "Predictions for plain CSV files", standard, ["import numpy as np"], read
    shape = ", ".join(map(str, info.input_shape))
    read = ["", "for file in sys.argv[1:]:", f"    rows = np.load(file).reshape(-1, {shape})"]
    return "Predictions for rows in .npy files", [], ["import numpy as np"], read


def _image(info: DataInfo) -> list[str]:
    (height, width), channels = info.input_shape[:2], info.channels
    shape = ", ".join(map(str, info.input_shape))
    mode = "RGB" if channels == 3 else "L"
    lines = [
        "",
        "for file in sys.argv[1:]:",
        "    image = Image.open(file)",
        '    if image.mode.startswith("I;16"):',
        '        image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))',
        '    if image.mode in ("F", "I"):',
        '        sys.exit(f"{file}: has pixels of 32 bits, of no known white")',
        f'    pixels = np.atleast_3d(np.asarray(image.convert("{mode}"), "float32"))',
    ]
    if not info.smooth:  # as Keras's folder loader does it, which does not average over a larger image
        lines += [
            f"    for axis, size in enumerate(({height}, {width})):",
            "        at = (np.arange(size) + 0.5) * pixels.shape[axis] / size - 0.5",
            "        at = np.clip(at, 0, pixels.shape[axis] - 1)",
            "        low, high = np.floor(at).astype(int), np.ceil(at).astype(int)",
            "        share = (at - low).reshape((-1, 1, 1) if axis == 0 else (-1, 1))",
            "        pixels = pixels.take(low, axis) * (1 - share) + pixels.take(high, axis) * share",
        ]
    else:
        lines += [
            "    planes = [Image.fromarray(plane) for plane in np.moveaxis(pixels, 2, 0)]",
            f"    pixels = np.stack([plane.resize(({width}, {height}), Image.BILINEAR) for plane in planes], axis=2)",
        ]
    scaled = "pixels" if info.white in (None, 255) else f"pixels * {info.white:g} / 255"
    scaled = f"np.rint({scaled})" if info.dtype == "uint8" else scaled
    return [*lines, f'    rows = ({scaled}).reshape(1, {shape}).astype("{info.dtype}")']


def _cells(info: DataInfo) -> list[str]:
    """Lines that open a table, its columns under the names that training gave them."""
    return [*_CELLS, *(_ESCAPED if any("\\" in encoding.name for encoding in info.encodings) else ())]


def _table(kinds: Collection[str], cells: Sequence[str], *, aliases: bool) -> list[str]:
    steps: dict[str, Sequence[str]] = {
        "number": ('row.append(column["fill"] if absent else float(cell))',),
        "boolean": (
            'absent = cell.lower() not in column["meant"]',
            'row.append(column["fill"] if absent else column["meant"][cell.lower()])',
        ),
        "category": ("row += [float(cell == value) for value in values]",),
        "text": (
            r'words = set() if absent else set(re.findall(r"\w+", cell.lower()))',
            "row += [float(value in words) for value in values]",
        ),
        "date": (
            'at = None if absent else datetime.fromisoformat(cell.removesuffix("Z"))',
            "days = at and (at - datetime(1970, 1, 1)).total_seconds() / 86_400",
            "parts = at and [days, at.year, at.month, at.day, at.weekday(), days % 1 * 24]",
            'row += column["fill"] if absent else parts[: len(column["fill"])]',
        ),
    }
    vague = '(column["kind"] == "text" and column["missing"] or cell not in values)'
    unknown = vague if "text" in kinds else "cell not in values"
    lines = [
        _LONG_CELLS,
        f'TABLE = json.loads((Path(__file__).resolve().parent / "{TABLE}").read_text("utf-8"))',
        "",
        "",
        "def encoded(cells):",
        "    row = []",
        '    for column in TABLE["columns"]:',
        '        values, cell = column["values"], cells[column["name"]].strip()',
        *['        cell = column.get("aliases", {}).get(cell, cell)'] * aliases,
        # The values of a text are words, which its cells may consist of and say nothing, if any of training did.
        f'        absent = cell.lower() in TABLE["missing"] and {unknown}',
    ]
    for number, kind in enumerate(kind for kind in steps if kind in kinds):
        lines += [f'        {"elif" if number else "if"} column["kind"] == "{kind}":']
        lines += [f"            {step}" for step in steps[kind]]
    return [
        *lines,
        '        if column["other"]:',
        '            row.append(float(cell not in values and not (absent and column["missing"])))',
        '        if column["missing"]:',
        "            row.append(float(absent))",
        "    return row",
        "",
        "",
        "for file in sys.argv[1:]:",
        *cells,
        '    rows = np.array([encoded(line) for line in cells], "float32")',
        *_ROWS,
    ]


def _line(info: DataInfo, threshold: float | None) -> str:
    """What a script prints of a row."""
    decided = '"class": max(named, key=named.get)'
    if info.labels == "multi-label":
        decided = f'"labels": [name for name, share in named.items() if share >= {PLAIN}]'
    elif threshold is not None:
        decided = f'"class": list(named)[list(named.values())[1] >= {threshold!r}]'
    return f'print(json.dumps({{"file": file, "row": row, {decided}, "probabilities": named}}))'


def _printing(info: DataInfo, output: OutputKind, units: int, threshold: float | None) -> list[str]:
    if output == "values":
        return [
            "    for row, values in enumerate(answers.reshape(len(rows), -1).tolist()):",
            '        print(json.dumps({"file": file, "row": row, "values": values}))',
        ]
    lines = []
    if output == "logits" and (units == 1 or info.labels == "multi-label"):
        lines += ["    answers = 1 / (1 + np.exp(-answers))"]
    elif output == "logits":
        lines += ["    answers = np.exp(answers - answers.max(axis=1, keepdims=True))"]
        lines += ["    answers /= answers.sum(axis=1, keepdims=True)"]
    if units == 1:
        lines += ["    answers = np.concatenate([1 - answers, answers], axis=1)"]
    return [
        *lines,
        "    for row, probabilities in enumerate(answers.tolist()):",
        "        named = dict(zip(classes, probabilities))",
        f"        {_line(info, threshold)}",
    ]
