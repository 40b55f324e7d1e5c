"""`results.export`: writes a model of a run in several formats, checks every file, and describes them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from results.errors import ResultError, UnfitError, not_written
from results.exporting import metadata
from results.exporting.card import model_card
from results.exporting.folder import CARD, earlier_bundle, earlier_files, publish, require_ours, workspace
from results.exporting.formats import FORMATS, SERVE, Format, parse_formats
from results.exporting.pressure import Left, Pressure, forever
from results.exporting.reading.answers import units
from results.exporting.reading.digest import sha256, size_of
from results.exporting.reading.loading import Several
from results.exporting.rounding import RoundingLoss, RunRows
from results.exporting.verify import Task, Verdict, verify
from results.models import find_model, rebuild
from search.files import arrays, layout
from search.files.rundir import Run, data_info, open_run, require_inside
from search.files.store import RunReader
from search.record.standing import answers_both_ways
from spaces import DataInfo, SearchSpec
from spaces.sections.search_section import Export
from spaces.values.packing import flat

if TYPE_CHECKING:
    import keras

Array = np.ndarray[Any, np.dtype[Any]]

_ROWS = 64


@dataclass(frozen=True)
class ExportedFile:
    """One requested format.

    Attributes:
        format: Its name.
        path: The file or folder; None if it failed.
        bytes: Its size, 0 if it failed.
        sha256: Its digest; of a folder what `find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` prints
            inside it; empty if it failed.
        difference: Largest difference to the predictions of the model in memory, as a multiple of
            max(unit, |prediction|), the unit being 1 or the spread of a target that is learnt standardized; None if
            it gave none.
        failure: Why it failed, or None.
        rounding: What rounding cost it, for a format that rounds.
        asked: Rows that signature and scripts of a serving bundle were asked about; None for a model file.
    """

    format: str
    path: Path | None
    bytes: int
    sha256: str
    difference: float | None
    failure: str | None
    rounding: RoundingLoss | None = None
    asked: int | None = None

    def told(self, rows: int) -> str:
        """What became of it in a line; `rows` are those that model files are verified on."""
        if self.failure is not None:
            return f"{self.format}: FAILED: {self.failure}"
        if self.asked is not None:
            return f"{self.path}: signature and scripts verified on {self.asked} rows"
        return f"{self.path}: verified on {rows} rows"


@dataclass(frozen=True)
class ExportResult:
    """What `export` did.

    Attributes:
        directory: The export folder.
        trial: Id of the exported trial.
        role: What it is in the run: `winner`, `best so far`, `configuration`, `baseline` or `candidate`.
        rows: Number of rows that every file predicted.
        files: One entry for each requested format that there was time for, in their order.
        left_out: Names of the formats that there was no time for.
        unfit: Formats that nobody asked for by name and that cannot hold the model, with the reason.
    """

    directory: Path
    trial: str
    role: str
    rows: int
    files: tuple[ExportedFile, ...]
    left_out: tuple[str, ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()

    @property
    def verified(self) -> bool:
        """Whether every format that there was time for was written and predicts as the model in memory."""
        return all(file.failure is None for file in self.files)


def export(
    run: Run | str | Path,
    trial: str | int | None = None,
    formats: str | Sequence[str] | None = None,
    output: str | Path | None = None,
    left: Left = forever,
    reserve: float = 0.0,
    serve: bool | None = None,
) -> ExportResult:
    """Exports a model of a run: model files, `metadata.json` and `model_card.md`.

    Every file is written beside its place, loaded again in a fresh process, and must give the predictions of the
    model in memory on up to 64 rows; only then it gets its name. A format that fails does not stop the others. If
    all fail, the folder stays as it was. Files of the same model in other formats stay; those of another are removed.

    Args:
        run: A run or its directory; the search may still be running.
        trial: Id of a configuration or trial, with or without its leading zeros, or a baseline's name. Default: the
            winner, or before there is one the best configuration so far that keeps a checkpoint.
        formats: keras, h5, savedmodel, onnx, tflite, tflite-float16, tflite-int8, as a list or a text with commas
            between them. Default: those of the space file.
        output: The export folder; made if missing. Default: `export` in the run directory.
        left: Tells how many seconds are left. The first format is always made, the others in their order while there
            is time for them.
        reserve: Seconds to leave of that for something else, as it would take them on an idle machine.
        serve: Whether to write `serve/` besides: a SavedModel that takes files or named columns, and a plain script for
            each format. Default: as the space file says.

    Raises:
        ResultError: There is no such model, its checkpoint is damaged, a format is unknown, or the folder cannot be
            written, or holds files of somebody else at the places of those that are written.
        DiskError: The disk is full.
        RunError: There is no such run.
    """
    pressure = Pressure(left, reserve)
    opened = open_run(run)
    wanted = parse_formats(opened.spec.export.formats if formats is None else formats)
    asked = formats is not None or opened.spec.export.formats != Export().formats
    serve = opened.spec.export.serve if serve is None else serve
    if output is None:
        require_inside(opened.directory)
    directory = Path(output) if output is not None else opened.directory / layout.EXPORT
    require_ours(directory)
    with opened.read() as reader:
        info, chosen = data_info(reader), find_model(reader, trial)
        rows, source = _rows(reader, info)
        model = rebuild(opened, info, chosen)
        # Only now is it known that their settings are whole.
        both_ways = [answers_both_ways(opened.spec, one.trial) for one in chosen.members]
        several = Several.of(info)
        expected = _predictions(model, rows if several is None else several.unpacked(rows))
        stated = metadata.widened(info, expected.shape[1])
        described = metadata.describe(opened.spec, reader, chosen, stated, model, expected, both_ways)
        rounding = _Rounding(opened.spec, reader, info, described["output"]["kind"] == "logits")
    from results.exporting.inference import inference_model, sorted_out
    from results.exporting.writing import recurrent_steps
    from spaces.backbones.loading import leaves

    # Both ways round, everything is traced and computed twice.
    pressure.weigh(len(leaves(model)) * (2 if any(both_ways) else 1), recurrent_steps(model))
    try:
        with workspace(directory) as folder:
            fixed = inference_model(model, info)
            described["dtypes"] = [given.dtype for given in fixed.inputs]
            wanted, unfit = (wanted, ()) if asked else sorted_out(wanted, fixed, info)
            files, refused = _make(model, fixed, wanted, rows, expected, folder, directory, pressure, rounding, info)
            left_out = [format.name for format in wanted[len(files) :]]
            if not asked and len(refused) < len(files):
                files = [file for file in files if file.format not in refused]
                unfit += tuple(refused.items())
            made = [file for file in files if file.path is not None]
            bundle: dict[str, Any] | None = None
            if serve and made and pressure.allows([*wanted[: len(files)], SERVE]):
                described["files"] = [*map(_entry, made)]
                file, bundle = _bundle(fixed, stated, described, folder, directory)
                files.append(file)
            elif made:
                bundle = earlier_bundle(directory, described)
                left_out += [SERVE.name] if serve and bundle is None else []
            if made:
                earlier = earlier_files(directory, described, [file.format for file in files])
                left_out = [name for name in left_out if name not in [entry["format"] for entry in earlier]]
                described |= {
                    "exported": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "verification": {"rows": len(rows), "source": source},
                    "serve": bundle,
                    "files": [*map(_entry, made), *earlier],
                    "failed": [
                        *({"format": file.format, "reason": file.failure} for file in files if file.failure),
                        *({"format": name, "reason": "left out for want of time"} for name in left_out),
                        *({"format": name, "reason": reason} for name, reason in unfit),
                    ],
                }
                plain = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
                texts = {CARD: model_card(described), metadata.FILE: plain}
                kept = [entry["file"] for entry in described["files"]] + ([] if bundle is None else [SERVE.file])
                publish(folder, directory, kept, texts)
    except OSError as error:
        raise not_written(error.filename or directory, error) from error
    return ExportResult(directory, chosen.trial.id, chosen.role, len(rows), tuple(files), tuple(left_out), unfit)


def _bundle(
    fixed: keras.Model, info: DataInfo, described: dict[str, Any], folder: Path, directory: Path
) -> tuple[ExportedFile, dict[str, Any] | None]:
    """The serving bundle in the working folder, and what is said about it; None if it failed."""
    from results.exporting.serving.bundle import make_bundle

    made = folder / SERVE.file
    try:
        told = make_bundle(fixed, info, described, folder)
    except ResultError as error:
        return ExportedFile(SERVE.name, None, 0, "", None, str(error).replace(f"{folder}/", "")), None
    size, digest = size_of(made), sha256(made)
    asked = told["verification"]["rows"]
    return ExportedFile(SERVE.name, directory / SERVE.file, size, digest, None, None, asked=asked), {
        **told,
        "bytes": size,
        "sha256": digest,
    }


def _make(
    model: keras.Model,
    fixed: keras.Model,
    wanted: Sequence[Format],
    rows: Array,
    expected: Array,
    folder: Path,
    directory: Path,
    pressure: Pressure,
    rounding: _Rounding,
    info: DataInfo,
) -> tuple[list[ExportedFile], dict[str, str]]:
    """Writes and checks files in the working folder, as many of the formats, in their order, as there is time for.

    Their paths are those they will have. Besides, the formats among them that cannot hold the model, with the reason.
    """
    from results.exporting.inference import require_fitting
    from results.exporting.writing import write_model

    failures: dict[str, str] = {}
    unfit: dict[str, str] = {}
    begun: list[Format] = []
    for format in wanted:
        if begun and not pressure.allows([*begun, format], rounding.reading([*begun, format])):
            break
        begun.append(format)
        try:
            require_fitting(format, fixed, info)
            write_model(fixed, format, folder / format.file, rounding.rows.calibration)
        except ResultError as error:
            failures[format.name] = str(error)
            if isinstance(error, UnfitError):
                unfit[format.name] = str(error)
    several = Several.of(info)
    inputs = None if info.inputs is None else info.inputs.to_json()
    tasks = [
        Task(f.name, str(folder / f.file), f.tolerance, several is not None, inputs, units(info))
        for f in begun
        if f.name not in failures
    ]
    verdicts = verify(tasks, rows, expected, folder)
    verdicts |= {name: Verdict(None, failure) for name, failure in failures.items()}
    losses: dict[str, RoundingLoss] = {}
    for format in begun:
        if format.rounds and verdicts[format.name].failure is None:
            failure = rounding.check(format, folder / format.file, model, losses)
            verdicts[format.name] = replace(verdicts[format.name], failure=failure)
    files = [_file(format, verdicts[format.name], folder, directory, losses.get(format.name)) for format in begun]
    return files, unfit


class _Rounding:
    """What rounded files are calibrated on and measured with."""

    def __init__(self, spec: SearchSpec, reader: RunReader, info: DataInfo, logits: bool) -> None:
        self.rows = RunRows(spec, reader, info)
        self._most, self._logits = spec.export.quantisation_loss, logits

    def reading(self, formats: Sequence[Format]) -> float:
        """Seconds that it will take to read the rows which some of these formats need."""
        return self.rows.seconds if any(format.rounds for format in formats) else 0.0

    def check(self, format: Format, path: Path, model: keras.Model, losses: dict[str, RoundingLoss]) -> str | None:
        """Adds what a file has lost to `losses`; returns why it does not count, or None."""
        try:
            found = self.rows.loss(path, model, self._logits)
        except ResultError as error:
            return str(error)
        losses[format.name] = found
        if found.loss <= self._most:
            return None
        return (
            f"rounding costs too much: {found.measure} {found.file:.4f} on {found.rows:,} {found.part} rows, "
            f"that of the model is {found.model:.4f}; allowed is a loss of {self._most:g} (export.quantisation_loss)"
        )


def _file(
    format: Format, verdict: Verdict, folder: Path, directory: Path, rounding: RoundingLoss | None
) -> ExportedFile:
    if verdict.failure is not None:
        failure = verdict.failure.replace(f"{folder}/", "")
        return ExportedFile(format.name, None, 0, "", verdict.difference, failure, rounding)
    made = folder / format.file
    path = directory / format.file
    return ExportedFile(format.name, path, size_of(made), sha256(made), verdict.difference, None, rounding)


def _entry(file: ExportedFile) -> dict[str, Any]:
    return {
        "format": file.format,
        "file": FORMATS[file.format].file,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "verification": {"difference": file.difference},
        "rounding": None if file.rounding is None else asdict(file.rounding),
    }


def _predictions(model: keras.Model, rows: Any) -> Array:
    import tensorflow as tf

    # TensorFloat-32 on recent GPUs rounds to about 1e-3, which is more than a file may differ by.
    exact = tf.config.experimental
    before = exact.tensor_float_32_execution_enabled()
    exact.enable_tensor_float_32_execution(False)
    try:
        found = flat(model.predict_on_batch(rows)).astype(np.float32)
    finally:
        exact.enable_tensor_float_32_execution(before)
    return found


def _rows(reader: RunReader, info: DataInfo) -> tuple[Array, str]:
    """Rows to compare predictions on, and what they are: real ones where the run has kept some."""
    file = reader.directory / layout.TEST_ROWS
    if file.is_file():
        try:
            rows = arrays.load(file, "x")["x"][:_ROWS]
        except (OSError, ValueError, IndexError) as error:
            raise ResultError(f"{file}: damaged ({error})") from error
        if rows.dtype.kind not in "biuf":
            raise ResultError(f"{file}: holds values of type {rows.dtype}; numbers are expected")
        if rows.shape[1:] != info.input_shape or not len(rows):
            raise ResultError(f"{file}: holds rows of shape {rows.shape[1:]}, the model takes {info.input_shape}")
        part = "test" if (reader.meta("data").get("rows") or {}).get("test") else "validation"
        return rows, f"rows of the {part} part"
    generator = np.random.default_rng(0)
    if info.kind == "image":
        rows = generator.uniform(0, info.white or 1.0, (_ROWS, *info.input_shape))
    else:
        mean, std = np.asarray(info.mean or 0.0), np.asarray(info.std or 1.0)
        rows = mean + std * generator.standard_normal((_ROWS, *info.input_shape))
    return rows.astype(info.dtype), "random rows, as the search has kept none yet"
