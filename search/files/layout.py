"""The file names of a run directory, in one place."""

from __future__ import annotations

from pathlib import Path

SPACE = "space.yaml"
STORE = "run.sqlite"
LOG = "log.txt"
LOCK = "run.lock"
TRIALS = "trials"
TENSORBOARD = "tensorboard"
EVALUATION = "evaluation"
REPORT = "report"
EXPORT = "export"
DATA = "data"
FEATURES = "features"
ROWS = "rows"

TEST_ROWS = f"{EVALUATION}/rows.npz"


def trial_folder(trial_id: str) -> str:
    """Folder of a trial's checkpoints, relative to the run directory."""
    return f"{TRIALS}/{trial_id}"


def evaluation_file(trial_id: str) -> str:
    """File of a final model's predictions on the test part, relative to the run directory."""
    return f"{EVALUATION}/{trial_id}.npz"


def is_run(directory: Path) -> bool:
    """Whether `directory` holds a run."""
    return (directory / STORE).is_file()
