"""A `tf.data.Dataset` from a function of the user's: gone through once, then rows like all others."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.readers import memory
from spaces.data.readers.objects import loader
from spaces.data.readers.python import load_python
from spaces.data.stored import StoredRows
from spaces.data.stored.store import RowStore
from spaces.outside.given import keep_data
from spaces.values.packing import unpack_inputs

pytest.importorskip("tensorflow")

X = np.arange(120, dtype=np.float32).reshape(20, 3, 2)
Y = np.arange(20) % 2
HEAD = """
import numpy as np, pathlib, tensorflow as tf
X, Y = np.arange(120, dtype=np.float32).reshape(20, 3, 2), np.arange(20) % 2
def made(n=20):
    return tf.data.Dataset.from_tensor_slices((X[:n], Y[:n]))
WORDS = [("cat", "catfish", "dög")[i % 3] for i in range(20)]
def rows():
    with open(__file__ + ".calls", "a") as calls:
        calls.write("x")
    return """

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(body: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(HEAD + body + "\n")
        return f"{path}:rows"

    return written


@pytest.mark.parametrize("body", ["made()", "made().batch(8)", "made().batch(5, drop_remainder=True)"])
@pytest.mark.parametrize("stream", [True, "auto"])
def test_rows_one_by_one_and_in_batches(write: Write, tmp_path: Path, body: str, stream: Any) -> None:
    raw = load_python(write(body), RowStore(stream, tmp_path / "rows"))
    assert isinstance(raw.train.x, StoredRows) == (stream is True)
    np.testing.assert_array_equal(raw.train.x[:], X)
    np.testing.assert_array_equal(raw.train.y, Y)
    assert (raw.validation, raw.test) == (None, None)


def generated(values: str) -> str:
    return f"tf.data.Dataset.from_generator(lambda: {values}, output_types=(tf.float32, tf.int64))"


@pytest.mark.parametrize(
    "body",
    [
        generated("zip(X, Y)"),
        generated("zip(np.split(X, 4), np.split(Y, 4))"),
        generated("zip(X, Y)") + ".batch(8)",
        "made().map(lambda x, y: (tf.numpy_function(lambda one: one, [x], tf.float32), y))",
        "made().map(lambda x, y: (x, tf.py_function(lambda one: one, [y], tf.int64)))",
    ],
)
def test_where_a_shape_is_not_known_the_first_element_tells(write: Write, body: str) -> None:
    raw = load_python(write(body))
    np.testing.assert_array_equal(raw.train.x[:], X)
    np.testing.assert_array_equal(raw.train.y, Y)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("iter([(X[0], [0]), (X[1], [0, 1])])", r"labels of shape \(2,\) follow labels of shape \(1,\)"),
        ("iter([(X[0], 0), (X[1, :2], 1)])", r"rows of shape \(2, 2\) follow rows of shape \(3, 2\)"),
        ("iter([(X[:3], Y[:3]), (X[0], 0)])", r"has shapes \(3, 2\) and \(\); as many labels as rows are expected"),
    ],
)
def test_elements_of_other_shapes_are_told(write: Write, values: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_python(write(generated(values)))


def test_whatever_a_data_set_raises_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise TypeError("no row")

    monkeypatch.setattr("spaces.data.readers.datasets._labels", fails)
    with pytest.raises(DataError, match=r"mine\.py:rows.* \(train\): TypeError: no row"):
        load_python(write("made()"))


def test_one_hot_labels_of_single_rows(write: Write) -> None:
    raw = load_python(write("made().map(lambda x, y: (x, tf.one_hot(y, 2)))"))
    np.testing.assert_array_equal(raw.train.y, np.eye(2)[Y])


@pytest.mark.parametrize("batch", ["", ".batch(6)"])
def test_words_are_labels_however_long_later_ones_are(write: Write, batch: str) -> None:
    words = "tf.data.Dataset.from_tensor_slices((X, WORDS))"
    raw = load_python(write(words + batch))
    assert raw.train.y.tolist() == [("cat", "catfish", "dög")[i % 3] for i in range(20)]


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("made(9).batch(4), made(7).batch(4)", (9, 7, None)),
        ("made(9), made(7), made(5)", (9, 7, 5)),
        ("{'train': made(9), 'test': made(5)}", (9, None, 5)),
    ],
)
def test_several_are_parts(write: Write, body: str, parts: tuple[int | None, ...]) -> None:
    raw = load_python(write(body))
    assert tuple(part and len(part.x) for part in (raw.train, raw.validation, raw.test)) == parts


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("made().repeat()", "repeats for ever; return it without repeat"),
        ("made().map(lambda x, y: x)", r"holds one Tensor; expected a tf.data.Dataset of \(rows, labels\)"),
        ("made().map(lambda x, y: (x, y, y, y))", "holds 4 values; expected"),
        ("made().map(lambda x, y: (x, y, {'a': y}))", "holds 3 values; expected"),
        (
            "tf.data.Dataset.from_tensor_slices((tf.ragged.constant([[1.0], [1.0, 2.0]]), [0, 1]))",
            "ragged rows have to be brought to one length before",
        ),
        ("made(0)", "the data set is empty"),
        ("made().map(lambda x, y: (tf.strings.as_string(x), y))", "its rows hold words; numbers are expected"),
        (
            "made().batch(3).unbatch().map(lambda x, y: (x, x[:, 0]))",
            r"\(3,\): 3 rows, or one row with 3 .* batches by \.unb",
        ),
        ("{'train': made(), 'rest': made()}", "expected the names train, validation and test, found train, rest"),
        ("{0: made(), 1: made()}", "expected the names train, validation and test, found 0, 1"),
    ],
)
def test_what_gives_no_rows_with_labels_is_refused(write: Write, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_python(write(body))


def test_a_run_goes_on_with_the_rows_that_it_began_with(write: Write, tmp_path: Path) -> None:
    reference = write("made().shuffle(20).batch(6)")
    first, again = (load_python(reference, RowStore(True, tmp_path / "rows")) for _ in range(2))
    np.testing.assert_array_equal(first.train.x[:], again.train.x[:])
    np.testing.assert_array_equal(first.train.y, again.train.y)
    assert (tmp_path / "mine.py.calls").read_text() == "x"


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_keeps_its_rows_whatever_is_written_into_the_file(write: Write, tmp_path: Path, begun: bool) -> None:
    reference = write("made().shuffle(20)")
    first = load_python(reference, RowStore(True, tmp_path / "rows")).train.x[:]
    os.utime(tmp_path / "mine.py", (1, 1))
    again = load_python(reference, RowStore(True, tmp_path / "rows"), begun=begun)
    assert bool(np.array_equal(first, again.train.x[:])) == begun
    assert len((tmp_path / "mine.py.calls").read_text()) == 2 - begun


def test_what_a_start_has_left_that_failed_is_gone_through_again_elsewhere(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = write("made()")
    for process, begun in (("one", False), ("another", False), ("yet another", True)):
        monkeypatch.setattr("spaces.data.readers.datasets._PROCESS", process)
        load_python(reference, RowStore(True, tmp_path / "rows"), begun=begun)
    assert (tmp_path / "mine.py.calls").read_text() == "xx"


def test_a_function_that_is_given_again_is_called_again(tmp_path: Path) -> None:
    import tensorflow as tf

    reference = "__given__:load_00000000"
    for change in (0, 1):
        keep_data(lambda change=change: tf.data.Dataset.from_tensor_slices((X + change, Y)), reference)
        for _ in range(2):
            raw = load_python(reference, RowStore(True, tmp_path / "rows"))
            np.testing.assert_array_equal(raw.train.x[:], X + change)


BATCHES = """
import keras
class Batches(keras.utils.PyDataset):
    def __init__(self, x=X, y=Y):
        super().__init__()
        self.x, self.y = x, y
    def __len__(self):
        return 3
    def __getitem__(self, number):
        return {gives}
