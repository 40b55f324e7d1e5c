"""Files to ask a serving bundle with: images, a table or an array, made from rows of the model."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from results.exporting.serving.inputs import takes
from search.files import arrays
from spaces import DataInfo
from spaces.data.tables.encoding import ColumnEncoding

Array = np.ndarray[Any, np.dtype[Any]]

_IMAGES = 4
_UNKNOWN = "never seen before"
_EPOCH = np.datetime64("1970-01-01", "us")
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Samples:
    """Files, and the rows that they are.

    Attributes:
        files: As a user has them.
        rows: What the model is given for them, shape (n, *input_shape).
    """

    files: tuple[Path, ...]
    rows: Array


def make_samples(folder: Path, rows: Array, info: DataInfo) -> Samples:
    """Writes the files.

    Args:
        folder: Made for them.
        rows: Raw rows of the model, at least one.
        info: What they are.
    """
    folder.mkdir()
    match takes(info):
        case "image":
            return _images(folder, rows[:_IMAGES], info)
        case "columns":
            return _table(folder, rows, info)
    arrays.save(folder / "rows.npy", rows)
    return Samples((folder / "rows.npy",), rows)


def _images(folder: Path, rows: Array, info: DataInfo) -> Samples:
    from PIL import Image

    from spaces.data.inputs import read_image

    files = []
    for number, row in enumerate(rows):
        pixels = row.astype(np.float64) * (255 / info.white if info.white else 1.0)
        shown = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        # One of them larger than the model's, for it has to be resized.
        shown = np.repeat(np.repeat(shown, 2, axis=0), 2, axis=1) if number == 0 else shown
        files.append(folder / f"{number}.png")
        Image.fromarray(shown[:, :, 0] if shown.ndim == 3 and shown.shape[2] == 1 else shown).save(files[-1])
    return Samples(tuple(files), np.stack([read_image(file, info) for file in files]))


def _table(folder: Path, rows: Array, info: DataInfo) -> Samples:
    """The rows' cells, and two lines more: one without any cell, one of categories that nobody has seen."""
    import pandas as pd

    from spaces.data.tables.cells import Cells
    from spaces.data.tables.rows import encoded_cells

    columns, start = [], 0
    for encoding in info.encodings:
        end = start + len(encoding.inputs)
        columns.append([*cells(encoding, rows[:, start:end]), "", _UNKNOWN if encoding.kind == "category" else ""])
        start = end
    names = [encoding.name for encoding in info.encodings]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))
    # As numbers, for a model that learnt from decimal commas would read 1.133 of a text as a thousand.
    series = {
        encoding.name: pd.Series([float(cell or "nan") for cell in column] if encoding.kind == "number" else column)
        for encoding, column in zip(info.encodings, columns, strict=True)
    }
    table = Cells(pd.DataFrame(series), folder / "rows.csv", None, ())
    return Samples((folder / "rows.csv",), encoded_cells(table, info.encodings))


def cells(encoding: ColumnEncoding, inputs: Array) -> list[str]:
    """Cells that mean such inputs of a column, as a plain CSV file has them.

    Args:
        encoding: How the model takes the column.
        inputs: Shape (n, inputs).
    """
    absent = inputs[:, -1] == 1 if encoding.missing else np.zeros(len(inputs), bool)
    return ["" if gone else _cell(encoding, row) for gone, row in zip(absent, inputs, strict=True)]


def _cell(encoding: ColumnEncoding, row: Array) -> str:
    match encoding.kind:
        case "number":
            return repr(float(row[0]))
        case "boolean":
            words: Sequence[str] = encoding.values or ("0", "1")
            return words[int(row[0] >= 0.5)]
        case "category":
            chosen = np.flatnonzero(row[: len(encoding.values)])
            return encoding.values[int(chosen[0])] if len(chosen) else _UNKNOWN
        case "text":
            return " ".join(word for word, has in zip(encoding.values, row, strict=False) if has)
        case "date":
            moment = _EPOCH + np.timedelta64(round(float(row[0]) * _DAY), "us")
            return str(moment.astype("datetime64[s]" if encoding.times else "datetime64[D]")).replace("T", " ")
