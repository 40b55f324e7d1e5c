"""The file names of a run directory, in one place."""

from __future__ import annotations

import os
from pathlib import Path

SPACE = "space.yaml"
STORE = "run.sqlite"
LOG = "log.txt"
LOCK = "run.lock"
OUTPUT = "output.txt"
"""What a night in the background prints."""
MAKING = "run.making"
"""A store that is being made."""
TRIALS = "trials"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"
REPORT = "report"
EXPORT = "export"
DATA = "data"
FEATURES = "features"
ROWS = "rows"

TEST_ROWS = f"{EVALUATION}/rows.npz"
SAMPLE = f"{EVALUATION}/sample.npz"
"""Rows for formats that round weights, of data which may be others when they are loaded again."""

_WRITTEN = (SPACE, STORE, LOG, TRIALS, TENSORBOARD, EVALUATION, REPORT, EXPORT, DATA, FEATURES, ROWS)
_WRITTEN_WITH_STORE = (SPACE, TRIALS)


def trial_folder(trial_id: str) -> str:
    """Folder of a trial's checkpoints, relative to the run directory."""
    return f"{TRIALS}/{trial_id}"


def evaluation_file(trial_id: str) -> str:
    """File of a final model's predictions on the test part, relative to the run directory."""
    return f"{EVALUATION}/{trial_id}.npz"


def is_run(directory: Path) -> bool:
    """Whether `directory` holds a run."""
    return os.path.isfile(directory / STORE)


def in_the_way(directory: Path) -> list[str]:
    """What a folder that holds no run has at the places of a run's files, where it would be overwritten or deleted.

    What a start that failed has left there is not counted.
    """
    begun = os.path.isfile(directory / MAKING)
    found = [name for name in _WRITTEN if os.path.lexists(directory / name)]
    return [
        name
        for name in found
        if not (begun and name in _WRITTEN_WITH_STORE) and not (name == ROWS and _are_rows(directory / name))
    ]


def _are_rows(folder: Path) -> bool:
    """Whether a folder holds nothing but rows that were written and may be found again."""
    try:
        return not folder.is_symlink() and all(path.name.startswith("rows-") for path in folder.iterdir())
    except OSError:
        return False
