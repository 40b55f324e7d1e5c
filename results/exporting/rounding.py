"""Formats that round the weights: the rows they are calibrated on, and what rounding costs on rows not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from results.errors import ResultError
from results.exporting.reading.loading import load
from results.watching.ledger import Account
from search.files import arrays, layout
from search.files.store import RunReader
from spaces import DataInfo, Split
from spaces.data.types import Sample
from spaces.models.outputs import of_classes
from spaces.models.thresholds import PLAIN
from spaces.outside.backend import engines_silent
from spaces.values.packing import single

if TYPE_CHECKING:
    import keras

    from spaces import SearchSpec

Array = np.ndarray[Any, np.dtype[Any]]

_TOGETHER = 256


@dataclass(frozen=True)
class RoundingLoss:
    """How good a rounded file is beside the model in memory.

    Attributes:
        measure: `accuracy`, or `r2` in regression, the mean over the targets.
        part: Which rows, `test` or `validation`.
        rows: How many.
        file: Score of the file.
        model: Score of the model in memory.
    """

    measure: str
    part: str
    rows: int
    file: float
    model: float

    @property
    def loss(self) -> float:
        """What the file has lost of the score."""
        return self.model - self.file


class RunRows:
    """Rows of a run's data: loaded again, unless the run kept some because they might be others by then.

    Args:
        spec: The space file of the run.
        reader: The run.
        info: What it recorded about its data.
    """

    def __init__(self, spec: SearchSpec, reader: RunReader, info: DataInfo) -> None:
        self._spec, self._info = spec, info
        self._recorded = reader.meta("data")
        self._file = reader.directory / layout.SAMPLE
        self._sample: Sample | None = None
        read = [work.ended - work.started for work in reader.work() if work.what == Account.DATA]
        # Sittings that went on have found what the first one had put on the disk.
        self._longest = max([0.0, *read])

    @property
    def seconds(self) -> float:
        """What it will take to have the rows, as long as the run took: 0 where they are there, or nobody noted it."""
        return 0.0 if self._sample is not None or self._file.is_file() else self._longest

    def calibration(self) -> Array:
        """Up to 100 raw training rows.

        Raises:
            ResultError: The data are not there, or not what they were.
        """
        return self._rows().calibration

    def loss(self, path: Path, model: keras.Model, logits: bool) -> RoundingLoss:
        """Measures a file against the model on up to 2,000 test rows, or validation rows where there is no test part.

        Args:
            path: The file.
            model: What it was written from.
            logits: Whether they answer with logits.

        Raises:
            ResultError: The data are not there, or not what they were.
        """
        sample = self._rows()
        rows = sample.measured
        with engines_silent():
            rounded = load(path).predict(rows.x[:])
        # In float32 all of them may take gigabytes.
        portions = (rows.x[start : start + _TOGETHER] for start in range(0, len(rows), _TOGETHER))
        parts = [np.asarray(single(model.predict(some.astype(np.float32), verbose=0))) for some in portions]
        answers = rounded, np.concatenate(parts)
        file, memory = (self._score(found.reshape(len(rows), -1), rows.y, logits, rows.weight) for found in answers)
        measure = "r2" if self._info.task == "regression" else "accuracy"
        return RoundingLoss(measure, sample.part, len(rows), file, memory)

    def _rows(self) -> Sample:
        if self._sample is None:
            self._sample = self._kept() if self._file.is_file() else self._loaded()
        return self._sample

    def _kept(self) -> Sample:
        try:
            found = arrays.load(self._file, "calibration", "x", "y")
        except (OSError, ValueError) as error:
            raise ResultError(f"{self._file}: damaged ({error})") from error
        (calibration, x, y), weight = (found[name] for name in ("calibration", "x", "y")), found.get("weight")
        numbers = all(rows.dtype.kind in "biuf" for rows in found.values())
        fit = all(rows.shape[1:] == self._info.input_shape and len(rows) for rows in (calibration, x))
        if not numbers or not fit or not self._are_labels(y, len(x)) or not _are_weights(weight, len(x)):
            raise ResultError(f"{self._file}: holds no rows that the model takes")
        part = "test" if (self._recorded.get("rows") or {}).get("test") else "validation"
        return Sample(calibration, Split(x, y, weight), part)

    def _are_labels(self, y: Array, rows: int) -> bool:
        labels, outputs = self._info.labels, self._info.outputs
        in_one = labels == "integer" or (labels == "number" and outputs == 1)
        return y.shape == (rows,) if in_one and y.ndim == 1 else labels != "integer" and y.shape == (rows, outputs)

    def _loaded(self) -> Sample:
        from spaces import DataError, load_data

        try:
            data = load_data(self._spec, self._info)
        except DataError as error:
            raise ResultError(
                f"rounding is measured on the rows of the run, which cannot be loaded: {error}"
            ) from error
        if data.fingerprint != self._recorded.get("fingerprint"):
            raise ResultError("rounding is measured on the rows of the run, and the data are no longer the same")
        return data.sample()

    def _score(self, answers: Array, y: Array, logits: bool, weight: Array | None = None) -> float:
        half = 0.0 if logits else PLAIN
        if self._info.task == "regression":
            return _r2(answers, y.reshape(answers.shape), weight)
        if self._info.labels == "multi-label":
            return float(np.average(((answers >= half) == (y == 1)).mean(axis=1), weights=weight))
        labels = y.argmax(axis=1) if self._info.labels == "one-hot" else y
        single, chosen = answers.shape[1] == 1, of_classes(answers, self._info)
        classes = answers[:, 0] > half if single else chosen.argmax(axis=1)
        return float(np.average(classes == labels, weights=weight))


def _are_weights(weight: Array | None, rows: int) -> bool:
    return weight is None or (weight.shape == (rows,) and bool((np.isfinite(weight) & (weight > 0)).all()))


def _r2(answers: Array, y: Array, weight: Array | None) -> float:
    """As the measure of that name: of each target by itself, for the unit of one must not hide what another has lost.

    Args:
        answers: Shape (n, targets).
        y: The same shape.
        weight: How much each row counts; None: all alike.
    """
    wanted, given = y.astype(np.float64), answers.astype(np.float64)
    counts = np.ones((len(y), 1)) if weight is None else weight.astype(np.float64)[:, None]
    # Of what is the same in all rows the mean is exact.
    apart = wanted - wanted[:1]
    mean = np.sum(counts * apart, axis=0) / np.sum(counts)
    spread = np.sum(counts * (apart - mean) ** 2, axis=0)
    errors = np.sum(counts * (given - wanted) ** 2, axis=0)
    return float(np.mean(np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1.0), errors == 0)))
