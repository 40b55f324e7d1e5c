"""The exported files beside the report."""

from __future__ import annotations

from pathlib import Path

from results.reporting.document import Link
from results.reporting.facts import Facts
from results.reporting.words import size
from search.files import layout

_KNOWN = (
    ("model.keras", "Keras"), ("model.h5", "HDF5"), ("savedmodel", "SavedModel"), ("model.onnx", "ONNX"),
    ("model.tflite", "LiteRT"), ("model-float16.tflite", "LiteRT, 16 bits"), ("model-int8.tflite", "LiteRT, 8 bits"),
    ("model_card.md", "Model card"), ("metadata.json", "Metadata"),
)  # fmt: skip


def links(facts: Facts) -> list[Link]:
    """Links to the exported files that are there, with their sizes."""
    folder = facts.directory / layout.EXPORT
    return [
        Link(words, f"../{layout.EXPORT}/{name}", size(_bytes(folder / name)))
        for name, words in _KNOWN
        if (folder / name).exists()
    ]


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