def rows():
    return {returned}
"""


def numbered(
    write: Write, gives: str = "self.x[8 * number:][:8], self.y[8 * number:][:8]", returned: str = "Batches()"
) -> str:
    return write("None" + BATCHES.format(gives=gives, returned=returned))


SEVERAL = "made().map(lambda x, y: ({'image': x, 'number': tf.cast(y, tf.int16)}, {'y': y, 'z': 2 * y}))"


@pytest.mark.parametrize("stream", [True, "auto"])
@pytest.mark.parametrize(
    "body",
    [
        SEVERAL,
        f"{SEVERAL}.batch(8)",
        "None"
        + BATCHES.format(
            gives="{'number': self.y[8 * number:][:8].astype('i2'), 'image': self.x[8 * number:][:8]}, "
            "{'y': self.y[8 * number:][:8], 'z': 2 * self.y[8 * number:][:8]}",
            returned="Batches()",
        ),
    ],
)
def test_rows_and_labels_of_several_arrays(write: Write, tmp_path: Path, body: str, stream: Any) -> None:
    reference = write(body)
    first, again = (load_python(reference, RowStore(stream, tmp_path / "rows")) for _ in range(2))
    for raw in (first, again):
        assert raw.inputs is not None
        assert raw.targets is not None
        found = unpack_inputs(raw.train.x[:], raw.inputs)
        np.testing.assert_array_equal(found["image"], X)
        np.testing.assert_array_equal(found["number"], Y)
        assert found["number"].dtype == np.int16
        np.testing.assert_array_equal(raw.train.y, np.stack([Y, 2 * Y], axis=1))
        assert [piece.name for piece in raw.targets.pieces] == ["y", "z"]


@pytest.mark.parametrize("stream", [True, "auto"])
def test_batches_by_their_numbers(write: Write, tmp_path: Path, stream: Any) -> None:
    raw = load_python(numbered(write), RowStore(stream, tmp_path / "rows"))
    np.testing.assert_array_equal(raw.train.x[:], X)
    np.testing.assert_array_equal(raw.train.y, Y)
    assert raw.changing


def test_what_gives_batches_imports_what_lies_beside_it_and_prints_elsewhere(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "beside_the_batches.py").write_text("def part(rows, number):\n    return rows[8 * number:][:8]\n")
    part = "__import__('beside_the_batches').part"
    raw = load_python(numbered(write, f"(print('said'), {part}(self.x, number), {part}(self.y, number))[1:]"))
    np.testing.assert_array_equal(raw.train.x, X)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("said") == 3


@pytest.mark.parametrize(
    ("gives", "message"),
    [("self.x[99], self.y", "IndexError: index 99"), ("__import__('sys').exit(3)", "SystemExit: 3")],
)
def test_what_the_code_that_gives_batches_raises_is_told_with_its_line(write: Write, gives: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"mine\.py:rows, line \d+ \(train\): {message}"):
        load_python(numbered(write, gives))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("np.array(WORDS, object)", [("cat", "catfish", "dög")[i % 3] for i in range(20)]),
        ("np.array([word.encode() for word in WORDS], object)", [("cat", "catfish", "dög")[i % 3] for i in range(20)]),
        ("self.y.astype(object)", Y.tolist()),
    ],
)
def test_labels_may_come_as_objects(write: Write, labels: str, expected: list[Any]) -> None:
    raw = load_python(numbered(write, f"self.x[8 * number:][:8], {labels}[8 * number:][:8]"))
    assert raw.train.y.tolist() == expected


def test_two_that_give_batches_by_their_numbers_are_parts(write: Write) -> None:
    raw = load_python(numbered(write, returned="Batches(), Batches(X[:18], Y[:18])"))
    assert raw.validation is not None
    np.testing.assert_array_equal(raw.validation.x, X[:18])


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (
            "self.x, self.y, self.y, self.y",
            "gives 4 values; expected batches of (rows, labels), each one tensor, or a dict or",
        ),
        ("{'a': {'b': self.x}}, self.y", "gives 2 values; expected batches of (rows, labels)"),
        ("(self.x if number else {'a': self.x}), self.y", "one array follows a (3, 2) float32"),
        ("{'a': self.x, 'b': self.y[:2]}, self.y", "an element has shapes (20, 3, 2), (2,) and (20,); as many labels"),
        ("self.x[:2], self.y", "an element has shapes (2, 3, 2) and (20,); as many labels as rows are expected"),
        ("self.x.astype('f8' if number else 'f4'), self.y", "rows of float64 follow rows of float32"),
        ("self.x.astype(object), self.y", "rows hold Python objects; numbers are expected"),
        ("self.x, np.array(['cat', None] * 10, object)", "labels of type object are not read; numbers or text are"),
        ("self.x, np.ma.masked_equal(self.y, 1)", "labels: what is masked (row 1) has no value"),
        ("self.x, self.y, np.ma.masked_equal(self.y, 1)", "weights: what is masked (row 1) has no value"),
    ],
)
def test_batches_of_something_else_are_told(write: Write, gives: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        load_python(numbered(write, gives))


@pytest.mark.parametrize(
    "body",
    [
        "made().map(lambda x, y: (x, y, y + 1)), made(18)",
        "made().map(lambda x, y: (x, y, y[..., None] + 1)), made(18)",
        "made().batch(8).map(lambda x, y: (x, y, y + 1)), made(18)",
        "None"
        + BATCHES.format(
            gives="(self.x[8 * number:][:8], self.y[8 * number:][:8], 1 + self.y[8 * number:][:8])[:self.values]",
            returned="Batches(), Batches(X[:18], Y[:18], 2)",
        ).replace("y=Y):", "y=Y, values=3):\n        self.values = values"),
    ],
)
def test_a_third_tensor_says_how_much_each_row_counts(write: Write, tmp_path: Path, body: str) -> None:
    reference = write(body)
    for _ in range(2):
        raw = load_python(reference, RowStore(True, tmp_path / "rows"))
        assert raw.train.weight is not None
        assert raw.train.weight.dtype == np.float32
        np.testing.assert_array_equal(raw.train.weight, Y + 1)
        assert raw.validation is not None
        # As Keras counts them.
        np.testing.assert_array_equal(raw.validation.weight, np.ones(18))


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        ("self.x, self.y, -self.y", "row 1 counts -1; weights are 0 or more"),
        ("self.x, self.y, self.x[:, 0]", "float32 of shape (60, 2) cannot say how much each row counts"),
        ("self.x, self.y, self.y[:9]", "(20, 3, 2) and (20,) and (9,); as many labels and weights as rows"),
        ("self.x, {'a': self.y}, self.y", "is taken for a model of one output only"),
        ("(self.x, self.y, self.y)[:3 - number]", "some elements say how much their rows count, others do not"),
    ],
)
def test_what_cannot_say_how_much_rows_count_is_refused(write: Write, gives: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        load_python(numbered(write, gives))


def test_a_data_set_that_was_given_is_named_as_such() -> None:
    import tensorflow as tf

    with pytest.raises(DataError, match=r"^data \(train\): the data set is empty"):
        load_python(keep_data(loader(tf.data.Dataset.from_tensor_slices((X[:0], Y[:0])))))


def test_its_rows_count_for_the_room_on_the_disk(write: Write, tmp_path: Path) -> None:
    reference, store = write("made().batch(8)"), RowStore(True, tmp_path / "rows")
    assert load_python(reference, store).changing
    assert store.written == sum(path.stat().st_size for path in (tmp_path / "rows").glob("*.npy")) > X.nbytes + 160
    with pytest.raises(DataError, match=r"mine\.py:rows \(train\): its rows take at least .*more than limits\.disk"):
        load_python(reference, RowStore(True, tmp_path / "limited", 400))


@pytest.mark.parametrize(("kind", "stays"), [("int8", True), ("uint8", False)])
def test_what_counts_is_what_rows_take_in_memory(
    write: Write, monkeypatch: pytest.MonkeyPatch, kind: str, stays: bool
) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: 6 * X.size)
    raw = load_python(write(f"made().map(lambda x, y: (tf.cast(x, tf.{kind}), y))"))
    assert isinstance(raw.train.x, StoredRows) is stays
