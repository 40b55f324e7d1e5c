"""Exporting a model of a run: files in several formats, each checked in a fresh process, with a description.

`export` is loaded when it is used: the checking process imports modules of this package and shall stay light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spaces.basics.later import later

if TYPE_CHECKING:
    from results.exporting.exported import ExportedFile, ExportResult, export

__all__ = ["ExportResult", "ExportedFile", "export"]

__getattr__ = later(__name__, {"exported": ("ExportResult", "ExportedFile", "export")})
