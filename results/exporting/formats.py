"""The file formats a model can be exported to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from results.errors import ResultError
from results.named import named


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: As in the space file's `export.formats`.
        file: Name of the file, or folder, in the export folder.
        tolerance: Largest difference between its predictions and those of the model in memory, as a multiple of
            max(1, |prediction|).
        packages: Modules that writing and checking it needs beyond the project's own dependencies.
        seconds: What writing it takes on an idle machine, about.
        rounds: Whether it rounds the weights, so that what counts is how good its predictions are.
        unrolls: Whether recurrent layers are written step after step.
    """

    name: str
    file: str
    tolerance: float = 1e-4
    packages: tuple[str, ...] = ()
    seconds: float = 0.5
    rounds: bool = False
    unrolls: bool = False


FORMATS = {
    known.name: known
    for known in (
        Format("keras", "model.keras"),
        Format("h5", "model.h5"),
        Format("savedmodel", "savedmodel", seconds=2.0),
        Format("onnx", "model.onnx", packages=("onnx", "tf2onnx", "onnxruntime"), seconds=4.0),
        # LiteRT's kernels accumulate in another order than TensorFlow's.
        Format("tflite", "model.tflite", tolerance=1e-3, seconds=3.0, unrolls=True),
        Format("tflite-float16", "model-float16.tflite", tolerance=math.inf, seconds=6.0, rounds=True, unrolls=True),
        Format("tflite-int8", "model-int8.tflite", tolerance=math.inf, seconds=8.0, rounds=True, unrolls=True),
    )
}

SERVE = Format("serve", "serve", seconds=10.0)
"""The bundle for serving, which is asked for by `export.serve` and not among the formats."""


def parse_formats(given: str | Sequence[str]) -> list[Format]:
    """The formats of these names, see `named`, each once.

    Raises:
        ResultError: A name is unknown, or there is none.
    """
    names = named(given)
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        found = f"unknown export format {unknown[0]!r}" if unknown else "no export format given"
        raise ResultError(f"{found}; known are {', '.join(FORMATS)}")
    return [FORMATS[name] for name in names]
