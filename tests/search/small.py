"""Small real trainings: 300 rows of digits, networks of a few hundred weights, milliseconds an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from search.record.trial import TrialJob

SPACE: dict[str, Any] = {
    "name": "tiny",
    "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 300},
    "model": {
        "family": "mlp",
        "layers": {"min": 1, "max": 2},
        "units": {"min": 8, "max": 32, "step": 8},
        "dropout": {"min": 0.0, "max": 0.4, "step": 0.2},
    },
    "training": {
        "optimizer": ["adam", "sgd"],
        "learning_rate": {"min": 1e-3, "max": 1e-1, "log": True},
        "momentum": {"min": 0.8, "max": 0.99, "when": {"optimizer": "sgd"}},
        "batch_size": 64,
        "epochs": {"min": 1, "max": 3},
    },
    "search": {"algorithm": "hyperband", "objective": "val_accuracy", "seed": 3, "max_trials": 6},
    "baselines": [{"name": "linear", "values": {"layers": 0, "optimizer": "adam", "learning_rate": 0.01}}],
    "final": {"candidates": 1, "seeds": 1},
    "export": {"formats": ["keras"]},
}

VALUES: dict[str, dict[str, Any]] = {
    "adam with dropout": {
        "layers": 2, "units_0": 16, "units_1": 8, "dropout": 0.2, "optimizer": "adam", "learning_rate": 0.01,
    },
    "sgd with momentum": {
        "layers": 1, "units_0": 16, "dropout": 0.4, "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9,
    },
}  # fmt: skip


def spec(**sections: Mapping[str, Any]) -> spaces.SearchSpec:
    """The space above, with keys of some sections replaced."""
    changed = {
        name: {**part, **sections.get(name, {})} if isinstance(part, Mapping) else sections.get(name, part)
        for name, part in SPACE.items()
    }
    return spaces.load({**changed, **{name: part for name, part in sections.items() if name not in SPACE}})


def settings(values: Mapping[str, Any], **sections: Mapping[str, Any]) -> dict[str, Any]:
    """Complete settings of one configuration of the space, as plain data."""
    return spaces.configure(spec(**sections), values).to_json()


def job(trial_id: str = "0", values: str = "adam with dropout", **changes: Any) -> TrialJob:
    """Six epochs of one configuration, or as changed."""
    made: dict[str, Any] = {
        "trial_id": trial_id,
        "settings": settings(VALUES[values], training={"epochs": 6}, search={"algorithm": "random"}),
        "seed": 11,
        "objective": "val_accuracy",
        "direction": "max",
        "epochs_from": 0,
        "epochs_to": 6,
        "keep": ("best", "state", "last"),
    }
    return TrialJob(**{**made, **changes})


def curve(outcome: Any) -> list[tuple[int, dict[str, float]]]:
    """The numbers of an outcome that must not depend on where or when it was trained."""
    return [(epoch.number, dict(epoch.metrics)) for epoch in outcome.epochs]


def assert_same_arrays(one: Mapping[str, list[np.ndarray]], other: Mapping[str, list[np.ndarray]]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    for name in one:
        assert len(one[name]) == len(other[name])
        for a, b in zip(one[name], other[name], strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes(), name


def write_module(folder: Path, name: str, text: str) -> str:
    """Writes a module of a user's; returns the reference of its function `build`."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return f"{name}:build"
