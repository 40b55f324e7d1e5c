"""Model families, see `spaces.families.family`: the settings each one has, and the models they stand for."""

from __future__ import annotations

from typing import Any

from spaces.basics.registry import Registry
from spaces.families.family import Family, ModelSection

FAMILIES: Registry[Family] = Registry(
    "nightshift.families",
    {
        "mlp": "spaces.families.mlp:MLP",
        "cnn": "spaces.families.cnn:CNN",
        "conv1d": "spaces.families.conv1d:CONV1D",
        "pretrained": "spaces.families.pretrained:PRETRAINED",
        "python": "spaces.families.python:PYTHON",
    },
    Family,
)

__all__ = ["FAMILIES", "Family", "ModelSection", "family_named", "family_of", "family_of_settings"]


def family_named(written: Any) -> Family:
    """The family that a space file names, as `mlp` or as `{python: ...}`; raises KeyError where there is none."""
    if isinstance(written, dict):
        return FAMILIES[next((name for name in written if name in FAMILIES), "python")]
    return FAMILIES[written]


def family_of(section: ModelSection) -> Family:
    """The family whose section `model` this is."""
    return FAMILIES[section.family_name]


def family_of_settings(label: str) -> Family:
    """The family of a configuration, by its `Settings.family`."""
    return FAMILIES[label.partition(":")[0]]
