"""Raw rows as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_pixels(rows: NDArray[Any], info: Mapping[str, Any]) -> NDArray[np.uint8] | None:
    """Raw image rows as pixels that can be shown.

    Args:
        rows: (k, h, w) or (k, h, w, channels), in the data's own range.
        info: `spaces.DataInfo.to_json()`; `white` is the raw value of a white pixel.

    Returns:
        uint8 (k, h, w) or (k, h, w, 3), or None where the rows are no pictures.
    """
    if rows.ndim == 4 and rows.shape[3] == 1:
        rows = rows[..., 0]
    if rows.ndim == 4 and rows.shape[3] == 4:
        rows = rows[..., :3]
    if rows.ndim != 3 and not (rows.ndim == 4 and rows.shape[3] == 3):
        return None
    white = info.get("white") or (1 / info["scale"] if info.get("scale") else 255.0)
    share = np.nan_to_num(rows.astype(np.float64) / float(white))
    return (np.clip(share, 0, 1) * 255).round().astype(np.uint8)


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of a picture.

    Args:
        pixels: uint8 (h, w) or (h, w, 3).
    """
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def shrunk(pixels: NDArray[np.uint8], most: int = 128) -> NDArray[np.uint8]:
    """The picture made smaller by a whole factor until neither side is much over `most` pixels.

    The shorter side of an oblong one stays one pixel at least.
    """
    factor = min(-(-max(pixels.shape[:2]) // most), *pixels.shape[:2])
    if factor <= 1:
        return pixels
    height, width = (side // factor * factor for side in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    small: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return small if pixels.ndim == 3 else np.asarray(small[..., 0])
