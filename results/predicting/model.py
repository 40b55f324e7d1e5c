"""Finding the model that a path means, and what is known about it."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

from results.errors import ResultError
from results.exporting import metadata
from results.exporting.formats import FORMATS
from results.exporting.metadata import ModelInfo
from results.exporting.reading.loading import SAVED_MODEL, LoadedModel
from results.exporting.serving.scripts import SIGNATURE
from search.files import layout
from spaces.basics.files import missing, unreadable


def find_model_file(path: Path) -> Path:
    """The model file, or SavedModel folder, that a path means.

    Args:
        path: An exported file, the folder of a SavedModel, an export folder, or a run directory. In a folder with
            several formats the `.keras` file is taken, else the first one there is.

    Raises:
        ResultError: There is no model.
    """
    if os.path.isfile(path / SIGNATURE) and os.path.isfile(path.resolve().parent / metadata.FILE):
        # The serving bundle takes other things than rows; what it was made with stands beside it.
        path = path.resolve().parent
    if os.path.isfile(path) or os.path.isfile(path / SAVED_MODEL):
        return path
    if not os.path.isdir(path):
        raise ResultError(f"{path}: {'no such file or folder' if missing(path) else unreadable(path)}")
    folder = path / layout.EXPORT if layout.is_run(path) else path
    for known in FORMATS.values():
        if os.path.exists(folder / known.file):
            return folder / known.file
    if layout.is_run(path):
        raise ResultError(
            f"{path}: this run has no exported model yet; make one with `run-search export {quote(str(path))}`"
        )
    raise ResultError(f"{path}: no exported model here; expected {', '.join(f.file for f in FORMATS.values())}")


def holds_model(folder: Path) -> bool:
    """Whether a folder is an export, with what describes it, or a SavedModel."""
    described = (folder / metadata.FILE).is_file() and any((folder / known.file).exists() for known in FORMATS.values())
    return described or (folder / SAVED_MODEL).is_file()


def model_info(file: Path) -> ModelInfo | None:
    """What the metadata file beside a model says, or None if there is none.

    Raises:
        ResultError: It is damaged.
    """
    beside = file.resolve().parent / metadata.FILE
    return metadata.read_model_info(beside) if os.path.lexists(beside) else None


def check_fits(model: LoadedModel, known: ModelInfo, file: Path) -> None:
    """Checks that a model is the one its metadata file describes, as far as shapes tell.

    Raises:
        ResultError: It takes or returns something else.
    """
    shape = known.info.input_shape
    same_rank = len(model.row_shape) == len(shape)
    if not same_rank or any(size not in (None, given) for size, given in zip(model.row_shape, shape, strict=True)):
        raise ResultError(
            f"{file}: takes rows of shape {model.row_shape}, but the {metadata.FILE} beside it describes a model for "
            f"{shape}; they do not belong together"
        )
    if model.outputs not in (None, known.units):
        raise ResultError(
            f"{file}: has {model.outputs} outputs, but the {metadata.FILE} beside it describes {known.units}; "
            "they do not belong together"
        )
