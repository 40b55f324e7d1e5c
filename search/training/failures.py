"""Turns whatever building or training raised into a `Failure` that says why."""

from __future__ import annotations

import traceback
from pathlib import Path

from search.record.trial import Failure, FailureReason
from spaces import CodeError, DataError
from spaces.families import family_of_settings
from spaces.outside.references import line_of


class TrialFailed(Exception):
    """The trial cannot give a score; `failure` says why."""

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(reason, message)


class InvalidArchitecture(TrialFailed):
    """The model cannot be built from these values."""

    def __init__(self, message: str) -> None:
        super().__init__(FailureReason.INVALID, message)


def classify(error: BaseException, family: str = "") -> Failure:
    """The failure that an exception stands for; its traceback goes to `detail`.

    Args:
        error: What building or training raised.
        family: `Settings.family`: an error that came through code of the user's is told with its line. A table has no
            room for the whole path of the file; the record of the space has it.
    """
    reference = (family_of_settings(family).code(family) if family else None) or ""
    detail = "".join(traceback.format_exception(error))
    if isinstance(error, TrialFailed):
        return Failure(error.failure.reason, error.failure.message, detail)
    # A user's function may run out of memory as any training does.
    cause = error.__cause__ if isinstance(error, CodeError) and error.__cause__ else error
    # By name, so that sorting a failure does not import TensorFlow.
    names = {cls.__name__ for cls in type(cause).__mro__}
    if isinstance(cause, MemoryError) or "ResourceExhaustedError" in names:
        return Failure(FailureReason.OUT_OF_MEMORY, _first_line(cause) or "not enough memory", detail)
    if isinstance(error, DataError):
        return Failure(FailureReason.DATA, _first_line(error), detail)
    if isinstance(error, CodeError):
        message = str(error)
    else:
        where = line_of(reference, error) if reference else None
        message = f"{type(error).__name__}: {_first_line(error)}"
        message = message if where is None else f"{where}: {message}"
    return Failure(FailureReason.ERROR, message.replace(reference, Path(reference).name), detail)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else ""
