"""Builds a Keras model of a file without its weights' memory, to see how large it would be.

A configuration of a few bytes can ask for layers of terabytes, and Keras allocates them before it looks at the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from results.exporting.reading.memory import check_fits, check_unpacked
from spaces.outside.keras_internals import unallocated, uses_of

if TYPE_CHECKING:
    import keras

_BYTES = 4  # of a float32, in which models compute


def check_network(path: Path) -> int:
    """Checks that a Keras file's layers are no larger than its weights, and fit into memory.

    Args:
        path: A `.keras` or `.h5` file that `archive` has checked.

    Returns:
        Bytes of the largest thing that the model computes on the way for one row.

    Raises:
        ResultError: The layers need far more weights than the file holds, or memory than there is.
        Exception: Whatever Keras raises for a file that it cannot load.
    """
    import keras

    with unallocated():
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        weights = sum(prod(weight.shape) for weight in model.weights) * _BYTES
    check_unpacked(weights, path.stat().st_size, path, "its layers")
    largest = max((size for layer in _layers(model) for size in _outputs(layer)), default=0)
    check_fits(largest, path, "one row in its layers")
    return largest


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def _outputs(layer: keras.layers.Layer) -> Iterator[int]:
    import keras

    outputs = [node.output_tensors for node in uses_of(layer)]
    for output in keras.tree.flatten(outputs):
        yield prod(size or 1 for size in output.shape[1:]) * _BYTES
