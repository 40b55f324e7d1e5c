"""The room that features take in a run directory; importing this does not import TensorFlow."""

from __future__ import annotations

import shutil
from pathlib import Path

import spaces
from search.files import layout
from spaces import Dataset, SearchSpec
from spaces.families import family_of, family_of_settings

_SAMPLES = 20
MOST_BYTES = 2**30
"""Of the values that pass one place in a backbone, for all rows together."""


def expected_bytes(spec: SearchSpec, data: Dataset) -> int:
    """Bytes of all features that a search will keep: those of sampled configurations, the extremes and the baselines.

    Raises:
        DataError: A backbone cannot be loaded.
    """
    if not family_of(spec.model).two_phases:
        return 0
    drawn = [*spaces.extremes(spec), *spaces.sample(spec, spec.search.seed, _SAMPLES)]
    every = [spaces.configure(spec, values) for values in drawn]
    every += [spaces.configure_baseline(spec, baseline) for baseline in spec.baselines]
    found: dict[object, int] = {}
    for settings in every:
        if family_of_settings(settings.family).begins_frozen(settings.model):
            from search.training.features import sizes

            found |= sizes(settings, data.info, len(data.train), len(data.validation))
    # Each fold has its own, and the final training those of all rows.
    folds = 0 if spec.data.folds is None else spec.data.folds.folds
    return (folds + 1) * sum(found.values())


def remove(run: Path) -> None:
    """Deletes the features; the run can compute them again."""
    shutil.rmtree(run / layout.FEATURES, ignore_errors=True)
