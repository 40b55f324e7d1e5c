"""Rows and labels in the forms in which programs hold them, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable, some_of
from spaces.data.parts import WORDS, PartName, arrays
from spaces.data.readers.datasets import datasets
from spaces.data.types import Array
from spaces.outside.user_code import described
from spaces.values.packing import unmasked

_FORMS = (
    "(x, y), ((x, y), (x_val, y_val)), three such pairs with the test part at the end, a dict of arrays named like "
    "x_train, y_val, a DataFrame whose last column is the target, or a tf.data.Dataset or keras PyDataset of (x, y) or "
    "(x, y, weight)"
)
_PADDED = "; bring series to one length, as keras.utils.pad_sequences does"
_RESIZED = "; bring images to one size, as tf.image.resize does"
# The types of what pandas has for no value.
_NOTHING = frozenset(("NAType", "NaTType"))


@dataclass(frozen=True)
class Held:
    """Data that a program has in its memory, in a form that a function of a `python` source may return."""

    rows: Any

    def __call__(self) -> Any:
        """The data."""
        return self.rows

    def labels(self, predicted: Callable[[list[str]], Sequence[str]]) -> Any:
        """Those of the training rows, in whatever form they are; None where they are not at hand.

        Args:
            predicted: Is given the columns of a frame, and says which of them are predicted.
        """
        if datasets(self.rows, "data") is not None:
            return None
        if is_frame(self.rows):
            names = names_of(self.rows)
            targets = predicted(names)
            return self.rows.iloc[:, [place for place, name in enumerate(names) if name in targets]]
        if not isinstance(self.rows, Mapping):
            return self.rows[1]
        try:
            found, _ = arrays(map(str, self.rows), "data")
        except DataError:
            # Whoever reads them says what is wrong.
            return None
        return self.rows.get(found["train"]["y"])


def loader(data: Any) -> Callable[[], Any]:
    """What gives data that a program handed over, in a form that a function of a `python` source may return.

    Args:
        data: (x, y); ((x, y), (x_val, y_val)), as `fit` has them; three such pairs, training, validation and test; a
            dict of arrays; a DataFrame, whose last column is the target; a `tf.data.Dataset` or `PyDataset` of (x, y),
            or a pair of them, training and validation; or a function that returns data, which is called when they are
            needed.

    Raises:
        DataError: It is nothing of that.
    """
    if callable(data):
        return data  # type: ignore[no-any-return]
    if is_frame(data):
        return Held(data)
    if datasets(data, "data") is None and isinstance(data, tuple | list) and all(map(_is_part, data)):
        names = ("train", "val", "test")[: len(data)]
        pairs = dict(zip(names, data, strict=True)) if 2 <= len(data) <= 3 else {}
        data = {f"{role}_{name}": pair[i] for name, pair in pairs.items() for i, role in enumerate("xy")} or data
    if datasets(data, "data") is not None:
        return Held(data)
    if isinstance(data, list) and len(data) == 2:
        data = tuple(data)
    if not isinstance(data, Mapping) and not (isinstance(data, tuple) and len(data) == 2):
        raise DataError(f"data: found {type_and_length(data)}; allowed: {_FORMS}")
    return Held(data)


def _is_part(value: Any) -> bool:
    # A list is what Keras takes for several inputs.
    return isinstance(value, tuple) and len(value) == 2


def is_frame(value: Any) -> bool:
    """Whether it is a pandas DataFrame; pandas is not imported for that."""
    return type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "columns")


def names_of(frame: Any) -> list[str]:
    """The names of a DataFrame's columns, as messages and tables have them."""
    return [printable(str(name)) for name in frame.columns]


def as_frame(value: Any, wanted: Collection[str]) -> Any:
    """A row of a DataFrame, which is a Series that knows columns by their names, as a frame; everything else as it is.

    Args:
        value: What a program has.
        wanted: Names of columns, of which a row has some.
    """
    series = type(value).__module__.split(".")[0] == "pandas" and hasattr(value, "index") and not is_frame(value)
    names = [printable(str(name)).strip() for name in value.index] if series else []
    # Those that are only counted are the places of its values.
    if names == [*map(str, range(len(names)))] or set(names).isdisjoint(map(str.strip, wanted)):
        return value
    # All cells of a row have one type, which may be none of theirs.
    return value.to_frame().T.infer_objects()


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Looks at arrays that may lie in a file which has been closed: whatever they raise then is a `DataError`.

    Args:
        where: Where they come from, for messages.

    Raises:
        DataError: They raised something.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except Exception as error:
        raise DataError(
            f"{where}: its arrays cannot be read ({described(error)}); a file that they are in must still be open"
        ) from error


