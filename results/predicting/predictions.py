"""`results.predict`: class and confidence, or the value, for images and rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import numpy as np

from results.errors import OptionError, ResultError
from results.exporting.metadata import ModelInfo
from results.exporting.reading.answers import probabilities
from results.exporting.reading.loading import LoadedModel, Several, load
from results.predicting.inputs import Array, Broken, Rows, find_files, held, read_files
from results.predicting.model import check_fits, find_model_file, model_info
from results.ranked.formats import finite_only
from search.files.rundir import Run
from spaces import DataInfo
from spaces.models.outputs import OutputKind
from spaces.models.thresholds import PLAIN
from spaces.outside.backend import load_tensorflow

_SUM_TOLERANCE = 1e-3
_TOGETHER = 256
_NO_ROW = np.empty(0, np.float32)


@dataclass(frozen=True)
class Prediction:
    """What the model says about one row.

    Attributes:
        file: The file, as it was given.
        row: Number of the row in it, counted from 0; None for an image.
        label: Name of the most probable class, or its number where the names are unknown; of two classes the second
            from the model's threshold on; of a row that may have several labels these, joined by a comma. None in
            regression.
        confidence: Probability of that class, 0 to 1; of several labels the least that any of them, given or not, is
            as it was decided. None in regression.
        probabilities: Class to probability, in the order of the model's outputs; empty in regression.
        values: The predicted values in regression; empty in classification.
        labels: Of a row that may have several, those that it has; None elsewhere.
        input: The raw row, shape `input_shape`.
        white: Value of a white pixel in `input`; None for tables, and for images of unknown range.
    """

    file: str
    row: int | None
    label: str | None
    confidence: float | None
    probabilities: dict[str, float]
    values: tuple[float, ...]
    input: Array = field(repr=False, compare=False)
    white: float | None = field(default=None, repr=False)
    labels: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data: `file`, `row`, and either `label`, `confidence`, `probabilities`, or `values`; of a row that may
        have several labels `labels` and `probabilities`.

        JSON knows no NaN and no infinity: such a value is None.
        """
        place = {"file": self.file, "row": self.row}
        if self.label is None:
            return {**place, "values": finite_only(self.values)}
        if self.labels is not None:
            return {**place, "labels": list(self.labels), "probabilities": self.probabilities}
        return {**place, "label": self.label, "confidence": self.confidence, "probabilities": self.probabilities}


def predict(
    model: Run | str | Path, files: Any, inputs: int | None = None, *, broken: Broken = "refuse"
) -> list[Prediction]:
    """Predicts with an exported model alone; the run it came from is not needed.

    The `metadata.json` beside the model gives the class names and the range of the pixels. Without it, classes are
    numbers, pixels are taken to go from 0 to 255, and answers that are no probabilities are given as values.

    Args:
        model: A run or its directory, an export folder, a `.keras`, `.h5`, `.onnx` or `.tflite` file, or the folder of
            a SavedModel. Nothing that the model carries is run as code.
        files: Files: images of any size and colour (brought to the model's as in training), `.npy` arrays (one row or a
            batch), `.npz` files with such an array (as `x_test`, as `x`, or as the only one), `.csv`, `.tsv` and
            `.parquet` tables, and folders: all images in them, or all tables, for a model of tables; for a model of
            several inputs `.npz` files with an array for each, by its name. Or what a program has in its memory: a
            DataFrame with the columns that training saw or a row of one, an array or nested lists of raw rows, or for a
            model of several inputs a dict or list of arrays.
        inputs: Of so many rows, from the first on, `Prediction.input` is kept; None: of all. Thousands of photographs
            need much memory.
        broken: "skip" leaves out, with a warning, files that cannot be used, unless none can.

    Returns:
        One prediction for each row, in the order of the files.

    Raises:
        ResultError: There is no such model or file, or they do not fit; the message names the file. Or `broken` is
            another word.
    """
    if broken not in get_args(Broken):
        raise OptionError(f"broken {broken!r}: must be {' or '.join(get_args(Broken))}")
    place = find_model_file(model.directory if isinstance(model, Run) else Path(model))
    known = model_info(place)
    if known is None:
        loaded = _load(place)
        info = _guess(loaded, place)
        batches = _batches(_read(files, info, broken, guessed=True))
        first = next(batches)
    else:
        info = known.info
        batches = _batches(_read(files, info, broken))
        # Bad files are refused before the model is loaded, which may take seconds.
        first = next(batches)
        loaded = _load(place, Several.of(known.info))
        check_fits(loaded, known, place)
    found: list[Prediction] = []
    for batch in chain([first], batches):
        told = _predict(loaded, place, batch, info, known)
        kept = len(told) if inputs is None else max(0, inputs - len(found))
        found += [*told[:kept], *(replace(prediction, input=_NO_ROW) for prediction in told[kept:])]
    return found


