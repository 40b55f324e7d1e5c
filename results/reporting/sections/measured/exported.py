"""The exported files beside the report."""

from __future__ import annotations

from pathlib import Path

from results.errors import ResultError
from results.exporting import metadata
from results.reporting.document import Link
from results.reporting.facts import Facts
from results.reporting.words import size
from results.text import visible
from search.files import layout

_KNOWN = (
    ("model.keras", "Keras"), ("model.h5", "HDF5"), ("savedmodel", "SavedModel"), ("model.onnx", "ONNX"),
    ("model.tflite", "LiteRT"), ("model-float16.tflite", "LiteRT, 16 bits"), ("model-int8.tflite", "LiteRT, 8 bits"),
    ("model_card.md", "Model card"), ("metadata.json", "Metadata"),
)  # fmt: skip


def links(facts: Facts) -> list[Link]:
    """Links to the exported files that are there, with their sizes, and of what they are if of another model."""
    folder = facts.directory / layout.EXPORT
    another = _another(facts, folder)
    whose = "" if another is None else f", of trial {visible(another)}"
    return [
        Link(words, f"../{layout.EXPORT}/{name}", size(_bytes(folder / name)) + whose)
        for name, words in _KNOWN
        if (folder / name).exists()
    ]


def _another(facts: Facts, folder: Path) -> str | None:
    """The trial that was exported, where the report is about another one; None: it is not, or nobody knows.

    A row of the table may have been exported by its name, or a search that went on has another winner by now.
    """
    try:
        exported = metadata.read_json(folder / metadata.FILE)["run"]
        trial, configuration = str(exported["trial"]), exported["configuration"]
    except (ResultError, OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if facts.winner is not None:
        return None if trial == facts.winner.id else trial
    return None if facts.leader is not None and configuration == facts.leader.id else trial


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
