"""The declarative side: space files, the configurations they stand for, model families and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spaces.baseline import Baseline
    from spaces.configurations import configure, configure_baseline, extremes, sample, size
    from spaces.data import DataInfo, Dataset, Split, load_data
    from spaces.errors import CodeError, DataError, Problem, SpaceError
    from spaces.library import imports, library_file, load, names
    from spaces.model import build_model
    from spaces.outputs import as_probabilities
    from spaces.parameters import count_parameters
    from spaces.plain import dump
    from spaces.schema import json_schema
    from spaces.settings import EarlyStopping, Settings, Target, TrainingSettings
    from spaces.spec import Objective, SearchSpec
    from spaces.tuning import hypermodel, hyperparameters

# Imported when it is first asked for: reading a run takes next to nothing of it, and some needs NumPy or TensorFlow.
_LATER = {
    name: f"spaces.{module}"
    for module, found in {
        "baseline": ("Baseline",),
        "configurations": ("configure", "configure_baseline", "extremes", "sample", "size"),
        "data": ("DataInfo", "Dataset", "Split", "load_data"),
        "errors": ("CodeError", "DataError", "Problem", "SpaceError"),
        "library": ("imports", "library_file", "load", "names"),
        "model": ("build_model",),
        "outputs": ("as_probabilities",),
        "parameters": ("count_parameters",),
        "plain": ("dump",),
        "schema": ("json_schema",),
        "settings": ("EarlyStopping", "Settings", "Target", "TrainingSettings"),
        "spec": ("Objective", "SearchSpec"),
        "tuning": ("hypermodel", "hyperparameters"),
    }.items()
    for name in found
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
