"""Keras layers that change training images at random, as gathers and masks; none of them is in an exported model.

Keras's own layers for these changes take several times as long: they transform every image by a matrix.
`python -m benchmarks.augmentation` measures both. What each layer does to given random draws is a function by itself.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def placed(images: Any, mirrored: Any, upside_down: Any, down: Any, right: Any, margin: tuple[int, int]) -> Any:
    """Images after mirroring and shifting, in one gather.

    Args:
        images: shape (n, height, width, channels).
        mirrored: which are mirrored from left to right, boolean (n,).
        upside_down: which are mirrored from top to bottom, boolean (n,).
        down: rows by which each is then shifted down, within plus or minus `margin[0]`, int (n,).
        right: columns by which each is then shifted to the right, within plus or minus `margin[1]`, int (n,).
        margin: pixels of 0 around the images.
    """
    count, height, width, channels = tf.unstack(tf.shape(images))
    rows = _sources(height, upside_down, down) + margin[0]
    columns = _sources(width, mirrored, right) + margin[1]
    if any(margin):
        images = tf.pad(images, [[0, 0], [margin[0]] * 2, [margin[1]] * 2, [0, 0]])
    padded_height, padded_width = height + 2 * margin[0], width + 2 * margin[1]
    first = tf.range(count)[:, None] * padded_height + rows
    pixels = tf.gather(tf.reshape(images, [-1, channels]), first[:, :, None] * padded_width + columns[:, None, :])
    return tf.reshape(pixels, [count, height, width, channels])


def _pixels(share: float, size: int) -> int:
    """A share of a side in whole pixels; one where it is less, so that it does something."""
    return max(1, round(share * size))


def _sources(size: Any, reversed_: Any, shift: Any) -> Any:
    """For each place along one axis the place that its pixel comes from, shape (n, size)."""
    places = tf.range(size)[None] - shift[:, None]
    return tf.where(reversed_[:, None], size - 1 - places, places)


def lit(images: Any, change: Any, factor: Any, limits: tuple[float, float] | None) -> Any:
    """Images whose distances from their channels' means are multiplied, and whose values are then raised.

    Args:
        images: shape (n, height, width, channels).
        change: added to all values of an image, shape (n,).
        factor: of the distances, shape (n,).
        limits: smallest and largest value; None for none.
    """
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    factor = factor[:, None, None, None]
    changed = images * factor + (mean * (1 - factor) + change[:, None, None, None])
    return changed if limits is None else tf.clip_by_value(changed, *limits)


def cut(images: Any, row: Any, column: Any, sides: tuple[int, int], fill: tuple[float, ...]) -> Any:
    """Images with a rectangle blotted out (DeVries and Taylor, arXiv:1708.04552).

    Args:
        images: shape (n, height, width, channels).
        row: topmost row of each rectangle, which may lie outside of the image, int (n,).
        column: its leftmost column, int (n,).
        sides: height and width of the rectangles.
        fill: what comes in its place, one value or one for each channel.
    """
    height, width = images.shape[1:3]
    inside = [
        (tf.range(size)[None] >= first[:, None]) & (tf.range(size)[None] < first[:, None] + side)
        for size, first, side in ((height, row, sides[0]), (width, column, sides[1]))
    ]
    blotted = (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
    return tf.where(blotted, tf.constant(fill, images.dtype), images)


def mixed(rows: Any, share: Any) -> Any:
    """Each row with a share of itself and the rest of the row before it, the first with the last.

    Args:
        rows: shape (n, ...).
        share: shape (n,).
    """
    share = tf.reshape(share, [-1, *[1] * (len(rows.shape) - 1)])
    return share * rows + (1 - share) * tf.roll(rows, 1, axis=0)


class _Random(keras.layers.Layer):  # type: ignore[misc]
    """What only changes anything while training."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, while training changed at random."""
        return self._changed(tf.cast(images, self.compute_dtype)) if training else images

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """That of the input."""
        return input_shape

    def _changed(self, images: Any) -> Any:
        raise NotImplementedError

    def _uniform(self, images: Any, low: float, high: float) -> Any:
        """A number for each image, from `low` to below `high`."""
        return keras.random.uniform((tf.shape(images)[0],), low, high, seed=self.seed_generator)

    def _whole(self, images: Any, low: int, high: int) -> Any:
        """A whole number for each image, from `low` to `high`."""
        return tf.minimum(tf.cast(tf.floor(self._uniform(images, low, high + 1)), tf.int32), high)


