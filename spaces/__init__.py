"""The declarative side: space files, the configurations they stand for, model families and data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spaces.basics.later import later

if TYPE_CHECKING:
    from spaces.basics.errors import CodeError, DataError, Problem, SpaceError
    from spaces.data import DataInfo, Dataset, Split, load_data
    from spaces.models.model import build_model
    from spaces.models.outputs import as_probabilities
    from spaces.models.parameters import count_parameters
    from spaces.models.settings import EarlyStopping, Settings, Target, TrainingSettings
    from spaces.reading.library import imports, library_file, load, names, placed
    from spaces.sections.baseline import Baseline
    from spaces.specs.configuring import configure, configure_baseline, extremes, sample, size
    from spaces.specs.plain import dump
    from spaces.specs.schema import json_schema
    from spaces.specs.spec import Objective, SearchSpec
    from spaces.specs.tuning import hypermodel, hyperparameters

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
    "placed",
    "sample",
    "size",
]

# Reading a run takes next to nothing of it, and some needs NumPy or TensorFlow.
__getattr__ = later(__name__, {
    "sections.baseline": ("Baseline",),
    "specs.configuring": ("configure", "configure_baseline", "extremes", "sample", "size"),
    "data": ("DataInfo", "Dataset", "Split", "load_data"),
    "basics.errors": ("CodeError", "DataError", "Problem", "SpaceError"),
    "reading.library": ("imports", "library_file", "load", "names", "placed"),
    "models.model": ("build_model",),
    "models.outputs": ("as_probabilities",),
    "models.parameters": ("count_parameters",),
    "specs.plain": ("dump",),
    "specs.schema": ("json_schema",),
    "models.settings": ("EarlyStopping", "Settings", "Target", "TrainingSettings"),
    "specs.spec": ("Objective", "SearchSpec"),
    "specs.tuning": ("hypermodel", "hyperparameters"),
})  # fmt: skip
