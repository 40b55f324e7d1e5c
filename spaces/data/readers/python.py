"""Data from a function of the user's: the one source that runs their code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spaces.basics.errors import CodeError, DataError
from spaces.basics.printable import printable
from spaces.data import parts
from spaces.data.parts import PartName
from spaces.data.readers import datasets
from spaces.data.readers.source import Part, RawData
from spaces.data.stored import mapped
from spaces.data.stored.store import RowStore
from spaces.data.types import AnyRows, Array
from spaces.outside.references import call, load_function

_WORDS: dict[PartName, str] = {"train": "training", "validation": "validation", "test": "test"}


def load_python(reference: str, store: RowStore | None = None) -> RawData:
    """The arrays that a function returns.

    Args:
        reference: "module:function" or "/path/file.py:function". The function takes no arguments and returns
            (x, y), ((x_train, y_train), (x_test, y_test)), three such pairs with validation in the middle, or a
            dict with names such as x_train, y_val; everything NumPy arrays, memory-mapped ones among them, or nested
            lists of numbers. Or a `tf.data.Dataset` of (row, label), batched or not; two, which train and validate;
            three with one for the test; or a dict of them.
        store: decides which rows stay on the disk: those of a memory-mapped array where they are.

    Raises:
        DataError: the function cannot be imported or called, or returns something else.
    """
    store = store or RowStore()
    if (read := datasets.kept(reference, store)) is not None:
        return _data(reference, read)
    try:
        returned = call(reference, load_function(reference), what="raised ")
    except CodeError as error:
        raise DataError(str(error)) from error
    if (sets := datasets.datasets(returned, reference)) is not None:
        return _data(reference, datasets.keep(sets, reference, store))
    found = _parts(returned, reference)
    lazy = sum(mapped.size(x) for x, _ in found.values() if mapped.is_lazy(x))
    streams = bool(lazy) and store.streams(lazy, reference)
    return _data(
        reference,
        {
            name: (
                mapped.stored(x, store, reference) if streams and mapped.is_lazy(x) else _array(x, "x", reference),
                _array(y, "y", reference),
            )
            for name, (x, y) in found.items()
        },
    )


def _data(reference: str, found: Mapping[PartName, tuple[AnyRows, Array]]) -> RawData:
    parts = {name: Part(x, y, f"{reference} ({_WORDS[name]} part)") for name, (x, y) in found.items()}
    name = reference.rpartition(":")[2]
    return RawData(name, reference, parts["train"], parts.get("validation"), parts.get("test"))


def _parts(returned: Any, reference: str) -> dict[PartName, tuple[Any, Any]]:
    """Rows and labels by part.

    A tuple of tuples is parts, so x itself must be an array or a list.
    """
    if isinstance(returned, dict) and all(isinstance(key, str) for key in returned):
        found, others = parts.arrays(returned, reference)
        if others:
            raise DataError(f"{reference}: {', '.join(map(printable, others))}: no rows or labels by these names")
        return {part: (returned[pair["x"]], returned[pair["y"]]) for part, pair in found.items()}
    if isinstance(returned, tuple) and len(returned) in (2, 3):
        if all(isinstance(part, tuple) and len(part) == 2 for part in returned):
            names: tuple[PartName, ...] = ("train", "test") if len(returned) == 2 else ("train", "validation", "test")
            return dict(zip(names, returned, strict=True))
        if len(returned) == 2 and not any(isinstance(part, tuple) for part in returned):
            return {"train": (returned[0], returned[1])}
    raise DataError(
        f"{reference}: must return (x, y), ((x_train, y_train), (x_test, y_test)), three such pairs with validation in "
        f"the middle, or a dict of arrays named like x_train, returned {_describe(returned)}"
    )


def _array(value: Any, name: str, reference: str) -> Array:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{reference}: {name} is no array ({error})") from error
    if array.ndim == 0:
        raise DataError(f"{reference}: {name} is {_describe(value)}, an array is expected")
    return array


def _describe(value: Any) -> str:
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, tuple | list) else kind
