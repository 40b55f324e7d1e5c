"""Resizing with antialiasing, written in operations that every format has.

Imported only where a model is exported: the module needs Keras.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


class ResizingByProducts(keras.layers.Layer):  # type: ignore[misc]
    """What an antialiasing `Resizing` does, as a product with one matrix for each side.

    TensorFlow has one operation for it, which neither ONNX nor LiteRT knows.

    Args:
        layer: The layer, of bilinear interpolation.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(name=layer.name, trainable=False)
        self._size = layer.height, layer.width

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the matrices, for images of this shape."""
        _, height, width, _ = input_shape
        assert height is not None
        assert width is not None
        self._rows, self._columns = _shares(height, self._size[0]), _shares(width, self._size[1])

    def call(self, inputs: Any) -> Any:
        """The resized images of shape (batch, height, width, channels)."""
        images = ops.transpose(ops.cast(inputs, "float32"), (0, 3, 1, 2))
        narrow = ops.transpose(ops.matmul(images, self._columns), (0, 1, 3, 2))
        return ops.transpose(ops.matmul(narrow, self._rows), (0, 3, 2, 1))


def is_averaging(layer: Any) -> bool:
    """Whether it is a `Resizing` with antialiasing."""
    return isinstance(layer, keras.layers.Resizing) and layer.antialias


def _shares(before: int, after: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """How much of each pixel along a side goes into each pixel of the resized one, shape (before, after)."""
    images = np.eye(before, dtype=np.float32)[..., None]
    found = ops.image.resize(images[:, None], (1, after), antialias=True, data_format="channels_last")
    return np.asarray(found)[:, 0, :, 0]
