"""Model families: the settings each one has, and the layers they stand for."""

from __future__ import annotations

from types import ModuleType

from spaces.families import cnn, mlp, pretrained

FAMILIES: dict[str, ModuleType] = {"mlp": mlp, "cnn": cnn, "pretrained": pretrained}

__all__ = ["FAMILIES", "cnn", "mlp", "pretrained"]
