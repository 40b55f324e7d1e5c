"""Exporting a model of a run: files in several formats, each checked in a fresh process, with a description.

`export` is loaded when it is used: the checking process imports modules of this package and shall stay light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results.exporting.exported import ExportedFile, ExportResult, export

__all__ = ["ExportResult", "ExportedFile", "export"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'results.exporting' has no attribute {name!r}")
    from results.exporting import exported

    return getattr(exported, name)