class RandomPlacement(_Random):
    """Mirrors half of the images, and shifts all of them by whole pixels.

    Args:
        flip: `none`, `horizontal`, `vertical` or `both`.
        shift: largest shift in every direction, as a fraction of the size; at least a pixel, and never all of them; 0
            for none.
        name: of the layer.
    """

    def __init__(self, flip: str, shift: float, name: str) -> None:
        super().__init__(name)
        self._flip = flip
        self._shift = shift

    def _changed(self, images: Any) -> Any:
        # By as many pixels as it has, an image would be shifted out of sight.
        down, across = (min(_pixels(self._shift, size), size - 1) if self._shift else 0 for size in images.shape[1:3])
        count = tf.shape(images)[0]

        def half(*flips: str) -> Any:
            return self._uniform(images, 0, 1) < 0.5 if self._flip in flips else tf.zeros([count], tf.bool)

        def shift(most: int) -> Any:
            return self._whole(images, -most, most) if most else tf.zeros([count], tf.int32)

        mirrored, upside_down = half("horizontal", "both"), half("vertical", "both")
        return placed(images, mirrored, upside_down, shift(down), shift(across), (down, across))


class RandomLight(_Random):
    """Changes brightness and contrast.

    Args:
        brightness: largest change of all values.
        contrast: largest change of the distances from a channel's mean, as a fraction of them.
        limits: smallest and largest value of an image; None: not known.
        name: of the layer.
    """

    def __init__(self, brightness: float, contrast: float, limits: tuple[float, float] | None, name: str) -> None:
        super().__init__(name)
        self._brightness, self._contrast, self._limits = brightness, contrast, limits

    def _changed(self, images: Any) -> Any:
        change = self._uniform(images, -self._brightness, self._brightness)
        return lit(images, change, self._uniform(images, 1 - self._contrast, 1 + self._contrast), self._limits)


class RandomCutout(_Random):
    """Blots out a rectangle of every image, whose middle is anywhere in it.

    Args:
        share: sides of the rectangle, as a fraction of the image's; at least a pixel.
        fill: what comes in its place, one value or one for each channel.
        name: of the layer.
    """

    def __init__(self, share: float, fill: tuple[float, ...], name: str) -> None:
        super().__init__(name)
        self._share, self._fill = share, fill

    def _changed(self, images: Any) -> Any:
        height, width = (_pixels(self._share, size) for size in images.shape[1:3])
        row = self._whole(images, 0, images.shape[1] - 1) - height // 2
        column = self._whole(images, 0, images.shape[2] - 1) - width // 2
        return cut(images, row, column, (height, width), self._fill)


class Mixup(_Random):
    """Mixes every image with another one of its batch (Zhang et al., arXiv:1710.09412).

    Args:
        alpha: of the Beta distribution that the shares are drawn from.
        name: of the layer.

    Attributes:
        share: of each image in what it was mixed to, at least a half, in the last call; None where nothing was mixed.
            The loss reads it within the same step.
    """

    def __init__(self, alpha: float, name: str) -> None:
        super().__init__(name)
        self._alpha = alpha
        self.share: Any = None

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, while training mixed."""
        self.share = None
        return super().call(images, training=training)

    def _changed(self, images: Any) -> Any:
        share = keras.random.beta((tf.shape(images)[0],), self._alpha, self._alpha, seed=self.seed_generator)
        # With a small alpha both of the numbers that the share is made of may be 0; the larger part is the image's own,
        # so that its label is right for the metrics.
        self.share = tf.where(tf.math.is_nan(share), 1.0, tf.maximum(share, 1 - share))
        return mixed(images, self.share)
