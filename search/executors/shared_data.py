"""The data set as memory-mapped arrays in the run directory: written once, shared by all workers through the kernel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import DiskError
from search.files import atomic, layout
from spaces import DataInfo, Dataset, Split

_DESCRIPTION = "data.json"
_FOLDS = "folds.npy"


def write(run: Path, data: Dataset) -> Path:
    """Writes train and validation; the test part never leaves the process of the search.

    Returns:
        The folder. If it already holds these very data, it is used as it is.

    Raises:
        DiskError: It cannot be written.
    """
    folder = run / layout.DATA
    description = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "origin": data.origin,
        "info": data.info.to_json(),
    }
    try:
        # Another version may have described the same rows in other words.
        if all(_description(folder).get(key) == description[key] for key in ("fingerprint", "info")):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, part in (("train", data.train), ("validation", data.validation)):
            np.save(folder / f"{name}_x.npy", np.ascontiguousarray(part.x))
            np.save(folder / f"{name}_y.npy", np.ascontiguousarray(part.y))
            if part.weight is not None:
                np.save(folder / f"{name}_weight.npy", part.weight)
        if data.folds is not None:
            np.save(folder / _FOLDS, data.folds)
        # The description comes last: a folder without it is not complete.
        atomic.write_bytes(folder / _DESCRIPTION, json.dumps(description).encode())
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DiskError(f"{folder}: the data cannot be written ({error.strerror or error})") from error
    return folder


def read(folder: Path) -> Dataset:
    """The data set that `write` left in `folder`, its arrays mapped, not loaded."""
    description = _description(folder)
    return Dataset(
        name=description["name"],
        info=DataInfo.from_json(description["info"]),
        train=_part(folder, "train"),
        validation=_part(folder, "validation"),
        test=None,
        fingerprint=description["fingerprint"],
        origin=description["origin"],
        folds=np.load(folder / _FOLDS, allow_pickle=False) if (folder / _FOLDS).exists() else None,
    )


def remove(run: Path) -> None:
    """Deletes the arrays; the run can make them again."""
    shutil.rmtree(run / layout.DATA, ignore_errors=True)


def _part(folder: Path, name: str) -> Split:
    # Copied on writing, which nobody does: TensorFlow takes over only memory that may be written to.
    x, y = (np.load(folder / f"{name}_{what}.npy", mmap_mode="c", allow_pickle=False) for what in "xy")
    weight = folder / f"{name}_weight.npy"
    return Split(x, y, np.load(weight, allow_pickle=False) if weight.exists() else None)


def _description(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
