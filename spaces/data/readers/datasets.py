"""Rows of a `tf.data.Dataset` or a Keras `PyDataset` that a user's function returns: gone through once, and kept."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable
from spaces.data.checks import as_weights
from spaces.data.parts import PartName, folder_part
from spaces.data.readers.memory import rows_size
from spaces.data.stored.store import RowStore, RowWriter
from spaces.data.types import AnyRows, Array
from spaces.outside.given import spoken, times
from spaces.outside.references import beside, file_of, line_of
from spaces.outside.tensorflow_internals import in_batches
from spaces.outside.user_code import contained, described
from spaces.values.packing import TEXTS, Structure, no_numbers, pack_inputs, pack_targets, unmasked

_BY_COUNT: dict[int, tuple[PartName, ...]] = {2: ("train", "validation"), 3: ("train", "validation", "test")}
_Shape = tuple[int | None, ...]
_Structures = tuple[Structure | None, Structure | None]
_EXPECTED = (
    "(rows, labels), each one tensor, or a dict or tuple of them, and perhaps a third tensor, how much each row counts"
)
# Tells this process from others, for which a function may have made something else of files that are others by now.
_PROCESS = secrets.token_hex(8)
PartOfSet = tuple[AnyRows, Array, Array | None]
"""Rows, labels, and how much each row counts."""


def is_dataset(value: Any) -> bool:
    """Whether it is a `tf.data.Dataset` or a Keras `PyDataset`; imports nothing."""
    return _is_a(value, "DatasetV2", "tensorflow") or _is_numbered(value)


def _is_numbered(value: Any) -> bool:
    """Whether it is a `PyDataset`, which gives its batches by their numbers."""
    return _is_a(value, "PyDataset", "keras")


def _is_a(value: Any, name: str, package: str) -> bool:
    return any(kind.__name__ == name and package in kind.__module__ for kind in type(value).__mro__)


def datasets(returned: Any, where: str) -> dict[PartName, Any] | None:
    """Data sets by part: one; two, which train and validate; three, the last of which tests; or a dict by name.

    Raises:
        DataError: a dict has a name that means no part, or no training part.
    """
    if is_dataset(returned):
        return {"train": returned}
    if isinstance(returned, tuple | list) and len(returned) in _BY_COUNT and all(map(is_dataset, returned)):
        return dict(zip(_BY_COUNT[len(returned)], returned, strict=True))
    if isinstance(returned, Mapping) and returned and all(map(is_dataset, returned.values())):
        found = {folder_part(str(name)): value for name, value in returned.items()}
        if None in found or "train" not in found or len(found) < len(returned):
            names = ", ".join(printable(str(name)) for name in returned)
            raise DataError(f"{where}: expected the names train, validation and test, found {names}")
        return {part: value for part, value in found.items() if part is not None}
    return None


@dataclass(frozen=True)
class Read:
    """What data sets hold.

    Attributes:
        parts: rows and labels of each part, and how much each row counts; None, in all of them: all alike.
        inputs: what the bytes of a row are, where rows are several arrays; see `spaces.values.packing`.
        targets: what the columns of the labels are, likewise.
    """

    parts: Mapping[PartName, PartOfSet]
    inputs: Structure | None
    targets: Structure | None


def kept(reference: str, store: RowStore, *, begun: bool) -> Read | None:
    """What an earlier call has kept of the same function.

    Args:
        reference: the function.
        store: where it would be.
        begun: whether a run goes on: with the very rows it began with, whatever has been written into the function's
            file since. Otherwise they are those of this process and of that file as it is, as in the second part of a
            `check`: what another start has left that failed may be out of date.
    """
    first = store.kept(_what(reference, "train", "y"))
    if first is None or not (begun or first.notes.get("of") == _state(reference)):
        return None
    found: dict[PartName, PartOfSet] = {}
    for part in first.notes["parts"]:
        rows, labels = (store.kept(_what(reference, part, axis)) for axis in "xy")
        if rows is None or labels is None:
            return None
        weighted = bool(labels.notes.get("weighted"))
        weights = store.kept(_what(reference, part, "w")) if weighted else None
        if weighted and weights is None:
            return None
        found[part] = rows.rows, labels.rows[:], None if weights is None else weights.rows[:]
    # Runs of earlier versions have rows of one array, and did not say so.
    several = (first.notes.get(name) for name in ("inputs", "targets"))
    inputs, targets = (Structure.from_json(plain) if plain else None for plain in several)
    return Read(_placed(found, store, spoken(reference)), inputs, targets)


def keep(found: Mapping[PartName, Any], reference: str, store: RowStore) -> Read:
    """Goes through data sets of one row, or of batches of rows, once.

    Args:
        found: the data sets by part.
        reference: the function that returned them.
        store: keeps their rows.

    Raises:
        DataError: they hold something else than rows with labels, repeat for ever, or raise.
    """
    # The training part comes last: it says that all are there.
    parts: dict[PartName, PartOfSet] = {}
    structures: list[_Structures] = []
    for part in sorted(found, key=lambda part: part == "train"):
        where = f"{spoken(reference)} ({part})"
        try:
            # It is the user's code that gives the rows, though their function has returned.
            with contained(), contextlib.redirect_stdout(sys.stderr), beside(reference):
                parts[part] = _gone_through(found, part, where, reference, store, structures)
        except (DataError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # a pipeline of theirs may give anything
            place = line_of(reference, error) or spoken(reference)
            raise DataError(f"{place} ({part}): {described(error)}") from error
    return Read(_placed(parts, store, spoken(reference)), *structures[0])


def _gone_through(
    found: Mapping[PartName, Any],
    part: PartName,
    where: str,
    reference: str,
    store: RowStore,
    structures: list[_Structures],
) -> PartOfSet:
    """One part, which is kept; `structures` gets that of the first element of all."""
    batches = ((*_packed(x, y, where, structures), weight) for x, y, weight in _batches(found[part], where))
    first = next(batches, None)
    if first is None:
        raise DataError(f"{where}: the data set is empty")
    # Labels are few, and how long the longest word is nobody knows before the end.
    answers: list[Array] = []
    counting: list[Array] = []
    store.forget(_what(reference, part, "x"))
    with _open(store, first[0], where) as x:
        for batch in chain([first], batches):
            for what, now, before in zip(("rows", "labels"), batch[:2], first[:2], strict=True):
                if now.shape[1:] != before.shape[1:]:
                    raise DataError(
                        f"{where}: {what} of shape {now.shape[1:]} follow {what} of shape {before.shape[1:]}"
                    )
            if batch[0].dtype != first[0].dtype:
                raise DataError(f"{where}: rows of {batch[0].dtype} follow rows of {first[0].dtype}")
            if (batch[2] is None) != (first[2] is None):
                raise DataError(f"{where}: some elements say how much their rows count, others do not")
            x.append(batch[0])
            answers.append(batch[1])
            counting += [] if batch[2] is None else [batch[2]]
        stored = x.done(_what(reference, part, "x"))
    labels, weights = np.concatenate(answers), None
    if counting:
        weights = _weights(np.concatenate(counting), structures[0], where)
        with _open(store, weights, where) as w:
            w.append(weights)
            w.done(_what(reference, part, "w"))
    with _open(store, labels, where) as y:
        y.append(labels)
        inputs, targets = (structure and structure.to_json() for structure in structures[0])
        notes = {
            "parts": list(found),
            "of": _state(reference),
            "inputs": inputs,
            "targets": targets,
            "weighted": weights is not None,
        }
        y.done(_what(reference, part, "y"), notes)
    return stored, labels, weights


def _weights(found: Array, structures: _Structures, where: str) -> Array:
    """How much each row counts, checked: float32 of shape (n,)."""
    if structures[1] is not None:
        raise DataError(f"{where}: says how much each row counts, which is taken for a model of one output only")
    return as_weights(found, where)


def _packed(x: Any, y: Any, where: str, structures: list[_Structures]) -> tuple[Array, Array]:
    """Rows and labels as one array each, which has to be made of the same ones for all elements."""
    like: _Structures = structures[0] if structures else (None, None)
    inputs: Structure | None = None
    targets: Structure | None = None
    if not hasattr(x, "shape"):
        x, inputs = pack_inputs(x, where, like[0])
    if not hasattr(y, "shape"):
        y, targets = pack_targets(y, where, like[1])
    if not structures:
        structures.append((inputs, targets))
    for now, first in zip((inputs, targets), structures[0], strict=True):
        if now != first:
            told = ("one array" if one is None else one.described() for one in (now, first))
            raise DataError(f"{where}: {' follows '.join(told)}")
    return x, y


def _placed(parts: Mapping[PartName, PartOfSet], store: RowStore, where: str) -> dict[PartName, PartOfSet]:
    """In memory, where they are few enough; rows of which nothing is said count 1 where others say how much."""
    stays = store.streams(sum(rows_size(x.shape, x.dtype) for x, _, _ in parts.values()), where)
    weighted = any(weights is not None for _, _, weights in parts.values())
    return {
        part: (x if stays else x[:], y, np.ones(len(y), np.float32) if weighted and weights is None else weights)
        for part, (x, y, weights) in parts.items()
    }


def _open(store: RowStore, rows: Array, where: str) -> RowWriter:
    return store.writer((0, *rows.shape[1:]), rows.dtype, where)


def _batches(dataset: Any, where: str) -> Iterator[tuple[Any, Any, Array | None]]:
    """Rows, labels, and how much each row counts, if that is said."""
    return (_numbered if _is_numbered(dataset) else _in_turn)(dataset, where)


def _numbered(dataset: Any, where: str) -> Iterator[tuple[Any, Any, Array | None]]:
    """The batches of a `PyDataset`, each asked for once, in their order."""
    rows_of, labels_of = (partial(read, where=where) for read in (_rows, _labels))
    count = dataset.num_batches
    if count is None:
        raise DataError(f"{where}: has no end (its num_batches is None)")
    for number in range(count):
        batch = dataset[number]
        if not _is_element(batch, lambda one: hasattr(one, "shape")):
            raise DataError(f"{where}: gives {_described(batch)}; expected batches of {_EXPECTED}")
        rows, labels, weights = _each(batch[0], rows_of), _each(batch[1], labels_of), _third(batch, where)
        _require_as_many(rows, labels, weights, where)
        yield rows, labels, weights


def _in_turn(dataset: Any, where: str) -> Iterator[tuple[Any, Any, Array | None]]:
    """The elements of a `tf.data.Dataset`, each as a batch."""
    import tensorflow as tf

    spec = dataset.element_spec
    if not _is_element(spec, lambda one: isinstance(one, tf.TensorSpec)):
        ragged = any(isinstance(one, tf.RaggedTensorSpec) for half in _arrays(spec) for one in _arrays(half))
        padded = "; ragged rows have to be brought to one length before, as keras.utils.pad_sequences does" * ragged
        raise DataError(f"{where}: holds {_described(spec)}; expected a tf.data.Dataset of {_EXPECTED}{padded}")
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise DataError(f"{where}: repeats for ever; return it without repeat()")
    if any(one.dtype == tf.string for one in _arrays(spec[0])):
        raise DataError(f"{where}: its rows hold words; numbers are expected{TEXTS}")
    of_rows, of_labels = (_widest([_known_shape(one) for one in _arrays(half)]) for half in spec[:2])
    batched = _batched(of_rows, of_labels)
    if batched and of_rows and of_rows[0] is not None and not in_batches(dataset):
        raise DataError(
            f"{where}: an element has shapes {of_rows} and {of_labels}: {of_rows[0]} rows, or one row with "
            f"{of_rows[0]} targets? Single rows are told by .batch(n), batches by .unbatch().batch(n)"
        )
    labels_of = partial(_labels, where=where)
    try:
        for element in dataset.as_numpy_iterator():
            rows, labels = _each(element[0], np.asarray), _each(element[1], labels_of)
            weights = _third(element, where)
            if batched is None:
                batched = bool(_batched(*(_widest([one.shape for one in _arrays(half)]) for half in (rows, labels))))
            if not batched:
                rows, labels = _each(rows, _alone), _each(labels, _alone)
                weights = None if weights is None else _alone(weights)
            _require_as_many(rows, labels, weights, where)
            yield rows, labels, weights
    except tf.errors.OpError as error:
        raise DataError(f"{where}: {str(error).splitlines()[0]}") from error


def _require_as_many(rows: Any, labels: Any, weights: Array | None, where: str) -> None:
    parts = (rows, labels) if weights is None else (rows, labels, weights)
    counts = {one.shape[:1] for part in parts for one in _arrays(part)}
    if len(counts) > 1 or () in counts:
        shapes = " and ".join(", ".join(str(one.shape) for one in _arrays(part)) for part in parts)
        what = "labels" if weights is None else "labels and weights"
        raise DataError(f"{where}: an element has shapes {shapes}; as many {what} as rows are expected")


def _is_element(element: Any, is_array: Callable[[Any], bool]) -> bool:
    """Whether it is rows and labels, each one array, or a dict or tuple of arrays, and perhaps one array of weights."""
    if not isinstance(element, tuple | list) or len(element) not in (2, 3):
        return False
    halves = map(_arrays, element[:2])
    return all(half and all(map(is_array, half)) for half in halves) and all(map(is_array, element[2:]))


def _third(element: Any, where: str) -> Array | None:
    """How much each row of an element counts, if it says so."""
    return unmasked(element[2], f"{where}: weights") if len(element) > 2 else None


def _arrays(half: Any) -> list[Any]:
    """The arrays of rows or labels."""
    return [*half.values()] if isinstance(half, Mapping) else [*half] if isinstance(half, tuple | list) else [half]


def _each(half: Any, change: Callable[[Any], Array]) -> Any:
    """Rows or labels with every array changed."""
    if isinstance(half, Mapping):
        return {name: change(one) for name, one in half.items()}
    return tuple(map(change, half)) if isinstance(half, tuple | list) else change(half)


def _alone(row: Array) -> Array:
    """A batch of one row."""
    return row[np.newaxis]


def _widest(shapes: list[_Shape | None]) -> _Shape | None:
    """The shape that tells whether several arrays are many rows: a single number is none, and the others are alike."""
    known = [shape for shape in shapes if shape is not None]
    return None if len(known) < len(shapes) else () if () in known else max(known, key=len)


def _rows(x: Any, where: str) -> Array:
    """Rows as an array."""
    rows = unmasked(x, f"{where}: rows")
    if rows.dtype.hasobject:
        raise DataError(f"{where}: rows hold {no_numbers(rows.dtype)}")
    return rows


def _labels(y: Any, where: str) -> Array:
    """Labels as an array; words, which may come as bytes, as text."""
    labels = unmasked(y, f"{where}: labels")
    if labels.dtype.hasobject:
        labels = _of_objects(labels)
        if labels.dtype.hasobject:
            raise DataError(f"{where}: labels of type {labels.dtype} are not read; numbers or text are expected")
    return np.char.decode(labels, "utf-8", "replace") if labels.dtype.kind == "S" else labels


def _of_objects(labels: Array) -> Array:
    """Labels that came as Python objects in a type of their own, such as those of a column of words; others as is."""
    for kind, dtype in ((bytes, np.bytes_), (str, np.str_)):
        if all(isinstance(label, kind) for label in labels.flat):
            return labels.astype(dtype)
    # Beside words, NumPy would make words of all else, such as of gaps.
    words = any(isinstance(label, str | bytes) for label in labels.flat)
    return labels if words else np.array(labels.tolist())


def _known_shape(spec: Any) -> _Shape | None:
    """The shape of an element; None where that of a function of the user's is not known before it is called."""
    return None if spec.shape.rank is None else tuple(spec.shape)


def _batched(x: _Shape | None, y: _Shape | None) -> bool | None:
    """Whether an element is many rows: their number is open, or the same in rows and labels.

    None where shapes that are not known decide it: the first element tells.
    """
    if x == () or y == ():
        return False
    if x is None or y is None:
        return None
    return x[0] == y[0] and (x[0] is None or len(x) > 1)


def _described(spec: Any) -> str:
    return f"{len(spec)} values" if isinstance(spec, tuple) else f"one {type(spec).__name__.removesuffix('Spec')}"


def _what(reference: str, part: str, axis: str) -> list[Any]:
    return ["dataset", reference, part, axis]


def _state(reference: str) -> list[Any]:
    """The process, how often the data were given to it, and when the function's file was last written to, in
    nanoseconds of Unix time; 0: there is none."""
    try:
        written = os.stat(file_of(reference)).st_mtime_ns
    except OSError:
        written = 0
    return [_PROCESS, times(reference), written]
