"""What the data tests share: data sets loaded through whole spaces, and files to load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces

PHOTOGRAPHS = Path(__file__).resolve().parents[4] / "shared" / "data" / "flower_photos"


@pytest.fixture
def load() -> Callable[..., spaces.Dataset]:
    """`load(source, loss=..., metrics=..., **data)`: the data set of a space with this `data:` section."""

    def loaded(source: Any, *, loss: str = "auto", metrics: Any = None, **data: Any) -> spaces.Dataset:
        training = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 8, "epochs": 1, "loss": loss}
        space = {
            "name": "data",
            "data": {"source": source, **data},
            "model": {"family": "mlp", "layers": 0},
            "training": training if metrics is None else {**training, "metrics": metrics},
        }
        return spaces.load_data(spaces.load(space))

    return loaded


@pytest.fixture
def save_npz(tmp_path: Path) -> Callable[..., Path]:
    """`save_npz(x=..., y=...)`: path of an archive with these arrays."""

    def saved(**arrays: Any) -> Path:
        path = tmp_path / "rows.npz"
        np.savez_compressed(path, **arrays)
        return path

    return saved


@pytest.fixture
def photographs() -> Path:
    """The folder of real photographs, one subfolder per class."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"the photographs are not at {PHOTOGRAPHS}")
    return PHOTOGRAPHS


@pytest.fixture
def some_photographs(photographs: Path, tmp_path: Path) -> Path:
    """A folder with the first 12 photographs of each class."""
    folder = tmp_path / "photographs"
    for class_folder in sorted(photographs.iterdir()):
        if class_folder.is_dir():
            (folder / class_folder.name).mkdir(parents=True)
            for photograph in sorted(class_folder.iterdir())[:12]:
                (folder / class_folder.name / photograph.name).symlink_to(photograph)
    return folder
