"""Where a network can be divided, so that what comes before is computed once, and what comes after is trained.

Imported only where a model is built: Keras is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras

from spaces.backbones.loading import leaves

# A later cut saves more work; one that takes more room than this many times the smallest one is not worth it.
_ROOM = 1.6


@dataclass(frozen=True)
class Cut:
    """A place that all values pass through one tensor.

    Attributes:
        before: layers of the network before it, counted as `leaves` does.
        values: numbers that pass for one image.
        tensor: what passes.
    """

    before: int
    values: int
    tensor: Any


def trained(model: keras.Model, share: float) -> int:
    """Layers that train when this share of them does, from the end."""
    return round(share * len(leaves(model)))


def thaw(model: keras.Model, count: int) -> None:
    """Lets so many layers of a network, the last ones, train, and no others.

    Batch normalization stays as it is: its averages are those of the data that the network was trained on, and the
    layers after it rely on them.
    """
    layers = leaves(model)
    first = len(layers) - count
    model.trainable = True
    for index, layer in enumerate(layers):
        layer.trainable = index >= first and not isinstance(layer, keras.layers.BatchNormalization)


def best_cut(model: keras.Model, share: float, most: int) -> Cut | None:
    """The best place to divide a network of which this share trains.

    Args:
        model: the network.
        share: as for `trained`.
        most: numbers that may pass for one image.

    Returns:
        None where there is no such place.
    """
    first = len(leaves(model)) - trained(model, share)
    possible = [cut for cut in cuts(model) if 0 < cut.before <= first and cut.values <= most]
    if not possible:
        return None
    least = min(cut.values for cut in possible)
    return max((cut for cut in possible if cut.values <= _ROOM * least), key=lambda cut: cut.before)


def cuts(model: keras.Model) -> list[Cut]:
    """All places where a network can be divided, from image to feature map; none of a network that repeats layers."""
    operations = list(model.operations)
    place = {id(operation): index for index, operation in enumerate(operations)}
    made: dict[int, int] = {}
    needed: dict[int, int] = {}
    try:
        for index, operation in enumerate(operations):
            for tensor in _tensors(operation.output):
                made[id(tensor)] = index
            if not isinstance(operation, keras.layers.InputLayer):
                for tensor in _tensors(operation.input):
                    needed[id(tensor)] = max(needed.get(id(tensor), 0), index)
    except (AttributeError, ValueError):
        return []
    found, passed = [], 0
    for index, operation in enumerate(operations):
        passed += len(leaves(operation)) if isinstance(operation, keras.Model) else _counts(operation)
        crossing = [one for one, end in needed.items() if end > index >= made.get(one, len(place))]
        tensors = _tensors(operation.output)
        if len(tensors) == 1 and crossing == [id(tensors[0])] and index < len(operations) - 1:
            sizes = tensors[0].shape[1:]
            if None not in sizes:
                found.append(Cut(passed, math.prod(sizes), tensors[0]))
    return found


def _counts(operation: Any) -> int:
    return int(isinstance(operation, keras.layers.Layer) and not isinstance(operation, keras.layers.InputLayer))


def _tensors(found: Any) -> list[Any]:
    return list(keras.tree.flatten(found))
