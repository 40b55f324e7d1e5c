"""Data from a function of the user's: the one source that runs their code."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces.data.source import Part, RawData
from spaces.data.types import Array
from spaces.errors import CodeError, DataError
from spaces.references import call, load_function


def load_python(reference: str) -> RawData:
    """The arrays that a function returns.

    Args:
        reference: "module:function" or "/path/file.py:function". The function takes no arguments and returns
            (x, y) or ((x_train, y_train), (x_test, y_test)), everything NumPy arrays or nested lists of
            numbers.

    Raises:
        DataError: the function cannot be imported or called, or returns something else.
    """
    try:
        returned = call(reference, load_function(reference), what="raised ")
    except CodeError as error:
        raise DataError(str(error)) from error
    pairs = _pairs(returned, reference)
    parts = [
        Part(_array(x, "x", reference), _array(y, "y", reference), f"{reference} ({name} part)")
        for name, (x, y) in zip(("training", "test"), pairs, strict=False)
    ]
    name = reference.rpartition(":")[2]
    return RawData(name, reference, parts[0], test=parts[1] if len(parts) == 2 else None)


def _pairs(returned: Any, reference: str) -> list[tuple[Any, Any]]:
    """[(x, y)] or [(x_train, y_train), (x_test, y_test)].

    A pair of tuples is the second form, so x itself must be an array or a list.
    """
    if isinstance(returned, tuple) and len(returned) == 2:
        first, second = returned
        if not isinstance(first, tuple) and not isinstance(second, tuple):
            return [(first, second)]
        if all(isinstance(part, tuple) and len(part) == 2 for part in returned):
            return [tuple(part) for part in returned]
    raise DataError(
        f"{reference}: must return (x, y) or ((x_train, y_train), (x_test, y_test)), returned {_describe(returned)}"
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
