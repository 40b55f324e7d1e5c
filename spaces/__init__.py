"""The declarative side: space files, the configurations they stand for, model families and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spaces.baseline import Baseline
from spaces.configurations import configure, configure_baseline, extremes, sample, size
from spaces.errors import CodeError, DataError, Problem, SpaceError
from spaces.library import imports, library_file, load, names
from spaces.plain import dump
from spaces.schema import json_schema
from spaces.settings import EarlyStopping, Settings, Target, TrainingSettings
from spaces.spec import Objective, SearchSpec

if TYPE_CHECKING:
    from spaces.data import DataInfo, Dataset, Split, load_data
    from spaces.model import build_model
    from spaces.outputs import as_probabilities
    from spaces.parameters import count_parameters
    from spaces.tuning import hypermodel, hyperparameters

# What needs NumPy or TensorFlow is imported when it is first asked for.
_LATER = {
    "DataInfo": "spaces.data",
    "Dataset": "spaces.data",
    "Split": "spaces.data",
    "load_data": "spaces.data",
    "as_probabilities": "spaces.outputs",
    "build_model": "spaces.model",
    "count_parameters": "spaces.parameters",
    "hypermodel": "spaces.tuning",
    "hyperparameters": "spaces.tuning",
}

__all__ = [
    "Baseline",
    "CodeError",
    "DataError",
    "DataInfo",
    "Dataset",
    "EarlyStopping",
    "Objective",
    "Problem",
    "SearchSpec",
    "Settings",
    "SpaceError",
    "Split",
    "Target",
    "TrainingSettings",
    "as_probabilities",
    "build_model",
    "configure",
    "configure_baseline",
    "count_parameters",
    "dump",
    "extremes",
    "hypermodel",
    "hyperparameters",
    "imports",
    "json_schema",
    "library_file",
    "load",
    "load_data",
    "names",
    "sample",
    "size",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'spaces' has no attribute '{name}'")
    import importlib

    found = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = found
    return found
