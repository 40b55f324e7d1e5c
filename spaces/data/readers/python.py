"""Data from a function of the user's: the one source that runs their code."""

from __future__ import annotations

from typing import Any

from spaces.basics.errors import CodeError, DataError
from spaces.basics.printable import printable
from spaces.data import parts
from spaces.data.parts import PartName
from spaces.data.readers.objects import as_array, is_dataset, is_frame, loader
from spaces.data.readers.source import Part, RawData
from spaces.outside.given import spoken
from spaces.outside.references import call, load_function
from spaces.values.packing import Structure, is_structure, pack_inputs, pack_targets

_WORDS: dict[PartName, str] = {"train": "training", "validation": "validation", "test": "test"}


def load_python(reference: str) -> RawData:
    """The arrays that a function returns.

    Args:
        reference: "module:function" or "/path/file.py:function". The function takes no arguments and returns
            (x, y), ((x_train, y_train), (x_test, y_test)), three such pairs with validation in the middle, or a
            dict with names such as x_train, y_val, everything NumPy arrays, DataFrames or nested lists of numbers; a
            DataFrame whose last column is the target; or a `tf.data.Dataset` of (x, y). For a model of several inputs
            x is a dict or list of arrays, for one of several outputs y.

    Raises:
        DataError: the function cannot be imported or called, or returns something else.
    """
    try:
        returned = call(reference, load_function(reference), what="raised ")
    except CodeError as error:
        raise DataError(str(error)) from error
    where = spoken(reference)
    if is_frame(returned) or is_dataset(returned):
        returned = loader(returned)()
    found = _parts(returned, where)
    read: dict[PartName, Part] = {}
    structures: set[tuple[Structure | None, Structure | None]] = set()
    for name, (x, y) in found.items():
        read[name], structure = _part(x, y, where, f"{where} ({_WORDS[name]} part)")
        structures.add(structure)
    if len(structures) > 1:
        described = " | ".join(sorted(str(one and one.described()) for pair in structures for one in pair))
        raise DataError(f"{where}: the parts hold different arrays: {described}")
    ((inputs, targets),) = structures
    return RawData(
        where.rpartition(":")[2],
        where if where == reference else f"{where} given from Python",
        read["train"],
        read.get("validation"),
        read.get("test"),
        inputs=inputs,
        targets=targets,
    )


def _part(x: Any, y: Any, where: str, part: str) -> tuple[Part, tuple[Structure | None, Structure | None]]:
    """A part, its arrays packed where they are several, with what they are."""
    inputs = targets = None
    if is_structure(y):
        labels, targets = pack_targets(y, where)
    else:
        labels = as_array(y, "y", where)
    if is_structure(x, len(labels)):
        rows, inputs = pack_inputs(x, where)
    else:
        rows = as_array(x, "x", where)
    return Part(rows, labels, part), (inputs, targets)


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


def _describe(value: Any) -> str:
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, tuple | list) else kind
