"""What a network is made of: layers one after the other, and places where two ways are joined.

A list of parts describes a network before it is built, so that its parameters can be counted, and its layers replaced
by others, without allocating anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Joined:
    """The same input goes several ways, and a layer joins what comes out of them.

    Attributes:
        ways: the parts of each way; none for the input itself.
        join: a layer that takes as many inputs of one shape, or of shapes that are broadcast to the first way's.
    """

    ways: tuple[tuple[Any, ...], ...]
    join: keras.layers.Layer


def layers_of(parts: Sequence[Any]) -> Iterator[keras.layers.Layer]:
    """All layers, in the order in which an input meets them."""
    for part in parts:
        if isinstance(part, Joined):
            for way in part.ways:
                yield from layers_of(way)
            yield part.join
        else:
            yield part


def replaced(parts: Sequence[Any], function: Callable[[Any], Any]) -> list[Any]:
    """The same parts with `function(layer)` in place of every layer."""
    return [
        Joined(tuple(tuple(replaced(way, function)) for way in part.ways), function(part.join))
        if isinstance(part, Joined)
        else function(part)
        for part in parts
    ]


def connected(parts: Sequence[Any], inputs: Any) -> Any:
    """The output of all parts for a Keras tensor."""
    for part in parts:
        joined = isinstance(part, Joined)
        inputs = part.join([connected(way, inputs) for way in part.ways]) if joined else part(inputs)
    return inputs


def counted(
    parts: Sequence[Any], shape: tuple[Any, ...], count: Callable[[Any, tuple[Any, ...]], int]
) -> tuple[int, tuple[Any, ...]]:
    """The sum of `count(layer, input shape)` over all layers, and the shape that comes out."""
    total = 0
    for part in parts:
        if isinstance(part, Joined):
            found = [counted(way, shape, count) for way in part.ways]
            total += sum(number for number, _ in found)
            shape = part.join.compute_output_shape([shape for _, shape in found])
        else:
            total += count(part, shape)
            shape = _after(part, shape)
    return total, shape


def _after(layer: Any, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape that comes out of a layer."""
    # A network within knows it, and takes long to work it out again.
    known = getattr(layer, "output_shape", None)
    if known:
        return tuple(known)
    try:
        return tuple(layer.compute_output_shape(shape))
    except NotImplementedError:
        import keras

        # A layer of somebody's own need not tell; it is counted by now, and so has its weights.
        return tuple(layer.compute_output_spec(keras.KerasTensor(shape)).shape)