def as_array(value: Any, name: str, where: str) -> Array:
    """An array of what a program has.

    Args:
        value: An array, a DataFrame or Series, nested lists of numbers.
        name: What it is, such as `x`.
        where: Where it comes from, for messages.

    Raises:
        DataError: It is none, or a DataFrame with columns that hold no numbers.
    """
    if is_frame(value):
        words = [str(column) for column, kind in value.dtypes.items() if kind.kind not in "biuf"]
        if words:
            named = some_of([repr(printable(column)) for column in words], 5)
            raise DataError(
                f"{where}: {name} has columns that hold no numbers ({named}); a table with words, dates or gaps is "
                "read and encoded from a file: frame.to_csv('rows.csv', index=False), and data: {csv: rows.csv}"
            )
        value = value.to_numpy(dtype=_common_type(value))
    try:
        array = unmasked(value, f"{where}: {name}")
    except DataError:
        raise
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{where}: {name} is no array ({_differing(value, name) or error})") from error
    if array.dtype == object and all(isinstance(item, str) for item in array.flat):
        array = array.astype(np.str_)
    elif array.dtype == object and all(isinstance(item, bytes) for item in array.flat):
        array = array.astype(np.bytes_)  # words as h5py gives them
    elif array.dtype == object and (differing := _differing(array, name)):
        raise DataError(f"{where}: {name} is no array of numbers ({differing})")
    elif array.dtype == object and array.ndim and (gap := _first_gap(array)) is not None:
        raise DataError(f"{where}: {name} has no value in row {gap}; fill it, or leave its rows out")
    if array.ndim == 0:
        raise DataError(f"{where}: {name} is {type_and_length(value)}, an array is expected{_way(value, name)}")
    return array


def _common_type(frame: Any) -> Any:
    """The type of a frame's numbers in one array; None: that of all its columns."""
    kinds = set(frame.dtypes)
    if len(kinds) != 1:
        return np.float32
    # Of those that know gaps pandas would make objects.
    plain = getattr(kinds.pop(), "numpy_dtype", None)
    return np.float32 if plain is not None and frame.isna().to_numpy().any() else plain


def _first_gap(array: Array) -> int | None:
    """The first row of an array of objects in which something stands for no value; None: there is none."""
    gaps = [
        item is None or type(item).__name__ in _NOTHING or (isinstance(item, float) and item != item)
        for item in array.flat
    ]
    return gaps.index(True) // (array.size // len(array)) if any(gaps) else None


def _differing(value: Any, name: str) -> str:
    """Says which shapes rows have that are of different ones, of which no array can be made; "" where they are not."""
    if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and not value.ndim):
        return ""
    try:
        shapes = [*dict.fromkeys(np.shape(row) for row in value)]
    except (ValueError, TypeError, RuntimeError):
        # A row is no array itself.
        return ""
    if len(shapes) < 2:
        return ""
    # Series differ in their steps alone, which come first; images may have an axis of colours.
    axes, wide = {len(shape) for shape in shapes}, {shape[1:] for shape in shapes}
    images = 3 in axes or (axes == {2} and len(wide) > 1)
    way = "" if name != "x" else _RESIZED if images else _PADDED
    return f"its rows have different shapes, such as {shapes[0]} and {shapes[1]}{way}"


def _way(value: Any, name: str) -> str:
    """Says how a sparse matrix or a ragged tensor becomes an array; "" where it is neither."""
    if hasattr(value, "toarray"):
        return f"; {name}.toarray() makes one"
    return _PADDED if hasattr(value, "row_splits") else ""


def as_labels(value: Any, where: str) -> Array:
    """An array of labels, as `as_array` gives it; a DataFrame of one column may hold words."""
    if is_frame(value) and value.shape[1] == 1:
        return as_array(value.iloc[:, 0], "y", where)[:, np.newaxis]
    return as_array(value, "y", where)


def column_names(frames: Mapping[PartName, Any], where: str) -> tuple[str, ...]:
    """The names of the columns of frames, in their order.

    Args:
        frames: By part.
        where: Where they come from, for messages.

    Raises:
        DataError: A part has other columns than the training part, or these in another order.
    """
    names = {part: tuple(names_of(frame)) for part, frame in frames.items()}
    first = names["train"]
    for part, found in names.items():
        if found != first:
            differing = sorted(set(found) ^ set(first)) or found
            raise DataError(
                f"{where} ({WORDS[part]} part): its columns are not those of the training part "
                f"({', '.join(map(repr, differing[:5]))})"
            )
    return first


def without_frames(value: Any, name: str, where: str) -> Any:
    """Several arrays with those that are DataFrames as arrays of numbers; everything else as it is.

    The other arguments, and the errors, are those of `as_array`.
    """
    named = isinstance(value, Mapping)
    if not named and not isinstance(value, tuple | list):
        return value
    parts = value if named else dict(enumerate(value))
    if not any(map(is_frame, parts.values())):
        return value
    made = {key: as_array(one, f"{name}[{key!r}]", where) if is_frame(one) else one for key, one in parts.items()}
    return made if named else tuple(made.values())


def type_and_length(value: Any) -> str:
    """What a value is, in a message; of a list or tuple how long it is too."""
    kind = type(value).__name__
    return f"{kind} of length {len(value)}" if isinstance(value, tuple | list) else kind
