"""Parts of networks for the rows of tables: learnt vectors of categories, residual blocks of dense layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras import layers, regularizers

from spaces.layers.layers import batch_normalization
from spaces.layers.parts import Joined

if TYPE_CHECKING:
    from spaces.data.types import DataInfo


def embedded(size: int, info: DataInfo) -> list[Any]:
    """Brings each category column that has more than `size` inputs to a vector of `size` values.

    The inputs are 0 or 1, so a matrix without bias gives each category the vector of its row: an embedding made of
    layers that every format takes. Columns with fewer inputs stay as they are.

    Args:
        size: values of a vector; 0: nothing is done.
        info: the rows.
    """
    spans = _spans(size, info)
    if not any(name for name, *_ in spans):
        return []
    width = info.input_shape[0]
    ways = []
    for index, (name, start, end) in enumerate(spans):
        way: list[Any] = [
            layers.Reshape((width, 1), name=f"column_{index}_reshape"),
            layers.Cropping1D((start, width - end), name=f"column_{index}_cut"),
            layers.Flatten(name=f"column_{index}"),
        ]
        ways.append((*way, *([layers.Dense(size, use_bias=False, name=f"embedding_{index}")] if name else [])))
    if len(ways) == 1:
        return [*ways[0]]
    return [Joined(tuple(ways), layers.Concatenate(name="columns"))]


def _spans(size: int, info: DataInfo) -> list[tuple[str, int, int]]:
    """Runs of inputs: of a column that becomes a vector with its name, of all between them without one."""
    found: list[tuple[str, int, int]] = []
    start = 0
    for encoding in info.encodings if size else ():
        end = start + len(encoding.inputs)
        if end == start:
            continue
        if encoding.kind == "category" and end - start > size:
            found.append((encoding.name, start, end))
        elif found and not found[-1][0]:
            found[-1] = ("", found[-1][1], end)
        else:
            found.append(("", start, end))
        start = end
    return found


def residual(model: Mapping[str, Any]) -> list[Any]:
    """Residual blocks (Gorishniy et al., arXiv:2106.11959, section 3.2), with the normalization of layers.

    A block is normalization, dense, activation, dropout, dense, dropout, added to what comes in. Before the first one,
    and where the width changes, a dense layer brings the rows to the width; a normalization and an activation end it.

    Args:
        model: the settings; `units` are the widths of the blocks, at least one.
    """
    made: list[Any] = []
    before = 0
    for index, units in enumerate(model["units"]):
        if units != before:
            made.append(_dense(model, units, f"width_{index}"))
        before = units
        way = [
            _normalization(model, f"residual_{index}_normalization"),
            _dense(model, units, f"residual_{index}_first", model["activation"]),
            *_dropout(model, f"residual_{index}_first_dropout"),
            _dense(model, units, f"residual_{index}_second"),
            *_dropout(model, f"residual_{index}_second_dropout"),
        ]
        made.append(Joined((tuple(way), ()), layers.Add(name=f"residual_{index}")))
    return [*made, _normalization(model, "normalization"), layers.Activation(model["activation"], name="activation")]


def _dense(model: Mapping[str, Any], units: int, name: str, activation: str | None = None) -> Any:
    penalty = regularizers.L2(model["l2"]) if model["l2"] else None
    return layers.Dense(units, activation=activation, kernel_regularizer=penalty, name=name)


def _dropout(model: Mapping[str, Any], name: str) -> list[Any]:
    return [layers.Dropout(model["dropout"], name=name)] if model["dropout"] else []


def _normalization(model: Mapping[str, Any], name: str) -> Any:
    return batch_normalization(name) if model["batch_normalization"] else layers.LayerNormalization(name=name)