def _read(given: Any, info: DataInfo, broken: Broken, *, guessed: bool = False) -> Iterator[Rows]:
    paths: Any = [given] if isinstance(given, str | os.PathLike) else given
    unnamed = isinstance(paths, list | tuple) and not all(isinstance(path, str | os.PathLike) for path in paths)
    if unnamed or isinstance(given, Mapping) or hasattr(given, "shape"):
        return iter([held(given, info)])
    return read_files(find_files(paths, info), info, broken=broken, guessed=guessed)


def _batches(files: Iterable[Rows]) -> Iterator[list[Rows]]:
    """Files to be predicted together: an image alone would take as long as many."""
    batch: list[Rows] = []
    for rows in files:
        batch.append(rows)
        if sum(len(one.values) for one in batch) >= _TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch


def _load(place: Path, several: Several | None = None) -> LoadedModel:
    if place.suffix != ".onnx":
        load_tensorflow()
    return load(place, several)


def _predict(
    model: LoadedModel, place: Path, files: list[Rows], info: DataInfo, known: ModelInfo | None
) -> list[Prediction]:
    inputs = np.concatenate([rows.values for rows in files])
    places = [(rows.file, i if rows.numbered else None) for rows in files for i in range(len(rows.values))]
    answers = _answers(model, place, inputs, known)
    output, threshold = (_told_by(answers), None) if known is None else (known.output, known.threshold)
    if output == "values":
        return [
            Prediction(file, number, None, None, {}, tuple(map(float, answer)), value, info.white)
            for (file, number), answer, value in zip(places, answers, inputs, strict=True)
        ]
    shares = probabilities(answers, output, independent=info.labels == "multi-label")
    names = info.class_names or tuple(str(i) for i in range(shares.shape[1]))
    found = []
    for (file, number), row, value in zip(places, shares, inputs, strict=True):
        by_name = dict(zip(names, map(float, row), strict=True))
        if info.labels == "multi-label":
            given = tuple(name for name, probability in by_name.items() if probability >= PLAIN)
            surest, text = float(np.maximum(row, 1 - row).min()), ", ".join(given)
            found.append(Prediction(file, number, text, surest, by_name, (), value, info.white, given))
            continue
        best = int(np.argmax(row)) if threshold is None else int(row[1] >= threshold)
        found.append(Prediction(file, number, names[best], float(row[best]), by_name, (), value, info.white))
    return found


def _answers(model: LoadedModel, place: Path, inputs: Array, known: ModelInfo | None) -> Array:
    """What the model answers to each row.

    Raises:
        ResultError: It cannot, or its answers are not what is known of them.
    """
    try:
        answers = model.predict(inputs)
    except ResultError:
        raise
    except Exception as error:  # a damaged file may load, and make its engine raise anything when it computes
        reason = " ".join(str(error).split())[:300]
        raise ResultError(f"{place}: cannot predict ({type(error).__name__}: {reason})") from error
    expected = (len(inputs), answers.shape[1] if known is None else known.units)
    if answers.shape != expected or not answers.shape[1]:
        raise ResultError(f"{place}: predicts values of shape {answers.shape} for {len(inputs)} rows")
    return answers


def _told_by(answers: Array) -> OutputKind:
    """What answers are, as far as they tell: rows that sum to 1 are probabilities."""
    several = answers.shape[1] > 1 and bool((answers >= 0).all())
    return "probabilities" if several and np.allclose(answers.sum(axis=1), 1.0, atol=_SUM_TOLERANCE) else "values"


def _guess(model: LoadedModel, place: Path) -> DataInfo:
    """What can be told of a model without its metadata file: the shapes.

    Raises:
        ResultError: The model leaves its shapes open.
    """
    shape = model.row_shape
    if model.outputs is None or not shape or any(size is None for size in shape):
        raise ResultError(f"{place}: leaves its input shape open and has no metadata.json beside it")
    return DataInfo(
        kind="image" if len(shape) in (2, 3) else "tabular",
        input_shape=tuple(int(size or 0) for size in shape),
        dtype="float32",
        task="classification",
        labels="integer",
        outputs=model.outputs,
        resized=True,
    )
