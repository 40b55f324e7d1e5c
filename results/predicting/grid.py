"""A picture of predictions: every image with its class and confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from results.errors import ResultError, not_written
from results.fonts import any_script
from results.predicting.inputs import Array
from results.predicting.predictions import Prediction
from results.text import numbers, visible
from search.files import atomic
from spaces.basics.printable import cut

MOST = 100
"""Pictures on one page; more would be too small to see."""

_COLUMNS = 5
_CELL = 2.2
_TITLE = 0.42
_LONGEST = 26


@any_script()
def draw_grid(predictions: Sequence[Prediction], path: str | Path) -> int:
    """Draws the first `MOST` predictions as a grid, each picture under its class and confidence.

    Args:
        predictions: Of a model that takes images.
        path: A `.png`, `.pdf` or `.svg` file, `.png` is added to a name without ending; replaced if it exists.

    Returns:
        The number of pictures drawn.

    Raises:
        ResultError: The rows are no images, or the file cannot be written.
        DiskError: The disk is full.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = list(predictions)[:MOST]
    if not shown or any(prediction.input.ndim not in (2, 3) for prediction in shown):
        raise ResultError("a grid shows images; these rows are none")
    columns = min(_COLUMNS, len(shown))
    lines = math.ceil(len(shown) / columns)
    height = lines * (_CELL + _TITLE)
    figure = Figure(figsize=(columns * _CELL, height))
    FigureCanvasAgg(figure)
    # Placed by hand: matplotlib's own layout takes seconds for a hundred pictures.
    room = {"left": 0.01, "right": 0.99, "bottom": 0.05 / height, "top": 1 - _TITLE / height}
    between = {"wspace": 0.05, "hspace": _TITLE / _CELL}
    axes = np.atleast_1d(figure.subplots(lines, columns, gridspec_kw={**room, **between})).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, prediction in zip(axes, shown, strict=False):
        pixels = _pixels(prediction.input, prediction.white)
        axis.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None, vmin=0, vmax=1, interpolation="nearest")
        # Names come from strangers, and matplotlib reads dollar signs as formulas.
        axis.set_title(_title(prediction), fontsize=9, parse_math=False)
    place = Path(path) if Path(path).suffix else Path(f"{path}.png")
    try:
        # For a picture no folder is made.
        place.parent.stat()
        with atomic.replacing_what_is_named(place) as stream:
            figure.savefig(stream, format=place.suffix[1:], dpi=120)
    except OSError as error:
        raise not_written(path, error) from error
    except ValueError as error:
        raise ResultError(f"{path}: cannot be written ({error})") from error
    return len(shown)


def _title(prediction: Prediction) -> str:
    if prediction.label is None:
        return numbers(prediction.values)
    label = "none" if prediction.labels == () else visible(prediction.label)
    return f"{cut(label, _LONGEST)}\n{prediction.confidence or 0:.1%}"


def _pixels(row: Array, white: float | None) -> Array:
    """Gray (h, w) or coloured (h, w, 3), 0 to 1; values of unknown range are stretched from lowest to highest."""
    # A fourth channel is transparency, which is not shown.
    pixels = row if row.ndim == 2 else row[:, :, :3] if row.shape[2] in (3, 4) else row[:, :, 0]
    low, high = (0.0, white) if white is not None else (float(pixels.min()), float(pixels.max()))
    stretched: Array = (pixels - low) / (high - low) if high > low else np.zeros(pixels.shape)
    return stretched
